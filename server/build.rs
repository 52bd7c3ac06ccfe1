//! The server embeds the built site. A plain `cargo check` may come before the first `cargo xtask site`, so the folder is
//! made; a server without a site says at its start what is missing.

fn main() {
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site");
    if let Err(error) = std::fs::create_dir_all(site) {
        println!("cargo::error={site} cannot be made: {error}");
    }
    println!("cargo::rerun-if-changed={site}");
    println!("cargo::rerun-if-changed=migrations");
}
