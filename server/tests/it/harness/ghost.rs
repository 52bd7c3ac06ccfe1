//! A runner that exists only as a writer of lines.

use std::time::Duration;

use app::model::{JobId, Kind, Step, Stream, Timestamp};
use millrace::output::{PrintedLine, WriteError, Writer, WriterOptions};
use tokio::{sync::mpsc, task::JoinHandle};

use super::App;

/// Writes the lines of a job that it has started, as the test tells it.
pub struct Ghost {
    pub id: JobId,
    pub lines: mpsc::Sender<PrintedLine>,
    pub writing: JoinHandle<Result<u64, WriteError>>,
}

impl Ghost {
    pub async fn start(app: &App) -> Self {
        let id = app.submit("true").await;
        let hour = Duration::from_secs(3600);
        let started = app.lifecycle.start(Kind::Command, &[id], "ghost", hour).await.unwrap();
        assert_eq!(started.len(), 1);
        let writer = Writer::new(WriterOptions {
            lifecycle: app.lifecycle.clone(),
            config: app.config.output.clone(),
            job: id,
            attempt: started[0].job.attempt,
            owner: None,
            runner: "ghost".to_owned(),
            spool: app.path().to_owned(),
        });
        let (lines, received) = mpsc::channel(100);
        Self { id, lines, writing: tokio::spawn(writer.run(received)) }
    }

    /// Prints; `false` when the writer listens no more.
    pub async fn print(&self, text: &str) -> bool {
        self.print_line(Stream::Stdout, text, Vec::new()).await
    }

    /// Prints a line of an agent.
    pub async fn act(&self, step: Step) {
        let text = serde_json::to_string(&step).unwrap();
        assert!(self.print_line(Stream::Stdout, &text, vec![step]).await);
    }

    async fn print_line(&self, stream: Stream, text: &str, steps: Vec<Step>) -> bool {
        let line =
            PrintedLine { timestamp: Timestamp(0), stream, text: text.to_owned(), continues: false, steps };
        self.lines.send(line).await.is_ok()
    }
}
