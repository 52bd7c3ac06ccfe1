//! Millrace's programs, as processes beside the application under test.

use std::{net::SocketAddr, path::Path};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{
    App, Process, Proxy, Said, millrace,
    wait::{LIMIT, until},
};

impl App {
    /// Runs `millrace` to its end.
    pub async fn millrace(&self, arguments: &[&str]) -> Said {
        self.millrace_with(&[], arguments).await
    }

    pub async fn millrace_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Said {
        let command = millrace(self.path(), &self.settings_and(settings), arguments);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        tokio::time::timeout(LIMIT, output).await.expect("millrace does not end").unwrap().into()
    }

    /// Runs `millrace` as a client of this application, with the owner's token.
    pub async fn client(&self, arguments: &[&str]) -> Said {
        self.client_with(&[], arguments).await
    }

    pub async fn client_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
        let own = self.client_variables(&self.url(""));
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = own.chain(variables.iter().copied()).collect();
        self.millrace_with(&variables, arguments).await
    }

    /// Starts a client as a process that goes through `proxy`.
    pub fn client_process(&self, proxy: &Proxy, arguments: &[&str]) -> Process {
        let variables = self.client_variables(&proxy.url()).map(|(name, value)| (name.to_owned(), value));
        let command = millrace(self.path(), &variables, arguments);
        Process::start(command, self.path().join(format!("client-{}.log", uuid::Uuid::new_v4())))
    }

    fn client_variables(&self, url: &str) -> [(&'static str, String); 2] {
        [("MILLRACE_URL", url.to_owned()), ("MILLRACE_TOKEN", self.token.expose_secret().to_owned())]
    }

    /// A way to this application that can be cut.
    pub async fn proxy(&self) -> Proxy {
        Proxy::to(self.address).await
    }

    /// Starts `millrace up` on that port as a process, with this test's Postgres and Redis.
    pub fn up_process(&self, port: u16, data_dir: &Path) -> Process {
        self.up_process_with(&[], port, data_dir)
    }

    pub fn up_process_with(&self, settings: &[(&str, &str)], port: u16, data_dir: &Path) -> Process {
        let arguments =
            ["up", "--listen", &format!("127.0.0.1:{port}"), "--data-dir", data_dir.to_str().unwrap()];
        let command = millrace(self.path(), &self.settings_and(settings), &arguments);
        Process::start(command, self.path().join("up.log"))
    }

    /// Starts `millrace run` as a process.
    pub fn runner_process(&self, settings: &[(&str, &str)]) -> Process {
        let command = millrace(self.path(), &self.settings_and(settings), &["run"]);
        Process::start(command, self.path().join(format!("runner-{}.log", uuid::Uuid::new_v4())))
    }

    /// A port that nobody listens on.
    pub async fn free_port(&self) -> u16 {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }

    /// Starts `millrace serve` as a process and returns it when it answers, with its address.
    pub async fn server_process(&self, port: u16) -> (Process, SocketAddr) {
        self.server_process_with(port, &[]).await
    }

    pub async fn server_process_with(&self, port: u16, settings: &[(&str, &str)]) -> (Process, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let arguments = ["serve", "--listen", &address.to_string()];
        let command = millrace(self.path(), &self.settings_and(settings), &arguments);
        let mut process =
            Process::start(command, self.path().join(format!("server-{}.log", uuid::Uuid::new_v4())));
        until("the server answers", async || {
            assert!(process.is_running(), "the server ended: {}", process.log());
            self.http
                .get(format!("http://{address}/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        (process, address)
    }
}
