//! What the site weighs, and whether its pages stay within their budgets.

use anyhow::{Context, Result, ensure};

use super::Files;

/// What a page may cost over the wire in bytes: script, WASM and style sheet, packed with Brotli.
pub(super) const FIRST_PAGE: usize = 250_000;
pub(super) const JOB_PAGE: usize = 280_000;

/// A page, and the addresses of what it loads, fonts apart.
pub(super) struct Page<'a> {
    pub(super) name: &'static str,
    pub(super) budget: usize,
    pub(super) loads: &'a [&'a str],
}

/// The size of each file, as it is and packed, and of each page.
pub(crate) struct Weight {
    rows: Vec<Row>,
    pages: Vec<PageWeight>,
}

struct PageWeight {
    name: &'static str,
    size: usize,
    budget: usize,
}

struct Row {
    name: String,
    raw: usize,
    brotli: Option<usize>,
}

impl Weight {
    /// Weighs a packed site.
    pub(super) fn of(files: &Files, pages: &[Page]) -> Result<Self> {
        let size = |name: &str| files.get(name).map(Vec::len);
        let is_packed = |name: &str| name.ends_with(".br") || name.ends_with(".gz");
        let rows = files
            .iter()
            .filter(|(name, _)| !is_packed(name))
            .map(|(name, content)| Row {
                name: name.clone(),
                raw: content.len(),
                brotli: size(&format!("{name}.br")),
            })
            .collect();
        let packed = |address: &&str| {
            let name = address.trim_start_matches('/');
            size(&format!("{name}.br")).with_context(|| format!("{name} is not packed"))
        };
        let pages = pages
            .iter()
            .map(|page| {
                let size = page.loads.iter().map(packed).sum::<Result<usize>>()?;
                Ok(PageWeight { name: page.name, size, budget: page.budget })
            })
            .collect::<Result<_>>()?;
        Ok(Self { rows, pages })
    }

    pub(crate) fn print(&self) {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        println!("{:width$}  {:>10}  {:>10}", "file", "raw", "brotli");
        for row in &self.rows {
            let brotli = row.brotli.map_or_else(|| "–".to_owned(), kilobytes);
            println!("{:width$}  {:>10}  {brotli:>10}", row.name, kilobytes(row.raw));
        }
        let fonts: usize =
            self.rows.iter().filter(|row| row.name.ends_with(".woff2")).map(|row| row.raw).sum();
        for page in &self.pages {
            println!(
                "{}: {} of {} (WASM, script and style, Brotli), and fonts {}",
                page.name,
                kilobytes(page.size),
                kilobytes(page.budget),
                kilobytes(fonts)
            );
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for page in &self.pages {
            ensure!(
                page.size < page.budget,
                "{}: {} are more than {}. Look for the dependency that grew",
                page.name,
                kilobytes(page.size),
                kilobytes(page.budget)
            );
        }
        Ok(())
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
