//! Control groups: the kernel's own limits for all processes of an attempt together.
//!
//! A group that somebody else looks after is left alone. So attempts get groups below the one that the configuration
//! names, below the root of what Millrace sees, or below one that systemd has delegated to it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::limits::{Limits, PROCESSES_BEYOND, Resource};

const MOUNT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "millrace-";
/// How often a group is tried to be removed while the kernel still buries its last processes, and after what pause.
const REMOVALS: u32 = 50;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Where groups can be made; none where only looking at processes is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    hierarchies: Vec<Hierarchy>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    /// Groups are made below it.
    parent: PathBuf,
    controllers: Controllers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Controllers {
    /// Version 2: one hierarchy for all.
    Unified,
    /// Version 1: one each.
    Memory,
    Pids,
}

impl Groups {
    /// Looks for hierarchies in which groups can really be made, and removes empty ones that a crash has left there.
    pub(super) fn find(configured: &str) -> Self {
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut hierarchies = candidates(Path::new(MOUNT), &memberships, configured);
        hierarchies.retain(Hierarchy::works);
        for hierarchy in &hierarchies {
            hierarchy.remove_abandoned();
        }
        Self { hierarchies }
    }

    pub(super) fn limits_memory(&self) -> bool {
        self.has(Controllers::Memory)
    }

    pub(super) fn limits_processes(&self) -> bool {
        self.has(Controllers::Pids)
    }

    fn has(&self, controllers: Controllers) -> bool {
        let has = |of: Controllers| of == Controllers::Unified || of == controllers;
        self.hierarchies.iter().any(|hierarchy| has(hierarchy.controllers))
    }

    /// A new group with these limits.
    pub(super) fn make(&self, limits: &Limits) -> io::Result<Group> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let mut group = Group { directories: Vec::new() };
        for hierarchy in &self.hierarchies {
            let directory = hierarchy.parent.join(&name);
            fs::create_dir(&directory)?;
            group.directories.push(directory.clone());
            hierarchy.controllers.limit(&directory, limits)?;
        }
        Ok(group)
    }
}

/// Hierarchies of the kind that is mounted, below which it would be right to make groups.
fn candidates(mount: &Path, memberships: &str, configured: &str) -> Vec<Hierarchy> {
    let configured = Some(configured.trim_matches('/')).filter(|path| !path.is_empty());
    // Lines like `0::/a/b` for version 2 and `8:pids:/a/b` for version 1.
    let own = |controller: &str| {
        memberships.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then(|| path.trim_matches('/'))
        })
    };
    if mount.join("cgroup.controllers").exists() {
        let delegated = || {
            let parent = mount.join(own("")?).parent()?.to_owned();
            is_delegated(&parent).then_some(parent)
        };
        let parent = configured.map(|path| mount.join(path)).or_else(delegated);
        return parent
            .map(|parent| Hierarchy { parent, controllers: Controllers::Unified })
            .into_iter()
            .collect();
    }
    [("memory", Controllers::Memory), ("pids", Controllers::Pids)]
        .into_iter()
        .filter_map(|(name, controllers)| {
            let path = configured.or_else(|| own(name).filter(|path| path.is_empty()))?;
            Some(Hierarchy { parent: mount.join(name).join(path), controllers })
        })
        .collect()
}

/// systemd marks the groups of services with `Delegate=`.
fn is_delegated(group: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::getxattr(group, "user.delegate", &mut value[..]).is_ok() && value == *b"1"
}

impl Hierarchy {
    fn works(&self) -> bool {
        if self.controllers == Controllers::Unified
            && fs::write(self.parent.join("cgroup.subtree_control"), "+memory +pids").is_err()
        {
            return false;
        }
        let probe =
            Limits { memory_bytes: 1 << 30, processes: 1, file_bytes: 0, disk_bytes: 0, cpu_seconds: 0 };
        Groups { hierarchies: vec![self.clone()] }.make(&probe).is_ok()
    }

    fn remove_abandoned(&self) {
        let Ok(entries) = fs::read_dir(&self.parent) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some((pid, _)) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'))
            else {
                continue;
            };
            if !Path::new("/proc").join(pid).exists() {
                // One that still holds processes stays.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Controllers {
    fn limit(self, directory: &Path, limits: &Limits) -> io::Result<()> {
        let set = |file: &str, value: u64| fs::write(directory.join(file), value.to_string());
        let processes = limits.processes + PROCESSES_BEYOND;
        match self {
            Self::Unified => {
                set("memory.max", limits.memory_bytes)?;
                // Swap would only make it slow first. Not every kernel counts it.
                let _ = set("memory.swap.max", 0);
                // All of it or nothing: an attempt without some of its processes is of no use.
                set("memory.oom.group", 1)?;
                set("pids.max", processes)
            }
            Self::Memory => {
                set("memory.limit_in_bytes", limits.memory_bytes)?;
                let _ = set("memory.memsw.limit_in_bytes", limits.memory_bytes);
                Ok(())
            }
            Self::Pids => set("pids.max", processes),
        }
    }
}

/// The group of an attempt; removed when it is dropped, after its last process.
pub(super) struct Group {
    directories: Vec<PathBuf>,
}

impl Group {
    /// Files that put whoever writes `0` to them into the group.
    pub(super) fn doors(&self) -> io::Result<Vec<File>> {
        let open = |directory: &PathBuf| File::options().write(true).open(directory.join("cgroup.procs"));
        self.directories.iter().map(open).collect()
    }

    /// What the kernel has refused to the group, or killed some of it for.
    pub(super) fn ran_out_of(&self) -> Option<Resource> {
        let by_kernel = [
            ("memory.events", "oom_kill", Resource::Memory),
            ("memory.oom_control", "oom_kill", Resource::Memory),
            ("pids.events", "max", Resource::Processes),
        ];
        by_kernel.into_iter().find(|(file, name, _)| self.counted(file, name)).map(|(.., resource)| resource)
    }

    /// Whether a line `name number` of the file says more than 0.
    fn counted(&self, file: &str, name: &str) -> bool {
        self.directories.iter().any(|directory| {
            let events = fs::read_to_string(directory.join(file)).unwrap_or_default();
            events.lines().any(|line| {
                line.split_once(' ').is_some_and(|(event, count)| event == name && count.trim() != "0")
            })
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let directories = std::mem::take(&mut self.directories);
        if directories.iter().all(|directory| fs::remove_dir(directory).is_ok()) {
            return;
        }
        // The processes are dead, but the kernel may not be done with them.
        std::thread::spawn(move || {
            for _ in 0..REMOVALS {
                std::thread::sleep(REMOVAL_PAUSE);
                if directories
                    .iter()
                    .all(|directory| fs::remove_dir(directory).is_ok() || !directory.exists())
                {
                    return;
                }
            }
            tracing::debug!(?directories, "a control group stays until a runner starts");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(parent: PathBuf, controllers: Controllers) -> Hierarchy {
        Hierarchy { parent, controllers }
    }

    #[test]
    fn groups_of_version_1_are_made_at_the_root_only_unless_somebody_says_where() {
        let mount = Path::new("/nowhere");
        let memberships = "9:name=systemd:/\n8:pids:/\n4:memory:/somebody/else\n0::/\n";
        assert_eq!(candidates(mount, memberships, ""), [hierarchy(mount.join("pids"), Controllers::Pids)]);
        assert_eq!(
            candidates(mount, memberships, "/ours/"),
            [
                hierarchy(mount.join("memory/ours"), Controllers::Memory),
                hierarchy(mount.join("pids/ours"), Controllers::Pids)
            ]
        );
    }

    #[test]
    fn groups_of_version_2_are_made_where_somebody_says_and_never_in_a_group_that_is_not_delegated() {
        let mount = tempfile::tempdir().unwrap();
        fs::write(mount.path().join("cgroup.controllers"), "memory pids").unwrap();
        fs::create_dir_all(mount.path().join("system.slice/millrace.service/runner")).unwrap();
        let memberships = "0::/system.slice/millrace.service/runner\n";
        assert_eq!(candidates(mount.path(), memberships, ""), []);
        assert_eq!(
            candidates(mount.path(), memberships, "ours"),
            [hierarchy(mount.path().join("ours"), Controllers::Unified)]
        );
    }

    #[test]
    fn a_group_of_version_2_has_all_limits_and_tells_which_was_hit() {
        let parent = tempfile::tempdir().unwrap();
        let groups = Groups { hierarchies: vec![hierarchy(parent.path().to_owned(), Controllers::Unified)] };
        let limits =
            Limits { memory_bytes: 4096, processes: 10, file_bytes: 0, disk_bytes: 0, cpu_seconds: 0 };

        let group = groups.make(&limits).unwrap();

        let directory = group.directories[0].clone();
        let read = |file| fs::read_to_string(directory.join(file)).unwrap();
        assert_eq!(read("memory.max"), "4096");
        assert_eq!(read("memory.oom.group"), "1");
        assert_eq!(read("pids.max"), (10 + PROCESSES_BEYOND).to_string());
        assert_eq!(group.ran_out_of(), None);
        fs::write(directory.join("pids.events"), "max 3\n").unwrap();
        assert_eq!(group.ran_out_of(), Some(Resource::Processes));
        fs::write(directory.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
        assert_eq!(group.ran_out_of(), Some(Resource::Memory));
    }
}
