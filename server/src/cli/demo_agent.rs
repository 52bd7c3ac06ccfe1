//! The program of the demo agent: counts what the repository holds, writes it down, and says what it does as steps.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};
use app::model::Step;

const FILE: &str = "MILLRACE.md";

/// A larger file is data rather than text that somebody wrote.
const LARGEST_TEXT: u64 = 4 << 20;

const LANGUAGES: [(&str, &[&str]); 20] = [
    ("C", &["c", "h"]),
    ("C#", &["cs"]),
    ("C++", &["cc", "cpp", "cxx", "hh", "hpp"]),
    ("CSS", &["css", "scss"]),
    ("Go", &["go"]),
    ("HTML", &["htm", "html"]),
    ("Java", &["java"]),
    ("JavaScript", &["cjs", "js", "jsx", "mjs"]),
    ("JSON", &["json"]),
    ("Kotlin", &["kt", "kts"]),
    ("Markdown", &["md"]),
    ("PHP", &["php"]),
    ("Python", &["py"]),
    ("Ruby", &["rb"]),
    ("Rust", &["rs"]),
    ("Shell", &["bash", "sh"]),
    ("SQL", &["sql"]),
    ("Swift", &["swift"]),
    ("TOML", &["toml"]),
    ("TypeScript", &["ts", "tsx"]),
];

pub(super) fn run() -> anyhow::Result<ExitCode> {
    // Read to its end as any agent does, and not needed: it always does the same.
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    say("I am the demo agent. I am no AI: whatever the prompt is, I count what this repository holds.")?;
    let outcome = count_and_write();
    let text = match &outcome {
        Ok(summary) => summary.clone(),
        Err(error) => format!("{error:#}"),
    };
    print(&Step::Result { ok: outcome.is_ok(), text })?;
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count_and_write() -> anyhow::Result<String> {
    let (names, last_commit) = tool("list-files", "git ls-files", "git", || {
        let names = git(&["ls-files", "-z"])?;
        let last_commit = git(&["log", "-1", "--format=%h of %as: %s"])?;
        let count = names.split_terminator('\0').count();
        Ok(((names, last_commit), format!("{count} files")))
    })?;
    let names: Vec<&str> = names.split_terminator('\0').filter(|name| *name != FILE).collect();
    let facts = Facts::count(Path::new("."), &names, last_commit.trim());
    tool("write-file", FILE, "write", || {
        write(Path::new(FILE), &facts.page()).with_context(|| format!("{FILE} cannot be written"))?;
        Ok(((), format!("{FILE} was written")))
    })?;
    Ok(format!("Wrote what I counted to `{FILE}`: {}.", facts.sum()))
}

/// Writes a file of the repository. A link in its place is replaced: it may lead out of here.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if file.symlink_metadata().is_ok_and(|about| about.is_symlink()) {
        fs::remove_file(file)?;
    }
    fs::write(file, text)
}

/// Does something and shows it as the use of a tool.
fn tool<T>(
    call: &str,
    input: &str,
    tool: &str,
    work: impl FnOnce() -> anyhow::Result<(T, String)>,
) -> anyhow::Result<T> {
    let call = call.to_owned();
    let input = serde_json::json!({"input": input}).to_string();
    print(&Step::ToolCall { call: call.clone(), tool: tool.to_owned(), input })?;
    let outcome = work();
    let error = outcome.is_err();
    let output = outcome.as_ref().map_or_else(|error| format!("{error:#}"), |(_, output)| output.clone());
    print(&Step::ToolResult { call, exit_code: None, error, output })?;
    outcome.map(|(result, _)| result)
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(arguments).output().context("git cannot be started")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn say(text: &str) -> anyhow::Result<()> {
    print(&Step::Message { text: text.to_owned(), delta: false })
}

fn print(step: &Step) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(step)?)?)
}

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Facts {
    files: usize,
    lines: usize,
    /// Files and lines of each language that was recognised.
    languages: BTreeMap<&'static str, (usize, usize)>,
    last_commit: String,
}

impl Facts {
    fn count(root: &Path, names: &[&str], last_commit: &str) -> Self {
        let mut facts = Self { files: names.len(), last_commit: last_commit.to_owned(), ..Self::default() };
        for name in names {
            let lines = lines(&root.join(name)).unwrap_or_default();
            facts.lines += lines;
            if let Some(language) = language(name) {
                let (files, of_language) = facts.languages.entry(language).or_default();
                *files += 1;
                *of_language += lines;
            }
        }
        facts
    }

    fn sum(&self) -> String {
        format!("{} files, {} lines of text", self.files, self.lines)
    }

    fn page(&self) -> String {
        let mut page = format!(
            "# What is in this repository\n\nCounted by Millrace's demo agent, which is no AI.\n\n\
             - {}\n- Last commit: {}\n",
            self.sum(),
            self.last_commit
        );
        if !self.languages.is_empty() {
            page.push_str("\n| language | files | lines |\n| --- | ---: | ---: |\n");
        }
        let mut languages: Vec<_> = self.languages.iter().collect();
        languages.sort_by_key(|(name, (_, lines))| (std::cmp::Reverse(*lines), **name));
        for (name, (files, lines)) in languages {
            // Writing to a string does not fail.
            let _ = writeln!(page, "| {name} | {files} | {lines} |");
        }
        page
    }
}

fn language(name: &str) -> Option<&'static str> {
    let ending = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    LANGUAGES.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map(|(language, _)| *language)
}

/// How many lines a file of text has; nothing for one that is none, and for a link.
fn lines(path: &Path) -> Option<usize> {
    let about = fs::symlink_metadata(path).ok()?;
    if !about.is_file() || about.len() > LARGEST_TEXT {
        return None;
    }
    let content = fs::read(path).ok()?;
    if memchr::memchr(0, &content).is_some() {
        return None;
    }
    let unfinished = usize::from(!content.is_empty() && !content.ends_with(b"\n"));
    Some(memchr::memchr_iter(b'\n', &content).count() + unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_lines_by_language_and_neither_data_nor_what_is_outside() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| fs::write(directory.path().join(name), content).unwrap();
        write("main.rs", b"fn main() {\n}\n");
        write("lib.RS", b"// one\n// two");
        write("logo.png", b"\x00\n\n\n");
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link.md")).unwrap();

        let names = ["main.rs", "lib.RS", "logo.png", "link.md"];
        let facts = Facts::count(directory.path(), &names, "abc of 2026-01-01: Begin");

        assert_eq!(facts.sum(), "4 files, 4 lines of text");
        let page = facts.page();
        assert!(page.contains("| Rust | 2 | 4 |\n"), "{page}");
        assert!(page.contains("Last commit: abc of 2026-01-01: Begin\n"), "{page}");
    }

    #[test]
    fn what_a_link_leads_to_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let (outside, file) = (directory.path().join("outside"), directory.path().join("MILLRACE.md"));
        fs::write(&outside, "somebody else's").unwrap();
        std::os::unix::fs::symlink(&outside, &file).unwrap();

        write(&file, "counted").unwrap();

        assert_eq!(fs::read_to_string(&outside).unwrap(), "somebody else's");
        assert!(file.symlink_metadata().unwrap().is_file());
    }
}
