//! What of the machine a sandbox shows, and where.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use super::Workplace;

/// Where a program finds its working tree. Always the same, so that an agent's own memory of a conversation, which goes by
/// the path, fits a later attempt.
pub(super) const TREE: &str = "/workspace";
pub(super) const HOME: &str = "/home/millrace";
pub(super) const TMP: &str = "/tmp";
/// Sockets of the runner, and the program that is the sandbox's first process.
pub(super) const OWN: &str = "/run/millrace";
/// The user inside, who is whoever runs the runner outside.
pub(super) const USER: &str = "1000";

/// Where tool chains lie below a home, and the variable that says so.
const TOOL_CHAINS: [(&str, &str); 2] = [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv")];
/// Of a merged or an unmerged /usr.
const SYSTEM: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// What programs look up in /etc; none of it is secret.
const ETC: [&str; 19] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
];
/// Files of /etc that are not the machine's.
const OWN_ETC: [(&str, &str); 4] = [
    (
        "passwd",
        "millrace:x:1000:1000:Millrace:/home/millrace:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
    ("group", "millrace:x:1000:\nnogroup:x:65534:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

/// The machine as every sandbox of a runner sees it.
#[derive(Debug)]
pub(super) struct View {
    /// Tool chains, those of the configured ones that are there.
    read_only: Vec<PathBuf>,
    data_dir: PathBuf,
}

impl View {
    /// `~/` means the home of whoever runs this process.
    pub(super) fn new(read_only: &[PathBuf], data_dir: &Path) -> io::Result<Self> {
        let home = env::home_dir();
        let read_only = read_only
            .iter()
            .filter_map(|path| match path.strip_prefix("~") {
                Ok(below) => Some(home.as_deref()?.join(below)),
                Err(_) => Some(path.clone()),
            })
            .filter(|path| path.is_absolute() && path.exists())
            .collect();
        Ok(Self { read_only, data_dir: std::path::absolute(data_dir)? })
    }

    /// The arguments of bubblewrap that make a file system of it. `own` is a directory of the runner with [`write_own`]'s
    /// files and sockets.
    pub(super) fn arguments(&self, workplace: &Workplace, more: &[PathBuf], own: &Path) -> Vec<OsString> {
        let mut mounts = Mounts::default();
        mounts.read_only(Path::new("/usr"), Path::new("/usr"));
        for path in SYSTEM.map(Path::new) {
            match fs::read_link(path) {
                Ok(target) => mounts.add(["--symlink".as_ref(), target.as_os_str(), path.as_os_str()]),
                Err(_) if path.is_dir() => mounts.read_only(path, path),
                Err(_) => {}
            }
        }
        for path in ETC.map(|name| Path::new("/etc").join(name)) {
            // Followed here: what a link of the machine leads to may not be there inside.
            if let Ok(found) = path.canonicalize() {
                mounts.read_only(&found, &path);
            }
        }
        for (name, _) in OWN_ETC {
            mounts.read_only(&own.join(name), &Path::new("/etc").join(name));
        }
        // Without what belongs to the whole machine: the kernel takes whoever runs the runner as root for root there.
        mounts.add(["--proc", "/proc", "--remount-ro", "/proc"]);
        mounts.add(["--dev", "/dev"]);
        mounts.bind(&workplace.tmp, TMP);
        for path in &self.read_only {
            mounts.read_only(path, path);
        }
        if self.shows(&self.data_dir) {
            mounts.add(["--tmpfs".as_ref(), self.data_dir.as_os_str()]);
        }
        // What is there already is not shown again: Millrace's data may be hidden in it.
        for path in more.iter().filter(|path| !self.shows(path) || path.starts_with(&self.data_dir)) {
            mounts.read_only(path, path);
        }
        if self.shows(&self.data_dir) {
            mounts.add(["--remount-ro".as_ref(), self.data_dir.as_os_str()]);
        }
        mounts.bind(&workplace.home, HOME);
        mounts.bind(&workplace.tree, TREE);
        mounts.0
    }

    /// What of `path`, a list of directories as in `PATH`, is there inside.
    pub(super) fn search_path(&self, path: &OsStr, more: &[PathBuf]) -> OsString {
        let shown = |directory: &PathBuf| {
            self.shows(directory) || more.iter().any(|root| directory.starts_with(root))
        };
        env::join_paths(env::split_paths(path).filter(shown)).unwrap_or_default()
    }

    /// Variables by which tool chains that are shown find themselves, although the home is another.
    pub(super) fn tool_chains(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        TOOL_CHAINS.into_iter().filter_map(|(name, usual)| {
            let place =
                env::var_os(name).map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(usual)))?;
            self.read_only.iter().any(|root| place.starts_with(root)).then_some((name, place))
        })
    }

    fn shows(&self, path: &Path) -> bool {
        let system = ["/usr"].into_iter().chain(SYSTEM).map(Path::new);
        system.chain(self.read_only.iter().map(PathBuf::as_path)).any(|root| path.starts_with(root))
    }
}

/// Writes the files that sandboxes have instead of the machine's.
pub(super) fn write_own(own: &Path) -> io::Result<()> {
    for (name, content) in OWN_ETC {
        fs::write(own.join(name), content)?;
    }
    Ok(())
}

#[derive(Default)]
struct Mounts(Vec<OsString>);

impl Mounts {
    fn add<T: AsRef<OsStr>, const N: usize>(&mut self, arguments: [T; N]) {
        self.0.extend(arguments.iter().map(|argument| argument.as_ref().to_owned()));
    }

    fn read_only(&mut self, path: &Path, at: &Path) {
        self.add(["--ro-bind".as_ref(), path.as_os_str(), at.as_os_str()]);
    }

    fn bind(&mut self, path: &Path, at: &str) {
        self.add(["--bind".as_ref(), path.as_os_str(), at.as_ref()]);
    }
}
