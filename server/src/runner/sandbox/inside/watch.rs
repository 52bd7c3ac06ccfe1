//! Looks at all processes of the sandbox together, several times a second, until they use up too much.

use std::{fs, thread, time::Duration};

use rustix::{fs::statvfs, param};

use super::{super::view, OwnLimits, Resource};

const PAUSE: Duration = Duration::from_millis(200);
/// So much of the disk stays free, in bytes and in files, or half of what was free before where that was less. On a full disk
/// nothing works any more, and the runner's database may be on the same.
const RESERVE: [u64; 2] = [1 << 30, 10_000];

/// Returns when a limit is exceeded, with what there is too much of.
pub(super) fn until_over(limits: &OwnLimits) -> Resource {
    let before = free();
    loop {
        let is_short = |((free, before), reserve): ((u64, u64), u64)| free < reserve.min(before / 2);
        if free().into_iter().zip(before).zip(RESERVE).any(is_short) {
            return Resource::FreeSpace;
        }
        let used = Used::now();
        if used.processes > limits.processes {
            return Resource::Processes;
        }
        if used.cpu_seconds > limits.cpu_seconds {
            return Resource::CpuTime;
        }
        if limits.memory_bytes.is_some_and(|limit| used.memory_bytes > limit && exact_memory() > limit) {
            return Resource::Memory;
        }
        thread::sleep(PAUSE);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    /// Of what processes share, as much as they all have of it together.
    memory_bytes: u64,
    /// Threads are counted, as the kernel does.
    processes: u64,
    cpu_seconds: u64,
}

impl Used {
    fn now() -> Self {
        let mut sum = Process::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
        for entry in numbers {
            let path = entry.path();
            // One that has ended meanwhile counts no more.
            let read = |name| fs::read_to_string(path.join(name)).ok();
            let Some(process) =
                read("stat").zip(read("status")).and_then(|(stat, status)| Process::parse(&stat, &status))
            else {
                continue;
            };
            sum.threads += process.threads;
            sum.ticks += process.ticks;
            sum.memory_kib += process.memory_kib;
        }
        Self {
            memory_bytes: sum.memory_kib * 1024 + shared_files(),
            processes: sum.threads,
            cpu_seconds: sum.ticks / param::clock_ticks_per_second(),
        }
    }
}

/// Files in memory belong to no process. Those that are mapped count for their processes too.
fn shared_files() -> u64 {
    statvfs("/dev/shm").map_or(0, |system| (system.f_blocks - system.f_bfree) * system.f_frsize)
}

/// What is free where the program writes, in bytes and in files, which some disks do not count.
fn free() -> [u64; 2] {
    let free = statvfs(view::TREE).map(|disk| [disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_favail]);
    free.unwrap_or([u64::MAX; 2])
}

/// What processes have in memory beside files of the disk, each page once, however many share it. The kernel goes through
/// all of their pages for that, so it is asked only where their sum is too much.
fn exact_memory() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let kib: u64 = entries
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .filter_map(|entry| {
            let read = |name| fs::read_to_string(entry.path().join(name)).ok();
            let shares = read("smaps_rollup").and_then(|text| sum_of(&text, ["Pss_Anon:", "Pss_Shmem:"]));
            // A process that lets nobody look into it counts with all that it has.
            shares.or_else(|| sum_of(&read("status")?, RESIDENT))
        })
        .sum();
    kib * 1024 + shared_files()
}

/// What a process has in memory that is its own, and what it shares with others through memory.
const RESIDENT: [&str; 2] = ["RssAnon:", "RssShmem:"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Process {
    threads: u64,
    /// Its own, and those of the children that it has waited for.
    ticks: u64,
    memory_kib: u64,
}

impl Process {
    /// Reads `/proc/N/stat`, whose fields proc(5) numbers, and `/proc/N/status`.
    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name, the second field, may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            threads: field(20)?,
            ticks: field(14)? + field(15)? + field(16)? + field(17)?,
            // One that has ended has no memory any more.
            memory_kib: sum_of(status, RESIDENT).unwrap_or(0),
        })
    }
}

/// Adds up lines such as `RssAnon:     9000 kB`.
fn sum_of(text: &str, names: [&str; 2]) -> Option<u64> {
    let value = |name| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let [first, second] = names.map(value);
    Some(first? + second?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat =
            "7 (a) R 1 2) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 5 0 999 1000000 2500 184467 0 0";
        let status = "Name:\tRssAnon: 1 kB\nVmRSS:\t    2500 kB\nRssAnon:\t    1500 kB\nRssFile:\t     500 kB\nRssShmem:\t     500 kB\n";
        let process = Process::parse(stat, status).unwrap();
        assert_eq!(process, Process { threads: 5, ticks: 110, memory_kib: 2000 });
        assert_eq!(Process::parse(stat, "Name:\tended\n").unwrap().memory_kib, 0);
        assert_eq!(Process::parse("7 (a", ""), None);
    }
}
