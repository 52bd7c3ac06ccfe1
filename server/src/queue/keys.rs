//! The names of everything that Millrace keeps in Redis.
//!
//! `{…}` is Redis Cluster's hash tag: the queue's keys share one slot, because one script moves ids between them; each
//! job's output has its own.

use app::model::{JobId, Kind, Priority};

#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// List of ids that wait, the next one first.
    pub fn queue(&self, lane: Kind, priority: Priority) -> String {
        format!("{{{}}}:queue:{lane}:{priority}", self.prefix)
    }

    /// All lists of a lane, the most urgent first.
    pub fn queues(&self, lane: Kind) -> impl Iterator<Item = String> {
        Priority::ALL.iter().map(move |priority| self.queue(lane, *priority))
    }

    /// Set of the ids that stand in one of the lane's lists: what makes a second push of the same id do nothing.
    pub fn waiting(&self, lane: Kind) -> String {
        format!("{{{}}}:waiting:{lane}", self.prefix)
    }

    /// Set of the ids that hold one of the lane's slots.
    pub fn active(&self, lane: Kind) -> String {
        format!("{{{}}}:active:{lane}", self.prefix)
    }

    /// List of the ids that a runner has claimed.
    pub fn running(&self, runner: &str) -> String {
        format!("{{{}}}:running:{runner}", self.prefix)
    }

    /// List on which idle runners wait; an element means that the lane may have something to do.
    pub fn doorbell(&self, lane: Kind) -> String {
        format!("{{{}}}:doorbell:{lane}", self.prefix)
    }

    /// List of an attempt's latest lines as JSON.
    pub fn output(&self, job: JobId, attempt: u32) -> String {
        format!("{}:job:{{{job}}}:output:{attempt}", self.prefix)
    }

    /// The number of the attempt that may write lines now.
    pub fn fence(&self, job: JobId) -> String {
        format!("{}:job:{{{job}}}:fence", self.prefix)
    }

    /// Channel that rings when an attempt has new lines.
    pub fn output_bell(&self, job: JobId) -> String {
        format!("{}:job:{{{job}}}:bell", self.prefix)
    }

    /// Channel with every change of a job, as JSON.
    pub fn events(&self) -> String {
        format!("{}:events", self.prefix)
    }

    /// Channel on which a runner is told to look at its attempts at once.
    pub fn runner_bell(&self, runner: &str) -> String {
        format!("{}:runner:{runner}", self.prefix)
    }
}
