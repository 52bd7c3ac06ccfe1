//! A Rust compiler for the browser: rustup's, or Debian's where rustup's servers are out of reach.
//!
//! Debian's `rustc-web` comes without a standard library for wasm32, but with its source. It is built once
//! into a directory of our own that serves as `--sysroot`; nothing under `/usr` is changed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use millrace_stack::programs;

use super::packages;
use crate::progress::Step;
use crate::{command, workspace};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `debian` to use Debian's compiler although rustup's would do.
const CHOICE: &str = "MILLRACE_WASM_TOOLCHAIN";

const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// What compiles the frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The same that compiles everything else.
    Native,
    Debian(Debian),
}

/// Debian's compiler with our own build of the standard library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Debian {
    sysroot: PathBuf,
    linker: PathBuf,
}

impl Toolchain {
    /// The one that [`install_if_missing`] has made ready.
    pub(crate) fn find() -> Result<Self> {
        if !is_debian_wanted() && native_has_target()? {
            return Ok(Self::Native);
        }
        let debian = Debian::locate()?;
        if !debian.is_ready() {
            bail!("there is no Rust compiler for {TARGET}; run `cargo xtask setup`");
        }
        Ok(Self::Debian(debian))
    }

    /// Cargo with this compiler for the browser's part.
    pub(crate) fn cargo(&self) -> Result<Command> {
        // The sources' directory is nobody's business who reads the file, and only makes it longer.
        let home = cargo_home()?;
        let mut flags = format!("--remap-path-prefix={}/registry/src=crates", home.display());
        let mut command = match self {
            Self::Native => command::cargo(),
            Self::Debian(debian) => {
                flags.push_str(&format!(" --sysroot={}", debian.sysroot.display()));
                debian.cargo()
            }
        };
        command.current_dir(workspace::root());
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        Ok(command)
    }
}

pub(super) fn install_if_missing() -> Result<()> {
    if is_debian_wanted() {
        return install_debian();
    }
    // Not being able to add the target takes a while to find out, so once is enough.
    if native_has_target()? || Debian::locate().is_ok_and(|debian| debian.is_ready()) {
        return Ok(());
    }
    let step = Step::begin(format!("Add the Rust target {TARGET}"));
    let added = step.run(Command::new("rustup").args(["target", "add", TARGET]));
    match added {
        Ok(()) => {
            step.done();
            Ok(())
        }
        Err(reason) if programs::on_path("apt-get").is_some() => {
            step.done();
            eprintln!("rustup cannot add {TARGET}, so Debian's compiler serves: {reason:#}");
            install_debian()
        }
        Err(reason) => Err(reason.context(format!("the Rust target {TARGET} is missing"))),
    }
}

fn is_debian_wanted() -> bool {
    env::var_os(CHOICE).is_some_and(|choice| choice == "debian")
}

fn native_has_target() -> Result<bool> {
    let library = native_sysroot()?.join("lib/rustlib").join(TARGET).join("lib");
    Ok(fs::read_dir(library).is_ok_and(|mut entries| entries.next().is_some()))
}

fn native_sysroot() -> Result<PathBuf> {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace::root());
    sysroot(&mut rustc)
}

fn sysroot(rustc: &mut Command) -> Result<PathBuf> {
    Ok(command::answer(rustc.args(["--print", "sysroot"]))?.trim().into())
}

fn install_debian() -> Result<()> {
    let complete = [DEBIAN_RUSTC, DEBIAN_CARGO, "/usr/lib/rustlib/src/rust/library/Cargo.lock"]
        .iter()
        .all(|path| Path::new(path).exists());
    if !complete {
        let step = Step::begin(format!("Install {}", DEBIAN_PACKAGES.join(", ")));
        packages::install(&step, DEBIAN_PACKAGES)?;
        step.done();
    }
    let debian = Debian::locate()?;
    if debian.is_ready() {
        return Ok(());
    }
    let step = Step::begin(format!("Build Rust's standard library for {TARGET}"));
    debian.build_standard_library(&step)?;
    step.done();
    Ok(())
}

impl Debian {
    fn locate() -> Result<Self> {
        let version = command::answer(Command::new(DEBIAN_RUSTC).arg("--version"))
            .context("Debian's rustc-web is not installed")?;
        // `rustc 1.96.0 (…)`
        let version = version.split_whitespace().nth(1).context("rustc says no version")?;
        let host = command::answer(command::cargo().args(["--version", "--verbose"]))?;
        let host =
            host.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo names no host")?;
        let linker = native_sysroot()?.join("lib/rustlib").join(host).join("bin/rust-lld");
        if !linker.exists() {
            bail!("there is no {}: install Rust with rustup", linker.display());
        }
        Ok(Self { sysroot: workspace::cache()?.join(format!("wasm-sysroot-{version}")), linker })
    }

    fn library(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(TARGET).join("lib")
    }

    /// The directory is put in place when it is complete.
    fn is_ready(&self) -> bool {
        self.library().exists()
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new(DEBIAN_CARGO);
        command
            .env("RUSTC", DEBIAN_RUSTC)
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker);
        command
    }

    /// Builds an empty crate with its own standard library, and keeps that.
    fn build_standard_library(&self, step: &Step) -> Result<()> {
        let scratch = tempfile::tempdir()?;
        fs::create_dir(scratch.path().join("src"))?;
        fs::write(scratch.path().join("src/lib.rs"), "")?;
        fs::write(
            scratch.path().join("Cargo.toml"),
            "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n",
        )?;
        let mut cargo = self.cargo();
        cargo
            .current_dir(scratch.path())
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", scratch.path().join("target"))
            .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
        step.run(&mut cargo)?;

        let built = scratch.path().join("target").join(TARGET).join("release/deps");
        let unfinished = self.sysroot.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let library = unfinished.join("lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&library)?;
        for file in workspace::files_under(&built)? {
            let name = file.file_name().map(OsString::from).unwrap_or_default();
            let is_library = file.extension().is_some_and(|kind| kind == "rlib" || kind == "rmeta");
            if is_library && !name.to_string_lossy().starts_with("libempty") {
                fs::copy(&file, library.join(name))?;
            }
        }
        if self.sysroot.exists() {
            fs::remove_dir_all(&self.sysroot)?;
        }
        fs::rename(&unfinished, &self.sysroot).with_context(|| self.sysroot.display().to_string())
    }
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cargo"))
}
