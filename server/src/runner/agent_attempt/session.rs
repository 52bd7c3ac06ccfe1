//! What an agent remembers of a conversation: files in its home, kept with the conversation, so that the next job of it can
//! go on with them on any runner.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    super::agents::{HomeFile, Told},
    AgentAttempt,
};
use crate::db::agent_runs::{self, Session};

/// What is larger is not kept; the agent is then told what was said instead.
const LARGEST: usize = 16 << 20;
/// A file unpacked. An agent writes them, so a small archive may unpack to a very large one.
const LARGEST_UNPACKED: u64 = 256 << 20;
const ZSTD_LEVEL: i32 = 3;

/// Puts files where an agent reads its settings.
pub(super) async fn lay_out(home: &Path, files: &[HomeFile]) -> io::Result<()> {
    for file in files {
        let path = home.join(file.path);
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        tokio::fs::write(path, &file.content).await?;
    }
    Ok(())
}

impl AgentAttempt<'_> {
    /// Puts the session of the conversation back into the agent's home, and returns its name.
    pub(super) async fn restore_session(&self) -> anyhow::Result<Option<String>> {
        let Some(thread) = self.thread().filter(|_| self.profile.resumes()) else { return Ok(None) };
        let db = self.attempt.lifecycle.db();
        let kept = self.attempt.patiently(|| agent_runs::session(db, thread, &self.profile.name)).await?;
        let Some(Session { session, files }) = kept else { return Ok(None) };
        let home = self.workspace.home();
        match tokio::task::spawn_blocking(move || unpack(&files, &home)).await? {
            Ok(()) => Ok(Some(session)),
            Err(error) => {
                tracing::warn!(%error, "a session cannot be read; the agent is told what was said instead");
                Ok(None)
            }
        }
    }

    /// Keeps the session for a follow-up, which finds what the agent says that it did: so not before that is published. Without it
    /// there is the session of the job before, or the agent is told what was said.
    pub(super) async fn keep_session(&self, told: &Told) {
        let (Some(session), true) = (&told.session, self.profile.resumes()) else { return };
        let job = &self.attempt.job;
        let (home, paths) = (self.workspace.home(), self.profile.sessions);
        let packed = tokio::task::spawn_blocking(move || pack(&home, paths)).await;
        let files = match packed.map_err(io::Error::other).flatten() {
            Ok(files) if files.len() <= LARGEST => files,
            Ok(_) => return tracing::info!(job.id = %job.id, "the session is too large to be kept"),
            Err(error) => return tracing::info!(job.id = %job.id, %error, "the session is not kept"),
        };
        let session = Session { session: session.clone(), files };
        let thread = job.thread.unwrap_or(job.id);
        let db = self.attempt.lifecycle.db();
        let keep = || agent_runs::keep_session(db, thread, &self.profile.name, &session);
        if let Err(error) = self.attempt.patiently(keep).await {
            tracing::warn!(job.id = %job.id, %error, "the session is not kept");
        }
    }
}

fn pack(home: &Path, paths: &[&str]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(Bounded(Vec::new()), ZSTD_LEVEL)?);
    // A link may point anywhere, and the agent may have put one in the place of any directory on the way. Nothing of it runs
    // any more that could do so after the look.
    archive.follow_symlinks(false);
    let home = home.canonicalize()?;
    for path in paths {
        let file: PathBuf = home.join(path);
        if file.canonicalize().ok().as_ref() != Some(&file) {
            continue;
        }
        match file.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => archive.append_dir_all(path, file)?,
            Ok(metadata) if metadata.is_file() => archive.append_path_with_name(file, path)?,
            _ => {}
        }
    }
    Ok(archive.into_inner()?.finish()?.0)
}

fn unpack(files: &[u8], home: &Path) -> io::Result<()> {
    let bounded = zstd::Decoder::new(files)?.take(LARGEST_UNPACKED);
    tar::Archive::new(bounded).unpack(home)
}

/// Ends with an error where more than the largest session comes.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(io::Error::other("it is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_session_comes_back_as_it_was_and_brings_nothing_else_along() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join(".agent/sessions/a")).unwrap();
        fs::write(from.path().join(".agent/sessions/a/1.jsonl"), "said").unwrap();
        fs::write(from.path().join(".agent/key"), "secret").unwrap();
        symlink("/etc/passwd", from.path().join(".agent/sessions/link")).unwrap();

        unpack(&pack(from.path(), &[".agent/sessions", ".missing"]).unwrap(), to.path()).unwrap();

        let back = to.path().join(".agent/sessions");
        assert_eq!(fs::read_to_string(back.join("a/1.jsonl")).unwrap(), "said");
        assert!(back.join("link").symlink_metadata().unwrap().is_symlink(), "a link stays one");
        assert!(!to.path().join(".agent/key").exists());
    }

    #[test]
    fn a_session_behind_a_link_is_not_packed() {
        let (host, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(host.path().join("sessions")).unwrap();
        fs::write(host.path().join("sessions/key"), "of somebody else").unwrap();
        fs::write(host.path().join("file"), "of somebody else").unwrap();
        symlink(host.path(), home.path().join(".agent")).unwrap();
        symlink(host.path().join("sessions"), home.path().join("direct")).unwrap();

        let packed = pack(home.path(), &[".agent/sessions", ".agent/file", "direct"]).unwrap();

        let to = tempfile::tempdir().unwrap();
        unpack(&packed, to.path()).unwrap();
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    }
}
