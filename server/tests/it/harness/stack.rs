//! One Postgres and one Redis for all tests of this process; in them, a database and a prefix for each test.

use std::{
    env,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use millrace::db;
use millrace_stack::Scratch;
use redis::Commands;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Where the servers are.
pub struct Stack {
    database_url: String,
    redis_url: String,
    /// A migrated database that the tests' own are copies of.
    template: String,
}

/// The servers that this process started itself.
static OWN: Mutex<Option<Scratch>> = Mutex::new(None);

impl Stack {
    /// The servers that `cargo xtask test` names, or else some that end with this process.
    pub fn get() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| {
            let given =
                env::var("MILLRACE_TEST_DATABASE_URL").ok().zip(env::var("MILLRACE_TEST_REDIS_URL").ok());
            let (database_url, redis_url) = given.unwrap_or_else(start_own);
            start_janitor(database_url.clone(), redis_url.clone());
            clean_up_at_exit();
            let template = block_on(make_template(database_url.clone()));
            Self { database_url, redis_url, template }
        })
    }

    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// Makes a fresh, migrated database. `prefix` is the test's own in Redis.
    pub async fn database(&self, prefix: &str) -> Database {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut server = PgConnection::connect(&self.database_url).await.unwrap();
        // Copying takes a lock on the template that copies share.
        execute(&mut server, format!("CREATE DATABASE {name} TEMPLATE {}", self.template)).await;
        server.close().await.unwrap();
        Database { url: with_name(&self.database_url, &name), name, prefix: prefix.to_owned() }
    }
}

/// A database for one test, and its prefix in Redis. What is in them is removed some time after the test.
pub struct Database {
    pub url: String,
    name: String,
    prefix: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        let leavings = (std::mem::take(&mut self.name), std::mem::take(&mut self.prefix));
        if let Some((janitor, _)) = &*lock(&JANITOR) {
            // One that is gone leaves them to whoever runs the servers.
            let _ = janitor.send(leavings);
        }
    }
}

/// Removes what tests leave, `(database, prefix)`, in a thread of its own. It cannot be done while the test's runtime lives:
/// a connection that nobody drives any more holds the database for a minute.
static JANITOR: Mutex<Option<(Sender<Leavings>, JoinHandle<()>)>> = Mutex::new(None);

type Leavings = (String, String);

fn start_janitor(database_url: String, redis_url: String) {
    let (sender, leavings) = mpsc::channel::<Leavings>();
    let janitor = thread::spawn(move || {
        for (database, prefix) in leavings {
            let mut redis =
                redis::Client::open(redis_url.as_str()).and_then(|redis| redis.get_connection()).unwrap();
            let keys: Vec<String> = redis.keys(format!("*{prefix}*")).unwrap();
            for key in keys {
                let _: () = redis.unlink(key).unwrap();
            }
            let database_url = database_url.clone();
            block_on(async move {
                let mut server = PgConnection::connect(&database_url).await.unwrap();
                execute(&mut server, format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
            });
        }
    });
    *lock(&JANITOR) = Some((sender, janitor));
}

fn start_own() -> (String, String) {
    let scratch = Scratch::start().unwrap();
    let urls = (scratch.postgres.url().to_owned(), scratch.redis.url().to_owned());
    *lock(&OWN) = Some(scratch);
    urls
}

/// Lets the janitor come to its end and stops what this process started.
extern "C" fn clean_up() {
    let janitor = lock(&JANITOR).take();
    if let Some((sender, thread)) = janitor {
        drop(sender);
        let _ = thread.join();
    }
    lock(&OWN).take();
}

fn clean_up_at_exit() {
    // SAFETY: the function does not unwind: it takes what is there and asks for nothing else. Statics are not dropped, and
    // the test harness has no end that one could hook into.
    #[expect(unsafe_code, reason = "the standard library has no way to run something at exit")]
    unsafe {
        libc::atexit(clean_up);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the template, once for each state of the migrations, also when several processes begin at the same time.
async fn make_template(server_url: String) -> String {
    let migrations =
        sqlx::migrate!().iter().flat_map(|migration| migration.checksum.to_vec()).collect::<Vec<u8>>();
    let hash: String = Sha256::digest(&migrations)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("test_template_{hash}");
    let mut server = PgConnection::connect(&server_url).await.unwrap();
    execute(&mut server, "SELECT pg_advisory_lock(7199)".to_owned()).await;
    let is_ready: Option<bool> =
        sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_optional(&mut server)
            .await
            .unwrap();
    if is_ready != Some(true) {
        execute(&mut server, format!("DROP DATABASE IF EXISTS {name}")).await;
        execute(&mut server, format!("CREATE DATABASE {name}")).await;
        let pool = PgPool::connect(&with_name(&server_url, &name)).await.unwrap();
        db::migrate(&pool).await.unwrap();
        pool.close().await;
        execute(&mut server, format!("ALTER DATABASE {name} IS_TEMPLATE true")).await;
    }
    server.close().await.unwrap();
    name
}

async fn execute(server: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(server).await.unwrap();
}

/// The address of another database on the same server.
fn with_name(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(name);
    url.into()
}

/// Runs a future where there is no runtime.
fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    })
    .join()
    .unwrap()
}
