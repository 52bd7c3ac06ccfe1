//! Starts a real agent the way its adapter says, in a repository and a HOME of its own.

use std::{env, fs, path::Path, path::PathBuf, process::Stdio, time::Duration};

use app::model::{Step, Stream, Timestamp};
use millrace::{
    config::{self, Overrides},
    runner::agents::{self, Agent, Ending, Exit, Launch, Task},
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// So long a program may take that has nothing to wait for but retries.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Real {
    agent: Box<dyn Agent>,
    scratch: TempDir,
}

/// What came of a start.
#[derive(Debug)]
pub struct Run {
    pub steps: Vec<Step>,
    pub ending: Ending,
    /// For whoever reads why a test failed.
    #[expect(dead_code, reason = "it is shown with the rest")]
    pub output: String,
}

impl Real {
    /// The agent, whose provider is at `url`, and a repository with one commit.
    pub fn new(name: &str, url: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let real = Self { agent: agent(name, url, scratch.path()), scratch };
        fs::create_dir(real.home()).unwrap();
        fs::create_dir(real.repository()).unwrap();
        fs::write(real.repository().join("README.md"), "Nothing yet\n").unwrap();
        real.git(&["init", "--quiet"]);
        real.git(&["add", "."]);
        real.git(&[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "-m",
            "Begin",
        ]);
        real
    }

    pub fn repository(&self) -> PathBuf {
        self.scratch.path().join("repository")
    }

    fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = std::process::Command::new("git");
        assert!(git.args(arguments).current_dir(self.repository()).status().unwrap().success());
    }

    /// Runs it to its end on a prompt, or on the next one of a session.
    pub async fn start(&self, prompt: &str, resume: Option<&str>) -> Run {
        let home = self.home();
        let task = Task { prompt, home: &home, base_url: None, model: None, resume };
        let launch = self.agent.prepare(&task, &|name| env::var(name).ok());
        for file in &launch.files {
            let path = home.join(file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &file.content).unwrap();
        }
        let mut child = self.command(&launch).spawn().expect("the program starts");
        let mut stdin = child.stdin.take().unwrap();
        let prompt = launch.stdin.clone();
        // Not every program reads all of it before it ends.
        tokio::spawn(async move { stdin.write_all(prompt.as_bytes()).await });
        let output =
            tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();

        let mut reader = self.agent.reader();
        let mut steps = Vec::new();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        for (stream, text) in [(Stream::Stderr, &stderr), (Stream::Stdout, &stdout)] {
            for line in text.lines() {
                steps.extend(reader.read(stream, Timestamp(1_795_300_000_000), line));
            }
        }
        let exit = output.status.code().map_or(Exit::Signal(9), Exit::Code);
        Run { steps, ending: reader.end(exit.clone()), output: format!("{exit:?}\n{stdout}\n{stderr}") }
    }

    fn command(&self, launch: &Launch) -> Command {
        let program = match self.agent.profile().name.as_str() {
            "demo" => Path::new(env!("CARGO_BIN_EXE_millrace")),
            _ => &launch.program,
        };
        let mut command = Command::new(program);
        command
            .args(&launch.arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap())
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .envs(&launch.environment)
            // The tests need not see how patient it is.
            .env("CLAUDE_CODE_MAX_RETRIES", "2")
            .current_dir(self.repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

/// The agent with settings that lead it to the fake model.
fn agent(name: &str, url: &str, scratch: &Path) -> Box<dyn Agent> {
    let (version, model) = match name {
        "claude" => ("", "claude-sonnet-4-5"),
        "gemini" => ("", "gemini-2.5-flash"),
        "codex" => ("/v1", "gpt-5.1-codex"),
        _ => ("/v1", "fake-model"),
    };
    let file = scratch.join("Leptos.toml");
    let settings = match name {
        "demo" => String::new(),
        _ => format!("[agents.{name}]\nbase_url = \"{url}{version}\"\nmodel = \"{model}\"\n"),
    };
    fs::write(&file, settings).unwrap();
    let config = config::load(Some(&file), [], &Overrides::default()).unwrap();
    agents::find(name, &config.agents).unwrap()
}
