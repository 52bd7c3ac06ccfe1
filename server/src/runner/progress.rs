//! What a job says of itself: a line `::millrace progress=40 stage=build::` on its standard output.

/// The longest name of a stage, in characters.
const STAGE_CHARS: usize = 40;

/// How far an attempt says it is. What it did not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) percent: Option<u8>,
    pub(super) stage: Option<String>,
}

impl Progress {
    /// Reads a line; any other line is nothing, and so is one that says neither.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let fields = line.trim_end().strip_prefix("::millrace ")?.strip_suffix("::")?;
        let mut progress = Self::default();
        for field in fields.split_whitespace() {
            match field.split_once('=')? {
                ("progress", percent) => {
                    progress.percent = Some(percent.parse().ok().filter(|percent| *percent <= 100)?)
                }
                ("stage", stage) => progress.stage = Some(stage_name(stage)?),
                _ => return None,
            }
        }
        (progress != Self::default()).then_some(progress)
    }

    /// What was said before holds until something else is said.
    pub(super) fn and_then(&mut self, later: Self) {
        self.percent = later.percent.or(self.percent);
        self.stage = later.stage.or_else(|| self.stage.take());
    }
}

fn stage_name(text: &str) -> Option<String> {
    let plain = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
    let fits = !text.is_empty() && text.chars().count() <= STAGE_CHARS && text.chars().all(plain);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_the_job_is() {
        let said = |percent, stage: Option<&str>| Some(Progress { percent, stage: stage.map(str::to_owned) });
        assert_eq!(Progress::parse("::millrace progress=40 stage=build::"), said(Some(40), Some("build")));
        assert_eq!(Progress::parse("::millrace progress=0::\r"), said(Some(0), None));
        assert_eq!(Progress::parse("::millrace stage=unit-tests::"), said(None, Some("unit-tests")));
    }

    #[test]
    fn any_other_line_is_output_and_nothing_more() {
        for line in [
            "progress=40",
            "::millrace ::",
            "::millrace progress=101::",
            "::millrace progress=-1::",
            "::millrace progress=4 color=red::",
            "::millrace stage=<b>::",
            "::millrace stage=::",
            "x ::millrace progress=40::",
            "::millrace progress=40",
        ] {
            assert_eq!(Progress::parse(line), None, "{line}");
        }
    }

    #[test]
    fn what_was_said_before_holds() {
        let mut progress = Progress { percent: Some(10), stage: Some("a".to_owned()) };
        progress.and_then(Progress { percent: Some(20), stage: None });
        assert_eq!(progress, Progress { percent: Some(20), stage: Some("a".to_owned()) });
    }
}
