//! Looks for secrets in what an agent adds.
//!
//! A false alarm stops somebody's work, so a rule is either the fixed form of one provider's keys, or an assignment to a name
//! that says what it is, of a value that looks random. Looked for are: keys of AWS, Google, Anthropic, OpenAI, OpenRouter,
//! Stripe, SendGrid and Hugging Face; tokens of GitHub, GitLab, Slack, npm, PyPI, crates.io and Millrace; private keys; signed
//! JSON web tokens; `secret`, `token`, `password`, `api_key` … = a random value; and every secret that the runner itself
//! holds, in whichever form. A line that says `millrace:allow-secret` is left alone, and so are the examples of
//! manufacturers' handbooks.

use std::{fmt, io, ops::Range, sync::LazyLock};

use regex::bytes::{Regex, RegexSet};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::{
    diff::{Line, Reader},
    output::Mask,
};

/// What makes a line an exception.
const ALLOWED: &[u8] = b"millrace:allow-secret";
/// A longer line is read in pieces.
const LONGEST_LINE: u64 = 1 << 20;
/// What a text shows instead of a secret.
const REDACTED: &[u8] = b"***";

/// What a key looks like, and what it is.
const KEYS: [(&str, &str); 19] = [
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", "an AWS access key"),
    (r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b", "a GitHub token"),
    (r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", "a GitHub token"),
    (r"\bglpat-[A-Za-z0-9_-]{20,}", "a GitLab token"),
    (r"\bxox[abeprs]-[A-Za-z0-9]{8,}-[A-Za-z0-9-]{10,}", "a Slack token"),
    (r"\bhooks\.slack\.com/services/T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,}", "a Slack webhook"),
    (r"\bsk-ant-[A-Za-z0-9_-]{32,}", "an Anthropic key"),
    (r"\bsk-or-v1-[0-9a-f]{48,}", "an OpenRouter key"),
    (r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}", "an OpenAI key"),
    (r"\bsk-[A-Za-z0-9]{48}\b", "an OpenAI key"),
    (r"\bAIza[A-Za-z0-9_-]{35}\b", "a Google key"),
    (r"\b[rs]k_live_[A-Za-z0-9]{24,}", "a Stripe key"),
    (r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b", "a SendGrid key"),
    (r"\bhf_[A-Za-z]{34}\b", "a Hugging Face token"),
    (r"\bnpm_[A-Za-z0-9]{36}\b", "an npm token"),
    (r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}", "a PyPI token"),
    (r"\bcio[A-Za-z0-9]{32}\b", "a crates.io token"),
    (r"\bmr_[A-Za-z0-9_-]{43}\b", "a Millrace token"),
    (r"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{40,}", "a signed web token"),
];

static KEY_SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(KEYS.map(|(form, _)| form)).ok());
static KEY_FORMS: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| KEYS.iter().map(|(form, _)| Regex::new(form).ok()).collect());

/// A name that says what it holds, and a value: quoted, or all that is left of the line as in a file of variables.
static ASSIGNMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name =
        r"(?:secret|token|passwo?r?d|passwd|api_?-?key|access_?-?key|private_?-?key|auth_?-?key|credential)";
    let quoted = r#"["']([A-Za-z0-9+/_=.~-]{20,200})["']"#;
    let bare = r"([A-Za-z0-9+/_=~-]{20,200})\s*$";
    let form = format!(r#"(?i){name}[a-z0-9_-]*["']?\s*(?:(?:=>|:=|[:=])\s*{quoted}|=\s*{bare})"#);
    Regex::new(&form).ok()
});
/// The head of a private key; the key itself follows it, in the same line or the next.
static PRIVATE_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(.*)$").ok());
static KEY_BODY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:\\r|\\n|["'`\s+,])*[A-Za-z0-9+/=]{40,}"#).ok());

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of secret, with its article.
    pub what: &'static str,
    pub place: Place,
    /// The commit that adds it, shortened, where it is known and not the last.
    pub commit: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Line {
        path: String,
        line: u32,
    },
    /// It is not shown: the secret is in it.
    FileName,
    CommitMessage,
    /// Its author, its committer, or a line that programs put there.
    CommitHeader,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Line { path, line } => write!(f, "secret found in {path}, line {line}: {}", self.what)?,
            Place::FileName => write!(f, "secret found in the name of a file: {}", self.what)?,
            Place::CommitMessage => write!(f, "secret found in a commit's message: {}", self.what)?,
            Place::CommitHeader => {
                write!(f, "secret found in the author or the header of a commit: {}", self.what)?
            }
        }
        match &self.commit {
            Some(commit) => write!(f, " (commit {commit})"),
            None => Ok(()),
        }
    }
}

/// A line of a log, or what goes on of one that is very long.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Line(&'a [u8]),
    Rest(&'a [u8]),
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    known: Option<Mask>,
}

impl Secrets {
    /// `known` finds the secrets that the runner holds.
    pub fn new(known: Option<Mask>) -> Self {
        Self { known }
    }

    /// Reads names that each end with a zero byte.
    pub(super) async fn search_names(&self, names: impl AsyncRead + Unpin) -> io::Result<Option<Finding>> {
        let mut names = BufReader::new(names);
        let mut name = Vec::new();
        while (&mut names).take(LONGEST_LINE).read_until(0, &mut name).await? > 0 {
            let text = name.strip_suffix(b"\0").unwrap_or(&name);
            if let Some((_, what)) = self.find(text, &mut false).into_iter().next() {
                return Ok(Some(Finding { what, place: Place::FileName, commit: None }));
            }
            name.clear();
        }
        Ok(None)
    }

    /// Reads commits as they are stored: headers, and the message, each of whose lines git indents. `head` is the commit that
    /// needs no name.
    pub(super) async fn search_commits(
        &self,
        log: impl AsyncRead + Unpin,
        head: &str,
    ) -> io::Result<Option<Finding>> {
        let mut key = false;
        self.search(log, head, |secrets, piece| {
            let (Piece::Line(text) | Piece::Rest(text)) = piece;
            let (_, what) = secrets.find(text, &mut key).into_iter().next()?;
            let is_header = matches!(piece, Piece::Line(text) if !text.starts_with(b"    "));
            Some((what, if is_header { Place::CommitHeader } else { Place::CommitMessage }))
        })
        .await
    }

    /// Reads patches, each after a line `commit …`. What people wrote of a commit is not among them: it could pass for a diff.
    pub(super) async fn search_patches(
        &self,
        log: impl AsyncRead + Unpin,
        head: &str,
    ) -> io::Result<Option<Finding>> {
        let (mut reader, mut path, mut added, mut key) = (Reader::default(), None, None, false);
        self.search(log, head, |secrets, piece| {
            let text = match piece {
                Piece::Rest(text) => text,
                Piece::Line(line) => {
                    added = None;
                    match reader.read(line) {
                        Line::Added { new, text } => {
                            added = Some(new);
                            text
                        }
                        Line::File => {
                            key = false;
                            return None;
                        }
                        Line::NewPath(name) => {
                            path = name.map(|name| String::from_utf8_lossy(&name).into_owned());
                            return None;
                        }
                        _ => return None,
                    }
                }
            };
            let line = added?;
            let (_, what) = secrets.find(text, &mut key).into_iter().next()?;
            Some((what, Place::Line { path: path.clone().unwrap_or_default(), line }))
        })
        .await
    }

    /// Looks at a log line by line, to the first that `look` finds something in.
    async fn search(
        &self,
        log: impl AsyncRead + Unpin,
        head: &str,
        mut look: impl FnMut(&Self, Piece<'_>) -> Option<(&'static str, Place)>,
    ) -> io::Result<Option<Finding>> {
        let mut log = BufReader::new(log);
        let (mut line, mut commit) = (Vec::new(), String::new());
        let mut goes_on = false;
        while (&mut log).take(LONGEST_LINE).read_until(b'\n', &mut line).await? > 0 {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let piece = if goes_on { Piece::Rest(text) } else { Piece::Line(text) };
            goes_on = text.len() == line.len();
            if let Piece::Line(text) = piece
                && let Some(id) = text.strip_prefix(b"commit ")
            {
                commit = String::from_utf8_lossy(id).into_owned();
            }
            if let Some((what, place)) = look(self, piece) {
                let commit = (commit != head).then(|| commit.chars().take(12).collect());
                return Ok(Some(Finding { what, place, commit }));
            }
            line.clear();
        }
        Ok(None)
    }

    /// A diff in which secrets that are added are not shown, nor those in names of files.
    pub(super) fn without(&self, patch: Vec<u8>) -> Vec<u8> {
        let mut reader = Reader::default();
        let mut key = false;
        let mut found = Vec::new();
        let mut start = 0;
        for line in patch.split(|byte| *byte == b'\n') {
            let (secrets, at) = match reader.read(line) {
                // Behind the sign of the line.
                Line::Added { text, .. } => (self.find(text, &mut key), start + 1),
                Line::Removed { .. } | Line::Context { .. } | Line::Hunk { .. } => (Vec::new(), start),
                _ => (self.find(line, &mut false), start),
            };
            found.extend(secrets.into_iter().map(|(range, _)| shifted(range, at)));
            start += line.len() + 1;
        }
        if found.is_empty() { patch } else { covered(&patch, found) }
    }

    /// A text in which secrets are not shown.
    pub fn redacted(&self, text: &str) -> String {
        let mut key = false;
        let mut found = Vec::new();
        let mut start = 0;
        for line in text.split('\n') {
            found.extend(
                self.find(line.as_bytes(), &mut key).into_iter().map(|(range, _)| shifted(range, start)),
            );
            start += line.len() + 1;
        }
        String::from_utf8_lossy(&covered(text.as_bytes(), found)).into_owned()
    }

    /// The secrets of a line, in order. `key` says whether the line before was the head of a private key.
    fn find(&self, text: &[u8], key: &mut bool) -> Vec<(Range<usize>, &'static str)> {
        // The mark is for what only looks like a secret. The agent writes it, so it hides none that is known.
        let mut found = match memchr::memmem::find(text, ALLOWED) {
            Some(_) => {
                *key = false;
                Vec::new()
            }
            None => look_alikes(text, key),
        };
        if let Some(known) = &self.known {
            found.extend(
                known.find(text).into_iter().map(|range| (range, "a secret that this runner was given")),
            );
        }
        found.sort_by_key(|(range, _)| range.start);
        found
    }
}

fn shifted(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// The text with something else in these places, which are in order and may overlap.
fn covered(text: &[u8], places: Vec<Range<usize>>) -> Vec<u8> {
    let mut covered = Vec::with_capacity(text.len());
    let mut copied = 0;
    for place in places {
        if place.start >= copied {
            covered.extend_from_slice(&text[copied..place.start]);
            covered.extend_from_slice(REDACTED);
        }
        copied = copied.max(place.end);
    }
    covered.extend_from_slice(&text[copied..]);
    covered
}

/// What has the form of a secret. `key` says whether the line before was the head of a private key.
fn look_alikes(text: &[u8], key: &mut bool) -> Vec<(Range<usize>, &'static str)> {
    let follows_head = std::mem::take(key);
    let mut found = Vec::new();
    if let Some(head) = PRIVATE_KEY.as_ref().and_then(|form| form.captures(text)) {
        let rest = head.get(1).map(|rest| rest.range()).unwrap_or_default();
        *key = text[rest.clone()].trim_ascii().is_empty();
        if is_key_body(&text[rest.clone()]) {
            found.push((rest, "a private key"));
        }
    }
    if follows_head && is_key_body(text) {
        found.push((0..text.len(), "a private key"));
    }
    for rule in KEY_SET.iter().flat_map(|set| set.matches(text)) {
        let matches = KEY_FORMS[rule].iter().flat_map(|form| form.find_iter(text));
        found
            .extend(matches.filter(|key| !is_example(key.as_bytes())).map(|key| (key.range(), KEYS[rule].1)));
    }
    for assignment in ASSIGNMENT.iter().flat_map(|form| form.captures_iter(text)) {
        if let Some(value) = assignment.get(1).or_else(|| assignment.get(2))
            && looks_random(value.as_bytes())
            && !is_example(value.as_bytes())
        {
            found.push((value.range(), "a random value under a secret's name"));
        }
    }
    found
}

fn is_key_body(text: &[u8]) -> bool {
    KEY_BODY.as_ref().is_some_and(|form| form.is_match(text))
}

/// What handbooks and tests have instead of a key.
fn is_example(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    ["example", "xxxx", "0000000", "1234567", "abcdef", "placeholder", "changeme", "dummy", "your"]
        .iter()
        .any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// Letters of both cases and digits in a disorder that words and names do not have, or many hexadecimal digits.
fn looks_random(value: &[u8]) -> bool {
    const BITS: f64 = 3.7;
    const HEX_DIGITS: usize = 32;
    const HEX_BITS: f64 = 3.0;
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    let is_hex =
        value.len() >= HEX_DIGITS && value.iter().all(u8::is_ascii_hexdigit) && has(u8::is_ascii_digit);
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    (is_hex && entropy(value) >= HEX_BITS) || (is_mixed && entropy(value) >= BITS)
}

/// Shannon's, in bits per byte.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let length = value.len() as f64;
    let of = |count: u32| f64::from(count) / length;
    -counts.into_iter().filter(|count| *count > 0).map(|count| of(count) * of(count).log2()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn found(line: &str) -> Option<&'static str> {
        Secrets::default().find(line.as_bytes(), &mut false).first().map(|(_, what)| *what)
    }

    /// A text that only looks like one when it is put together, so that no scanner takes this file for a leak.
    fn random(prefix: &str, length: usize) -> String {
        const LETTERS: &[u8] = b"K7dQz2Wm9RtYx4LcVb8NsHj3PgFk6TqA5eUoIiOaSwEyDrGhJlZuXvCnBpM";
        let body = (0..length).map(|index| char::from(LETTERS[index * 7 % LETTERS.len()]));
        prefix.chars().chain(body).collect()
    }

    #[test]
    fn every_form_of_a_key_compiles_and_is_found() {
        for regex in [&ASSIGNMENT, &PRIVATE_KEY, &KEY_BODY] {
            assert!(regex.is_some());
        }
        assert!(KEY_SET.is_some());
        for (key, what) in [
            (format!("AKIA{}", "QZ7WMRTYXLCVB2NS"), "an AWS access key"),
            (random("ghp_", 36), "a GitHub token"),
            (random("glpat-", 20), "a GitLab token"),
            (format!("xoxb-{}-{}", "938271650418", random("", 24)), "a Slack token"),
            (random("sk-ant-api03-", 90), "an Anthropic key"),
            (random("sk-proj-", 60), "an OpenAI key"),
            (random("sk-", 48), "an OpenAI key"),
            (random("AIza", 35), "a Google key"),
            (random("sk_live_", 24), "a Stripe key"),
            (random("npm_", 36), "an npm token"),
            (random("cio", 32), "a crates.io token"),
            (random("mr_", 43), "a Millrace token"),
            (format!("{}.{}.{}", random("eyJ", 30), random("eyJ", 30), random("", 43)), "a signed web token"),
        ] {
            assert_eq!(found(&format!("let key = \"{key}\";")), Some(what), "{key}");
            assert_eq!(found(&format!("{key} // millrace:allow-secret")), None);
        }
    }

    #[test]
    fn random_values_under_a_secrets_name_are_found() {
        let value = random("", 32);
        for line in [
            format!("password = \"{value}\""),
            format!("  'clientSecret': '{value}',"),
            format!("export SLACK_TOKEN={value}"),
            format!("api-key := \"{value}\""),
            "DB_PASSWORD=9f86d081884c7d659a2feaa0c55ad015".to_owned(),
        ] {
            assert!(found(&line).is_some(), "{line}");
        }
    }

    #[test]
    fn code_and_examples_are_no_secrets() {
        for line in [
            "const token = request.headers.get('authorization')",
            "let secret: SecretString = config.secret.clone();",
            "password = os.environ[\"DATABASE_PASSWORD\"]",
            "token = \"this-is-not-a-secret-at-all\"",
            "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
            "integrity sha512-V8j2QxKp7v0mJz8dYw3fTnRbLcHsGaUeXiOyMkNqWtBzPdSrFhCvJgEuAlIoTy==",
            "\"checksum\": \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
            "api_key = \"your-api-key-goes-here-1234567\"",
            "if text.contains(\"-----BEGIN PRIVATE KEY-----\") {",
            "sk-learn-contrib-is-a-package-with-a-long-name",
            "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[tokio::test]
    async fn a_log_is_searched_commit_by_commit() {
        let key = random("ghp_", 36);
        let log = format!(
            "commit aaaaaaaaaaaaaaaa\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3,0 +4,2 @@\n+one\n+{key}\n\
             commit bbbbbbbbbbbbbbbb\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -5 +4,0 @@\n-{key}\n"
        );
        let search = async |log: &str| {
            Secrets::default().search_patches(log.as_bytes(), "bbbbbbbbbbbbbbbb").await.unwrap()
        };
        let finding = search(&log).await.unwrap();
        assert_eq!(finding.to_string(), "secret found in x, line 5: a GitHub token (commit aaaaaaaaaaaa)");

        // Whatever the piece begins with that a very long line is cut at.
        let long = format!("{}--- {key}", "x".repeat(usize::try_from(LONGEST_LINE).unwrap() - 1));
        let log_of_long = log.replacen("+one", &format!("+{long}"), 1);
        let finding = search(&log_of_long).await.unwrap();
        assert_eq!(finding.to_string(), "secret found in x, line 4: a GitHub token (commit aaaaaaaaaaaa)");

        let removed = log.split_inclusive('\n').skip(8).collect::<String>();
        assert_eq!(search(&removed).await, None, "taking one out is fine");
    }

    #[tokio::test]
    async fn what_is_said_of_a_commit_is_searched_too() {
        let key = random("ghp_", 36);
        let search = async |log: String| {
            let found = Secrets::default().search_commits(log.as_bytes(), "aaaaaaaaaaaaaaaa").await.unwrap();
            found.map(|finding| finding.to_string())
        };
        let commit = "commit aaaaaaaaaaaaaaaa\ntree 9f86d081884c7d659a2feaa0c55ad015\n";
        assert_eq!(
            search(format!("{commit}author A <a@b> 1 +0000\n\n    Use it\n    {key}\n")).await.unwrap(),
            "secret found in a commit's message: a GitHub token"
        );
        assert_eq!(
            search(format!("{commit}author {key} <a@b> 1 +0000\n\n    Use it\n")).await.unwrap(),
            "secret found in the author or the header of a commit: a GitHub token"
        );
        assert_eq!(search(format!("{commit}author A <a@b> 1 +0000\n\n    Use it\n")).await, None);
    }

    #[tokio::test]
    async fn the_name_of_a_file_can_be_a_secret_and_is_not_said() {
        let key = random("ghp_", 36);
        let names = format!("src/wheel.rs\0keys/{key}\0");
        let finding = Secrets::default().search_names(names.as_bytes()).await.unwrap().unwrap();
        assert_eq!(finding.to_string(), "secret found in the name of a file: a GitHub token");

        let patch = format!(
            "diff --git a/{key} b/{key}\nnew file mode 100644\n--- /dev/null\n+++ b/{key}\n@@ -0,0 +1 @@\n+x\n"
        );
        let expected =
            "diff --git a/*** b/***\nnew file mode 100644\n--- /dev/null\n+++ b/***\n@@ -0,0 +1 @@\n+x\n";
        assert_eq!(String::from_utf8(Secrets::default().without(patch.into_bytes())).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_private_key_is_one_when_the_key_follows_its_head() {
        let body = random("", 64);
        let patch = format!(
            "--- /dev/null\n+++ b/key.pem\n@@ -0,0 +1,2 @@\n+-----BEGIN RSA PRIVATE KEY-----\n+{body}\n"
        );
        let finding = Secrets::default().search_patches(patch.as_bytes(), "").await.unwrap().unwrap();
        assert_eq!(finding.place, Place::Line { path: "key.pem".to_owned(), line: 2 });
        assert!(found(&format!("\"-----BEGIN PRIVATE KEY-----\\n{body}\"")).is_some());
    }

    #[test]
    fn a_diff_is_kept_without_the_secrets_that_it_adds() {
        let secrets = Secrets::new(Mask::new(&["the-runners-own".into()]));
        let key = random("ghp_", 36);
        let patch = format!("+++ b/x\n@@ -1 +1,2 @@\n-{key}\n+a {key} b the-runners-own\n+c\n");
        let expected = format!("+++ b/x\n@@ -1 +1,2 @@\n-{key}\n+a *** b ***\n+c\n");
        assert_eq!(String::from_utf8(secrets.without(patch.into_bytes())).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_known_secret_in_lines_of_base64_is_found() {
        let key = random("", 108);
        let known = Secrets::new(Mask::new(&[key.clone().into()]));
        let text = STANDARD.encode(&key);
        for width in [64, 76] {
            let lines: Vec<&str> =
                text.as_bytes().chunks(width).filter_map(|line| str::from_utf8(line).ok()).collect();
            let head = format!("--- /dev/null\n+++ b/x\n@@ -0,0 +1,{} @@\n", lines.len());
            let patch = format!("{head}+{}\n", lines.join("\n+"));

            let finding = known.search_patches(patch.as_bytes(), "").await.unwrap().unwrap();

            assert_eq!(finding.place, Place::Line { path: "x".to_owned(), line: 1 });
            let hidden = String::from_utf8(known.without(patch.into_bytes())).unwrap();
            assert_eq!(hidden, format!("{head}{}", "+***\n".repeat(lines.len())));
        }
    }

    #[test]
    fn a_text_is_shown_without_its_secrets() {
        let key = random("ghp_", 36);
        let said = format!("Stored it:\n  token = {key} here\nand tested it.");
        assert_eq!(Secrets::default().redacted(&said), "Stored it:\n  token = *** here\nand tested it.");
        assert_eq!(Secrets::default().redacted("Nothing to hide."), "Nothing to hide.");
    }

    #[test]
    fn the_mark_for_examples_hides_no_secret_that_is_known() {
        let known = Secrets::new(Mask::new(&["the-key-of-the-runner".to_owned().into()]));
        let line = b"key = the-key-of-the-runner # millrace:allow-secret";
        assert_eq!(known.find(line, &mut false).len(), 1);
        assert!(Secrets::default().find(line, &mut false).is_empty());
    }
}
