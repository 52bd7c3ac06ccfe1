//! What somebody says to Millrace in a comment: `@millrace [agent=…] [model=…] [priority=…] [base=…] <prompt>`, or one of
//! `cancel`, `retry`, `status` and `help`.
//!
//! Only what is said counts: not what is quoted, not code, not what a reader does not see.

use std::ops::Range;

use app::model::Priority;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::BranchName;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    Ask(Ask),
    Command(Command),
}

/// A request for a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    pub agent: Option<String>,
    pub model: Option<String>,
    pub priority: Option<Priority>,
    /// The branch to begin from.
    pub base: Option<BranchName>,
    /// Markdown as it was written; empty when nothing follows.
    pub prompt: String,
}

/// What can be done with the jobs of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Retry,
    Status,
    Help,
}

/// An option that cannot be followed, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

/// The first mention of `handle` in a text, if there is one.
pub fn find(markdown: &str, handle: &str) -> Option<Result<Mention, Mistake>> {
    place(markdown, handle).map(|at| parse(&markdown[at..]))
}

/// Where the first mention ends.
fn place(markdown: &str, handle: &str) -> Option<usize> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    // How many quotes, code blocks, links and pictures are open.
    let mut inside = 0_usize;
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::Link { .. } | Tag::Image { .. }) => {
                inside += 1;
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::CodeBlock | TagEnd::Link | TagEnd::Image) => {
                inside = inside.saturating_sub(1);
            }
            Event::Text(_) if inside == 0 => {
                if let Some(end) = named(markdown, range, handle) {
                    return Some(end);
                }
            }
            _ => {}
        }
    }
    None
}

/// The end of `@handle` in a part of the text, where it stands as a word of its own.
fn named(markdown: &str, range: Range<usize>, handle: &str) -> Option<usize> {
    let text = &markdown[range.clone()];
    text.match_indices('@').find_map(|(at, _)| {
        let begin = range.start + at;
        let end = begin + 1 + handle.len();
        let is_name = markdown.get(begin + 1..end)?.eq_ignore_ascii_case(handle);
        let before = markdown[..begin].chars().next_back();
        let stands_alone = before.is_none_or(|char| !char.is_alphanumeric() && !"_-.+/@\\`".contains(char));
        (is_name && stands_alone && ends_name(&markdown[end..])).then_some(end)
    })
}

/// Whether a name that this follows is over: `@millrace-bot` and `@millrace.dev` are other names.
fn ends_name(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some('.') => !chars.next().is_some_and(char::is_alphanumeric),
        Some(char) => !char.is_alphanumeric() && !"-_/@".contains(char),
        None => true,
    }
}

fn parse(text: &str) -> Result<Mention, Mistake> {
    // What belongs to the sentence or the emphasis that the name stands in.
    let mut rest = text.trim_start_matches([',', ':', '.', '!', '?', ')', '*']).trim_start();
    let first_line = rest.lines().next().unwrap_or_default();
    let word = first_line.trim().trim_end_matches(['.', '!', '?']).to_ascii_lowercase();
    let command = match word.as_str() {
        "cancel" => Some(Command::Cancel),
        "retry" => Some(Command::Retry),
        "status" => Some(Command::Status),
        "help" => Some(Command::Help),
        _ => None,
    };
    if let Some(command) = command {
        return Ok(Mention::Command(command));
    }
    let mut ask = Ask::default();
    while let Some((name, value, after)) = option(rest) {
        take(&mut ask, name, value)?;
        rest = after;
    }
    ask.prompt = rest.trim_end().to_owned();
    Ok(Mention::Ask(ask))
}

/// `name=value` at the beginning, and what comes after it.
fn option(text: &str) -> Option<(&str, &str, &str)> {
    let word = text.split(char::is_whitespace).next()?;
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|char| char.is_ascii_lowercase());
    is_name.then(|| (name, value, text[word.len()..].trim_start()))
}

fn take(ask: &mut Ask, name: &str, value: &str) -> Result<(), Mistake> {
    if value.is_empty() {
        return Err(Mistake(format!("`{name}=` has no value. Write it without a space: `{name}=…`.")));
    }
    let given_twice = match name {
        "agent" => ask.agent.replace(value.to_owned()).is_some(),
        "model" => ask.model.replace(value.to_owned()).is_some(),
        "base" => {
            let base = BranchName::try_from(value.to_owned()).map_err(|error| {
                Mistake(format!("`base`: {error}. Write the plain name of one: `base=main`."))
            })?;
            ask.base.replace(base).is_some()
        }
        "priority" => {
            let priority = value.parse().map_err(|error| Mistake(format!("{error}.")))?;
            ask.priority.replace(priority).is_some()
        }
        _ => {
            return Err(Mistake(format!(
                "There is no option `{name}`. There are `agent`, `model`, `priority` and `base`, before the text."
            )));
        }
    };
    if given_twice { Err(Mistake(format!("`{name}` is given twice."))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(markdown: &str) -> Option<String> {
        match find(markdown, "millrace")? {
            Ok(Mention::Ask(ask)) => Some(ask.prompt),
            other => panic!("{other:?}"),
        }
    }

    fn mistake(markdown: &str) -> String {
        find(markdown, "millrace").unwrap().unwrap_err().0
    }

    #[test]
    fn the_prompt_is_what_follows_as_it_was_written() {
        assert_eq!(prompt("@millrace fix the *flaky* test").as_deref(), Some("fix the *flaky* test"));
        assert_eq!(
            prompt("Hello.\n\n@Millrace, fix\n\n```sh\nmake\n```\n").as_deref(),
            Some("fix\n\n```sh\nmake\n```")
        );
        assert_eq!(prompt("- [ ] (@millrace: `x` <b>&amp;</b>)").as_deref(), Some("`x` <b>&amp;</b>)"));
        assert_eq!(prompt("@millrace").as_deref(), Some(""));
        assert_eq!(prompt("**@millrace** go").as_deref(), Some("go"));
        assert_eq!(prompt("| a |\n|---|\n| x |\n\nétwas @millrace ü").as_deref(), Some("ü"));
    }

    #[test]
    fn what_is_quoted_or_hidden_does_not_count() {
        for text in [
            "> @millrace fix",
            "> deeper\n> > @millrace fix",
            "```\n@millrace fix\n```",
            "    @millrace fix",
            "`@millrace fix`",
            "<!-- @millrace fix -->",
            "text <!-- @millrace fix --> text",
            "<!--\n\n@millrace fix\n\n-->",
            "[@millrace](https://example.com)",
            "![@millrace](x.png)",
            "<a title=\"@millrace fix\">x</a>",
        ] {
            assert_eq!(find(text, "millrace"), None, "{text}");
        }
        assert_eq!(prompt("> @millrace no\n\n@millrace yes").as_deref(), Some("yes"));
    }

    #[test]
    fn other_names_are_no_mention() {
        for text in [
            "@millrace-bot fix",
            "me@millrace.dev",
            "@millrace.dev fix",
            "@millraces fix",
            "@millrace/team fix",
            "@millrace_x",
            "x@millrace fix",
            "a-@millrace",
            "@@millrace fix",
            "\\@millrace fix",
            "millrace fix",
            "@",
            "@millr",
        ] {
            assert_eq!(find(text, "millrace"), None, "{text}");
        }
        assert_eq!(prompt("Over to you, @millrace.").as_deref(), Some(""));
    }

    #[test]
    fn options_come_before_the_prompt() {
        let asked = find("@millrace agent=codex priority=high model=o/x:1 base=release/2 do a=b", "millrace");
        let ask = Ask {
            agent: Some("codex".to_owned()),
            model: Some("o/x:1".to_owned()),
            priority: Some(Priority::High),
            base: Some(BranchName::try_from("release/2".to_owned()).unwrap()),
            prompt: "do a=b".to_owned(),
        };
        assert_eq!(asked, Some(Ok(Mention::Ask(ask))));
        assert_eq!(prompt("@millrace FOO=bar is read twice").as_deref(), Some("FOO=bar is read twice"));
    }

    #[test]
    fn a_wrong_option_is_told_in_words() {
        assert!(mistake("@millrace agnt=codex x").contains("no option `agnt`"));
        assert!(mistake("@millrace priority=urgent x").contains("`urgent` is not one of critical, high"));
        assert!(mistake("@millrace agent= codex x").contains("no value"));
        assert!(mistake("@millrace agent=a agent=b x").contains("twice"));
        for base in ["refs/pull/7/head", "pull/7/head", "a..b", "-x"] {
            assert!(mistake(&format!("@millrace base={base} x")).contains("name of a branch"), "{base}");
        }
    }

    #[test]
    fn a_command_stands_alone_on_its_line() {
        for (text, command) in [
            ("@millrace cancel", Command::Cancel),
            ("@millrace Retry!", Command::Retry),
            ("@millrace status\n\nthanks", Command::Status),
            ("@millrace: help", Command::Help),
        ] {
            assert_eq!(find(text, "millrace"), Some(Ok(Mention::Command(command))), "{text}");
        }
        assert_eq!(
            prompt("@millrace cancel the timer on unmount").as_deref(),
            Some("cancel the timer on unmount")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC*(@millrace)?[`>\\[\\]<!\\-\\n =]*\\PC*") {
            let _ = find(&text, "millrace");
        }
    }
}
