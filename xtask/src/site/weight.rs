//! What the site weighs, and whether the first page stays within its budget.

use anyhow::{Context, Result, ensure};

use super::Files;

/// What the first page may cost over the wire in bytes: script, WASM and style sheet, packed with Brotli.
const BUDGET: usize = 250_000;

/// The size of each file, as it is and packed.
pub(crate) struct Weight {
    rows: Vec<Row>,
    first_page: usize,
}

struct Row {
    name: String,
    raw: usize,
    brotli: Option<usize>,
}

impl Weight {
    /// Weighs a packed site whose first page loads the given addresses, fonts apart.
    pub(super) fn of(files: &Files, first_page: &[String]) -> Result<Self> {
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
        let mut sum = 0;
        for address in first_page {
            let name = address.trim_start_matches('/');
            sum += size(&format!("{name}.br")).with_context(|| format!("{name} is not packed"))?;
        }
        Ok(Self { rows, first_page: sum })
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
        println!(
            "First page: {} of {} (WASM, script and style, Brotli), and fonts {}",
            kilobytes(self.first_page),
            kilobytes(BUDGET),
            kilobytes(fonts)
        );
    }

    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            self.first_page < BUDGET,
            "the first page weighs {}, more than {}: look for the dependency that grew",
            kilobytes(self.first_page),
            kilobytes(BUDGET)
        );
        Ok(())
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
