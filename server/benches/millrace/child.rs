//! What the bench does when a job's script runs it: it prints lines that say when they were printed.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// The first argument of a child.
pub const NAME: &str = "print-for-bench";

/// What a job is to print.
pub enum Script {
    /// One line with the time.
    Time,
    /// This many lines with the time in each, one a millisecond, once the file exists.
    Paced { lines: u64, after: PathBuf },
    /// This many lines of 100 bytes, line breaks included, as fast as they go.
    Flood { lines: u64 },
}

impl Script {
    /// The text of a `command` job that prints it.
    pub fn text(&self) -> anyhow::Result<String> {
        let program = std::env::current_exe()?;
        let arguments = match self {
            Self::Time => "time".to_owned(),
            Self::Paced { lines, after } => format!("paced {lines} '{}'", after.display()),
            Self::Flood { lines } => format!("flood {lines}"),
        };
        Ok(format!("exec '{}' {NAME} {arguments}", program.display()))
    }
}

/// The time on a clock that all processes of this machine share.
pub fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The time that a printed line holds.
pub fn time_in(line: &[u8]) -> Option<Duration> {
    let nanoseconds = std::str::from_utf8(line).ok()?.strip_prefix("at ")?;
    nanoseconds.trim_end().parse().ok().map(Duration::from_nanos)
}

/// Prints, if this process was started by a job.
pub fn main() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let printed = match words[..] {
        [NAME, "time"] => print_time(),
        [NAME, "paced", lines, after] => print_paced(lines.parse().ok()?, Path::new(after)),
        [NAME, "flood", lines] => print_flood(lines.parse().ok()?),
        _ => return None,
    };
    Some(if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_time() -> io::Result<()> {
    let line = format!("at {}\n", monotonic().as_nanos());
    io::stdout().write_all(line.as_bytes())
}

fn print_paced(lines: u64, after: &Path) -> io::Result<()> {
    while !after.exists() {
        thread::sleep(Duration::from_millis(10));
    }
    let begin = monotonic();
    for index in 0..lines {
        let due = begin + Duration::from_millis(index);
        thread::sleep(due.saturating_sub(monotonic()));
        print_time()?;
    }
    Ok(())
}

fn print_flood(lines: u64) -> io::Result<()> {
    const WORDS: [&str; 8] =
        ["compiling", "testing", "linking", "fetching", "unpacking", "checking", "ok", "warning:"];
    let mut output = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let mut line = Vec::with_capacity(100);
    // Looks random enough that it compresses like a build log rather than like one repeated line.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for number in 0..lines {
        line.clear();
        write!(line, "{number:>9} ")?;
        while line.len() < 99 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = WORDS[(state >> 61) as usize];
            write!(line, "{word} {:04x} ", (state >> 40) & 0xFFFF)?;
        }
        line.truncate(99);
        line.push(b'\n');
        output.write_all(&line)?;
    }
    output.flush()
}
