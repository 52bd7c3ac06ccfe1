//! What this program does when a job's script runs it: it works, prints numbered lines, and leaves marks of its own.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::Path,
    process::ExitCode,
    thread,
    time::Duration,
};

use crate::{
    marks::{Event, Mark, Marks},
    plan::Plan,
};

/// The first argument of a job's process.
const NAME: &str = "act-for-chaos";
/// Lines are printed in so many portions, spread over the time that the job works.
const PORTIONS: u64 = 20;

/// The script of a job that does what `plan` says and leaves its marks in `directory`.
pub fn script(plan: &Plan, directory: &Path) -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let Plan { name, lines, work, fails, .. } = plan;
    Ok(format!(
        "exec '{}' {NAME} '{}' {name} {lines} {} {fails}",
        program.display(),
        directory.display(),
        work.as_millis()
    ))
}

/// The line that an attempt prints as its `number`th.
pub fn line(attempt: u32, number: u64) -> String {
    format!("{attempt}:{number}")
}

/// Works, if a job started this process.
pub fn main() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [NAME, directory, name, lines, millis, fails] = words[..] else { return None };
    let (lines, millis, fails) = (lines.parse().ok()?, millis.parse().ok()?, fails.parse().ok()?);
    let worked = work(Path::new(directory), name, lines, Duration::from_millis(millis), fails);
    Some(worked.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(3)
    }))
}

fn work(directory: &Path, name: &str, lines: u64, time: Duration, fails: u32) -> anyhow::Result<ExitCode> {
    let job = std::env::var("MILLRACE_JOB")?.parse()?;
    let attempt: u32 = std::env::var("MILLRACE_ATTEMPT")?.parse()?;
    let mut marks = Marks::open(directory, name)?;
    // Held to the end of the process, however it ends. Its own first, then the others': of two that start at the same
    // moment at least one finds the other.
    let lock = File::create(directory.join(format!("{name}.{attempt}.lock")))?;
    let itself = match lock.try_lock() {
        Ok(()) => None,
        Err(TryLockError::WouldBlock) => Some(attempt),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    };
    let mut beside = running_beside(directory, name, attempt)?;
    beside.extend(itself);
    marks.add(&Mark::now(job, attempt, Event::Start { beside }))?;

    let mut stdout = io::stdout().lock();
    let mut number = 0;
    for portion in 1..=PORTIONS {
        let mut text = String::new();
        while number < lines * portion / PORTIONS {
            number += 1;
            text += &line(attempt, number);
            text.push('\n');
        }
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        thread::sleep(time / PORTIONS as u32);
    }
    let code = u8::from(attempt <= fails);
    marks.add(&Mark::now(job, attempt, Event::End { code }))?;
    drop(lock);
    Ok(ExitCode::from(code))
}

/// The other attempts of this job whose processes live.
fn running_beside(directory: &Path, name: &str, own: u32) -> io::Result<Vec<u32>> {
    let mut beside = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file_name = entry?.file_name();
        let attempt = file_name
            .to_str()
            .and_then(|file| file.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".lock")?.parse().ok());
        let Some(attempt) = attempt.filter(|attempt| *attempt != own) else { continue };
        match File::open(directory.join(&file_name))?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => beside.push(attempt),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
    }
    Ok(beside)
}
