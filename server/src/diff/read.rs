//! What each line of a diff is. Hunks say how long they are, so that a line of a file is never taken for one of the diff.

use std::borrow::Cow;

/// A line of a diff. Paths are as in the repository, without `a/` and `b/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// `diff --git …`: the next file begins.
    File,
    /// The file on the old side; `None` where there was none.
    OldPath(Option<Cow<'a, [u8]>>),
    NewPath(Option<Cow<'a, [u8]>>),
    RenamedFrom(Cow<'a, [u8]>),
    RenamedTo(Cow<'a, [u8]>),
    NewFile,
    DeletedFile,
    Binary,
    /// `@@ -1,2 +3,4 @@ heading`, by the numbers of its first lines.
    Hunk {
        old: u32,
        new: u32,
        heading: &'a [u8],
    },
    Added {
        new: u32,
        text: &'a [u8],
    },
    Removed {
        old: u32,
        text: &'a [u8],
    },
    Context {
        old: u32,
        new: u32,
        text: &'a [u8],
    },
    /// The line before has no line break at its end.
    NoLineBreak,
    Other(&'a [u8]),
}

/// Where in a diff the next line stands.
#[derive(Debug, Default)]
pub struct Reader {
    old: u32,
    new: u32,
    old_left: u32,
    new_left: u32,
}

impl Reader {
    /// Takes the next line, without its line break.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        if self.old_left > 0 || self.new_left > 0 {
            match line.split_first() {
                Some((b'+', text)) if self.new_left > 0 => {
                    self.new_left -= 1;
                    self.new += 1;
                    return Line::Added { new: self.new - 1, text };
                }
                Some((b'-', text)) if self.old_left > 0 => {
                    self.old_left -= 1;
                    self.old += 1;
                    return Line::Removed { old: self.old - 1, text };
                }
                Some((b' ', text)) if self.old_left > 0 && self.new_left > 0 => {
                    self.old_left -= 1;
                    self.new_left -= 1;
                    self.old += 1;
                    self.new += 1;
                    return Line::Context { old: self.old - 1, new: self.new - 1, text };
                }
                Some((b'\\', _)) => return Line::NoLineBreak,
                // Not a diff of git's. What follows is read as if the hunk had ended.
                _ => (self.old_left, self.new_left) = (0, 0),
            }
        }
        self.read_header(line)
    }

    fn read_header<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        if let Some(hunk) = line.strip_prefix(b"@@ -")
            && let Some(((old, old_left), (new, new_left), heading)) = hunk_header(hunk)
        {
            // A side without lines is numbered by the line before it.
            (self.old, self.old_left) = (old + u32::from(old_left == 0), old_left);
            (self.new, self.new_left) = (new + u32::from(new_left == 0), new_left);
            return Line::Hunk { old: self.old, new: self.new, heading };
        }
        let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
        if after("diff --git ").is_some() {
            Line::File
        } else if let Some(path) = after("--- ") {
            Line::OldPath(side(path, b"a/"))
        } else if let Some(path) = after("+++ ") {
            Line::NewPath(side(path, b"b/"))
        } else if let Some(path) = after("rename from ").or(after("copy from ")) {
            Line::RenamedFrom(unquoted(path))
        } else if let Some(path) = after("rename to ").or(after("copy to ")) {
            Line::RenamedTo(unquoted(path))
        } else if after("new file mode ").is_some() {
            Line::NewFile
        } else if after("deleted file mode ").is_some() {
            Line::DeletedFile
        } else if after("Binary files ").is_some() {
            Line::Binary
        } else if after("\\ ").is_some() {
            Line::NoLineBreak
        } else {
            Line::Other(line)
        }
    }
}

/// First line and number of lines.
type Range = (u32, u32);

/// `1,2 +3,4 @@ heading`
fn hunk_header(header: &[u8]) -> Option<(Range, Range, &[u8])> {
    let (old, rest) = cut(header, b" +")?;
    let (new, heading) = cut(rest, b" @@")?;
    let range = |text: &[u8]| -> Option<Range> {
        let text = std::str::from_utf8(text).ok()?;
        match text.split_once(',') {
            Some((first, count)) => Some((first.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some((range(old)?, range(new)?, heading.strip_prefix(b" ").unwrap_or(heading)))
}

fn cut<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = memchr::memmem::find(text, at)?;
    Some((&text[..found], &text[found + at.len()..]))
}

fn side<'a>(path: &'a [u8], prefix: &[u8]) -> Option<Cow<'a, [u8]>> {
    // Git ends a path with blanks by a tab.
    let path = path.strip_suffix(b"\t").unwrap_or(path);
    if path == b"/dev/null" {
        return None;
    }
    Some(match unquoted(path) {
        Cow::Borrowed(path) => path.strip_prefix(prefix).unwrap_or(path).into(),
        Cow::Owned(path) => path.strip_prefix(prefix).unwrap_or(&path).to_vec().into(),
    })
}

/// Git puts a path with unusual characters between quotes, escaped as in C.
fn unquoted(path: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = path.strip_prefix(b"\"").and_then(|path| path.strip_suffix(b"\"")) else {
        return path.into();
    };
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let Some(escaped) = bytes.next() else { break };
        plain.push(match escaped {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            b'0'..=b'7' => {
                let digits = bytes.by_ref().take(2).map(|digit| digit.wrapping_sub(b'0') & 7);
                digits.fold(escaped - b'0', |number, digit| number.wrapping_mul(8).wrapping_add(digit))
            }
            other => other,
        });
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_file_is_never_taken_for_one_of_the_diff() {
        let mut reader = Reader::default();
        let diff =
            ["@@ -1,2 +1,2 @@ fn main()", "--- a/x", "+++ b/x", " diff --git a/x b/x", "diff --git a/y b/y"];
        let read: Vec<Line<'_>> = diff.iter().map(|line| reader.read(line.as_bytes())).collect();
        assert_eq!(
            read,
            [
                Line::Hunk { old: 1, new: 1, heading: b"fn main()" },
                Line::Removed { old: 1, text: b"-- a/x" },
                Line::Added { new: 1, text: b"++ b/x" },
                Line::Context { old: 2, new: 2, text: b"diff --git a/x b/x" },
                Line::File,
            ]
        );
    }

    #[test]
    fn a_file_that_is_new_or_gone_has_one_side() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(b"--- /dev/null"), Line::OldPath(None));
        assert_eq!(reader.read(b"+++ b/new file\t"), Line::NewPath(Some(b"new file".into())));
        assert_eq!(reader.read(b"@@ -0,0 +1 @@"), Line::Hunk { old: 1, new: 1, heading: b"" });
        assert_eq!(reader.read(b"+one"), Line::Added { new: 1, text: b"one" });
        assert_eq!(reader.read(b"\\ No newline at end of file"), Line::NoLineBreak);
    }

    #[test]
    fn unusual_paths_are_unquoted() {
        assert_eq!(&*unquoted(br#""a/tab\there \"and\" \303\274""#), "a/tab\there \"and\" ü".as_bytes());
        assert_eq!(&*unquoted(b"plain"), b"plain");
    }

    #[test]
    fn what_is_no_diff_is_read_to_its_end() {
        let mut reader = Reader::default();
        assert_eq!(reader.read(b"@@ -1,9 +1,9 @@"), Line::Hunk { old: 1, new: 1, heading: b"" });
        assert_eq!(reader.read(b"garbage"), Line::Other(b"garbage"));
        assert_eq!(reader.read(b"@@ -x +1 @@"), Line::Other(b"@@ -x +1 @@"));
    }
}
