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

    /// Hash of a lane's limits and pause, and whether it is open: nothing of a lane starts before it is.
    pub fn lane(&self, lane: Kind) -> String {
        format!("{{{}}}:lane:{lane}", self.prefix)
    }

    /// Where the lists of a lane and priority begin, with the ids that wait, the next one first. Each id stands in two of
    /// them: `…:people:{person}` and `…:repositories:{repository}`; `…:people` and `…:repositories` are lists of those that
    /// have something waiting, whose turn is next first.
    pub fn queue(&self, lane: Kind, priority: Priority) -> String {
        format!("{{{}}}:queue:{lane}:{priority}", self.prefix)
    }

    /// Set of the ids that wait. Who is not in it has left the queue, whatever lists still name it; and a second push of
    /// the same id does nothing.
    pub fn waiting(&self, lane: Kind, priority: Priority) -> String {
        format!("{{{}}}:waiting:{lane}:{priority}", self.prefix)
    }

    /// Hash that remembers, for each priority, whose turn is next and since when it waits for one.
    pub fn turns(&self, lane: Kind) -> String {
        format!("{{{}}}:turns:{lane}", self.prefix)
    }

    /// Set of the ids that hold one of the lane's slots.
    pub fn active(&self, lane: Kind) -> String {
        format!("{{{}}}:active:{lane}", self.prefix)
    }

    /// List of the times of the lane's starts within the last minute, in milliseconds.
    pub fn starts(&self, lane: Kind) -> String {
        format!("{{{}}}:starts:{lane}", self.prefix)
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

    /// An answer of GitHub's that may still hold.
    pub fn github_answer(&self, digest: &str) -> String {
        format!("{}:github:{digest}", self.prefix)
    }

    /// Channel that rings when there is a delivery to work on.
    pub fn deliveries_bell(&self) -> String {
        format!("{}:deliveries", self.prefix)
    }

    /// Channel that rings when there is an answer to give.
    pub fn answers_bell(&self) -> String {
        format!("{}:answers", self.prefix)
    }

    /// Channel on which a runner is told to look at its attempts at once.
    pub fn runner_bell(&self, runner: &str) -> String {
        format!("{}:runner:{runner}", self.prefix)
    }
}
