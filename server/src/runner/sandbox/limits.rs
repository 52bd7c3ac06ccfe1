//! How much an attempt may use up, and which of it was too much.

use std::{fmt, time::Duration};

use crate::config::SandboxConfig;

/// What all processes of an attempt may use up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// The largest file.
    pub file_bytes: u64,
    /// All files.
    pub disk_bytes: u64,
    pub cpu_seconds: u64,
}

impl Limits {
    pub(super) fn of(config: &SandboxConfig) -> Self {
        Self {
            memory_bytes: config.memory_bytes.get(),
            processes: config.processes.get(),
            file_bytes: config.file_bytes.get(),
            disk_bytes: config.disk_bytes.get(),
            cpu_seconds: config.cpu_seconds.get(),
        }
    }
}

/// The kernel refuses processes, and memory and a file's growth to a single one, only beyond the limit and these: so whoever
/// looks sees that there is too much, and can say so.
pub(super) const PROCESSES_BEYOND: u64 = 64;
pub(super) const MEMORY_BEYOND: u64 = 4 << 30;
pub(super) const FILE_BYTES_BEYOND: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Memory,
    Processes,
    FileSize,
    /// All files of the attempt.
    Disk,
    /// What the disk has left for everybody.
    FreeSpace,
    CpuTime,
}

impl Resource {
    const ALL: [Self; 6] =
        [Self::Memory, Self::Processes, Self::FileSize, Self::Disk, Self::FreeSpace, Self::CpuTime];

    /// As the sandbox reports it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::FileSize => "file_size",
            Self::Disk => "disk",
            Self::FreeSpace => "free_space",
            Self::CpuTime => "cpu_time",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.as_str() == text)
    }
}

/// A limit that ended an attempt; as text a sentence for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitHit {
    pub resource: Resource,
    pub limits: Limits,
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { memory_bytes, processes, file_bytes, disk_bytes, cpu_seconds } = self.limits;
        match self.resource {
            Resource::Memory => write!(f, "The attempt used more than {} of memory.", Bytes(memory_bytes)),
            Resource::Processes => {
                write!(f, "The attempt ran more than {processes} processes and threads at once.")
            }
            Resource::FileSize => write!(f, "The attempt wrote a file larger than {}.", Bytes(file_bytes)),
            Resource::Disk => write!(f, "The attempt had more than {} on the disk.", Bytes(disk_bytes)),
            Resource::FreeSpace => f.write_str("The attempt ran while the disk of its runner became full."),
            Resource::CpuTime => {
                let time = humantime::format_duration(Duration::from_secs(cpu_seconds));
                write!(f, "The attempt used more than {time} of processor time.")
            }
        }
    }
}

/// A size in the largest unit of which there is one at least, with a decimal where it is not whole.
pub(in crate::runner) struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("bytes", 0)];
        let (unit, power) = UNITS.into_iter().find(|(_, power)| self.0 >> power > 0).unwrap_or(("bytes", 0));
        let (whole, rest) = (self.0 >> power, self.0 % (1 << power));
        match (rest * 10) >> power {
            0 => write!(f, "{whole} {unit}"),
            tenths => write!(f, "{whole}.{tenths} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_said_in_words() {
        let limits = Limits {
            memory_bytes: 4 << 30,
            processes: 512,
            file_bytes: 1_610_612_736,
            disk_bytes: 32 << 30,
            cpu_seconds: 5400,
        };
        let said = |resource| LimitHit { resource, limits }.to_string();
        assert_eq!(said(Resource::Memory), "The attempt used more than 4 GiB of memory.");
        assert_eq!(said(Resource::Processes), "The attempt ran more than 512 processes and threads at once.");
        assert_eq!(said(Resource::FileSize), "The attempt wrote a file larger than 1.5 GiB.");
        assert_eq!(said(Resource::Disk), "The attempt had more than 32 GiB on the disk.");
        assert_eq!(said(Resource::CpuTime), "The attempt used more than 1h 30m of processor time.");
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for resource in Resource::ALL {
            assert_eq!(Resource::parse(resource.as_str()), Some(resource));
        }
    }
}
