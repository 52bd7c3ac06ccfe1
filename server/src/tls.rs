//! The cryptography that every TLS connection of this process uses.

/// To be called before the first connection. ring is what sqlx uses too: one library, and no C compiler beyond it.
pub fn install() {
    // The only error is that it was done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
