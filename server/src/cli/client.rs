//! The subcommands that are a server's client: which options they take, and what they make of them.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use app::model::{JobFilter, JobState, Kind, NewJob, PauseRequest, Priority, Timestamp};
use chrono::{DateTime, Local, NaiveDateTime, TimeZone as _, Utc};
use clap::{ArgGroup, Args, Subcommand};
use secrecy::SecretString;

use super::Settings;
use crate::{
    client::{self, After, Api, Command, Format, LocalAccess, Place, Which},
    config::Overrides,
};

#[derive(Subcommand)]
pub(super) enum ClientCommand {
    /// Ask for a job: `millrace submit --repo https://github.com/owner/name -- cargo test`, or with --prompt for an agent
    Submit(#[command(flatten)] Box<SubmitArguments>),
    /// List jobs, the newest first
    #[command(visible_alias = "list")]
    Ls(#[command(flatten)] ListArguments),
    /// Show everything about a job
    Show {
        #[command(flatten)]
        common: Common,
        /// The job's id, or its last eight digits
        id: String,
    },
    /// Print what a job printed
    Logs {
        #[command(flatten)]
        common: Common,
        /// Go on until the job has ended
        #[arg(short, long)]
        follow: bool,
        /// Which attempt, if not the latest
        #[arg(long, value_name = "NUMBER")]
        attempt: Option<u32>,
        /// The job's id, or its last eight digits
        id: String,
    },
    /// Cancel jobs: those that wait at once, those that run as soon as they have stopped
    Cancel(#[command(flatten)] JobsArguments),
    /// Run jobs that have ended once more
    Retry(#[command(flatten)] JobsArguments),
    /// Delete jobs that are not running, with all that they printed
    Delete(#[command(flatten)] JobsArguments),
    /// Start no more jobs of a kind; those that run go on
    Pause {
        #[command(flatten)]
        common: Common,
        /// The kind of jobs
        lane: Kind,
        /// Why; everybody who waits reads it
        #[arg(long, default_value = "paused from the command line")]
        reason: String,
        /// When it goes on by itself, e.g. 2030-01-31T18:00 (this machine's time) or 2030-01-31T18:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "duration")]
        until: Option<DateTime<Utc>>,
        /// After how long it goes on by itself, e.g. 90m
        #[arg(long = "for", id = "duration", value_name = "DURATION", value_parser = humantime::parse_duration)]
        duration: Option<Duration>,
    },
    /// Start jobs of a kind again
    Resume {
        #[command(flatten)]
        common: Common,
        /// The kind of jobs
        lane: Kind,
    },
}

/// Which server, and how to print its answers.
#[derive(Args)]
pub(super) struct Common {
    /// The server [default: the one that `millrace up` runs in the data directory]
    #[arg(long, value_name = "URL", env = "MILLRACE_URL")]
    server: Option<String>,
    /// An API token of that server; `millrace token create` makes one
    #[arg(long, value_name = "TOKEN", env = "MILLRACE_TOKEN", hide_env_values = true)]
    token: Option<SecretString>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(group(ArgGroup::new("work").required(true).args(["command", "script", "prompt", "prompt_file"])))]
pub(super) struct SubmitArguments {
    #[command(flatten)]
    common: Common,
    /// The git repository: https://…, ssh://… or git@host:path
    #[arg(long, value_name = "ADDRESS", required_unless_present = "parent")]
    repo: Option<String>,
    /// A branch, tag or commit, if not the repository's default branch
    #[arg(long = "ref", value_name = "NAME")]
    git_ref: Option<String>,
    /// critical, high, normal or low
    #[arg(long)]
    priority: Option<Priority>,
    /// How many attempts may fail before the job has failed
    #[arg(long, value_name = "NUMBER")]
    attempts: Option<u32>,
    /// Start after this long, e.g. 10m
    #[arg(long = "in", value_name = "DURATION", value_parser = humantime::parse_duration)]
    delay: Option<Duration>,
    /// Of several requests with the same key one makes a job
    #[arg(long)]
    key: Option<String>,
    /// Print what the job prints, and exit with its exit code
    #[arg(long)]
    wait: bool,
    /// A script in a file instead of a command; `-` is standard input
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// What an agent is to do
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The same in a file; `-` is standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Which agent, if not the server's usual one: claude, codex, gemini, …
    #[arg(long, value_name = "NAME", conflicts_with_all = ["command", "script"])]
    agent: Option<String>,
    /// The agent's model, if not its usual one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["command", "script"])]
    model: Option<String>,
    /// Go on with the work of this job, on its branch and in its repository
    #[arg(long = "continue", value_name = "ID", conflicts_with_all = ["command", "script"])]
    parent: Option<String>,
    /// The command and its arguments, after `--`
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    common: Common,
    /// scheduled, queued, running, succeeded, failed, canceled or parked
    #[arg(long)]
    state: Option<JobState>,
    #[arg(long)]
    kind: Option<Kind>,
    /// Jobs of this repository
    #[arg(long, value_name = "ADDRESS")]
    repo: Option<String>,
    /// The most jobs to list
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Words that the title or the repository holds
    words: Vec<String>,
}

#[derive(Args)]
pub(super) struct JobsArguments {
    #[command(flatten)]
    common: Common,
    /// The jobs' ids, or their last eight digits
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(super) async fn run(command: ClientCommand, settings: Settings) -> anyhow::Result<ExitCode> {
    match command {
        ClientCommand::Submit(arguments) => {
            let (api, format) = arguments.common.open(&settings)?;
            let after = if arguments.wait { After::Wait } else { After::Leave };
            return client::submit(&api, arguments.into_job()?, after, format).await;
        }
        ClientCommand::Ls(arguments) => {
            let (api, format) = arguments.common.open(&settings)?;
            client::list(&api, arguments.into_filter(), format).await?;
        }
        ClientCommand::Show { common, id } => {
            let (api, format) = common.open(&settings)?;
            client::show(&api, &id, format).await?;
        }
        ClientCommand::Logs { common, follow, attempt, id } => {
            let (api, format) = common.open(&settings)?;
            let which = if follow { Which::Following } else { Which::Present };
            client::logs(&api, &id, attempt, which, format).await?;
        }
        ClientCommand::Cancel(arguments) => arguments.change(&settings, Command::Cancel).await?,
        ClientCommand::Retry(arguments) => arguments.change(&settings, Command::Retry).await?,
        ClientCommand::Delete(arguments) => arguments.change(&settings, Command::Delete).await?,
        ClientCommand::Pause { common, lane, reason, until, duration } => {
            let (api, format) = common.open(&settings)?;
            let until = until.or(duration.map(after).transpose()?);
            let until = until.map(|time| Timestamp(time.timestamp_millis()));
            client::pause(&api, lane, &PauseRequest { reason, until }, format).await?;
        }
        ClientCommand::Resume { common, lane } => {
            let (api, format) = common.open(&settings)?;
            client::resume(&api, lane, format).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Common {
    fn open(&self, settings: &Settings) -> anyhow::Result<(Api, Format)> {
        let place = match (&self.server, &self.token) {
            (Some(server), Some(token)) => Place::new(server, token.clone())?,
            (Some(server), None) => {
                bail!("A token for {server} is missing. Give it with --token or MILLRACE_TOKEN")
            }
            (None, _) => {
                let data_dir = settings.load(Overrides::default())?.server.data_dir;
                LocalAccess::in_directory(&data_dir).read()?.with_context(|| {
                    format!(
                        "No `millrace up` runs in {}. Start it, name its directory with --data-dir, or name a server and a \
                         token with --server and --token, or MILLRACE_URL and MILLRACE_TOKEN",
                        data_dir.display()
                    )
                })?
            }
        };
        let format = if self.json { Format::Json } else { Format::Text };
        Ok((Api::new(place)?, format))
    }
}

impl SubmitArguments {
    fn into_job(self) -> anyhow::Result<NewJob> {
        let prompt = match self.prompt_file {
            Some(file) => Some(text_of(&file)?),
            None => self.prompt,
        };
        let script = match (&prompt, self.script) {
            (Some(_), _) => None,
            (None, Some(file)) => Some(text_of(&file)?),
            (None, None) => Some(
                shlex::try_join(self.command.iter().map(String::as_str))
                    .context("The command holds a zero byte, which no program can be given")?,
            ),
        };
        let kind = if prompt.is_some() { Kind::Agent } else { Kind::Command };
        Ok(NewJob {
            kind: kind.to_string(),
            repository: self.repo.unwrap_or_default(),
            git_ref: self.git_ref,
            script,
            prompt,
            agent: self.agent,
            model: self.model,
            parent: self.parent,
            priority: self.priority.map(|priority| priority.to_string()),
            max_attempts: self.attempts,
            run_at: self.delay.map(after).transpose()?.map(|time| time.timestamp_millis()),
            idempotency_key: self.key,
            ..NewJob::default()
        })
    }
}

/// What a file holds; `-` is standard input.
fn text_of(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("Standard input cannot be read as text")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read as text", file.display()))
}

impl ListArguments {
    fn into_filter(self) -> JobFilter {
        JobFilter {
            state: self.state,
            kind: self.kind,
            repository: self.repo,
            q: (!self.words.is_empty()).then(|| self.words.join(" ")),
            cursor: None,
            limit: Some(self.limit),
        }
    }
}

impl JobsArguments {
    async fn change(&self, settings: &Settings, command: Command) -> anyhow::Result<()> {
        let (api, format) = self.common.open(settings)?;
        client::change(&api, &self.ids, command, format).await
    }
}

fn after(duration: Duration) -> anyhow::Result<DateTime<Utc>> {
    let delta = chrono::TimeDelta::from_std(duration).ok();
    delta.and_then(|delta| Utc::now().checked_add_signed(delta)).context("That is too long from now")
}

/// A time with its zone, or one of this machine's clock.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .and_then(|time| Local.from_local_datetime(&time).earliest())
        .map(|time| time.to_utc())
        .ok_or_else(|| "write it as 2030-01-31T18:00 or 2030-01-31T18:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    fn job(words: &[&str]) -> Result<NewJob, clap::Error> {
        let words = ["millrace", "submit"].iter().chain(words);
        let super::super::Command::Client(ClientCommand::Submit(arguments)) =
            Arguments::try_parse_from(words)?.command
        else {
            panic!("another command")
        };
        Ok(arguments.into_job().unwrap())
    }

    fn script(command: &[&str]) -> String {
        job(&[&["--repo", "r", "--"], command].concat()).unwrap().script.unwrap()
    }

    #[test]
    fn a_prompt_is_for_an_agent() {
        let asked = job(&["--repo", "r", "--agent", "codex", "--prompt", "fix it"]).unwrap();
        assert_eq!((asked.kind.as_str(), asked.prompt.as_deref()), ("agent", Some("fix it")));
        assert_eq!((asked.agent.as_deref(), asked.script), (Some("codex"), None));
        assert!(job(&["--continue", "1f", "--prompt", "and test it"]).is_ok(), "the repository is known");
        for wrong in [
            &["--repo", "r"][..],
            &["--prompt", "fix it"],
            &["--repo", "r", "--prompt", "fix it", "--", "true"],
            &["--repo", "r", "--agent", "codex", "--", "true"],
        ] {
            assert!(job(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_command_stays_the_words_that_it_was() {
        assert_eq!(script(&["cargo", "test", "--", "--nocapture"]), "cargo test -- --nocapture");
        let words = ["echo", "two words", "it's", "$HOME", "", "a\nb", "-n", "`id`", "*", "\\", "ü"];
        assert_eq!(shlex::split(&script(&words)).unwrap(), words);
    }

    #[test]
    fn a_time_has_a_zone_or_is_of_this_machine() {
        assert_eq!(time("2030-01-31T18:00:00+02:00").unwrap().timestamp(), 1_896_105_600);
        assert_eq!(time("2030-01-31T18:00").unwrap(), time("2030-01-31 18:00:00").unwrap());
        assert!(time("tomorrow").is_err());
    }
}
