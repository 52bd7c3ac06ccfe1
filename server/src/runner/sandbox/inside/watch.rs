//! Looks at all processes of the sandbox together, several times a second, until they use up too much.

use std::{fs, thread, time::Duration};

use rustix::{fs::statvfs, param};

use super::{OwnLimits, Resource};

const PAUSE: Duration = Duration::from_millis(200);

/// Returns when a limit is exceeded, with what there is too much of.
pub(super) fn until_over(limits: &OwnLimits) -> Resource {
    loop {
        let used = Used::now();
        if used.processes > limits.processes {
            return Resource::Processes;
        }
        if used.cpu_seconds > limits.cpu_seconds {
            return Resource::CpuTime;
        }
        if limits.memory_bytes.is_some_and(|limit| used.memory_bytes > limit) {
            return Resource::Memory;
        }
        thread::sleep(PAUSE);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
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
                read("stat").zip(read("statm")).and_then(|(stat, statm)| Process::parse(&stat, &statm))
            else {
                continue;
            };
            sum.threads += process.threads;
            sum.ticks += process.ticks;
            sum.pages += process.pages;
        }
        Self {
            memory_bytes: sum.pages * param::page_size() as u64 + shared_files(),
            processes: sum.threads,
            cpu_seconds: sum.ticks / param::clock_ticks_per_second(),
        }
    }
}

/// Files in memory belong to no process.
fn shared_files() -> u64 {
    statvfs("/dev/shm").map_or(0, |system| (system.f_blocks - system.f_bfree) * system.f_frsize)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Process {
    threads: u64,
    /// Its own, and those of the children that it has waited for.
    ticks: u64,
    /// Resident ones that it does not share with files.
    pages: u64,
}

impl Process {
    /// Reads `/proc/N/stat` and `/proc/N/statm`; proc(5) numbers the fields.
    fn parse(stat: &str, statm: &str) -> Option<Self> {
        // The name, the second field, may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let mut sizes = statm.split_whitespace().skip(1).map(str::parse::<u64>);
        let (resident, shared) = (sizes.next()?.ok()?, sizes.next()?.ok()?);
        Some(Self {
            threads: field(20)?,
            ticks: field(14)? + field(15)? + field(16)? + field(17)?,
            pages: resident.saturating_sub(shared),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat =
            "7 (a) R 1 2) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 5 0 999 1000000 2500 184467 0 0";
        let process = Process::parse(stat, "9000 2500 500 10 0 800 0\n").unwrap();
        assert_eq!(process, Process { threads: 5, ticks: 110, pages: 2000 });
        assert_eq!(Process::parse("7 (a", ""), None);
    }
}
