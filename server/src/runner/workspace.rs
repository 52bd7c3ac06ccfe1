//! The directory of an attempt on the runner's disk, and those that a crash has left.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use app::model::JobId;
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// Where this runner keeps attempts. Locked while it lives, so that another one can tell what is left of a dead runner.
pub struct Workspaces {
    root: PathBuf,
    _lock: File,
}

const LOCK: &str = "lock";

impl Workspaces {
    /// Makes this runner's own directory under `data_dir` and removes those of runners that are gone.
    pub fn open(data_dir: &Path, runner: &str) -> io::Result<Self> {
        let all = data_dir.join("attempts");
        fs::create_dir_all(&all)?;
        for entry in fs::read_dir(&all)? {
            let directory = entry?.path();
            if is_abandoned(&directory)
                && let Err(error) = remove(&directory)
            {
                tracing::warn!(directory = %directory.display(), %error, "what an earlier runner left stays on the disk");
            }
        }
        let root = all.join(runner);
        fs::create_dir(&root)?;
        if let Err(error) = spread(&root) {
            tracing::debug!(%error, "the disk has no places apart for attempts");
        }
        let lock = File::create(root.join(LOCK))?;
        lock.lock()?;
        Ok(Self { root, _lock: lock })
    }

    /// A new, empty directory for an attempt, until [`Workspace::remove`].
    pub fn create(&self, job: JobId, attempt: u32) -> io::Result<Workspace> {
        let directory = self.root.join(format!("{job}-{attempt}"));
        fs::create_dir(&directory)?;
        for part in ["tmp", "home", "own"] {
            fs::create_dir(directory.join(part))?;
        }
        Ok(Workspace { directory })
    }
}

impl Drop for Workspaces {
    fn drop(&mut self) {
        let _ = remove(&self.root);
    }
}

/// Has each directory in this one get a place of its own on the disk. Ext4 puts files near their directory, and does not use
/// the places of files again that were removed in the last minutes, but looks at them one by one: a checkout beside those of
/// the attempts before took four times as long.
fn spread(directory: &Path) -> io::Result<()> {
    let directory = File::open(directory)?;
    let flags = ioctl_getflags(&directory)?;
    Ok(ioctl_setflags(&directory, flags | IFlags::TOPDIR)?)
}

/// A directory whose lock nobody holds.
fn is_abandoned(directory: &Path) -> bool {
    match File::open(directory.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => false,
    }
}

pub struct Workspace {
    directory: PathBuf,
}

impl Workspace {
    /// The checkout of the repository.
    pub fn checkout(&self) -> PathBuf {
        self.directory.join("checkout")
    }

    /// What Millrace keeps of the attempt; no program of the job's sees it.
    pub fn own(&self) -> PathBuf {
        self.directory.join("own")
    }

    /// A home of its own, for an agent.
    pub fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    pub fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    /// For the attempt's temporary files.
    pub fn tmp(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    /// Removes everything, off the async threads: a checkout can hold a million files. Nobody waits for it.
    pub fn remove(self) {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = remove(&self.directory) {
                tracing::warn!(%error, "an attempt's directory stays on the disk until the runner stops");
            }
        });
    }
}

/// Removes a directory with everything in it, also what a job has protected from being written, as Go does with its modules.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(directory)?;
            fs::remove_dir_all(directory)
        }
        done => done,
    }
}

/// A file can be removed by whoever may write the directory that it lies in.
fn make_writable(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // What a link leads to is not part of this.
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody who is root may write everything, so the permissions are looked at too.
    #[test]
    fn what_a_job_has_made_read_only_is_removed_and_nothing_outside_of_it_is_touched() {
        let directory = tempfile::tempdir().unwrap();
        let (workspace, outside) = (directory.path().join("workspace"), directory.path().join("outside"));
        let module = workspace.join("home/go/pkg/mod");
        fs::create_dir_all(&module).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(module.join("go.mod"), "module x").unwrap();
        std::os::unix::fs::symlink(&outside, module.join("link")).unwrap();
        for path in [&outside, &module, &workspace.join("home"), &workspace] {
            fs::set_permissions(path, Permissions::from_mode(0o500)).unwrap();
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;

        make_writable(&workspace).unwrap();
        assert_eq!((mode(&workspace), mode(&module), mode(&outside)), (0o700, 0o700, 0o500));
        fs::set_permissions(&module, Permissions::from_mode(0o500)).unwrap();
        remove(&workspace).unwrap();

        assert!(!workspace.exists() && outside.exists());
    }
}
