//! The style sheet, compiled by Tailwind from the classes that the pages use.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::progress::Step;
use crate::setup::node;
use crate::workspace::{self, Stamp, fingerprint};

pub(super) fn build(directory: &Path, work: &Path) -> Result<String> {
    let output = work.join("millrace.css");
    // What Tailwind reads: the sheets, its own version, and the pages.
    let mut inputs: Vec<_> = workspace::files_under(&workspace::root().join("app/src"))?;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            inputs.push(path);
        }
    }
    inputs.sort();
    let stamp = Stamp::new(work.join("style.stamp"), fingerprint(&inputs)?);
    if !(stamp.is_current() && output.exists()) {
        let step = Step::begin("Compile the style sheet");
        step.run(
            node::command("tailwindcss", directory)?
                .args(["--input", "main.css", "--minify", "--output"])
                .arg(&output),
        )?;
        stamp.save()?;
        step.done();
    }
    Ok(fs::read_to_string(output)?)
}
