//! What `redis.url` says: one server, a master that Sentinels name, or a Cluster.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    RedisResult, TlsCertificates, TlsMode,
    aio::{AsyncPushSender, ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterClientBuilder},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use secrecy::ExposeSecret as _;

use super::{Connection, connection::Master};
use crate::config::RedisConfig;

/// How long it may take until a server accepts a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// Where Redis is. Parsing it has connected to nothing yet.
#[derive(Clone)]
pub(super) enum Address {
    Server(Client),
    Cluster { nodes: Vec<ConnectionInfo>, certificates: Option<TlsCertificates> },
    Sentinels { sentinels: Vec<ConnectionInfo>, master: Box<MasterAddress> },
}

/// The servers that Sentinels watch.
#[derive(Clone)]
pub(super) struct MasterAddress {
    name: String,
    /// How to talk to whichever is master: everything but host and port counts.
    like: ConnectionInfo,
    certificates: Option<TlsCertificates>,
}

/// How a connection is to behave.
pub(super) struct ConnectionOptions {
    /// How long a command may take before Redis counts as away.
    pub response_timeout: Option<Duration>,
    /// Who hears what Redis says unasked.
    pub pushes: Option<Arc<dyn AsyncPushSender>>,
}

impl Address {
    pub(super) fn parse(config: &RedisConfig) -> anyhow::Result<Self> {
        let certificates = match &config.ca_file {
            Some(file) => {
                let root_cert = std::fs::read(file)
                    .with_context(|| format!("`redis.ca_file` cannot be read: {}", file.display()))?;
                Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
            }
            None => None,
        };
        Self::parse_url(config.url.expose_secret(), certificates).context(
            "`redis.url` is not the address of a Redis; Leptos.toml lists the forms that it can have",
        )
    }

    pub(super) fn parse_url(url: &str, certificates: Option<TlsCertificates>) -> anyhow::Result<Self> {
        let (scheme, rest) = url.split_once("://").context("it has no `://`")?;
        match scheme.split_once('+') {
            Some((scheme, "cluster")) => Ok(Self::Cluster { nodes: infos(scheme, rest)?, certificates }),
            Some((scheme, "sentinel")) => parse_sentinels(scheme, rest, certificates),
            _ => {
                let info = info(url)?;
                let client = match certificates {
                    Some(certificates) if is_tls(&info) => Client::build_with_tls(info, certificates),
                    _ => Client::open(info),
                };
                Ok(Self::Server(client?))
            }
        }
    }

    pub(super) async fn connect(&self, options: ConnectionOptions) -> RedisResult<Connection> {
        match self {
            Self::Server(client) => {
                let mut config = ConnectionManagerConfig::new()
                    .set_response_timeout(options.response_timeout)
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                    .set_max_delay(Duration::from_secs(1))
                    .set_number_of_retries(3);
                if let Some(pushes) = options.pushes {
                    config = config.set_push_sender(pushes);
                }
                Ok(Connection::Server(ConnectionManager::new_with_config(client.clone(), config).await?))
            }
            Self::Cluster { nodes, certificates } => {
                let client = cluster_client(nodes, certificates.clone(), options)?;
                Ok(Connection::Cluster(client.get_async_connection().await?))
            }
            Self::Sentinels { sentinels, master } => {
                let client = sentinel_client(sentinels, master)?;
                Ok(Connection::Master(Master::connect(client, connection_config(options)).await?))
            }
        }
    }
}

/// `[user:password@]host:port,host:port/MASTER[/db][?sentinel_password=…]`. User and password are those of the servers.
fn parse_sentinels(
    scheme: &str,
    rest: &str,
    certificates: Option<TlsCertificates>,
) -> anyhow::Result<Address> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, path) = rest.split_once('/').context("the name of the master is missing")?;
    let (name, db) = path.split_once('/').unwrap_or((path, ""));
    if name.is_empty() {
        bail!("the name of the master is missing");
    }
    let like = infos(scheme, &format!("{hosts}/{db}"))?.swap_remove(0);
    let password = match query.split_once('=') {
        Some(("sentinel_password", password)) => format!(":{password}@"),
        None if query.is_empty() => String::new(),
        _ => bail!("only `sentinel_password` can follow the `?`"),
    };
    let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
    let sentinels = infos(scheme, &format!("{password}{hosts}"))?;
    let master = MasterAddress { name: name.to_owned(), like, certificates };
    Ok(Address::Sentinels { sentinels, master: Box::new(master) })
}

/// An address for each of `[user:password@]host:port,host:port[/db]`, read by redis-rs itself.
fn infos(scheme: &str, rest: &str) -> anyhow::Result<Vec<ConnectionInfo>> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = authority.rsplit_once('@').map_or(("", authority), |(credentials, hosts)| {
        // With its `@`.
        (&authority[..=credentials.len()], hosts)
    });
    hosts.split(',').map(|host| info(&format!("{scheme}://{credentials}{host}/{path}"))).collect()
}

fn info(url: &str) -> anyhow::Result<ConnectionInfo> {
    let info = url.into_connection_info()?;
    // The one in which messages for subscribers travel beside answers.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn connection_config(options: ConnectionOptions) -> AsyncConnectionConfig {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_response_timeout(options.response_timeout);
    match options.pushes {
        Some(pushes) => config.set_push_sender(pushes),
        None => config,
    }
}

fn cluster_client(
    nodes: &[ConnectionInfo],
    certificates: Option<TlsCertificates>,
    options: ConnectionOptions,
) -> RedisResult<ClusterClient> {
    let mut builder = ClusterClientBuilder::new(nodes.to_vec()).connection_timeout(CONNECTION_TIMEOUT);
    if let Some(limit) = options.response_timeout {
        builder = builder.response_timeout(limit);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    if let Some(pushes) = options.pushes {
        builder = builder.push_sender(pushes);
    }
    builder.build()
}

fn sentinel_client(sentinels: &[ConnectionInfo], master: &MasterAddress) -> RedisResult<SentinelClient> {
    let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
    let settings = master.like.redis_settings();
    let mut builder = SentinelClientBuilder::new(addresses, &master.name, SentinelServerType::Master)?
        .set_client_to_redis_protocol(settings.protocol())
        .set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = sentinels.iter().find_map(|sentinel| sentinel.redis_settings().password()) {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if is_tls(&master.like) {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = &master.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse_url(url, None).unwrap()
    }

    fn shown(infos: &[ConnectionInfo]) -> Vec<String> {
        infos.iter().map(|info| info.addr().to_string()).collect()
    }

    #[test]
    fn a_server_is_named_by_host_or_socket() {
        for (url, shown) in [
            ("redis://:secret@localhost:7000/2", "localhost:7000"),
            ("rediss://localhost", "localhost:6379"),
            ("redis+unix:///run/redis.sock", "/run/redis.sock"),
        ] {
            let Address::Server(client) = parse(url) else { panic!("{url} is one server") };
            assert_eq!(client.get_connection_info().addr().to_string(), shown);
        }
    }

    #[test]
    fn every_node_of_a_cluster_gets_the_password() {
        let Address::Cluster { nodes, .. } = parse("redis+cluster://me:p%40ss@one:7000,[::1]:7001") else {
            panic!()
        };
        assert_eq!(shown(&nodes), ["one:7000", "::1:7001"]);
        for node in nodes {
            assert_eq!(node.redis_settings().username(), Some("me"));
            assert_eq!(node.redis_settings().password(), Some("p@ss"));
        }
    }

    #[test]
    fn sentinels_have_a_password_of_their_own() {
        let url = "rediss+sentinel://:servers@one:26379,two:26379/main/3?sentinel_password=theirs";
        let Address::Sentinels { sentinels, master } = parse(url) else { panic!() };
        assert_eq!(shown(&sentinels), ["one:26379", "two:26379"]);
        assert_eq!(sentinels[0].redis_settings().password(), Some("theirs"));
        assert!(is_tls(&sentinels[0]) && is_tls(&master.like));
        assert_eq!(master.name, "main");
        assert_eq!(master.like.redis_settings().password(), Some("servers"));
        assert_eq!(master.like.redis_settings().db(), 3);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in [
            "localhost",
            "http://localhost",
            "redis+sentinel://one:26379",
            "redis+cluster://",
            "redis+sentinel://one/x?y=z",
        ] {
            assert!(Address::parse_url(url, None).is_err(), "{url}");
        }
    }
}
