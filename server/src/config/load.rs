//! Puts the settings together: the defaults, then the file, then the environment.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{AgentsConfig, Config, ConfigError};

/// `Leptos.toml` as it ships: every setting with its default.
const DEFAULTS: &str = include_str!("../../../Leptos.toml");

/// Variables that many programs read, and the setting that each one means.
const WELL_KNOWN: [(&str, &str, &str); 2] =
    [("DATABASE_URL", "database", "url"), ("REDIS_URL", "redis", "url")];

/// Where a value came from.
#[derive(Clone, Debug)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default settings"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("the command line"),
        }
    }
}

/// `(section, key, value)`.
type Setting = (&'static str, &'static str, Value);

/// What the options of the command say: they go before everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    values: Vec<Setting>,
}

impl Overrides {
    pub fn set(&mut self, section: &'static str, key: &'static str, value: impl Into<Value>) {
        self.values.push((section, key, value.into()));
    }
}

/// Reads the settings from the defaults, `file` where there is one, `environment`, and `overrides`, the later winning.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let mut settings = Settings::defaults();
    if let Some(path) = file {
        settings.add_file(path)?;
    }
    settings.add_environment(environment)?;
    for (section, key, value) in &overrides.values {
        settings.put(section, key, value.clone(), Origin::CommandLine);
    }
    settings.check()
}

/// The values so far, and where each that is not a default came from.
struct Settings {
    values: Table,
    origins: BTreeMap<(String, String), Origin>,
}

impl Settings {
    fn defaults() -> Self {
        #[expect(clippy::expect_used, reason = "compiled in, and read by every test")]
        let values = DEFAULTS.parse().expect("the shipped Leptos.toml is TOML");
        Self { values, origins: BTreeMap::new() }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::NotToml {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let origin = Origin::File(path.to_owned());
        for (section, values) in table {
            let Value::Table(values) = values else {
                return Err(self.unknown(&section, None, origin));
            };
            for (key, value) in values {
                self.add(&section, &key, value, &origin)?;
            }
        }
        Ok(())
    }

    /// Adds a setting, or those of a section within the section. One that is empty by default has names of its own.
    fn add(&mut self, section: &str, key: &str, value: Value, origin: &Origin) -> Result<(), ConfigError> {
        match (self.known(section, key, origin)?, value) {
            (Value::Table(known), Value::Table(inner)) if !known.is_empty() => inner
                .into_iter()
                .try_for_each(|(name, value)| self.add(section, &format!("{key}.{name}"), value, origin)),
            (_, value) => {
                self.put(section, key, value, origin.clone());
                Ok(())
            }
        }
    }

    fn add_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        // Sorted by the map, so `MILLRACE_DATABASE__URL` comes after, and goes before, `DATABASE_URL`.
        let variables: BTreeMap<String, String> = environment.into_iter().collect();
        for (name, text) in variables {
            let origin = Origin::Variable(name.clone());
            let well_known = WELL_KNOWN.iter().find(|(variable, ..)| *variable == name);
            let (section, key) = if let Some((_, section, key)) = well_known {
                ((*section).to_owned(), (*key).to_owned())
            } else if let Some((section, key)) =
                name.strip_prefix("MILLRACE_").and_then(|rest| rest.split_once("__"))
            {
                (section.to_lowercase(), key.to_lowercase().replace("__", "."))
            } else {
                continue;
            };
            let value = match self.known(&section, &key, &origin)? {
                Value::String(_) => Value::String(text),
                Value::Array(_) => {
                    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                    Value::Array(items.map(Value::from).collect())
                }
                Value::Integer(_) => text.trim().parse().map_or(Value::String(text), Value::Integer),
                _ => Value::String(text),
            };
            self.put(&section, &key, value, origin);
        }
        Ok(())
    }

    fn put(&mut self, section: &str, key: &str, value: Value, origin: Origin) {
        if let Some(Value::Table(values)) = self.values.get_mut(section) {
            put_within(values, key, value);
        }
        self.origins.insert((section.to_owned(), key.to_owned()), origin);
    }

    /// The present value of a setting, or why there is no such setting.
    fn known(&self, section: &str, key: &str, origin: &Origin) -> Result<&Value, ConfigError> {
        self.values
            .get(section)
            .and_then(|values| within(values, key))
            .ok_or_else(|| self.unknown(section, Some(key), origin.clone()))
    }

    fn unknown(&self, section: &str, key: Option<&str>, origin: Origin) -> ConfigError {
        let names = |table: &Table| table.keys().cloned().collect::<Vec<_>>().join(", ");
        // The innermost section that is there says what it has.
        let inner =
            key.into_iter().flat_map(|key| key.rmatch_indices('.').map(move |(end, _)| (key, &key[..end])));
        for (key, table) in inner {
            if let Some(Value::Table(values)) =
                self.values.get(section).and_then(|values| within(values, table))
            {
                return ConfigError::Unknown {
                    origin,
                    key: format!("{section}.{key}"),
                    expected: format!("Section [{section}.{table}] has: {}", names(values)),
                };
            }
        }
        match (key, self.values.get(section)) {
            (Some(key), Some(Value::Table(values))) => ConfigError::Unknown {
                origin,
                key: format!("{section}.{key}"),
                expected: format!("Section [{section}] has: {}", names(values)),
            },
            _ => ConfigError::Unknown {
                origin,
                key: key.map_or(section.to_owned(), |key| format!("{section}.{key}")),
                expected: format!("The sections are: {}", names(&self.values)),
            },
        }
    }

    fn check(self) -> Result<Config, ConfigError> {
        Ok(Config {
            server: self.section("server")?,
            database: self.section("database")?,
            redis: self.section("redis")?,
            queue: self.section("queue")?,
            runner: self.section("runner")?,
            agents: self.agents()?,
            sandbox: self.section("sandbox")?,
            publish: self.section("publish")?,
            github: self.section("github")?,
            limits: self.section("limits")?,
            output: self.section("output")?,
            retention: self.section("retention")?,
            log: self.section("log")?,
        })
    }

    fn agents(&self) -> Result<AgentsConfig, ConfigError> {
        let agents: AgentsConfig = self.section("agents")?;
        if agents.knows(&agents.default) {
            return Ok(agents);
        }
        let message = format!("there is no agent `{}`", agents.default);
        Err(self.wrong("agents", "default", &message, Some("claude".into())))
    }

    /// Reads one section. A section that does not fit is read again with one given value at a time on top of the
    /// defaults, which tells the wrong one without a second description of the types.
    fn section<T: DeserializeOwned>(&self, section: &str) -> Result<T, ConfigError> {
        let read = |values: Table| Value::Table(values).try_into::<T>();
        let values = self.values.get(section).and_then(Value::as_table).cloned().unwrap_or_default();
        let whole = match read(values.clone()) {
            Ok(section) => return Ok(section),
            Err(error) => error,
        };
        let defaults = Self::defaults().values;
        let defaults = defaults.get(section).and_then(Value::as_table).cloned().unwrap_or_default();
        for (key, value) in leaves(&values, &defaults) {
            let default = within_table(&defaults, &key).cloned();
            let mut alone = defaults.clone();
            put_within(&mut alone, &key, value);
            if let Err(error) = read(alone) {
                return Err(self.wrong(section, &key, error.message(), default));
            }
        }
        Err(self.wrong(section, "", whole.message(), None))
    }

    fn wrong(&self, section: &str, key: &str, message: &str, default: Option<Value>) -> ConfigError {
        let origin = self.origins.get(&(section.to_owned(), key.to_owned())).cloned();
        let dot = if key.is_empty() { "" } else { "." };
        ConfigError::Wrong {
            origin: origin.unwrap_or(Origin::Default),
            key: format!("{section}{dot}{key}"),
            message: message.to_owned(),
            expected: default.map_or(String::new(), |default| format!("The default is {default}")),
        }
    }
}

/// The value of `key`, which may lie in a section of the section: `claude.model`, `lanes.agent.rate`.
fn within<'a>(values: &'a Value, key: &str) -> Option<&'a Value> {
    within_table(values.as_table()?, key)
}

fn within_table<'a>(values: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((table, name)) => within(values.get(table)?, name),
        None => values.get(key),
    }
}

fn put_within(values: &mut Table, key: &str, value: Value) {
    if let Some((table, name)) = key.split_once('.')
        && let Some(Value::Table(inner)) = values.get_mut(table)
    {
        put_within(inner, name, value);
    } else {
        values.insert(key.to_owned(), value);
    }
}

/// The values of a section by their keys, those of its own sections too. One that is empty by default is a value.
fn leaves(values: &Table, defaults: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in values {
        match (value, defaults.get(key)) {
            (Value::Table(inner), Some(Value::Table(known))) if !known.is_empty() => {
                let inner = leaves(inner, known).into_iter();
                found.extend(inner.map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            _ => found.push((key.clone(), value.clone())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use app::model::Kind;

    use super::*;

    fn load_with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(None, variables, &Overrides::default())
    }

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(Some(file.path()), [], &Overrides::default())
    }

    #[test]
    fn the_shipped_file_is_a_whole_configuration() {
        let config = load_with(&[]).unwrap();
        assert_eq!(config.server.public_address(), "http://127.0.0.1:7100");
        assert_eq!(config.runner.local_repositories, super::super::LocalRepositories::Auto);
        assert_eq!(config.runner.slots, config.queue.concurrency, "one runner can fill a lane");
    }

    #[test]
    fn a_variable_goes_before_the_file_and_the_command_line_before_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[runner]\nslots = 2\nname = \"file\"").unwrap();
        let variables = [("MILLRACE_RUNNER__SLOTS", "3"), ("MILLRACE_RUNNER__LANES", "command, agent")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut overrides = Overrides::default();
        overrides.set("server", "listen", "127.0.0.1:1");

        let config = load(Some(file.path()), variables, &overrides).unwrap();

        assert_eq!(config.runner.slots.get(), 3);
        assert_eq!(config.runner.name, "file");
        assert_eq!(config.runner.lanes.len(), 2);
        assert_eq!(config.server.listen.port(), 1);
    }

    #[test]
    fn a_wrong_value_names_its_file_its_key_and_what_would_be_right() {
        let error = load_text("[runner]\nslots = \"many\"\nname = \"r1\"").unwrap_err().to_string();
        assert!(error.contains("`runner.slots` is wrong"), "{error}");
        assert!(error.contains("/"), "names the file: {error}");
        assert!(error.contains("The default is 5"), "{error}");
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let error = load_with(&[("MILLRACE_SERVER__LISTEN", "everywhere")]).unwrap_err().to_string();
        assert!(error.contains("environment variable MILLRACE_SERVER__LISTEN"), "{error}");
        assert!(error.contains("127.0.0.1:7100"), "{error}");
    }

    #[test]
    fn a_misspelt_setting_lists_the_right_ones() {
        let error = load_text("[runner]\nslot = 1").unwrap_err().to_string();
        assert!(error.contains("there is no setting `runner.slot`") && error.contains("slots"), "{error}");
        let error = load_with(&[("MILLRACE_SERVR__LISTEN", "x")]).unwrap_err().to_string();
        assert!(error.contains("server"), "{error}");
    }

    #[test]
    fn a_section_of_a_section_takes_single_values_from_the_file_and_from_variables() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "[agents.claude]\nmax_turns = 7\n[agents.custom.mine]\ncommand = [\"x\"]",
        )
        .unwrap();
        let variables = [("MILLRACE_AGENTS__CODEX__BASE_URL".to_owned(), "http://127.0.0.1:1/v1".to_owned())];

        let agents = load(Some(file.path()), variables, &Overrides::default()).unwrap().agents;

        assert_eq!(agents.claude.max_turns.map(|turns| turns.get()), Some(7));
        assert_eq!(agents.claude.model, None);
        assert_eq!(agents.codex.base_url.unwrap().as_str(), "http://127.0.0.1:1/v1");
        assert_eq!(agents.custom["mine"].command.program(), "x");
    }

    #[test]
    fn a_wrong_value_in_a_section_of_a_section_is_named() {
        let message = |text| load_text(text).unwrap_err().to_string();
        let error = message("[agents.claude]\nmax_turn = 7");
        assert!(error.contains("there is no setting `agents.claude.max_turn`"), "{error}");
        assert!(error.contains("Section [agents.claude] has:") && error.contains("max_turns"), "{error}");
        let error = message("[agents.codex]\nmax_turns = 7");
        assert!(error.contains("there is no setting `agents.codex.max_turns`"), "{error}");
        let error = message("[agents.claude]\nbase_url = \"nowhere\"");
        assert!(error.contains("`agents.claude.base_url` is wrong"), "{error}");
        let error = message("[agents.custom.mine]\ncommand = []");
        assert!(error.contains("`agents.custom` is wrong: a command begins with its program"), "{error}");
        let error = message("[agents.custom.mine]\ncommand = [\"x\"]\nhosts = [\"https://example.com\"]");
        assert!(error.contains("`agents.custom` is wrong: `https://example.com` is no host"), "{error}");
        let error = message("[agents.custom.codex]\ncommand = [\"x\"]");
        assert!(error.contains("`codex` is the name of an agent that Millrace knows"), "{error}");
        let error = message("[agents]\ndefault = \"claud\"");
        assert!(error.contains("`agents.default` is wrong: there is no agent `claud`"), "{error}");
    }

    #[test]
    fn as_many_attempts_as_a_job_can_have_and_no_more() {
        assert_eq!(load_text("[queue]\nmax_attempts = 20").unwrap().queue.max_attempts, 20);
        for wrong in [0, 21] {
            let error = load_text(&format!("[queue]\nmax_attempts = {wrong}")).unwrap_err().to_string();
            assert!(
                error.contains("`queue.max_attempts` is wrong") && error.contains("between 1 and 20"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_address_that_nobody_can_connect_to_is_wrong_and_not_repeated() {
        for (section, url, right) in [
            ("database", "hunter2", "postgres://"),
            ("redis", "hunter2://x", "redis://"),
            ("redis", "hunter2", "redis://"),
        ] {
            let error = load_text(&format!("[{section}]\nurl = \"{url}\"")).unwrap_err().to_string();
            assert!(error.contains(&format!("`{section}.url` is wrong")) && error.contains(right), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let redis = load_text("[redis]\nurl = \"rediss+sentinel://:secret@one:1,two:2/main\"").unwrap().redis;
        assert!(!format!("{redis:?}").contains("secret"));
    }

    #[test]
    fn a_lane_has_limits_of_its_own_or_those_of_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "[queue]\nconcurrency = 7\n[queue.lanes.agent]\nconcurrency = 2\nrate = 0",
        )
        .unwrap();
        let variables = [("MILLRACE_QUEUE__LANES__COMMAND__RATE".to_owned(), "9".to_owned())];

        let queue = load(Some(file.path()), variables, &Overrides::default()).unwrap().queue;

        let limits = |lane| (queue.concurrency_of(lane).get(), queue.rate_of(lane));
        assert_eq!(limits(Kind::Agent), (2, 0));
        assert_eq!(limits(Kind::Command), (7, 9));
        let queue = load_with(&[("MILLRACE_QUEUE__LANES__AGENT__CONCURRENCY", "3")]).unwrap().queue;
        assert_eq!(queue.concurrency_of(Kind::Agent).get(), 3);
    }

    #[test]
    fn every_lane_can_be_limited_by_itself_and_no_other() {
        let queue = load_with(&[]).unwrap().queue;
        assert!(Kind::ALL.iter().all(|lane| queue.lanes.contains_key(lane)));
        let message = |text: &str| load_text(text).unwrap_err().to_string();
        let error = message("[queue.lanes.agnet]\nconcurrency = 1");
        assert!(error.contains("there is no setting `queue.lanes.agnet`"), "{error}");
        assert!(
            error.contains("Section [queue.lanes] has: agent, command") && error.contains('/'),
            "{error}"
        );
        let error = message("[queue.lanes.agent]\nspeed = 1");
        assert!(error.contains("there is no setting `queue.lanes.agent.speed`"), "{error}");
        assert!(error.contains("Section [queue.lanes.agent] has: concurrency, rate"), "{error}");
        for wrong in ["0", "-1", "\"many\""] {
            let error = message(&format!("[queue.lanes.agent]\nconcurrency = {wrong}"));
            assert!(error.contains("`queue.lanes.agent.concurrency` is wrong"), "{error}");
            assert!(error.contains('/') && error.contains("empty means the one under [queue]"), "{error}");
        }
        let error = load_with(&[("MILLRACE_QUEUE__LANES__AGNET__RATE", "1")]).unwrap_err().to_string();
        assert!(
            error.contains("MILLRACE_QUEUE__LANES__AGNET__RATE") && error.contains("agent, command"),
            "{error}"
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = load_with(&[("DATABASE_URL", "postgres://u:hunter2@localhost/x")]).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
