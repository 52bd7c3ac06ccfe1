//! What attempts changed: kept as a compressed diff, and shown as files and rows.

use std::io::Read;

use app::model::{
    ApiError, Changes, Diff, DiffBlock, DiffFile, DiffRow, FileDiff, JobId, Person, Span, SpanKind,
};
use sqlx::PgPool;

use crate::{
    backend::Server,
    db::{self, changes::StoredPatch, output::Stored},
    diff::{self, Body, Colours, FilePatch, Row, Side},
    lifecycle::away,
    runner::publish::Patch,
};

/// Like the output's: it is read about as often as it is written.
const ZSTD_LEVEL: i32 = 3;
/// How many rows a file may have to be open at first, and all open files together.
const FILE_ROWS: usize = 400;
const ALL_ROWS: usize = 2000;
/// How many rows one request for a file gets.
const REQUEST_ROWS: usize = 1000;

/// Keeps what an attempt changed, for whoever may see the job.
pub async fn store(
    db: &PgPool,
    id: JobId,
    attempt: u32,
    runner: &str,
    patch: &Patch,
) -> anyhow::Result<Stored> {
    let compressed = zstd::encode_all(patch.text.as_slice(), ZSTD_LEVEL)?;
    let patch = StoredPatch { patch: compressed, cut: patch.cut };
    Ok(db::changes::store(db, id, attempt, runner, &patch).await?)
}

impl Server {
    /// The diff of an attempt, for somebody who may see the job. `None` when it changed nothing, or nothing yet.
    pub async fn patch(&self, person: &Person, job: JobId, attempt: u32) -> Result<Option<Patch>, ApiError> {
        self.pages(person, job, attempt).await?;
        let Some(stored) = db::changes::find(self.lifecycle.db(), job, attempt).await.map_err(away)? else {
            return Ok(None);
        };
        let mut text = Vec::with_capacity(stored.patch.len() * 4);
        let read = zstd::stream::read::Decoder::new(stored.patch.as_slice())
            .and_then(|mut patch| patch.read_to_end(&mut text));
        match read {
            Ok(_) => Ok(Some(Patch { text, cut: stored.cut })),
            Err(error) => {
                tracing::error!(job.id = %job, attempt, %error, "the diff cannot be read");
                Err(ApiError::Internal)
            }
        }
    }

    pub async fn changes(&self, person: &Person, job: JobId, attempt: u32) -> Result<Changes, ApiError> {
        let Some(patch) = self.patch(person, job, attempt).await? else { return Ok(Changes::default()) };
        in_background(move || {
            let files = diff::files(&patch.text).into_iter().map(|patch| patch.file).collect();
            Changes { files, cut: patch.cut }
        })
        .await
    }

    /// The files of an attempt, those with their rows that are small and written by hand, as long as there are not too many.
    pub async fn diff(&self, person: &Person, job: JobId, attempt: u32) -> Result<Diff, ApiError> {
        let Some(patch) = self.patch(person, job, attempt).await? else { return Ok(Diff::default()) };
        in_background(move || {
            let mut left = ALL_ROWS;
            let open = |patch: &FilePatch<'_>| {
                let opens = patch.rows() <= FILE_ROWS.min(left) && !is_generated(&patch.file.path);
                let shown = opens.then(|| rows(patch, 0, FILE_ROWS));
                left -= if opens { patch.rows() } else { 0 };
                DiffFile { file: patch.file.clone(), rows: wire(patch.rows()), shown }
            };
            let files = diff::files(&patch.text).iter().map(open).collect();
            Diff { files, cut: patch.cut }
        })
        .await
    }

    /// Rows of the file with this number, from the row `from` on.
    pub async fn file_diff(
        &self,
        person: &Person,
        job: JobId,
        attempt: u32,
        file: u32,
        from: u32,
    ) -> Result<FileDiff, ApiError> {
        let patch = self.patch(person, job, attempt).await?;
        let found = in_background(move || {
            let text = patch.map(|patch| patch.text).unwrap_or_default();
            let file = diff::files(&text).into_iter().nth(file as usize)?;
            Some(rows(&file, from as usize, REQUEST_ROWS))
        });
        found.await?.ok_or_else(|| ApiError::NotFound("This attempt changed no such file.".to_owned()))
    }
}

/// Lock files and what tools write: nobody reads them unless they look for something.
fn is_generated(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let names = [
        "package-lock.json",
        "pnpm-lock.yaml",
        "yarn.lock",
        "Cargo.lock",
        "go.sum",
        "poetry.lock",
        "uv.lock",
    ];
    names.contains(&name)
        || [".lock", ".min.js", ".min.css", ".map", ".snap"].iter().any(|end| name.ends_with(end))
}

/// A diff of megabytes takes its time, and so do colours.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a diff cannot be shown");
        ApiError::Internal
    })
}

/// At most `count` rows of a file, from the row `from` on.
fn rows(patch: &FilePatch<'_>, from: usize, count: usize) -> FileDiff {
    let mut blocks = Vec::new();
    let (mut number, end) = (0, from.saturating_add(count));
    for hunk in &patch.hunks {
        // What comes before is read for its colours, unless it is in another hunk.
        let (first, last) = (number, number + hunk.rows.len());
        number = last;
        if last <= from || first >= end {
            continue;
        }
        let mut colours = Colours::of(&patch.file.path);
        blocks.push(DiffBlock::Heading(text(hunk.heading).into_owned()));
        for (row, number) in hunk.rows.iter().zip(first..end) {
            let shown = shown(row, &mut colours);
            if number >= from {
                push(&mut blocks, row.body, shown);
            }
        }
    }
    let next = end.min(number);
    FileDiff { blocks, left: wire(number - next), next: wire(next) }
}

fn shown(row: &Row<'_>, colours: &mut Option<Colours>) -> DiffRow {
    let line = text(row.text.strip_suffix(b"\r").unwrap_or(row.text));
    let (side, old, new) = match row.body {
        Body::Added { new } => (Side::New, None, Some(new)),
        Body::Removed { old } => (Side::Old, Some(old), None),
        Body::Context { old, new } => (Side::Both, Some(old), Some(new)),
    };
    let spans = match colours {
        Some(colours) => colours.line(side, &line),
        None => vec![Span { kind: SpanKind::Plain, text: line.into_owned() }],
    };
    DiffRow { old, new, spans, unfinished: !row.has_line_break }
}

/// Rows of one kind stand together, and what is added beside what it replaces.
fn push(blocks: &mut Vec<DiffBlock>, body: Body, row: DiffRow) {
    match (body, blocks.last_mut()) {
        (Body::Context { .. }, Some(DiffBlock::Context(rows))) => rows.push(row),
        (Body::Context { .. }, _) => blocks.push(DiffBlock::Context(vec![row])),
        (Body::Added { .. }, Some(DiffBlock::Change { new, .. })) => new.push(row),
        (Body::Added { .. }, _) => blocks.push(DiffBlock::Change { old: Vec::new(), new: vec![row] }),
        (Body::Removed { .. }, Some(DiffBlock::Change { old, new })) if new.is_empty() => old.push(row),
        (Body::Removed { .. }, _) => blocks.push(DiffBlock::Change { old: vec![row], new: Vec::new() }),
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// A diff has less than eight million rows.
fn wire(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
diff --git a/a.rs b/a.rs
--- a/a.rs
+++ b/a.rs
@@ -1,4 +1,4 @@ mod a
 one
-two
-three
+TWO
 four
+five
@@ -10 +10 @@
-ten
+TEN
";

    fn numbers(diff: &FileDiff) -> Vec<(Option<u32>, Option<u32>)> {
        let rows = diff.blocks.iter().flat_map(|block| match block {
            DiffBlock::Heading(_) => Vec::new(),
            DiffBlock::Context(rows) => rows.clone(),
            DiffBlock::Change { old, new } => [old.as_slice(), new].concat(),
        });
        rows.map(|row| (row.old, row.new)).collect()
    }

    #[test]
    fn what_is_added_stands_beside_what_it_replaces() {
        let files = diff::files(PATCH.as_bytes());
        let diff = rows(&files[0], 0, 100);
        let shape: Vec<String> = diff
            .blocks
            .iter()
            .map(|block| match block {
                DiffBlock::Heading(heading) => format!("@{heading}"),
                DiffBlock::Context(rows) => rows.len().to_string(),
                DiffBlock::Change { old, new } => format!("-{}+{}", old.len(), new.len()),
            })
            .collect();
        assert_eq!(shape, ["@mod a", "1", "-2+1", "1", "-0+1", "@", "-1+1"]);
        assert_eq!((diff.left, diff.next), (0, 8));
    }

    #[test]
    fn rows_in_portions_are_all_the_rows() {
        let files = diff::files(PATCH.as_bytes());
        let whole = numbers(&rows(&files[0], 0, 100));
        for count in 1..10 {
            let (mut read, mut from) = (Vec::new(), 0);
            loop {
                let part = rows(&files[0], from, count);
                read.extend(numbers(&part));
                if part.left == 0 {
                    break;
                }
                from = part.next as usize;
            }
            assert_eq!(read, whole, "{count} at a time");
        }
    }

    #[test]
    fn what_tools_write_is_closed_at_first() {
        assert!(is_generated("web/package-lock.json") && is_generated("a.min.js"));
        assert!(!is_generated("src/lock.rs"));
    }
}
