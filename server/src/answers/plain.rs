//! Text of agents and of people, made harmless for a comment: it calls nobody, closes nothing and ends no part of ours.

/// Invisible; what it separates is no longer one word to GitHub.
const GAP: char = '\u{200b}';
/// Words that close an issue, followed by which one.
const CLOSING: [&str; 9] =
    ["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];

/// At most `most` characters of Markdown that somebody else wrote.
pub(super) fn harmless(text: &str, most: usize) -> String {
    let mut plain = String::new();
    let mut is_code = false;
    for line in bounded(text.trim(), most).lines() {
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        is_code ^= is_fence;
        plain += &harmless_line(line, is_code && !is_fence);
        plain.push('\n');
    }
    if is_code {
        plain += "```\n";
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// As a quote, so that nothing in it reaches beyond it.
pub(super) fn quoted(text: &str, most: usize) -> String {
    harmless(text, most).lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

/// One line of text, for a title or inside a sentence.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    harmless_line(&bounded(&line, most), false)
}

fn bounded(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(|char| !turns_text_around(*char)).collect();
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// Marks of direction let a text look like another one. Letters of right-to-left scripts need none.
fn turns_text_around(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

fn harmless_line(line: &str, is_code: bool) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut word = String::new();
    while let Some(char) = chars.next() {
        plain.push(char);
        let next = chars.peek().copied().unwrap_or(' ');
        let opens = match char {
            '@' | '#' => next.is_alphanumeric(),
            // A tag or a comment; code shows them as they are, but a comment may begin inside of what only looks like code.
            '<' => next == '!' || !is_code && (next.is_ascii_alphabetic() || matches!(next, '/' | '?')),
            // GH-12
            '-' => word.eq_ignore_ascii_case("gh") && next.is_ascii_digit(),
            // `closes https://…`: the address stays whole.
            ' ' | ':' => CLOSING.contains(&word.to_ascii_lowercase().as_str()),
            _ => false,
        };
        if opens && matches!(char, ' ' | ':') {
            plain.insert(plain.len() - 1 - word.len() + 1, GAP);
        } else if opens {
            plain.push(GAP);
        }
        if char.is_alphanumeric() {
            word.push(char);
        } else {
            word.clear();
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_is_closed() {
        for (text, plain) in [
            ("thanks @ada and @acme/builders", "thanks @\u{200b}ada and @\u{200b}acme/builders"),
            ("see #12, GH-3 and a - b", "see #\u{200b}12, GH-\u{200b}3 and a - b"),
            ("Closes https://github.com/a/b/issues/1", "C\u{200b}loses https://github.com/a/b/issues/1"),
            ("<!-- millrace:job=1 --> <img src=x>", "<\u{200b}!-- millrace:job=1 --> <\u{200b}img src=x>"),
            ("a < b, x@ y, 1 # 2", "a < b, x@ y, 1 # 2"),
        ] {
            assert_eq!(harmless(text, 1000), plain);
        }
    }

    #[test]
    fn code_stays_code_and_ends_with_the_text() {
        assert_eq!(harmless("```rust\nVec<u8>\n<!-- x", 1000), "```rust\nVec<u8>\n<\u{200b}!-- x\n```");
    }

    #[test]
    fn a_quote_is_a_quote_to_its_end() {
        assert_eq!(quoted("one\n\ntwo", 1000), "> one\n> \n> two");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(harmless(&"ü".repeat(20), 5), "üüüüü …");
        assert_eq!(one_line("a\nb  c", 100), "a b c");
    }

    #[test]
    fn no_text_looks_like_another_one() {
        assert_eq!(one_line("open \u{202e}txt.exe\u{202c} שלום", 100), "open txt.exe שלום");
    }
}
