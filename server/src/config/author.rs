//! Who commits.

use std::{fmt, str::FromStr};

use serde::Deserialize;

/// Who commits, or helped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Author {
    pub name: String,
    pub email: String,
}

impl Author {
    /// The environment in which git commits in this name.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("GIT_AUTHOR_NAME", &self.name),
            ("GIT_AUTHOR_EMAIL", &self.email),
            ("GIT_COMMITTER_NAME", &self.name),
            ("GIT_COMMITTER_EMAIL", &self.email),
        ]
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

impl FromStr for Author {
    type Err = String;

    /// `Name <address>`
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_suffix('>').and_then(|text| text.split_once('<'));
        let parts = parts.map(|(name, email)| (name.trim(), email.trim()));
        match parts {
            Some((name, email)) if !name.is_empty() && !email.is_empty() && !text.contains(['\n', '\0']) => {
                Ok(Self { name: name.to_owned(), email: email.to_owned() })
            }
            _ => Err(format!("`{text}` is not of the form `Name <address>`")),
        }
    }
}

impl TryFrom<String> for Author {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_a_name_and_an_address() {
        let author: Author = "Mill Race <mill@localhost>".parse().unwrap();
        assert_eq!((author.name.as_str(), author.email.as_str()), ("Mill Race", "mill@localhost"));
        assert_eq!(author.to_string(), "Mill Race <mill@localhost>");
        for wrong in ["", "Mill", "<mill@localhost>", "Mill <>", "Mill\n<a@b>"] {
            assert!(wrong.parse::<Author>().is_err(), "{wrong}");
        }
    }
}
