//! What is left in an agent's checkout becomes commits in one file.
//!
//! The checkout's settings are the agent's by then: they can name programs for git to run. So the git that commits runs where
//! the agent ran, and all that comes out is a stream of bytes, a bundle.

use std::{ffi::OsString, io, path::Path, process::Stdio, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

use crate::config::Author;

/// The program, in the shell's language, for the shell's `-c`.
const SCRIPT: &str = include_str!("collect.sh");
/// A larger file is not committed. Hosts of repositories refuse it too.
const LARGEST_FILE_KIB: u64 = 100 * 1024;
/// All that an attempt has made, compressed.
const LARGEST_BUNDLE: u64 = 512 << 20;
/// For a checkout of a million files on a slow disk.
const PATIENCE: Duration = Duration::from_secs(600);
/// How many notes are kept, and how much of each.
const NOTES: usize = 20;
const NOTE_CHARS: usize = 300;
/// How much of the agent's summary becomes part of the commit's message.
const SUMMARY_CHARS: usize = 8000;

#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error("The changes are larger than {} MiB. Have what was built or downloaded ignored by git.", LARGEST_BUNDLE >> 20)]
    TooLarge,
    #[error("The changes could not be committed within {} minutes.", PATIENCE.as_secs() / 60)]
    TooSlow,
    #[error("The changes could not be committed: {0}")]
    Git(String),
    #[error("The runner's disk: {0}.")]
    Disk(#[from] io::Error),
}

/// What the commit of the rest says.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The job's title.
    pub subject: &'a str,
    /// What the agent says it did.
    pub summary: Option<&'a str>,
    pub co_author: Option<&'a Author>,
    /// The job's page.
    pub link: &'a str,
}

impl Message<'_> {
    fn text(&self) -> String {
        // Git's shells and Postgres alike take no zero byte, and a subject is one line.
        let subject = self.subject.replace(char::is_control, " ");
        let mut text =
            if subject.trim().is_empty() { "Changes".to_owned() } else { subject.trim().to_owned() };
        let summary: String = self.summary.unwrap_or_default().trim().chars().take(SUMMARY_CHARS).collect();
        if !summary.is_empty() {
            text += &format!("\n\n{}", summary.replace('\0', ""));
        }
        text += &format!("\n\nMillrace-Job: {}", self.link);
        if let Some(co_author) = self.co_author {
            text += &format!("\nCo-authored-by: {co_author}");
        }
        text
    }
}

/// The command that collects. Run it with [`run`], in the checkout, in the sandbox of the attempt.
#[derive(Clone, Debug)]
pub struct Collect {
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// To be added to what the attempt's programs get.
    pub environment: Vec<(OsString, OsString)>,
}

impl Collect {
    /// `base` is the commit that was checked out, `leave_out` patterns of files that agents leave for themselves.
    pub fn new(base: &str, author: &Author, message: &Message<'_>, leave_out: &[&str]) -> Self {
        let largest = LARGEST_FILE_KIB.to_string();
        let fixed = ["-c", SCRIPT, "collect", base, &largest];
        let text = message.text();
        let environment = author.environment().into_iter().chain([("MILLRACE_MESSAGE", text.as_str())]);
        Self {
            program: "/bin/sh".into(),
            arguments: fixed.iter().chain(leave_out).map(Into::into).collect(),
            environment: environment.map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// There is a bundle; without it nothing was changed.
    pub changed: bool,
    /// What people should know of it, such as files that were left out.
    pub notes: Vec<String>,
}

/// Runs the command of a [`Collect`], however it was wrapped, and writes what it prints to the file `bundle`.
pub async fn run(command: &mut Command, bundle: &Path) -> Result<Collected, CollectError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut file = File::create(bundle).await?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (copied, said) = tokio::join!(copy(stdout, &mut file), listen(stderr));
        let copied = copied?;
        if copied > LARGEST_BUNDLE {
            return Err(CollectError::TooLarge);
        }
        let status = child.wait().await?;
        file.flush().await?;
        if status.success() { Ok((copied, said.notes)) } else { Err(CollectError::Git(said.last)) }
    };
    // Dropping the child ends it.
    let (copied, notes) = tokio::time::timeout(PATIENCE, work).await.map_err(|_| CollectError::TooSlow)??;
    Ok(Collected { changed: copied > 0, notes })
}

/// At most one byte more than is allowed.
async fn copy(from: Option<impl AsyncRead + Unpin>, into: &mut File) -> io::Result<u64> {
    let Some(from) = from else { return Ok(0) };
    tokio::io::copy(&mut from.take(LARGEST_BUNDLE + 1), into).await
}

#[derive(Default)]
struct Said {
    notes: Vec<String>,
    /// The last line that is no note: why git failed, if it did.
    last: String,
}

async fn listen(from: Option<impl AsyncRead + Unpin>) -> Said {
    let mut said = Said::default();
    let Some(from) = from else { return said };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    // A line is read with a bound; what is longer comes as several.
    while let Ok(1..) = (&mut from).take(4096).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        let short: String =
            text.trim_end().chars().filter(|char| !char.is_control()).take(NOTE_CHARS).collect();
        match short.strip_prefix("note: ") {
            Some(note) if said.notes.len() < NOTES => said.notes.push(note.to_owned()),
            Some(_) => {}
            None if short.is_empty() => {}
            None => short.trim_start_matches("fatal: ").clone_into(&mut said.last),
        }
        line.clear();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_with_its_trailers() {
        let agent = Author { name: "Agent".to_owned(), email: "agent@localhost".to_owned() };
        let message = Message {
            subject: " Turn the\nwheel ",
            summary: Some("It turns.\n"),
            co_author: Some(&agent),
            link: "http://mill/jobs/1",
        };
        assert_eq!(
            message.text(),
            "Turn the wheel\n\nIt turns.\n\nMillrace-Job: http://mill/jobs/1\nCo-authored-by: Agent <agent@localhost>"
        );
        let bare = Message { subject: "", summary: None, co_author: None, ..message };
        assert_eq!(bare.text(), "Changes\n\nMillrace-Job: http://mill/jobs/1");
    }
}
