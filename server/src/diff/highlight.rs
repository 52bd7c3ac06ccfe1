//! Colours for the lines of a diff. A hunk begins in the middle of a file, so what began before it, such as a comment of many
//! lines, is not known; within a hunk each side is read as what it is, one text.

use std::{path::Path, sync::LazyLock};

use app::model::{Span, SpanKind};
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// Longer lines are made by programs, and nobody reads them for their colours.
const LONGEST_LINE: usize = 1000;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(two_face::syntax::extra_newlines);

/// What each scope of a grammar is shown as; of several that fit a place the innermost decides.
static KINDS: LazyLock<Vec<(Scope, SpanKind)>> = LazyLock::new(|| {
    let kinds = [
        ("comment", SpanKind::Comment),
        ("string", SpanKind::String),
        ("constant", SpanKind::Constant),
        ("entity.name.function", SpanKind::Function),
        ("support.function", SpanKind::Function),
        ("variable.function", SpanKind::Function),
        ("support.macro", SpanKind::Function),
        ("entity.name.tag", SpanKind::Keyword),
        ("entity.other.attribute-name", SpanKind::Type),
        ("entity.name", SpanKind::Type),
        ("support.type", SpanKind::Type),
        ("support.class", SpanKind::Type),
        ("storage", SpanKind::Keyword),
        ("keyword.operator", SpanKind::Plain),
        ("keyword", SpanKind::Keyword),
        ("markup.heading", SpanKind::Keyword),
        ("markup.raw", SpanKind::String),
    ];
    kinds.into_iter().filter_map(|(scope, kind)| Some((Scope::new(scope).ok()?, kind))).collect()
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Old,
    New,
    /// Both have this line.
    Both,
}

/// Reads the lines of a hunk, in order.
pub struct Colours {
    old: Text,
    new: Text,
}

impl Colours {
    /// `None` for a file whose language is not known.
    pub fn of(path: &str) -> Option<Self> {
        let text = Text::new(syntax_of(path)?);
        Some(Self { old: text.clone(), new: text })
    }

    /// The line as spans; the text of all of them together is the line's.
    pub fn line(&mut self, side: Side, line: &str) -> Vec<Span> {
        if line.len() > LONGEST_LINE {
            return vec![Span { kind: SpanKind::Plain, text: line.to_owned() }];
        }
        match side {
            Side::Old => self.old.line(line),
            Side::New => self.new.line(line),
            Side::Both => {
                self.old.line(line);
                self.new.line(line)
            }
        }
    }
}

fn syntax_of(path: &str) -> Option<&'static SyntaxReference> {
    let path = Path::new(path);
    let name = path.file_name()?.to_str()?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or(name);
    SYNTAXES.find_syntax_by_extension(name).or_else(|| SYNTAXES.find_syntax_by_extension(extension))
}

/// One side, as far as it was read.
#[derive(Clone)]
struct Text {
    state: ParseState,
    scopes: ScopeStack,
}

impl Text {
    fn new(syntax: &SyntaxReference) -> Self {
        Self { state: ParseState::new(syntax), scopes: ScopeStack::new() }
    }

    fn line(&mut self, line: &str) -> Vec<Span> {
        let ended = format!("{line}\n");
        // A grammar that does not get along with a line leaves it without colours.
        let changes = self.state.parse_line(&ended, &SYNTAXES).unwrap_or_default();
        let mut spans: Vec<Span> = Vec::new();
        let mut from = 0;
        for (at, change) in &changes {
            let at = (*at).min(line.len());
            push(&mut spans, kind_of(&self.scopes), &line[from..at]);
            from = at;
            if self.scopes.apply(change).is_err() {
                break;
            }
        }
        push(&mut spans, kind_of(&self.scopes), &line[from..]);
        spans
    }
}

/// Neighbours of one kind are one span.
fn push(spans: &mut Vec<Span>, kind: SpanKind, text: &str) {
    match spans.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.kind == kind => last.text.push_str(text),
        _ => spans.push(Span { kind, text: text.to_owned() }),
    }
}

fn kind_of(scopes: &ScopeStack) -> SpanKind {
    let of =
        |scope: &Scope| KINDS.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, kind)| *kind);
    scopes.as_slice().iter().rev().find_map(of).unwrap_or(SpanKind::Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(spans: &[Span]) -> Vec<(SpanKind, &str)> {
        spans
            .iter()
            .filter(|span| span.kind != SpanKind::Plain)
            .map(|span| (span.kind, &*span.text))
            .collect()
    }

    #[test]
    fn a_line_has_colours_by_the_name_of_its_file() {
        let spans = Colours::of("src/main.rs").unwrap().line(Side::New, "let x = \"a\"; // b");
        assert_eq!(
            kinds(&spans),
            [(SpanKind::Keyword, "let"), (SpanKind::String, "\"a\""), (SpanKind::Comment, "// b")]
        );
        assert_eq!(spans.iter().map(|span| span.text.as_str()).collect::<String>(), "let x = \"a\"; // b");
        assert!(Colours::of("a/file.unheard-of").is_none());
        for path in ["Cargo.toml", "app.tsx", "Dockerfile", "Makefile", "a.yml", "b.py", "c.go"] {
            assert!(Colours::of(path).is_some(), "{path}");
        }
    }

    #[test]
    fn each_side_is_a_text_of_its_own() {
        let mut colours = Colours::of("a.rs").unwrap();
        colours.line(Side::Old, "/* begins");
        assert_eq!(kinds(&colours.line(Side::New, "let x;")), [(SpanKind::Keyword, "let")]);
        assert_eq!(kinds(&colours.line(Side::Old, "let x;")), [(SpanKind::Comment, "let x;")]);
    }

    #[test]
    fn no_character_of_a_line_is_lost() {
        let mut colours = Colours::of("a.ts").unwrap();
        for line in ["", "\t", "const ü = `${a}`", "}}}}))))", "\"unfinished", &"x".repeat(5000)] {
            let text: String = colours.line(Side::Both, line).into_iter().map(|span| span.text).collect();
            assert_eq!(text, line);
        }
    }
}
