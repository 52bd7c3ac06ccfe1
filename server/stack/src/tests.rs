//! The real programs, started, killed and started again.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::{Durability, Error, Postgres, PostgresOptions, Redis, RedisOptions, Scratch};

/// A directory that the account of Postgres can enter, whoever runs the tests.
fn directory() -> tempfile::TempDir {
    directory_with_mode(0o711)
}

fn directory_with_mode(mode: u32) -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempdir().unwrap()
}

fn start_postgres(data_dir: PathBuf) -> Result<Postgres, Error> {
    Postgres::start(&PostgresOptions { data_dir, durability: Durability::Durable })
}

fn start_redis(data_dir: PathBuf) -> Result<Redis, Error> {
    Redis::start(&RedisOptions { data_dir, durability: Durability::Durable })
}

fn psql(postgres: &Postgres, statement: &str) -> String {
    let output = Command::new(postgres.installation().program("psql"))
        .args(["--no-psqlrc", "-qtA", "-c", statement, postgres.url()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statement}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Sends a command and gives the first line of the answer.
fn ask(redis: &Redis, command: &str) -> String {
    let mut stream = UnixStream::connect(redis.socket()).unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

fn kill(id: u32) {
    kill_process(pid(id), Signal::KILL).unwrap();
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}

#[test]
fn postgres_keeps_its_data_from_one_start_to_the_next() {
    let directory = directory();
    let home = directory.path().join("postgres");

    let first = start_postgres(home.clone()).unwrap();
    let first_url = first.url().to_owned();
    psql(&first, "CREATE TABLE kept AS SELECT 42 AS answer");
    let id = first.id();
    first.stop().unwrap();
    assert!(test_kill_process(pid(id)).is_err(), "it is gone after stop");

    let second = start_postgres(home).unwrap();
    assert_eq!(psql(&second, "SELECT answer FROM kept"), "42");
    assert_eq!(second.url(), first_url);
}

#[test]
fn postgres_starts_again_after_kill_9() {
    let directory = directory();
    let home = directory.path().join("postgres");
    let first = start_postgres(home.clone()).unwrap();
    psql(&first, "CREATE TABLE kept AS SELECT 42 AS answer");

    kill(first.id());
    drop(first);

    let second = start_postgres(home).unwrap();
    assert_eq!(psql(&second, "SELECT answer FROM kept"), "42");
}

#[test]
fn an_orphaned_postgres_is_stopped_before_the_next_one_starts() {
    let directory = directory();
    let home = directory.path().join("postgres");
    let orphan = start_postgres(home.clone()).unwrap();
    psql(&orphan, "CREATE TABLE kept AS SELECT 42 AS answer");
    orphan.home().abandon();

    let second = start_postgres(home).unwrap();

    assert_ne!(second.id(), orphan.id());
    assert_eq!(psql(&second, "SELECT answer FROM kept"), "42");
}

#[test]
fn a_recorded_number_that_now_belongs_to_another_program_does_not_matter() {
    let directory = directory();
    let home = directory.path().join("postgres");
    let first = start_postgres(home.clone()).unwrap();
    let record = first.home().directory().join("data/postmaster.pid");
    let text = fs::read_to_string(&record).unwrap();
    let id = first.id();
    first.stop().unwrap();
    let other = std::process::id();
    fs::write(&record, text.replacen(&id.to_string(), &other.to_string(), 1)).unwrap();

    let second = start_postgres(home).unwrap();

    assert_eq!(psql(&second, "SELECT 1"), "1");
}

#[test]
fn a_directory_is_used_by_one_process_at_a_time() {
    let directory = directory();
    let postgres = start_postgres(directory.path().join("postgres")).unwrap();
    let redis = start_redis(directory.path().join("redis")).unwrap();

    let second = start_postgres(directory.path().join("postgres"));
    assert!(matches!(second, Err(Error::InUse { .. })));
    let second = start_redis(directory.path().join("redis"));
    assert!(matches!(second, Err(Error::InUse { .. })));

    assert_eq!(psql(&postgres, "SELECT 1"), "1");
    assert_eq!(ask(&redis, "PING"), "+PONG");
}

#[test]
fn servers_in_different_directories_know_nothing_of_each_other() {
    let one = Scratch::start().unwrap();
    let two = Scratch::start().unwrap();

    psql(&one.postgres, "CREATE TABLE only_in_one (id int)");
    let found = psql(&two.postgres, "SELECT to_regclass('only_in_one') IS NULL");
    assert_eq!(found, "t");

    ask(&one.redis, "SET only in-one");
    assert_eq!(ask(&two.redis, "EXISTS only"), ":0");
}

#[test]
fn nothing_is_left_of_a_scratch() {
    let scratch = Scratch::start().unwrap();
    let postgres = scratch.postgres.home().directory().to_owned();
    let redis = scratch.redis.home().directory().to_owned();
    let ids = [scratch.postgres.id(), scratch.redis.id()];

    drop(scratch);

    assert!(!postgres.exists() && !redis.exists());
    assert!(!postgres.parent().unwrap().exists());
    for id in ids {
        assert!(test_kill_process(pid(id)).is_err());
    }
}

#[test]
fn a_path_too_long_for_a_socket_is_no_obstacle() {
    let directory = directory();
    let long = directory.path().join("a directory, \"quoted\" & long ".repeat(4));
    let postgres = start_postgres(long.join("postgres")).unwrap();
    let redis = start_redis(long.join("redis")).unwrap();

    assert_eq!(psql(&postgres, "SELECT 1"), "1");
    assert_eq!(ask(&redis, "PING"), "+PONG");

    let short = redis.socket().parent().unwrap().to_owned();
    assert_ne!(short, redis.home().directory());
    drop(redis);
    assert!(!short.exists());
}

#[test]
fn another_process_finds_the_address_of_what_runs() {
    let directory = directory();
    let home = directory.path().join("postgres");
    assert_eq!(Postgres::url_in(&home).unwrap(), None);
    let postgres = start_postgres(home.clone()).unwrap();
    let redis = start_redis(directory.path().join("redis")).unwrap();

    assert_eq!(Postgres::url_in(&home).unwrap().unwrap(), postgres.url());
    let found = Redis::url_in(&directory.path().join("redis")).unwrap();
    assert_eq!(found.unwrap(), redis.url());

    kill(postgres.id());
    drop(postgres);
    drop(redis);
    assert_eq!(Postgres::url_in(&home).unwrap(), None);
    assert_eq!(Redis::url_in(&directory.path().join("redis")).unwrap(), None);
}

#[test]
fn redis_keeps_its_data_when_it_stops_and_when_it_is_orphaned() {
    let directory = directory();
    let home = directory.path().join("redis");
    let first = start_redis(home.clone()).unwrap();
    assert_eq!(ask(&first, "RPUSH list one"), ":1");
    first.stop().unwrap();

    let orphan = start_redis(home.clone()).unwrap();
    assert_eq!(ask(&orphan, "RPUSH list two"), ":2");
    orphan.home().abandon();

    let third = start_redis(home).unwrap();
    assert_ne!(third.id(), orphan.id());
    assert_eq!(ask(&third, "RPUSH list three"), ":3");
}

#[test]
fn redis_starts_again_after_kill_9() {
    let directory = directory();
    let home = directory.path().join("redis");
    let first = start_redis(home.clone()).unwrap();
    kill(first.id());
    drop(first);

    let second = start_redis(home).unwrap();

    assert_eq!(ask(&second, "PING"), "+PONG");
}

const HELD: &str = "MILLRACE_TEST_HELD_DIRECTORY";

#[test]
fn servers_go_when_millrace_is_killed() {
    let directory = directory();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "tests::hold_both_servers", "--nocapture"])
        .env(HELD, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let ids: Vec<u32> = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("process ")?.parse().ok())
        .take(2)
        .collect();
    assert_eq!(ids.len(), 2);

    holder.kill().unwrap();
    holder.wait().unwrap();

    // Each may be orphaned for a moment; a start in the same place waits for that and for no more.
    start_postgres(directory.path().join("postgres")).unwrap().stop().unwrap();
    start_redis(directory.path().join("redis")).unwrap().stop().unwrap();
    for id in ids {
        assert!(!Path::new(&format!("/proc/{id}/exe")).exists());
    }
}

#[test]
#[ignore = "the process that `servers_go_when_millrace_is_killed` kills"]
fn hold_both_servers() {
    let directory = PathBuf::from(std::env::var_os(HELD).unwrap());
    let postgres = start_postgres(directory.join("postgres")).unwrap();
    let redis = start_redis(directory.join("redis")).unwrap();
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\nprocess {}\nprocess {}", postgres.id(), redis.id()).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_server_that_cannot_start_shows_the_end_of_its_log() {
    let directory = directory();
    let home = directory.path().join("postgres");
    let first = start_postgres(home.clone()).unwrap();
    let configuration = first.home().directory().join("data/postgresql.conf");
    first.stop().unwrap();
    fs::write(&configuration, "no_such_setting = on\n").unwrap();

    let error = start_postgres(home).unwrap_err().to_string();

    assert!(error.contains("no_such_setting"), "{error}");
}

#[test]
fn an_interrupted_first_start_is_made_again() {
    let directory = directory();
    let home = directory.path().join("postgres");
    fs::create_dir_all(home.join("data.new/base")).unwrap();

    let postgres = start_postgres(home).unwrap();

    assert_eq!(psql(&postgres, "SELECT 1"), "1");
}

/// As root only: there Postgres must run as somebody else, who cannot enter a private directory.
#[test]
fn a_directory_closed_to_the_account_of_postgres_is_replaced() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let private = directory_with_mode(0o700);
    let home = private.path().join("postgres");
    let postgres = start_postgres(home.clone()).unwrap();
    let moved = postgres.moved_to().map(Path::to_owned).unwrap();
    assert!(moved.starts_with("/var/lib/millrace"));
    psql(&postgres, "CREATE TABLE kept AS SELECT 42 AS answer");
    postgres.stop().unwrap();

    let again = start_postgres(home).unwrap();
    assert_eq!(again.moved_to(), Some(moved.as_path()));
    assert_eq!(psql(&again, "SELECT answer FROM kept"), "42");
    drop(again);
    fs::remove_dir_all(moved).unwrap();
}
