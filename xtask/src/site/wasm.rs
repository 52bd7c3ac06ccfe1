//! The frontend's modules: compiled for wasm32, bound to JavaScript, made small.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::progress::Step;
use crate::setup::node;
use crate::setup::wasm::{TARGET, Toolchain};
use crate::workspace::{self, Stamp};

const PROFILE: &str = "wasm-release";

/// What rustc emits for wasm32 by default, and every browser of the last years runs.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// A part of the frontend that pages load by itself.
pub(super) struct Part {
    /// What its files are called.
    name: &'static str,
    package: &'static str,
    /// What Cargo makes of it.
    library: &'static str,
}

/// For every page but a job's.
pub(super) const BOARD: Part =
    Part { name: "millrace", package: "millrace-frontend", library: "frontend.wasm" };

/// For the page of a job.
pub(super) const JOB: Part =
    Part { name: "millrace-job", package: "millrace-frontend-job", library: "frontend_job.wasm" };

/// The module and the script that loads it.
pub(super) struct Module {
    pub(super) name: &'static str,
    pub(super) script: Vec<u8>,
    pub(super) wasm: Vec<u8>,
}

pub(super) fn build(part: &Part, work: &Path) -> Result<Module> {
    let name = part.name;
    let compiled = compile(part)?;
    let script = work.join(format!("{name}.js"));
    let wasm = work.join(format!("{name}.wasm"));
    let input = fs::read(&compiled).with_context(|| compiled.display().to_string())?;
    let optimiser = workspace::hash(&fs::read(workspace::root().join("frontend/package-lock.json"))?);
    let inputs = format!("{} {optimiser} {FEATURES:?}", workspace::hash(&input));
    let stamp = Stamp::new(work.join(format!("{name}.stamp")), inputs);
    if !(stamp.is_current() && script.exists() && wasm.exists()) {
        let bound = work.join("bound");
        bind(part, &compiled, &bound)?;
        optimise(&bound.join(format!("{name}_bg.wasm")), &wasm)?;
        fs::copy(bound.join(format!("{name}.js")), &script)?;
        stamp.save()?;
    }
    Ok(Module { name, script: fs::read(script)?, wasm: fs::read(wasm)? })
}

/// Cargo knows by itself what has changed. One part at a time: together they would both get what either has.
fn compile(part: &Part) -> Result<PathBuf> {
    let step = Step::begin(format!("Compile {} for the browser", part.package));
    step.run(Toolchain::find()?.cargo()?.args([
        "build",
        "--package",
        part.package,
        "--lib",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
    ]))?;
    step.done();
    Ok(workspace::target_directory()?.join(TARGET).join(PROFILE).join(part.library))
}

/// The library and the `wasm-bindgen` that the frontend uses have the same version: both depend on one
/// exact `wasm-bindgen-shared`.
fn bind(part: &Part, compiled: &Path, to: &Path) -> Result<()> {
    let step = Step::begin("Generate the JavaScript bindings");
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    Bindgen::new()
        .input_path(compiled)
        .out_name(part.name)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The page names the module's address, since its name carries a hash.
        .omit_default_module_path(true)
        .generate(to)?;
    if to.join("snippets").exists() {
        bail!("a dependency of the frontend brings JavaScript files of its own, which have no hashed names");
    }
    step.done();
    Ok(())
}

fn optimise(from: &Path, to: &Path) -> Result<()> {
    let packages = workspace::root().join("frontend");
    node::install_locked(&packages)?;
    let step = Step::begin("Make the WASM small");
    step.run(node::command("wasm-opt", &packages)?.arg("-Oz").args(FEATURES).arg(from).arg("-o").arg(to))?;
    step.done();
    Ok(())
}
