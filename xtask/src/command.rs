//! Runs other programs: quietly, or with their output passed through line by line.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::{interrupt, workspace};

/// The stream that a line came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

/// Cargo, at the top of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    command
}

/// What runs on this machine rather than in the browser. xtask is built by itself: together with the others
/// its dependencies get other features, and Cargo would compile them all a second time.
pub(crate) const NATIVE: [&[&str]; 2] = [PRODUCT, &["--package=xtask"]];

/// What runs in the browser: each part is built by itself, or it would get the islands of the other.
pub(crate) const FRONTEND: [&str; 2] = ["--package=millrace-frontend", "--package=millrace-frontend-job"];

/// All but the frontend's parts: built for this machine together with the server, they would ask `app` for `ssr`
/// and `hydrate` at once.
pub(crate) const PRODUCT: &[&str] =
    &["--workspace", "--exclude=millrace-frontend", "--exclude=millrace-frontend-job", "--exclude=xtask"];

/// Runs a program to its end and hands over each line as it comes.
pub(crate) fn follow(command: &mut Command, mut each: impl FnMut(Stream, &str)) -> Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| describe(command))?;
    interrupt::begin(child.id());
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        send_lines(stdout, Stream::Output, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        send_lines(stderr, Stream::Errors, sender.clone());
    }
    drop(sender);
    for (stream, line) in lines {
        each(stream, &line);
    }
    let status = child.wait().with_context(|| describe(command))?;
    interrupt::end()?;
    Ok(status)
}

fn send_lines(from: impl Read + Send + 'static, stream: Stream, to: mpsc::Sender<(Stream, String)>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            if to.send((stream, text.trim_end().to_owned())).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Runs a program with its output on ours.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let status = follow(command, pass_through)?;
    succeeded(command, status)
}

/// Prints a line to the stream that it came from.
pub(crate) fn pass_through(stream: Stream, line: &str) {
    match stream {
        Stream::Output => println!("{line}"),
        Stream::Errors => eprintln!("{line}"),
    }
}

/// What a program prints on its standard output.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let mut output = String::new();
    let mut errors = String::new();
    let status = follow(command, |stream, line| {
        let to = match stream {
            Stream::Output => &mut output,
            Stream::Errors => &mut errors,
        };
        to.push_str(line);
        to.push('\n');
    })?;
    if !status.success() {
        bail!("{} failed ({status}):\n{errors}", describe(command));
    }
    Ok(output)
}

pub(crate) fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("{} failed ({status})", describe(command));
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}
