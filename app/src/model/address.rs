//! Addresses of our own pages.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A path with the values that there are as its query.
pub fn address(path: &str, query: &[(&str, Option<&str>)]) -> String {
    let mut address = path.to_owned();
    let mut separator = '?';
    for (key, value) in query {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a string does not fail.
            let _ = write!(address, "{separator}{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
            separator = '&';
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn values_are_escaped_and_absent_ones_left_out() {
        assert_eq!(address("/", &[("q", None), ("state", Some(""))]), "/");
        assert_eq!(
            address("/", &[("q", Some("a&b c")), ("state", Some("failed"))]),
            "/?q=a%26b%20c&state=failed"
        );
    }
}
