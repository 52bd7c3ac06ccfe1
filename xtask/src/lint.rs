//! Format and clippy, for the server and for the browser apart: `ssr` and `hydrate` exclude each other.

use anyhow::Result;

use crate::command::{FRONTEND, NATIVE, cargo};
use crate::progress::Step;
use crate::setup::wasm::{TARGET, Toolchain};

pub(crate) fn format() -> Result<()> {
    let step = Step::begin("Check the format");
    step.run(cargo().args(["fmt", "--all", "--check"]))?;
    step.done();
    Ok(())
}

pub(crate) fn server() -> Result<()> {
    let step = Step::begin("Lint the server");
    for packages in NATIVE {
        step.run(cargo().arg("clippy").args(packages).args(["--all-targets", "--", "--deny=warnings"]))?;
    }
    step.done();
    Ok(())
}

pub(crate) fn browser() -> Result<()> {
    let step = Step::begin("Lint the browser's part");
    let toolchain = Toolchain::find()?;
    // Debian's compiler has no clippy; there the warnings of rustc have to do.
    let command = match toolchain {
        Toolchain::Native => "clippy",
        Toolchain::Debian(_) => "check",
    };
    for part in FRONTEND {
        let mut cargo = toolchain.cargo()?;
        cargo.args([command, part, "--package=millrace-app", "--target", TARGET]);
        if toolchain == Toolchain::Native {
            cargo.args(["--", "--deny=warnings"]);
        }
        step.run(&mut cargo)?;
    }
    step.done();
    Ok(())
}
