//! A sandbox for a test, with verbs to use it.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use app::model::Protection;
use millrace::{
    config::{self, Overrides},
    runner::sandbox::{Confined, Confinement, Findings, Provider, Refusal, Sandbox, Workplace},
};
use tempfile::TempDir;

use crate::harness::LIMIT;

pub struct Cell {
    sandbox: Sandbox,
    workplace: Workplace,
    own: PathBuf,
    read_only: Vec<PathBuf>,
    provider: Option<Provider>,
    directory: TempDir,
}

/// What became of a script.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
    pub findings: Findings,
    pub refusals: Vec<Refusal>,
}

impl Cell {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With settings of the section `[sandbox]`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::with_data_in(Path::new("/nowhere/data"), settings).await
    }

    /// With Millrace's own data in this directory.
    pub async fn with_data_in(data: &Path, settings: &[(&str, &str)]) -> Self {
        let settings = settings
            .iter()
            .map(|(name, value)| (format!("MILLRACE_SANDBOX__{}", name.to_uppercase()), (*value).to_owned()));
        let config = config::load(None, settings, &Overrides::default()).unwrap();
        let directory = tempfile::Builder::new().prefix("millrace-test-").tempdir().unwrap();
        let make = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let workplace =
            Workplace { tree: make("attempt/tree"), home: make("attempt/home"), tmp: make("attempt/tmp") };
        let own = make("attempt/own");
        let millrace = Path::new(env!("CARGO_BIN_EXE_millrace"));
        let sandbox = Sandbox::detect(&config.sandbox, data, millrace).await;
        if sandbox.protection() == Protection::Sandbox {
            assert_eq!(sandbox.problem(), None);
        }
        Self { sandbox, workplace, own, read_only: Vec::new(), provider: None, directory }
    }

    /// Shows a path of the machine as well.
    pub fn show(&mut self, path: &Path) {
        self.read_only.push(path.to_owned());
    }

    /// Has this one answer what is asked of the proxy itself.
    pub fn ask(&mut self, provider: Provider) {
        self.provider = Some(provider);
    }

    /// A directory of the machine around the attempt's.
    pub fn outside(&self) -> &Path {
        self.directory.path()
    }

    pub fn tree(&self) -> &Path {
        &self.workplace.tree
    }

    pub fn confine(&self, script: &str) -> Confinement {
        let confined = Confined {
            program: "bash".into(),
            arguments: vec![OsString::from("-c"), script.into()],
            environment: vec![("GIVEN".into(), "to the program".into())],
            workplace: &self.workplace,
            read_only: self.read_only.clone(),
            allow: Vec::new(),
            provider: self.provider.clone(),
            own: &self.own,
        };
        self.sandbox.command(&confined).unwrap()
    }

    /// Runs a script to its end.
    pub async fn run(&self, script: &str) -> Ran {
        let Confinement { mut command, mut refusals, guard } = self.confine(script);
        let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let Output { status, stdout, stderr } =
            tokio::time::timeout(LIMIT, running).await.expect("the script does not end").unwrap();
        let findings = guard.finish().await;
        let mut refused = Vec::new();
        while let Some(refusal) = refusals.recv().await {
            refused.push(refusal);
        }
        Ran {
            stdout: String::from_utf8_lossy(&stdout).trim_end().to_owned(),
            stderr: String::from_utf8_lossy(&stderr).trim_end().to_owned(),
            code: status.code(),
            findings,
            refusals: refused,
        }
    }

    /// Runs a script that must succeed, and returns what it printed.
    pub async fn prints(&self, script: &str) -> String {
        let ran = self.run(script).await;
        assert_eq!(ran.code, Some(0), "{script}: {} {}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs a script that must fail, and returns what it complained of.
    pub async fn fails(&self, script: &str) -> String {
        let ran = self.run(script).await;
        assert!(ran.findings.started, "{}", ran.stderr);
        assert_ne!(ran.code, Some(0), "{script}: {} {}", ran.stdout, ran.stderr);
        ran.stderr
    }
}
