//! The frontend: compiled for wasm32, bound to JavaScript, made small.

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

/// The module and the script that loads it.
pub(super) struct Module {
    pub(super) script: Vec<u8>,
    pub(super) wasm: Vec<u8>,
}

pub(super) fn build(work: &Path) -> Result<Module> {
    let compiled = compile()?;
    let script = work.join("millrace.js");
    let wasm = work.join("millrace.wasm");
    let input = fs::read(&compiled).with_context(|| compiled.display().to_string())?;
    let optimiser = workspace::hash(&fs::read(workspace::root().join("frontend/package-lock.json"))?);
    let inputs = format!("{} {optimiser} {FEATURES:?}", workspace::hash(&input));
    let stamp = Stamp::new(work.join("wasm.stamp"), inputs);
    if !(stamp.is_current() && script.exists() && wasm.exists()) {
        let bound = work.join("bound");
        bind(&compiled, &bound)?;
        optimise(&bound.join("millrace_bg.wasm"), &wasm)?;
        fs::copy(bound.join("millrace.js"), &script)?;
        stamp.save()?;
    }
    Ok(Module { script: fs::read(script)?, wasm: fs::read(wasm)? })
}

/// Cargo knows by itself what has changed.
fn compile() -> Result<PathBuf> {
    let step = Step::begin("Compile the dashboard for the browser");
    step.run(Toolchain::find()?.cargo()?.args([
        "build",
        "--package=millrace-frontend",
        "--lib",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
    ]))?;
    step.done();
    Ok(workspace::target_directory()?.join(TARGET).join(PROFILE).join("frontend.wasm"))
}

/// The library and the `wasm-bindgen` that the frontend uses have the same version: both depend on one
/// exact `wasm-bindgen-shared`.
fn bind(compiled: &Path, to: &Path) -> Result<()> {
    let step = Step::begin("Generate the JavaScript bindings");
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    Bindgen::new()
        .input_path(compiled)
        .out_name("millrace")
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
