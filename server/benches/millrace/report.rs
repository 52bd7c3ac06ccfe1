//! The figures, as a table and as JSON.

use std::{fmt::Write as _, num::NonZero};

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Below(f64),
    Above(f64),
    /// Nothing is promised; the figure is there to be compared with earlier ones.
    Open,
}

#[derive(Debug, Serialize)]
struct Figure {
    section: &'static str,
    metric: String,
    value: f64,
    unit: &'static str,
    target: Target,
    met: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    cores: usize,
    figures: Vec<Figure>,
}

impl Default for Report {
    fn default() -> Self {
        Self { cores: std::thread::available_parallelism().map_or(1, NonZero::get), figures: Vec::new() }
    }
}

impl Report {
    pub fn add(
        &mut self,
        section: &'static str,
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
    ) {
        let met = match target {
            Target::Below(limit) => Some(value < limit),
            Target::Above(limit) => Some(value > limit),
            Target::Open => None,
        };
        let figure = Figure { section, metric: metric.into(), value, unit, target, met };
        eprintln!("  {}: {} {unit}", figure.metric, number(value));
        self.figures.push(figure);
    }

    pub fn print(&self) {
        let mut rows = vec![["".to_owned(), "metric".to_owned(), "value".to_owned(), "target".to_owned()]];
        for figure in &self.figures {
            let target = match figure.target {
                Target::Below(limit) => format!("< {} {}", number(limit), figure.unit),
                Target::Above(limit) => format!("> {} {}", number(limit), figure.unit),
                Target::Open => String::new(),
            };
            let missed = if figure.met == Some(false) { "  missed" } else { "" };
            rows.push([
                figure.section.to_owned(),
                figure.metric.clone(),
                format!("{} {}", number(figure.value), figure.unit),
                format!("{target}{missed}"),
            ]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [section, metric, value] = [width(0), width(1), width(2)];
        let mut table = String::new();
        for [a, b, c, d] in &rows {
            let _ = writeln!(table, "{a:section$}  {b:metric$}  {c:>value$}  {d}");
        }
        println!("\nOn {} cores:\n\n{table}", self.cores);
    }

    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// Three digits that count, and groups of thousands.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        small if small < 10.0 => 2,
        medium if medium < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && whole.as_bytes()[index - 1].is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
