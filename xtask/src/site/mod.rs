//! Builds what the browser downloads: WASM, script, style sheet, fonts and public files, with hashed names
//! and packed beforehand. Steps whose input has not changed are skipped.

mod fonts;
mod pack;
mod style;
mod wasm;
mod weight;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::setup::node;
use crate::workspace;

pub(crate) use weight::Weight;
use weight::{FIRST_PAGE, JOB_PAGE, Page};

/// The files of a site by their path below the root, for example `pkg/millrace.0123456789abcdef.js`.
type Files = BTreeMap<String, Vec<u8>>;

/// Builds the site into `target/site` and weighs it.
pub(crate) fn build() -> Result<Weight> {
    let work = workspace::root().join("target/site-build");
    fs::create_dir_all(&work)?;
    let style_directory = workspace::root().join("style");
    node::install_locked(&style_directory)?;

    let board = wasm::build(&wasm::BOARD, &work)?;
    let job = wasm::build(&wasm::JOB, &work)?;
    let fonts = fonts::load(&style_directory)?;
    let style = style::build(&style_directory, &work)?;

    let mut files = Files::new();
    let mut font_addresses = BTreeMap::new();
    for (name, content) in fonts {
        let address = add(&mut files, "fonts", &name, "woff2", content);
        font_addresses.insert(name, address);
    }
    let style = fonts::use_addresses(&style, &font_addresses)?;
    let board = add_module(&mut files, board);
    let job = add_module(&mut files, job);
    let css = add(&mut files, "pkg", "millrace", "css", style.into_bytes());
    let manifest = json!({
        "board": { "js": board.js, "wasm": board.wasm },
        "job": { "js": job.js, "wasm": job.wasm },
        "css": css,
        "fonts": font_addresses,
    });
    files.insert("manifest.json".into(), serde_json::to_vec_pretty(&manifest)?);
    add_public(&mut files, &workspace::root().join("public"))?;

    let packed = pack::pack(&files, &work.join("packed"))?;
    write(&workspace::site(), &packed)?;
    Weight::of(
        &packed,
        &[
            Page { name: "First page", budget: FIRST_PAGE, loads: &[&board.js, &board.wasm, &css] },
            Page { name: "Page of a job", budget: JOB_PAGE, loads: &[&job.js, &job.wasm, &css] },
        ],
    )
}

/// The addresses of a module and its script.
struct Script {
    js: String,
    wasm: String,
}

fn add_module(files: &mut Files, module: wasm::Module) -> Script {
    Script {
        js: add(files, "pkg", module.name, "js", module.script),
        wasm: add(files, "pkg", module.name, "wasm", module.wasm),
    }
}

/// Adds a file whose name carries a hash of its content, and gives its address.
fn add(files: &mut Files, directory: &str, name: &str, kind: &str, content: Vec<u8>) -> String {
    let hash = workspace::hash(&content);
    let path = format!("{directory}/{name}.{}.{kind}", &hash[..16]);
    let address = format!("/{path}");
    files.insert(path, content);
    address
}

/// Files with names that others know, such as `favicon.svg`.
fn add_public(files: &mut Files, directory: &Path) -> Result<()> {
    for path in workspace::files_under(directory)? {
        let name = path.strip_prefix(directory)?.to_str().context("a file name that is not text")?;
        files.insert(name.to_owned(), fs::read(&path)?);
    }
    Ok(())
}

/// Makes the directory hold these files and no others, and leaves alone those that are right: Cargo builds
/// the server again when one of them is new.
fn write(directory: &Path, files: &Files) -> Result<()> {
    for path in workspace::files_under(directory)? {
        let name = path.strip_prefix(directory)?;
        if !files.contains_key(&*name.to_string_lossy()) {
            fs::remove_file(&path)?;
        }
    }
    for (name, content) in files {
        let path: PathBuf = directory.join(name);
        if fs::read(&path).is_ok_and(|present| present == *content) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
