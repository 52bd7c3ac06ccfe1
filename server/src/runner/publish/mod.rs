//! From what an agent has left in its checkout to a branch that people can review.
//!
//! Each step is a function of its own, because between them stand the sandbox, the database and a lease that may be lost:
//!
//! 1. [`Collect`] and [`collect`]: inside the sandbox, what is left is committed and leaves as a bundle.
//! 2. [`Work::receive`]: the bundle is unpacked into a repository of Millrace's own, where no setting of the agent's counts.
//! 3. [`Work::secrets`]: a secret in what was added stops everything that follows.
//! 4. [`Work::patch`]: the diff, for the job's page.
//! 5. [`push`]: the branch, if the attempt is still this runner's.

mod branch;
mod bundle;
mod collect;
mod push;
mod secrets;
mod work;

pub use branch::{branch_name, is_own_branch};
pub use collect::{Collect, CollectError, Collected, Message, run as collect};
pub use push::{Destination, PublishError, Published, push};
pub use secrets::{Finding, Secrets};
pub use work::{Patch, ReceiveError, Work};
