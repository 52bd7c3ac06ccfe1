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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// What text needs beside its ground for most people to read it (WCAG 2, AA).
    const ENOUGH: f64 = 4.5;

    /// Colours of text, and the grounds that it stands on.
    const PAIRS: &[(&str, &[&str])] = &[
        ("text", &["ground", "surface", "sunken", "hover", "accent-soft", "warn-soft", "bad-soft"]),
        ("soft", &["ground", "surface", "sunken", "hover", "accent-soft", "warn-soft"]),
        ("muted", &["ground", "surface", "sunken", "hover", "accent-soft", "warn-soft"]),
        ("accent", &["ground", "surface", "hover"]),
        ("accent-strong", &["accent-soft"]),
        ("on-accent", &["accent", "accent-strong"]),
        ("good", &["surface", "hover"]),
        ("bad", &["surface", "hover", "bad-soft"]),
        ("warn", &["surface", "hover", "warn-soft"]),
        ("calm", &["surface", "hover"]),
        ("log-text", &["log", "log-raised", "log-border", "log-hover", "log-linked", "log-first-error"]),
        ("log-muted", &["log", "log-raised", "log-hover", "log-linked", "log-first-error"]),
        ("log-faint", &["log", "log-hover"]),
        ("log-error", &["log", "log-hover", "log-linked", "log-first-error"]),
        ("log-warn", &["log-raised", "log-linked"]),
        ("log-live", &["log-raised"]),
        ("log-on-accent", &["log-accent"]),
        ("log-on-pressed", &["log-pressed"]),
        ("log-on-found", &["log-found"]),
    ];

    /// The colours of the sheet by their names, in the light theme and in the dark one.
    fn colors() -> HashMap<String, [String; 2]> {
        let sheet = fs::read_to_string(workspace::root().join("style/main.css")).unwrap();
        let tokens = sheet.lines().filter_map(|line| line.trim().strip_prefix("--color-")?.split_once(": "));
        tokens
            .map(|(name, value)| {
                let value = value.trim_end_matches(';');
                let both = value.strip_prefix("light-dark(").and_then(|both| both.strip_suffix(')'));
                let (light, dark) = both.and_then(|both| both.split_once(", ")).unwrap_or((value, value));
                (name.to_owned(), [light.to_owned(), dark.to_owned()])
            })
            .collect()
    }

    /// How light a colour such as `#0b6b77` looks, from 0 to 1.
    fn luminance(color: &str) -> f64 {
        let channel = |start: usize| {
            let value = u8::from_str_radix(&color[start..start + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_measured_as_wcag_does() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.001);
        assert!((contrast("#777777", "#ffffff") - 4.478).abs() < 0.001);
    }

    #[test]
    fn text_can_be_read_on_every_ground_that_it_stands_on() {
        let colors = colors();
        let mut faint = Vec::new();
        for (text, grounds) in PAIRS {
            for ground in *grounds {
                for (theme, (text_color, ground_color)) in
                    ["light", "dark"].iter().zip(colors[*text].iter().zip(&colors[*ground]))
                {
                    let contrast = contrast(text_color, ground_color);
                    if contrast < ENOUGH {
                        faint.push(format!("{text} on {ground}, {theme}: {contrast:.2}"));
                    }
                }
            }
        }
        assert!(faint.is_empty(), "{faint:#?}");
    }

    #[test]
    fn the_terminals_colours_can_be_read_on_the_log() {
        let colors = colors();
        for number in 0..16 {
            let contrast = contrast(&colors[&format!("terminal-{number}")][0], &colors["log"][0]);
            assert!(contrast >= ENOUGH, "terminal-{number}: {contrast:.2}");
        }
    }

    #[test]
    fn colours_are_named_in_one_sheet() {
        for entry in fs::read_dir(workspace::root().join("style")).unwrap() {
            let path = entry.unwrap().path();
            let is_sheet = path.extension().is_some_and(|end| end == "css");
            if is_sheet && !path.ends_with("main.css") {
                let sheet = fs::read_to_string(&path).unwrap();
                let own =
                    sheet.lines().find(|line| [": #", "[#", "rgb("].iter().any(|mark| line.contains(mark)));
                assert_eq!(own, None, "{} has a colour of its own", path.display());
            }
        }
    }
}
