//! A child process and everything it starts: run, listened to, and stopped as a whole.

use std::{io, process::Stdio, time::Duration};

use app::model::{Stream, Timestamp};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, Command},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

use super::{AttemptOutput, StopSignal, kin::Cookie, output::now};
use crate::output::{Mask, Masker, Piece, PrintedLine, Splitter};

/// How long a pipe may stay silent after the child has ended: something that left its group may hold it open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What is read at most after the child has ended. No pipe holds more, so all that the child wrote is within it, and what
/// left its group cannot print for ever.
const LAST_BYTES: usize = 1 << 20;
/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
    /// It was asked to stop.
    Stopped,
}

pub(super) struct Limits {
    /// From TERM to KILL.
    pub kill_after: Duration,
    pub line_bytes: usize,
    /// Takes out what must not be seen.
    pub mask: Option<Mask>,
    /// By which what it has started is found at its end; none where a sandbox ends with it.
    pub cookie: Option<Cookie>,
}

/// What a child reads from its standard input.
#[derive(Debug)]
pub(super) enum Input {
    Nothing,
    Bytes(Vec<u8>),
}

/// Runs `command` in a process group of its own until it ends or `stop` is requested; then the whole group gets TERM, and
/// KILL after a while. Every line that it prints goes to `output`. What it has started ends with it.
pub(super) async fn run(
    command: &mut Command,
    input: Input,
    output: &AttemptOutput,
    stop: &StopSignal,
    limits: &Limits,
) -> io::Result<Exit> {
    let (stdin, to_write) = match input {
        Input::Nothing => (Stdio::null(), None),
        Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    if let Some(cookie) = &limits.cookie {
        let (name, value) = cookie.variable();
        command.env(name, value);
    }
    die_with_parent(command);
    let mut child = command.spawn()?;
    let group = Group::of(&child);
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    // Ends with this function: a child need not read to the end.
    let _writing = child
        .stdin
        .take()
        .zip(to_write)
        .map(|(stdin, bytes)| AbortOnDropHandle::new(tokio::spawn(write(stdin, bytes))));
    let (end, ended) = watch::channel(false);
    let listening = async {
        tokio::join!(
            listen(stdout, Stream::Stdout, output, limits, ended.clone()),
            listen(stderr, Stream::Stderr, output, limits, ended.clone()),
        );
    };
    tokio::pin!(listening);
    let mut heard_all = false;

    let mut stopping = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = &mut listening, if !heard_all => heard_all = true,
            _ = stop.requested(), if !stopping => {
                stopping = true;
                group.signal(Signal::TERM);
            }
            () = tokio::time::sleep(limits.kill_after), if stopping => group.signal(Signal::KILL),
        }
    };
    // Whatever it started in its group ends with it, and what has left that.
    group.signal(Signal::KILL);
    if let Some(cookie) = &limits.cookie {
        cookie.end_all().await;
    }
    // Nobody receives any more when everything was heard.
    let _ = end.send(true);
    if !heard_all {
        listening.await;
    }
    if stopping {
        return Ok(Exit::Stopped);
    }
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    Ok(match (status.code(), signal) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    })
}

/// Beside everything else: a child may print before it has read all.
async fn write(mut stdin: ChildStdin, bytes: Vec<u8>) {
    // A child that closes its input has read enough.
    let _ = stdin.write_all(&bytes).await;
}

/// The kernel kills the child when the thread that started it ends. That thread is one of the runtime's own, which end
/// with the process: so a runner that is killed leaves no shell behind that goes on with its script.
#[expect(unsafe_code, reason = "there is no safe way to run something between fork and exec")]
pub(super) fn die_with_parent(command: &mut Command) {
    let parent = Some(rustix::process::getpid());
    // SAFETY: between fork and exec only async-signal-safe functions may be called. These are two system calls; they neither
    // allocate nor take a lock.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // Whose parent is gone already would not be told any more.
            if rustix::process::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
}

/// The process group of a child, which has the child's id.
pub(super) struct Group(Option<Pid>);

impl Group {
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// A group that is gone already is fine.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Reads a pipe line by line to its end, or, once the child has `ended`, until it falls silent. However long `output` makes
/// this wait, nothing that the child wrote is left in the pipe.
async fn listen(
    pipe: Option<impl AsyncRead + Unpin>,
    stream: Stream,
    output: &AttemptOutput,
    limits: &Limits,
    mut ended: watch::Receiver<bool>,
) {
    let Some(mut pipe) = pipe else { return };
    let mut splitter = Splitter::new(limits.line_bytes);
    let mut masker = limits.mask.as_ref().map(Mask::stream);
    let mut buffer = vec![0; READ_BYTES];
    let mut lines = Vec::new();
    let mut last_bytes = 0;
    while last_bytes < LAST_BYTES {
        let read = tokio::select! {
            read = pipe.read(&mut buffer) => read,
            () = silence(&mut ended) => break,
        };
        let read = match read {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        if *ended.borrow() {
            last_bytes += read;
        }
        let timestamp = now();
        let shown = match &mut masker {
            Some(masker) => masker.feed(&buffer[..read]),
            None => &buffer[..read],
        };
        splitter.feed(shown, |piece| lines.push(printed(piece, stream, timestamp)));
        for line in lines.drain(..) {
            output.line(line).await;
        }
    }
    let timestamp = now();
    let held_back = masker.as_mut().map(Masker::finish).unwrap_or_default();
    splitter.feed(held_back, |piece| lines.push(printed(piece, stream, timestamp)));
    splitter.finish(|piece| lines.push(printed(piece, stream, timestamp)));
    for line in lines {
        output.line(line).await;
    }
}

fn printed(piece: Piece<'_>, stream: Stream, timestamp: Timestamp) -> PrintedLine {
    PrintedLine {
        timestamp,
        stream,
        text: piece.text.into_owned(),
        continues: piece.continues,
        steps: Vec::new(),
    }
}

/// Returns when the child has ended and then some time has passed.
async fn silence(ended: &mut watch::Receiver<bool>) {
    // The sender outlives all listeners.
    let _ = ended.wait_for(|ended| *ended).await;
    tokio::time::sleep(LAST_WORDS).await;
}

#[cfg(test)]
mod tests {
    use super::{super::stop::stop_signal, *};

    const LIMITS: Limits =
        Limits { kill_after: Duration::from_secs(5), line_bytes: 16 * 1024, mask: None, cookie: None };

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_reader_that_comes_long_after_the_end_gets_everything() {
        let (output, mut lines) = AttemptOutput::channel();
        let (_stopper, stop) = stop_signal();
        let mut command = shell("seq 10000");

        let running =
            tokio::spawn(async move { run(&mut command, Input::Nothing, &output, &stop, &LIMITS).await });
        // Not to wait for something: this is how slow the reader is.
        tokio::time::sleep(2 * LAST_WORDS).await;
        let mut heard = Vec::new();
        while let Some(line) = lines.recv().await {
            heard.push(line.text);
        }

        assert_eq!(running.await.unwrap().unwrap(), Exit::Code(0));
        assert_eq!(heard, (1..=10_000).map(|number| number.to_string()).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn secrets_are_masked_in_whichever_pieces_they_come() {
        let (output, mut lines) = AttemptOutput::channel();
        let (_stopper, stop) = stop_signal();
        let mut command = shell("printf 'key: very-'; sleep 0.1; printf 'secret!'; printf very-secret >&2");
        let limits = Limits { mask: Mask::new(&["very-secret".into()]), line_bytes: 8, ..LIMITS };

        run(&mut command, Input::Nothing, &output, &stop, &limits).await.unwrap();
        drop(output);

        // Which of the two streams comes first is nobody's business.
        let (mut said, mut complained) = (String::new(), String::new());
        while let Some(line) = lines.recv().await {
            let stream = if line.stream == Stream::Stdout { &mut said } else { &mut complained };
            *stream += &line.text;
        }
        assert_eq!((said.as_str(), complained.as_str()), ("key: ***!", "***"));
    }

    #[tokio::test]
    async fn what_left_the_group_and_goes_on_printing_does_not_keep_it_from_ending() {
        let (output, mut lines) = AttemptOutput::channel();
        let (_stopper, stop) = stop_signal();
        let mut command = shell("setsid yes & echo $!");
        tokio::spawn(async move { while lines.recv().await.is_some() {} });

        let exit = run(&mut command, Input::Nothing, &output, &stop, &LIMITS).await.unwrap();

        // The reader is gone now, and `yes` ends by its next write.
        assert_eq!(exit, Exit::Code(0));
    }

    #[tokio::test]
    async fn a_child_gets_a_long_input_while_it_prints_and_may_stop_reading() {
        let long = vec![b'x'; 5 << 20];
        for (script, expected) in [
            ("wc -c", "5242880"),
            ("yes line | head -n 200000 | wc -l; wc -c", "5242880"),
            ("echo enough", "enough"),
        ] {
            let (output, mut lines) = AttemptOutput::channel();
            let (_stopper, stop) = stop_signal();
            let input = Input::Bytes(long.clone());
            let mut command = shell(script);

            let running =
                tokio::spawn(async move { run(&mut command, input, &output, &stop, &LIMITS).await });
            let mut last = String::new();
            while let Some(line) = lines.recv().await {
                last = line.text;
            }

            assert_eq!(running.await.unwrap().unwrap(), Exit::Code(0), "{script}");
            assert_eq!(last, expected, "{script}");
        }
    }
}
