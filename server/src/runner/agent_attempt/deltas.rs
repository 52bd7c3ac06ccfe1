//! Messages that come in pieces. Lines are masked one by one, but the pieces are read as one text, and a secret that goes over
//! two of them would be whole in it.

use app::model::Step;

use crate::output::{Mask, Masker};

/// Masks the pieces of a message as one stream.
pub(super) struct Deltas(Option<Masker>);

impl Deltas {
    pub(super) fn new(mask: Option<&Mask>) -> Self {
        Self(mask.map(Mask::stream))
    }

    /// The steps as they may be shown. The end of a piece may wait for the next one, or for what ends the message.
    pub(super) fn masked(&mut self, steps: Vec<Step>) -> Vec<Step> {
        let Some(masker) = &mut self.0 else { return steps };
        let mut shown = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Message { text, delta: true } => shown.extend(piece(masker.feed(text.as_bytes()))),
                // The transcript puts them elsewhere, and joins the pieces around them.
                step @ (Step::Usage(_) | Step::ToolResult { .. }) => shown.push(step),
                step => {
                    shown.extend(piece(masker.finish()));
                    shown.push(step);
                }
            }
        }
        shown
    }
}

fn piece(text: &[u8]) -> Option<Step> {
    let text = String::from_utf8_lossy(text).into_owned();
    (!text.is_empty()).then_some(Step::Message { text, delta: true })
}

#[cfg(test)]
mod tests {
    use app::model::Usage;

    use super::*;

    fn said(text: &str) -> Step {
        Step::Message { text: text.to_owned(), delta: true }
    }

    fn deltas() -> Deltas {
        Deltas::new(Mask::new(&["hunter2hunter2".into()]).as_ref())
    }

    #[test]
    fn a_secret_in_pieces_is_masked() {
        let mut deltas = deltas();
        assert_eq!(deltas.masked(vec![said("It is hunt")]), [said("It is ")]);
        let usage = Step::Usage(Usage::default());
        assert_eq!(deltas.masked(vec![usage.clone(), said("er2hunter2, is")]), [usage, said("***, is")]);
        assert_eq!(deltas.masked(vec![said(" it not?")]), [said(" it not?")]);
    }

    #[test]
    fn what_was_held_back_comes_with_what_ends_the_message() {
        let mut deltas = deltas();
        let thought = || Step::Thought { text: "Hm".to_owned() };
        assert_eq!(deltas.masked(vec![said("a hunt")]), [said("a ")]);
        assert_eq!(deltas.masked(vec![thought()]), [said("hunt"), thought()]);
        assert_eq!(deltas.masked(vec![said("hunter2")]), []);
        let whole = Step::Message { text: "hunter2".to_owned(), delta: false };
        assert_eq!(deltas.masked(vec![whole.clone()]), [said("hunter2"), whole]);
    }

    #[test]
    fn without_secrets_nothing_waits() {
        assert_eq!(Deltas::new(None).masked(vec![said("hunt")]), [said("hunt")]);
    }
}
