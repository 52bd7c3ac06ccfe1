//! Packs files once, as small as they get, so that the server never has to.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Result;
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Files;
use crate::progress::Step;
use crate::workspace::hash;

/// What gets smaller; images and fonts are packed by nature.
const KINDS: &[&str] = &["css", "html", "ico", "js", "json", "svg", "txt", "wasm", "webmanifest", "xml"];

/// The files, and beside each that packing helps its `.br` and `.gz`. What was packed before comes from the
/// cache, where files are known by the hash of their content.
pub(super) fn pack(files: &Files, cache: &Path) -> Result<Files> {
    let mut packed = Files::new();
    let mut used = Vec::new();
    let mut step = None;
    fs::create_dir_all(cache)?;
    for (name, content) in files {
        let kind = Path::new(name).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        packed.insert(name.clone(), content.clone());
        // Only the server reads the manifest.
        if !KINDS.contains(&kind) || name == "manifest.json" {
            continue;
        }
        for (suffix, compress) in [("br", brotli as fn(&[u8]) -> Result<Vec<u8>>), ("gz", gzip)] {
            let cached = cache.join(format!("{}.{suffix}", hash(content)));
            if !cached.exists() {
                step.get_or_insert_with(|| Step::begin("Pack the files")).note(name);
                let unfinished = cached.with_extension("unfinished");
                fs::write(&unfinished, compress(content)?)?;
                fs::rename(&unfinished, &cached)?;
            }
            packed.insert(format!("{name}.{suffix}"), fs::read(&cached)?);
            used.push(cached);
        }
    }
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        if !used.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    if let Some(step) = step {
        step.done();
    }
    Ok(packed)
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        size_hint: content.len(),
        ..BrotliEncoderParams::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut packed, &parameters)?;
    Ok(packed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}
