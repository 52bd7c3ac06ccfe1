//! Attempts to get out, each of which fails as it should.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    process::{Command, Stdio},
};

use super::Cell;
use crate::harness::{runs, until};

#[tokio::test]
async fn files_of_another_job_cannot_be_found() {
    let cell = Cell::new().await;
    let other = cell.outside().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("of-another-job"), "secret").unwrap();

    let said = cell.fails(&format!("cat '{}/of-another-job'", other.display())).await;

    assert!(said.contains("No such file"), "{said}");
    assert_eq!(cell.prints("find / -name of-another-job 2>/dev/null || true").await, "");
}

#[tokio::test]
async fn the_configuration_and_the_data_cannot_be_found_even_where_they_lie_among_what_is_shown() {
    let shown = tempfile::tempdir().unwrap();
    let data = shown.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("Leptos.toml"), "secret").unwrap();
    fs::write(shown.path().join("tool"), "shown").unwrap();
    let cell = Cell::with_data_in(&data, &[("read_only", shown.path().to_str().unwrap())]).await;

    assert_eq!(cell.prints(&format!("cat '{}/tool'", shown.path().display())).await, "shown");
    assert_eq!(cell.prints("find / -name Leptos.toml 2>/dev/null || true").await, "");
    assert!(cell.fails(&format!("touch '{}/x'", data.display())).await.contains("Read-only"));
}

#[tokio::test]
async fn the_environment_holds_what_was_given_and_nothing_of_the_runner() {
    let cell = Cell::with(&[("read_only", "")]).await;

    let names = cell.prints("env -0 | cut -z -d= -f1 | tr '\\0' '\\n' | sort | tr '\\n' ' '").await;

    assert_eq!(
        names,
        "ALL_PROXY GIVEN HOME HTTPS_PROXY HTTP_PROXY NODE_USE_ENV_PROXY NO_PROXY PATH PWD SHLVL TMPDIR USER _ \
         all_proxy http_proxy https_proxy no_proxy"
    );
}

#[tokio::test]
async fn processes_of_the_machine_can_be_neither_seen_nor_ended() {
    let cell = Cell::new().await;
    let mut victim =
        Command::new("sleep").arg("600").env("SECRET_OF_THE_HOST", "1").stdin(Stdio::null()).spawn().unwrap();

    let seen =
        cell.prints("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep OF_THE_HOST || true").await;
    let count = cell.prints("ls -d /proc/[0-9]* | wc -l").await;
    let said = cell.fails(&format!("kill -9 {}", victim.id())).await;

    assert_eq!(seen, "");
    assert!(count.parse::<u32>().unwrap() < 10, "{count}");
    assert!(said.contains("No such process"), "{said}");
    assert!(victim.try_wait().unwrap().is_none());
    victim.kill().unwrap();
    victim.wait().unwrap();
}

#[tokio::test]
async fn the_first_process_can_be_neither_ended_nor_looked_into_nor_blinded_nor_imitated() {
    let cell = Cell::new().await;

    assert_eq!(cell.prints("kill -9 1; kill -STOP 1; echo still here").await, "still here");
    assert!(cell.fails("cat /proc/1/environ").await.contains("Permission denied"));
    assert!(cell.fails("cat /proc/1/fd/1").await.contains("Permission denied"));
    assert_eq!(
        cell.prints("ls /proc/self/fd | tr '\\n' ' '").await,
        "0 1 2 3",
        "and of the runner nothing is open"
    );
    let (ptrace, attach) = (libc::SYS_ptrace, libc::PTRACE_ATTACH);
    let said = cell.fails(&format!("perl -e 'syscall({ptrace}, {attach}, 1, 0, 0) == 0 or die $!'")).await;
    assert!(said.contains("not permitted"), "{said}");
    let (prlimit, open_files) = (libc::SYS_prlimit64, libc::RLIMIT_NOFILE);
    let said = cell
        .fails(&format!(
            "perl -e 'my $few = pack(\"QQ\", 3, 3); syscall({prlimit}, 1, {open_files}, $few, 0) == 0 or die $!'"
        ))
        .await;
    assert!(said.contains("not permitted"), "{said}");
    let said = cell.fails(&connect_to("/run/millrace/report")).await;
    assert!(said.contains("Connection refused"), "{said}");
}

/// Connects to a unix socket; `\\0` begins a name without a file.
fn connect_to(address: &str) -> String {
    format!(
        "perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0) or die $!; \
         connect(S, pack_sockaddr_un(\"{address}\")) or die $!'"
    )
}

#[tokio::test]
async fn sockets_of_the_machine_cannot_be_reached_by_path_or_by_name() {
    let cell = Cell::new().await;
    let path = cell.outside().join(".s.PGSQL.5432");
    let _by_path = UnixListener::bind(&path).unwrap();
    let name = format!("millrace-test-{}", std::process::id());
    let _by_name = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();

    let said = cell.fails(&connect_to(path.to_str().unwrap())).await;
    assert!(said.contains("No such file"), "{said}");
    let said = cell.fails(&connect_to(&format!("\\0{name}"))).await;
    assert!(said.contains("Connection refused"), "{said}");
    assert_eq!(
        cell.prints("ls /run /run/millrace | tr '\\n' ' '").await,
        "/run: millrace  /run/millrace: egress millrace report"
    );
    assert!(cell.fails("ls /var/run/docker.sock").await.contains("No such file"));
}

#[tokio::test]
async fn nothing_outside_of_the_workplace_can_be_written() {
    let mut cell = Cell::new().await;
    let objects = cell.outside().join("mirror/objects");
    fs::create_dir_all(&objects).unwrap();
    fs::write(objects.join("pack"), "borrowed").unwrap();
    cell.show(&objects);
    let objects = objects.to_str().unwrap();

    assert_eq!(cell.prints(&format!("cat '{objects}/pack'")).await, "borrowed");
    for place in [
        "/",
        "/usr",
        "/usr/bin",
        "/etc",
        "/dev",
        "/run",
        "/run/millrace",
        "/proc/sys/kernel",
        "/home",
        objects,
    ] {
        let said = cell.fails(&format!("echo x > '{place}/written'")).await;
        assert!(
            said.contains("Read-only") || said.contains("Permission") || said.contains("No such"),
            "{place}: {said}"
        );
    }
    let said = cell.fails(&format!("echo x > '{objects}/pack'")).await;
    assert!(said.contains("Read-only"), "{said}");
    assert!(cell.fails("rm /run/millrace/millrace").await.contains("cannot remove"));
    // The kernel would start what is named there, outside and as root.
    assert_eq!(cell.run("test -w /proc/sys/kernel/core_pattern").await.code, Some(1));
    assert_eq!(cell.run("test -w /proc/sysrq-trigger").await.code, Some(1));
}

#[tokio::test]
async fn nothing_can_be_mounted_and_no_privilege_gained() {
    let cell = Cell::new().await;

    assert!(cell.fails("mount -t tmpfs none /tmp").await.contains("mount"));
    assert!(cell.fails("unshare --user --map-root-user true").await.contains("unshare failed"));
    assert!(cell.fails("chroot /usr true").await.contains("not permitted"));
    assert_eq!(cell.prints("id -u").await, "1000");
    assert_eq!(cell.prints("grep -c '^Cap.*:.0000000000000000$' /proc/self/status").await, "5");
    assert_eq!(cell.prints("grep NoNewPrivs /proc/self/status | cut -f2").await, "1");
}

#[tokio::test]
async fn devices_are_those_of_every_program_and_no_others_can_be_made() {
    let cell = Cell::new().await;

    assert_eq!(
        cell.prints("ls /dev | tr '\\n' ' '").await,
        "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    );
    assert!(cell.fails("mknod disk b 8 0").await.contains("not permitted"));
    assert!(cell.fails("head -c1 /dev/core").await.contains("cannot open"));
}

#[tokio::test]
async fn nobody_can_be_made_to_type() {
    let cell = Cell::new().await;

    assert!(cell.fails("exec 3<>/dev/tty").await.contains("No such device or address"));
    // TIOCSTI, on a terminal of its own.
    let typing =
        r#"perl -e 'open(T, "+<", "/dev/ptmx") or die; my $x = "x"; ioctl(T, 0x5412, $x) or die $!'"#;
    assert!(cell.fails(typing).await.contains("not permitted"));
}

#[tokio::test]
async fn sockets_that_know_no_network_namespaces_cannot_be_opened() {
    let cell = Cell::new().await;
    let (packet, vsock) = (17, 40);
    for family in [packet, vsock] {
        let said = cell.fails(&format!("perl -e 'socket(S, {family}, 2, 0) or die $!'")).await;
        assert!(said.contains("not permitted"), "{family}: {said}");
    }
}

/// A time to sleep that tells one test's processes from others'.
fn unique_sleep(number: u32) -> String {
    format!("36{number}.{}", std::process::id())
}

#[tokio::test]
async fn nothing_survives_the_program_not_even_in_a_session_of_its_own() {
    let cell = Cell::new().await;
    let time = unique_sleep(1);

    let began = cell.prints(&format!("setsid --fork sleep {time}; (sleep {time} &) ; sleep 0.2; pgrep -c sleep || ls -d /proc/[0-9]* | wc -l")).await;

    assert!(began.parse::<u32>().unwrap() >= 2, "{began}");
    until("all of it is gone", async || !runs(&time)).await;
}

#[tokio::test]
async fn nothing_survives_a_runner_that_is_killed() {
    let cell = Cell::new().await;
    let time = unique_sleep(2);
    let confinement = cell.confine(&format!("setsid --fork sleep {time}; touch started; sleep {time}"));
    let command = confinement.command.as_std();
    // The shell stands for the runner.
    let mut runner = Command::new("sh")
        .args(["-c", "\"$@\" & wait", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .spawn()
        .unwrap();
    until("it runs", async || cell.tree().join("started").exists() && runs(&time)).await;

    runner.kill().unwrap();
    runner.wait().unwrap();

    until("all of it is gone", async || !runs(&time)).await;
}
