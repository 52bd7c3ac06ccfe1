//! Random text for tokens and codes, digests, and the one private key of every app here.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// The private key of every app of this GitHub. It was made for tests, is public with this source, and opens nothing else.
pub const APP_PRIVATE_KEY: &str = include_str!("../keys/test.pem");
pub(crate) const APP_PUBLIC_KEY: &str = include_str!("../keys/test.pub.pem");

/// So many random hexadecimal digits.
pub(crate) fn random(digits: usize) -> String {
    let mut bytes = vec![0; digits.div_ceil(2)];
    // Where the system has no randomness there is nothing to test either.
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("no random bytes: {error}");
    }
    let mut text = hex(&bytes);
    text.truncate(digits);
    text
}

pub(crate) fn guid() -> String {
    let text = random(32);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body);
            format!("sha256={}", hex(&mac.finalize().into_bytes()))
        }
        // A key of any length is taken.
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
