//! The signature of a webhook: HMAC with SHA-256 over the body's bytes as they came, compared in constant time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// The header that carries it. The older one with SHA-1 is not looked at.
pub const SIGNATURE: &str = "x-hub-signature-256";

/// Whether `signature`, the header's value, was made from these bytes with this secret.
pub fn is_signed(secret: &SecretString, body: &[u8], signature: &[u8]) -> bool {
    // With an empty secret everybody could sign.
    if secret.expose_secret().is_empty() {
        return false;
    }
    let (Some(given), Some(mac)) = (digest(signature), mac(secret, body)) else { return false };
    mac.verify_slice(&given).is_ok()
}

/// What the header says for a body, e.g. to send one.
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    let digest = mac(secret, body).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digest}")
}

fn mac(secret: &SecretString, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

/// 32 bytes in hexadecimal behind `sha256=`.
fn digest(signature: &[u8]) -> Option<[u8; 32]> {
    let hex = signature.strip_prefix(b"sha256=")?;
    let (pairs, rest) = hex.as_chunks::<2>();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut digest = [0; 32];
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn the_example_of_githubs_documentation_is_accepted() {
        let secret = secret("It's a Secret to Everybody");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed(&secret, b"Hello, World!", signature.as_bytes()));
        assert_eq!(sign(&secret, b"Hello, World!"), signature);
    }

    #[test]
    fn of_ten_thousand_mutations_none_is_accepted() {
        let secret = secret("millrace");
        let body = br#"{"action":"created","comment":{"body":"@millrace fix it"}}"#;
        let signature = sign(&secret, body).into_bytes();
        assert!(is_signed(&secret, body, &signature));
        // xorshift, so that a failure can be seen again.
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        };
        for round in 0..10_000 {
            let (mut body, mut signature) = (body.to_vec(), signature.clone());
            let target = if round % 2 == 0 { &mut body } else { &mut signature };
            let at = next(target.len());
            match next(4) {
                0 => target[at] ^= 1 << next(5),
                1 => drop(target.remove(at)),
                2 => target.insert(at, b'0'),
                _ => target.truncate(at),
            }
            // Upper and lower case mean the same in hexadecimal.
            if signature.eq_ignore_ascii_case(sign(&secret, &body).as_bytes()) {
                continue;
            }
            assert!(!is_signed(&secret, &body, &signature), "round {round}");
        }
    }

    #[test]
    fn another_secret_no_secret_and_the_older_digest_are_refused() {
        let body = b"{}";
        let signature = sign(&secret("one"), body);
        assert!(!is_signed(&secret("other"), body, signature.as_bytes()));
        assert!(!is_signed(&secret(""), body, sign(&secret(""), body).as_bytes()));
        for wrong in ["", "sha256=", "sha1=2aae6c35c94fcfb415dbe95f408b9ce91ee846ed", &signature[7..]] {
            assert!(!is_signed(&secret("one"), body, wrong.as_bytes()), "{wrong}");
        }
    }
}
