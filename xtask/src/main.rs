//! Set-up, build, test and bench: `cargo xtask …`.
fn main() {}
