//! Takes the secrets that Millrace knows out of what a program prints, before anybody else sees it.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// A shorter secret is not masked: too much else would be.
const SHORTEST: usize = 6;
/// So many characters of a secret's base64 are looked for by themselves: 12 bytes, which nothing else has by chance.
const PIECE: usize = 16;
/// What a piece leaves out at the start of a secret: `sk-ant-api03-` begins many keys that are nobody's secret.
const BEGINNING: usize = 8;
/// What stands where a secret was.
const MASKED: &[u8] = b"***";
/// What browsers and most libraries leave as it is in an address.
const IN_ADDRESS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Finds secrets as they are, in base64, in addresses, in names of hosts and in JSON. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mask {
    finder: Arc<AhoCorasick>,
    /// In order.
    forms: Arc<[Vec<u8>]>,
    longest: usize,
}

impl Mask {
    /// `None` when there is nothing to mask.
    pub fn new(secrets: &[SecretString]) -> Option<Self> {
        let mut forms = BTreeSet::new();
        // A line is what is masked, so each line of a secret counts as one.
        for secret in secrets.iter().flat_map(|secret| secret.expose_secret().lines()) {
            if secret.trim().len() >= SHORTEST {
                forms.extend(forms_of(secret.trim()));
            }
        }
        let longest = forms.iter().map(Vec::len).max()?;
        let forms: Arc<[Vec<u8>]> = forms.into_iter().collect();
        // Fails only for more bytes of secrets than anybody has.
        let finder = AhoCorasick::new(forms.iter()).ok()?;
        Some(Self { finder: Arc::new(finder), forms, longest })
    }

    /// For one stream of bytes.
    pub fn stream(&self) -> Masker {
        Masker { mask: self.clone(), held: Vec::new(), covered: 0, masked: Vec::new() }
    }

    /// A whole text without secrets.
    pub fn text(&self, text: &str) -> String {
        if !self.finder.is_match(text) {
            return text.to_owned();
        }
        let mut masker = self.stream();
        let mut masked = masker.feed(text.as_bytes()).to_vec();
        masked.extend_from_slice(masker.finish());
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// Where secrets are, in order and without overlaps.
    pub fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<_> = self.finder.find_overlapping_iter(bytes).map(|found| found.range()).collect();
        found.sort_unstable_by_key(|range| (range.start, range.end));
        found.dedup_by(|next, range| {
            let overlaps = next.start < range.end;
            if overlaps {
                range.end = range.end.max(next.end);
            }
            overlaps
        });
        found
    }

    /// Where a secret begins that may go on behind these bytes; at their end where none does.
    fn unfinished(&self, bytes: &[u8]) -> usize {
        let earliest = (bytes.len() + 1).saturating_sub(self.longest);
        (earliest..bytes.len()).find(|start| self.goes_on(&bytes[*start..])).unwrap_or(bytes.len())
    }

    /// Whether a secret begins with this and is longer.
    fn goes_on(&self, beginning: &[u8]) -> bool {
        let next = self.forms.partition_point(|form| form.as_slice() <= beginning);
        self.forms.get(next).is_some_and(|form| form.starts_with(beginning))
    }
}

/// Every way in which a secret is likely to be printed.
fn forms_of(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    for set in [NON_ALPHANUMERIC, IN_ADDRESS] {
        let escaped = percent_encode(bytes, set).to_string();
        forms.push(lower_case_escapes(&escaped).into_bytes());
        forms.push(escaped.into_bytes());
    }
    // As the name of a host.
    forms.push(secret.to_ascii_lowercase().into_bytes());
    let json = serde_json::Value::from(secret).to_string();
    forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    for offset in 0..3 {
        forms.extend(base64_at(bytes, offset, &STANDARD_NO_PAD));
        forms.extend(base64_at(bytes, offset, &URL_SAFE_NO_PAD));
    }
    forms
}

/// The characters of a longer base64 text that depend on the secret alone, where the secret begins `offset` bytes after a
/// group of three: all of them, and the pieces that remain of them where the text is broken into lines. Programs break it
/// between groups, so one piece for each is enough; together they cover whatever has the length of one.
fn base64_at(secret: &[u8], offset: usize, base64: &impl Engine) -> Vec<Vec<u8>> {
    const BITS: usize = 6;
    const GROUP: usize = 4;
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret);
    let text = base64.encode(&bytes).into_bytes();
    let whole = bytes.len() * 8 / BITS;
    let first = (offset * 8).div_ceil(BITS);
    let mut forms = vec![text[first..whole].to_vec()];
    if let Some(last) = whole.checked_sub(PIECE).filter(|last| *last > BEGINNING) {
        forms.push(text[first..BEGINNING + PIECE].to_vec());
        let starts = (BEGINNING..last).step_by(GROUP).chain([last]);
        forms.extend(starts.map(|start| text[start..start + PIECE].to_vec()));
    }
    forms
}

/// `%2F` as `%2f`.
fn lower_case_escapes(escaped: &str) -> String {
    let mut rest = 0;
    let lower = |char: char| {
        rest = if char == '%' { 3 } else { usize::saturating_sub(rest, 1) };
        if rest > 0 { char.to_ascii_lowercase() } else { char }
    };
    escaped.chars().map(lower).collect()
}

/// Masks one stream of bytes, in whichever pieces it comes. Holds back the end of an unfinished line where it is the beginning
/// of a secret, which may go on in the next piece.
#[derive(Debug)]
pub struct Masker {
    mask: Mask,
    held: Vec<u8>,
    /// How much of `held` belongs to a secret that was masked already.
    covered: usize,
    masked: Vec<u8>,
}

impl Masker {
    /// Takes the next bytes, and hands out what can be shown.
    pub fn feed(&mut self, bytes: &[u8]) -> &[u8] {
        self.held.extend_from_slice(bytes);
        // No secret goes over the end of a line, and one that begins before this end is in `held` as a whole.
        let line = memchr::memrchr(b'\n', &self.held).map_or(0, |end| end + 1);
        let end = line + self.mask.unfinished(&self.held[line..]);
        self.mask_until(end)
    }

    /// Hands out the rest when the stream has ended.
    pub fn finish(&mut self) -> &[u8] {
        self.mask_until(self.held.len())
    }

    /// Masks secrets that begin before `end`, and takes off what comes before it.
    fn mask_until(&mut self, end: usize) -> &[u8] {
        self.masked.clear();
        let mut shown = self.covered.min(end);
        for secret in self.mask.find(&self.held).into_iter().filter(|secret| secret.start < end) {
            if secret.start >= self.covered {
                self.masked.extend_from_slice(&self.held[shown..secret.start]);
                self.masked.extend_from_slice(MASKED);
            }
            self.covered = self.covered.max(secret.end);
            shown = self.covered.min(end);
        }
        self.masked.extend_from_slice(&self.held[shown..end]);
        self.held.drain(..end);
        self.covered = self.covered.saturating_sub(end);
        &self.masked
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        Mask::new(&secrets).unwrap()
    }

    fn masked(mask: &Mask, parts: &[&[u8]]) -> Vec<u8> {
        let mut masker = mask.stream();
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(masker.feed(part));
        }
        all.extend_from_slice(masker.finish());
        all
    }

    #[test]
    fn a_secret_is_masked_wherever_the_reads_cut_it() {
        let mask = mask(&["hunter2hunter2"]);
        assert_eq!(masked(&mask, &[b"key=hunt", b"er2hun", b"ter2!\n"]), b"key=***!\n");
        assert_eq!(masked(&mask, &[b"hunter2hunter"]), b"hunter2hunter", "almost a secret is none");
    }

    #[test]
    fn a_finished_line_is_not_held_back() {
        let mut masker = mask(&["a-rather-long-secret-of-somebody"]).stream();
        assert_eq!(masker.feed(b"done\na-rather"), b"done\n");
        assert_eq!(masker.feed(b"-short\n"), b"a-rather-short\n");
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let mut masker = mask(&["a-rather-long-secret-of-somebody"]).stream();
        assert_eq!(masker.feed("Wörter ".as_bytes()), "Wörter ".as_bytes());
        assert_eq!(masker.feed(b"50 % a-rather-l"), b"50 % ");
        assert_eq!(masker.feed(b"ong-"), b"");
        assert_eq!(masker.feed(b"word, "), b"a-rather-long-word, ");
        assert_eq!(masker.finish(), b"");
    }

    #[test]
    fn overlapping_secrets_leave_nothing_of_each_other() {
        let mask = mask(&["abcdefgh", "fghijklm"]);
        assert_eq!(mask.text("<abcdefghijklm>"), "<***>");
        let whole: &[u8] = b"<abcdefghijklm>";
        for cut in 0..whole.len() {
            assert_eq!(masked(&mask, &[&whole[..cut], &whole[cut..]]), b"<***>", "cut at {cut}");
        }
    }

    #[test]
    fn nothing_is_masked_for_secrets_that_are_too_short() {
        assert!(Mask::new(&[]).is_none());
        assert!(Mask::new(&["12345".into(), "\n\n".into()]).is_none());
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line() {
        let mask = mask(&["first line\nsecond line\n"]);
        assert_eq!(mask.text("1: first line\n2: second line\n"), "1: ***\n2: ***\n");
    }

    #[test]
    fn addresses_and_json_are_seen_through() {
        let mask = mask(&["p/ss \"w\"ör+d"]);
        for text in ["p%2Fss%20%22w%22%C3%B6r%2Bd", "p%2fss%20%22w%22%c3%b6r%2bd", "p/ss \\\"w\\\"ör+d"] {
            assert_eq!(mask.text(&format!("<{text}>")), "<***>", "{text}");
        }
    }

    /// As `base64` and others print it.
    fn broken(text: &str, width: usize) -> String {
        let text = STANDARD_NO_PAD.encode(text);
        let lines = text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + "\n");
        lines.collect()
    }

    #[test]
    fn base64_in_lines_is_masked_line_by_line() {
        let key: String = ('!'..='~').chain('0'..='9').chain('a'..='d').collect();
        assert_eq!(key.len(), 108);
        let mask = mask(&[&key]);
        for (width, lines) in [(76, 2), (64, 3)] {
            assert_eq!(mask.text(&broken(&key, width)), "***\n".repeat(lines), "{width}");
            let printed = broken(&format!("the key is {key}, keep it"), width);
            for cut in 0..printed.len() {
                let (before, after) = printed.as_bytes().split_at(cut);
                let masked = String::from_utf8(masked(&mask, &[before, after])).unwrap();
                let left: usize = masked.lines().map(|line| line.replace("***", "").len()).sum();
                assert!(left < STANDARD_NO_PAD.encode("the key is , keep it").len() + PIECE, "{masked}");
            }
        }
    }

    #[test]
    fn what_many_keys_begin_with_is_no_secret_in_base64_either() {
        let mask = mask(&[&["sk-ant-api03", "Qm4vT7xKp2LwZ9rNs6HdYc1JfGbUeXa8"].join("-")]);
        for offset in 0..3 {
            let text = STANDARD_NO_PAD.encode(format!("{}sk-ant-api03-not-a-key", " ".repeat(offset)));
            assert_eq!(mask.text(&text), text);
        }
    }

    proptest! {
        #[test]
        fn where_the_reads_cut_makes_no_difference(
            secrets in prop::collection::vec("[ab]{6,9}", 1..4),
            text in "[ab\n]{0,120}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let mask = mask(&secrets);
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();

            prop_assert_eq!(masked(&mask, &parts), masked(&mask, &[bytes]));
        }

        #[test]
        fn no_secret_is_left_and_all_else_stays(
            secret in "[a-z]{6,12}",
            parts in prop::collection::vec("[A-Z \n]{0,9}", 1..9),
        ) {
            let text = parts.join(&secret);

            prop_assert_eq!(mask(&[&secret]).text(&text), parts.join("***"));
        }

        #[test]
        fn base64_is_seen_through_at_every_place(
            secret in "[!-~]{6,40}",
            before in "[ -~]{0,7}",
            after in "[ -~]{0,7}",
        ) {
            let mask = mask(&[&secret]);
            for text in [STANDARD_NO_PAD.encode(format!("{before}{secret}{after}")), URL_SAFE_NO_PAD.encode(format!("{before}{secret}{after}"))] {
                prop_assert!(mask.text(&text).contains("***"), "{}", text);
            }
        }
    }
}
