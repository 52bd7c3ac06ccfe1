//! Where an attempt prints.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use app::model::{Step, Stream, Timestamp};
use chrono::Utc;
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};

use super::progress::Progress;
use crate::output::{Mask, PrintedLine};

/// Lines on their way to the writer. Printing waits when the writer cannot keep up, which in the end makes the child wait.
#[derive(Clone)]
pub struct AttemptOutput {
    lines: mpsc::Sender<PrintedLine>,
    progress: watch::Sender<Progress>,
    understand: Option<Arc<Mutex<Understand>>>,
    hidden: Arc<RwLock<Hidden>>,
}

/// Secrets of Millrace's own that may be in no line.
#[derive(Default)]
struct Hidden {
    secrets: Vec<SecretString>,
    mask: Option<Mask>,
}

/// Says what a line means.
type Understand = dyn FnMut(&PrintedLine) -> Vec<Step> + Send;

/// How many lines may be on their way.
const IN_FLIGHT: usize = 1024;

impl AttemptOutput {
    pub(super) fn channel() -> (Self, mpsc::Receiver<PrintedLine>) {
        let (lines, receiver) = mpsc::channel(IN_FLIGHT);
        let (progress, hidden) = (watch::Sender::default(), Arc::default());
        (Self { lines, progress, understand: None, hidden }, receiver)
    }

    /// The same output, for lines that mean something: `understand` is given each of them.
    pub(super) fn understood(
        &self,
        understand: impl FnMut(&PrintedLine) -> Vec<Step> + Send + 'static,
    ) -> Self {
        Self { understand: Some(Arc::new(Mutex::new(understand))), ..self.clone() }
    }

    /// How far the program says it is.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// From now on these are masked in every line.
    pub(super) fn hide(&self, secrets: &[SecretString]) {
        let mut hidden = self.hidden.write().unwrap_or_else(PoisonError::into_inner);
        hidden.secrets.extend_from_slice(secrets);
        hidden.mask = Mask::new(&hidden.secrets);
    }

    /// The text without what is hidden.
    pub(super) fn masked(&self, text: &str) -> String {
        let hidden = self.hidden.read().unwrap_or_else(PoisonError::into_inner);
        hidden.mask.as_ref().map_or_else(|| text.to_owned(), |mask| mask.text(text))
    }

    /// Says something in Millrace's own name.
    pub async fn system(&self, text: impl Into<String>) {
        self.line(PrintedLine {
            timestamp: now(),
            stream: Stream::System,
            text: text.into(),
            continues: false,
            steps: Vec::new(),
        })
        .await;
    }

    /// A line for a writer that has stopped is dropped: the attempt is no longer this runner's, and is being stopped.
    pub async fn line(&self, mut line: PrintedLine) {
        line.text = self.masked(&line.text);
        if let Some(understand) = &self.understand {
            let mut understand = understand.lock().unwrap_or_else(PoisonError::into_inner);
            line.steps = understand(&line);
        }
        if line.stream == Stream::Stdout
            && let Some(progress) = Progress::parse(&line.text)
        {
            self.progress.send_modify(|said| said.and_then(progress));
        }
        let _ = self.lines.send(line).await;
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_millis())
}
