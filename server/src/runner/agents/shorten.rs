//! Bounds what steps carry: the raw line keeps all of it.

/// The longest text of a tool's input or output, of a message or a summary.
const LIMIT: usize = 16 * 1024;
/// Room for the mark, so that what was shortened once stays as it is.
const MARK: usize = 64;

/// The beginning of a long text with a mark that says how much is missing.
pub(super) fn shorten(text: &str) -> String {
    if text.len() <= LIMIT + MARK {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(LIMIT);
    format!("{}\n… {} more bytes are in the raw output", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        let text = format!("x{}", "€".repeat(LIMIT));
        let short = shorten(&text);
        let (kept, mark) = short.rsplit_once('\n').unwrap();
        assert!(text.starts_with(kept) && kept.len() > LIMIT - 3 && kept.len() <= LIMIT);
        assert_eq!(mark, format!("… {} more bytes are in the raw output", text.len() - kept.len()));
        assert_eq!(shorten(&short), short);
    }

    #[test]
    fn a_text_that_fits_is_kept_as_it_is() {
        let text = "x".repeat(LIMIT);
        assert_eq!(shorten(&text), text);
    }
}
