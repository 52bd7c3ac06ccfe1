//! What an attempt may use up, and how it is told that it was too much.

use millrace::runner::sandbox::Resource;
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Cell, cell::Ran};
use crate::harness::until;

fn assert_limit(ran: &Ran, resource: Resource, words: &str) {
    let limit = ran.findings.limit.unwrap_or_else(|| panic!("{:?}: {} {}", ran.code, ran.stdout, ran.stderr));
    assert_eq!(limit.resource, resource);
    assert_eq!(limit.to_string(), words);
}

#[tokio::test]
async fn a_fork_bomb_ends_the_attempt() {
    let cell = Cell::with(&[("processes", "100")]).await;

    let ran = cell.run("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 3600").await;

    assert_limit(&ran, Resource::Processes, "The attempt ran more than 100 processes and threads at once.");
}

#[tokio::test]
async fn a_file_of_10_gb_is_not_written() {
    let cell = Cell::new().await;

    let ran = cell.run("truncate --size 10G big").await;

    assert_limit(&ran, Resource::FileSize, "The attempt wrote a file larger than 4 GiB.");
    let size = cell.tree().join("big").metadata().map_or(0, |file| file.len());
    assert!(size <= 4 << 30, "{size}");
}

#[tokio::test]
async fn a_tool_that_died_of_a_file_that_was_too_large_is_told_although_the_program_goes_on() {
    let cell = Cell::with(&[("file_bytes", "10485760")]).await;

    let ran = cell.run("head -c 20M /dev/zero > big; sleep 3600").await;

    assert_limit(&ran, Resource::FileSize, "The attempt wrote a file larger than 10 MiB.");
}

#[tokio::test]
async fn files_are_counted_together_wherever_they_can_be_written() {
    let cell = Cell::with(&[("disk_bytes", "33554432")]).await;
    let write = "mkdir $d; for i in $(seq 100); do head -c 100K /dev/zero > $d/$i; done";

    let ran =
        cell.run(&format!("for d in /workspace/a ~/a /tmp/a /tmp/b; do {write}; done; sleep 3600")).await;

    assert_limit(&ran, Resource::Disk, "The attempt had more than 32 MiB on the disk.");
}

#[tokio::test]
async fn a_file_that_was_removed_counts_while_it_is_open() {
    let cell = Cell::with(&[("disk_bytes", "33554432")]).await;

    let ran = cell.run("exec 3> gone; rm gone; head -c 40M /dev/zero >&3; sleep 3600").await;

    assert_limit(&ran, Resource::Disk, "The attempt had more than 32 MiB on the disk.");
}

#[tokio::test]
async fn what_the_attempt_has_not_written_and_second_names_take_up_nothing() {
    let mut cell = Cell::with(&[("disk_bytes", "33554432")]).await;
    // Shown at the same path, which is in the attempt's /tmp.
    let objects = cell.outside().join("mirror/objects");
    std::fs::create_dir_all(&objects).unwrap();
    std::fs::write(objects.join("pack"), vec![b'x'; 40 << 20]).unwrap();
    cell.show(&objects);
    let script =
        format!("head -c 20M /dev/zero > a; ln a b; ln -s '{}' c; sleep 3; echo fine", objects.display());

    let ran = cell.run(&script).await;

    assert_eq!((ran.stdout.as_str(), ran.findings.limit), ("fine", None));
}

#[tokio::test]
async fn memory_is_counted_over_all_processes() {
    let cell = Cell::with(&[("memory_bytes", "268435456")]).await;
    let hog = "perl -e '$x = q(x) x (100 << 20); sleep 3600'";

    let ran = cell.run(&format!("{hog} & {hog} & {hog} & wait")).await;

    assert_limit(&ran, Resource::Memory, "The attempt used more than 256 MiB of memory.");
}

/// Memory of so many MiB that a program shares with those that it starts, filled by the kernel from `/dev/zero`.
fn shares(mebibytes: u32) -> String {
    let (map, read, bytes) = (libc::SYS_mmap, libc::SYS_read, u64::from(mebibytes) << 20);
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    format!(
        "open(Z, q(<), q(/dev/zero)) or die; $p = syscall({map}, 0, {bytes}, {access}, {kind}, -1, 0); \
         syscall({read}, fileno(Z), $p, {bytes}) == {bytes} or die $!;"
    )
}

#[tokio::test]
async fn memory_that_is_shared_is_memory() {
    let cell = Cell::with(&[("memory_bytes", "134217728")]).await;

    let ran = cell.run(&format!("perl -e '{} sleep 3600'", shares(300))).await;

    assert_limit(&ran, Resource::Memory, "The attempt used more than 128 MiB of memory.");
}

#[tokio::test]
async fn memory_that_many_share_counts_once() {
    let cell = Cell::with(&[("memory_bytes", "268435456")]).await;
    // Each of them has all of it, and they stay for longer than it takes to be looked at.
    let script = format!("perl -e '{} $x = q(x) x (20 << 20); fork for 1..3; sleep 2'", shares(100));

    let ran = cell.run(&format!("{script}; sleep 1; echo fine")).await;

    assert_eq!((ran.stdout.as_str(), ran.findings.limit), ("fine", None));
}

#[tokio::test]
async fn files_in_memory_are_memory() {
    let cell = Cell::with(&[("memory_bytes", "67108864")]).await;

    let said = cell.fails("head -c 100M /dev/zero > /dev/shm/file").await;

    assert!(said.contains("No space left"), "{said}");
}

#[tokio::test]
async fn processor_time_is_counted_over_all_processes_also_those_that_have_ended() {
    let cell = Cell::with(&[("cpu_seconds", "1")]).await;

    let ran = cell.run("while true; do perl -e 'for (my $i = 0; $i < 3e6; $i++) {}'; done").await;

    assert_limit(&ran, Resource::CpuTime, "The attempt used more than 1s of processor time.");
}

#[tokio::test]
async fn a_program_within_its_limits_hits_none() {
    let cell = Cell::new().await;

    let ran = cell.run("exit 7").await;

    assert_eq!((ran.code, ran.findings.limit), (Some(7), None));
    assert!(ran.findings.started);
}

#[tokio::test]
async fn a_program_that_is_asked_to_stop_can_say_goodbye() {
    let cell = Cell::new().await;
    let confinement =
        cell.confine("trap 'echo goodbye > said; exit 3' TERM; touch ready; while true; do sleep 0.05; done");
    let mut command = confinement.command;
    let mut child = command.process_group(0).kill_on_drop(true).spawn().unwrap();
    until("it listens", async || cell.tree().join("ready").exists()).await;

    let group = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process_group(group, Signal::TERM).unwrap();

    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    assert_eq!(std::fs::read_to_string(cell.tree().join("said")).unwrap(), "goodbye\n");
}
