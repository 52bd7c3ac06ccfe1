//! A diff as a list of files.

use app::model::{ChangedFile, FileStatus};

use super::{Line, Reader};

/// A file of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch<'a> {
    pub file: ChangedFile,
    pub hunks: Vec<Hunk<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk<'a> {
    /// Git's guess of what it is in: a function, a section.
    pub heading: &'a [u8],
    pub rows: Vec<Row<'a>>,
}

/// A line of a file, by its numbers on the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    pub body: Body,
    pub text: &'a [u8],
    pub has_line_break: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Added { new: u32 },
    Removed { old: u32 },
    Context { old: u32, new: u32 },
}

/// Reads a whole diff.
pub fn files(patch: &[u8]) -> Vec<FilePatch<'_>> {
    let mut reader = Reader::default();
    let mut files: Vec<FilePatch<'_>> = Vec::new();
    for line in patch.split(|byte| *byte == b'\n') {
        let read = reader.read(line);
        if read == Line::File {
            files.push(FilePatch { file: begin(line), hunks: Vec::new() });
        } else if let Some(file) = files.last_mut() {
            file.take(read);
        }
    }
    files
}

/// A file of which only the first line of its part is known. Where both names are the same and no other line tells them, as
/// with an empty file, they are in here.
fn begin(header: &[u8]) -> ChangedFile {
    let names = header.strip_prefix(b"diff --git a/").unwrap_or_default();
    let half = names.len().saturating_sub(b" b/".len()) / 2;
    let same = names.get(half + b" b/".len()..).filter(|new| *new == &names[..half]);
    ChangedFile {
        path: same.map(text).unwrap_or_default(),
        old_path: None,
        status: FileStatus::Modified,
        additions: 0,
        deletions: 0,
        binary: false,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<'a> FilePatch<'a> {
    fn take(&mut self, line: Line<'a>) {
        let file = &mut self.file;
        match line {
            Line::OldPath(Some(path)) if file.status == FileStatus::Deleted => file.path = text(&path),
            Line::NewPath(Some(path)) => file.path = text(&path),
            Line::RenamedFrom(path) => {
                file.status = FileStatus::Renamed;
                file.old_path = Some(text(&path));
            }
            Line::RenamedTo(path) => file.path = text(&path),
            Line::NewFile => file.status = FileStatus::Added,
            Line::DeletedFile => file.status = FileStatus::Deleted,
            Line::Binary => file.binary = true,
            Line::Hunk { heading, .. } => self.hunks.push(Hunk { heading, rows: Vec::new() }),
            Line::Added { new, text } => {
                file.additions += 1;
                self.push(Body::Added { new }, text);
            }
            Line::Removed { old, text } => {
                file.deletions += 1;
                self.push(Body::Removed { old }, text);
            }
            Line::Context { old, new, text } => self.push(Body::Context { old, new }, text),
            Line::NoLineBreak => {
                if let Some(row) = self.hunks.last_mut().and_then(|hunk| hunk.rows.last_mut()) {
                    row.has_line_break = false;
                }
            }
            Line::File | Line::OldPath(_) | Line::NewPath(None) | Line::Other(_) => {}
        }
    }

    fn push(&mut self, body: Body, text: &'a [u8]) {
        if let Some(hunk) = self.hunks.last_mut() {
            hunk.rows.push(Row { body, text, has_line_break: true });
        }
    }

    /// How many rows there are to show.
    pub fn rows(&self) -> usize {
        self.hunks.iter().map(|hunk| hunk.rows.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff --git a/src/old.rs b/src/new.rs
similarity index 90%
rename from src/old.rs
rename to src/new.rs
--- a/src/old.rs
+++ b/src/new.rs
@@ -1,2 +1,2 @@ mod x;
 use a;
-one
+two
\\ No newline at end of file
diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
diff --git a/picture.png b/picture.png
new file mode 100644
Binary files /dev/null and b/picture.png differ
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-all of it
diff --git a/run b/run
old mode 100644
new mode 100755
";

    #[test]
    fn a_diff_is_read_as_its_files() {
        let files = files(DIFF.as_bytes());
        let summary: Vec<_> = files
            .iter()
            .map(|FilePatch { file, .. }| {
                (&*file.path, file.status, file.additions, file.deletions, file.binary)
            })
            .collect();
        assert_eq!(
            summary,
            [
                ("src/new.rs", FileStatus::Renamed, 1, 1, false),
                ("empty", FileStatus::Added, 0, 0, false),
                ("picture.png", FileStatus::Added, 0, 0, true),
                ("gone", FileStatus::Deleted, 0, 1, false),
                ("run", FileStatus::Modified, 0, 0, false),
            ]
        );
        assert_eq!(files[0].file.old_path.as_deref(), Some("src/old.rs"));
        let rows = &files[0].hunks[0].rows;
        assert_eq!(rows[0].body, Body::Context { old: 1, new: 1 });
        assert_eq!((rows[2].text, rows[2].has_line_break), (&b"two"[..], false));
    }

    #[test]
    fn a_diff_that_was_cut_in_the_middle_keeps_what_there_is() {
        for end in 0..DIFF.len() {
            assert!(files(&DIFF.as_bytes()[..end]).len() <= 5);
        }
    }
}
