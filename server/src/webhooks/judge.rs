//! What is done with a delivery: whether it asks for something, whether that was asked for before, and whether whoever asks
//! may.

use app::model::Verdict;

use super::{
    Failure, Settled, Webhooks,
    job::is_own_pull,
    wish::{Names, Reason, Wish, wish},
};
use crate::{
    answers,
    connection::{ConnectionError, Purpose},
    db::{
        deliveries::{self, Claimed},
        github_threads,
    },
    github::{
        RepositoryName,
        event::{Account, Event, What},
    },
};

/// A delivery with what is known of it before it is worked on.
pub(super) struct Case<'a> {
    pub claimed: &'a Claimed,
    pub event: &'a Event,
    pub repository: &'a RepositoryName,
    pub sender: &'a Account,
}

/// The account that an App has.
fn bot_login(slug: &str) -> String {
    format!("{slug}[bot]")
}

impl Webhooks {
    /// What came of a delivery. None: it made a job, and its verdict was written together with that.
    pub(super) async fn judge(&self, claimed: &Claimed) -> Result<Option<Settled>, Failure> {
        let event = Event::parse(&claimed.event, &claimed.payload).map_err(|error| {
            Failure::Final(format!("The body is not what GitHub's documentation says: {error}."))
        })?;
        if let What::InstallationChanged = event.what {
            self.connection.refresh_installations().await?;
            return Ok(Some(Settled::new(Verdict::Answered, "The list of repositories was renewed.")));
        }
        if let (What::Renamed { from }, Some(repository)) = (&event.what, &event.repository) {
            return self.renamed(from, &repository.full_name).await.map(Some);
        }
        let settings = &self.config.github;
        let names = Names { mention: &settings.mention, label: &settings.label, login: "" };
        // Most deliveries are nothing to Millrace, and cost no question to GitHub.
        if !matches!(event.what, What::Assigned { .. })
            && let Wish::Nothing(why) = wish(&event, names)
        {
            return Ok(Some(Settled::new(Verdict::NotForUs, why)));
        }
        let (Some(repository), Some(sender)) = (&event.repository, &event.sender) else {
            return Ok(Some(Settled::new(Verdict::NotForUs, "It tells of no repository, or of nobody.")));
        };
        let login = match self.connection.own_login().await {
            Ok(login) => login,
            Err(error @ (ConnectionError::GitHub(_) | ConnectionError::Database(_))) => {
                return Err(error.into());
            }
            Err(error) => return Err(Failure::Final(error.to_string())),
        };
        let names = Names { login: &login, ..names };
        // A token of somebody's own is used by them, too: there the mark in what Millrace writes has told.
        let is_own = |name: &str| name.eq_ignore_ascii_case(&login);
        let is_via_own = event.via.as_deref().is_some_and(|slug| is_own(&bot_login(slug)));
        if login.ends_with("[bot]") && (is_own(&sender.login) || is_via_own) {
            return Ok(Some(Settled::new(Verdict::NotForUs, "It was done by Millrace itself.")));
        }
        let case = Case { claimed, event: &event, repository: &repository.full_name, sender };
        let wish = wish(&event, names);
        if let Wish::Nothing(why) = wish {
            return Ok(Some(Settled::new(Verdict::NotForUs, why)));
        }
        if claimed.replays == 0
            && let Some(job) = deliveries::asked_before(self.lifecycle.db(), claimed).await?
        {
            let settled = Settled::new(Verdict::Duplicate, "Another delivery told of the same before.");
            return Ok(Some(Settled { job, ..settled }));
        }
        // Before anybody is told what they may not do: a review of somebody's work is between people.
        if let Wish::Work { thread, reason: Reason::Reviewed, .. } = &wish
            && !is_own_pull(&case, thread)
        {
            let why = "It is a review of a pull request that is not Millrace's, and does not mention it.";
            return Ok(Some(Settled::new(Verdict::NotForUs, why)));
        }
        if !matches!(wish, Wish::Round(_))
            && let Some(refused) = self.refused(&case).await?
        {
            return Ok(Some(refused));
        }
        match wish {
            Wish::Nothing(why) => Ok(Some(Settled::new(Verdict::NotForUs, why))),
            Wish::Mistake { thread, mistake } => {
                self.tell_mistake(&case, thread.number, &mistake.0).await.map(Some)
            }
            Wish::Command { thread, command } => self.command(&case, thread, command).await.map(Some),
            Wish::Work { thread, ask, reason } => self.work_in(&case, thread, ask, reason).await,
            Wish::Round(check) => self.round(&case, check, &login).await,
        }
    }

    /// The repository has another name now, and keeps its conversations.
    async fn renamed(&self, from: &RepositoryName, to: &RepositoryName) -> Result<Settled, Failure> {
        let (old, new) = (self.connection.address_of(from), self.connection.address_of(to));
        github_threads::rename(self.lifecycle.db(), (from, &old), (to, &new)).await?;
        if self.connection.as_app().await?.is_some() {
            self.connection.refresh_installations().await?;
        }
        Ok(Settled::new(Verdict::Answered, format!("What is known of {from} is known of {to} now.")))
    }

    /// Why this sender may not ask for anything: GitHub's word on what they may do in the repository decides, and nothing
    /// that the event says of them.
    async fn refused(&self, case: &Case<'_>) -> Result<Option<Settled>, Failure> {
        let login = &case.sender.login;
        let unlisted = |name: &str| {
            let is_listed = self.config.github.bots.iter().any(|bot| bot.eq_ignore_ascii_case(name));
            let why =
                format!("{name} is a bot, and not one of those under `bots` in [github] of Leptos.toml.");
            (!is_listed).then(|| Settled::new(Verdict::NotAllowed, why))
        };
        if case.sender.is_bot() {
            return Ok(unlisted(login));
        }
        // An App that writes in somebody's name has to be listed, and they have to be allowed.
        if let Some(slug) = &case.event.via
            && let Some(refused) = unlisted(&bot_login(slug))
        {
            return Ok(Some(refused));
        }
        let may = match self.connection.may_write(case.repository, login).await {
            Ok(may) => may,
            Err(ConnectionError::GitHub(error)) if !error.may_pass() => {
                let why =
                    format!("GitHub does not say whether {login} may write to {}: {error}.", case.repository);
                return Ok(Some(Settled::new(Verdict::NotAllowed, why)));
            }
            Err(error) => return Err(error.into()),
        };
        if may {
            return Ok(None);
        }
        let why = format!("{login} may not write to {}.", case.repository);
        if let Some(number) = case.event.number() {
            // Once for each of them in a thread, however often they ask.
            let marker = format!("<!-- millrace:not-allowed={} -->", case.sender.id);
            let text = "Only people who may write to this repository can ask Millrace for something here.";
            self.say(case, number, &marker, text).await?;
        }
        Ok(Some(Settled::new(Verdict::NotAllowed, why)))
    }

    pub(super) async fn tell_mistake(
        &self,
        case: &Case<'_>,
        number: i64,
        mistake: &str,
    ) -> Result<Settled, Failure> {
        let handle = &self.config.github.mention;
        let text = format!("{mistake}\n\nNothing was started. `@{handle} help` says what can be asked.");
        self.reply(case, number, &text).await?;
        Ok(Settled::new(Verdict::Answered, mistake))
    }

    /// Answers a delivery with a comment, once.
    pub(super) async fn reply(&self, case: &Case<'_>, number: i64, text: &str) -> Result<(), Failure> {
        let Claimed { id, replays, .. } = case.claimed;
        let marker = match replays {
            0 => format!("<!-- millrace:delivery={id} -->"),
            replays => format!("<!-- millrace:delivery={id}.{replays} -->"),
        };
        self.say(case, number, &marker, text).await
    }

    pub(super) async fn say(
        &self,
        case: &Case<'_>,
        number: i64,
        marker: &str,
        text: &str,
    ) -> Result<(), Failure> {
        let client = self.connection.client(case.repository, Purpose::Answer).await?;
        let own = self.connection.own_login().await?;
        Ok(answers::say(&client, case.repository, number, &own, marker, text).await?)
    }
}
