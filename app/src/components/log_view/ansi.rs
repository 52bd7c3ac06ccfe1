//! Terminal output as styled text: colours and weights are kept, everything else that steers a terminal is left out.

use std::{iter::Peekable, str::Chars};

/// A colour of the terminal's palette, or an exact one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    #[default]
    Default,
    /// One of the sixteen that the theme chooses.
    Palette(u8),
    Rgb(u8, u8, u8),
}

/// How text looks, as the last escape sequences left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    pub foreground: Color,
    pub background: Color,
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underline: bool,
    pub inverse: bool,
    pub strike: bool,
}

/// A piece of a line in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub text: String,
    pub style: Style,
}

/// Splits a line that starts in `style` into its spans, and says in which style it ends. A progress bar that rewrites its
/// line with `\r` shows what it wrote last.
pub fn parse(line: &str, mut style: Style) -> (Vec<Span>, Style) {
    let mut spans: Vec<Span> = Vec::new();
    let mut rewrite = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\x1b' => escape(&mut letters, &mut style),
            '\r' => rewrite = true,
            '\t' => push(&mut spans, &mut rewrite, letter, style),
            letter if letter.is_control() => {}
            letter => push(&mut spans, &mut rewrite, letter, style),
        }
    }
    (spans, style)
}

/// A line as it is read, without colours.
#[cfg(feature = "ssr")]
pub fn plain_text(line: &str) -> String {
    parse(line, Style::default()).0.into_iter().map(|span| span.text).collect()
}

/// The style in which a line ends that starts in `style`.
pub fn end_style(line: &str, style: Style) -> Style {
    if line.contains('\x1b') { parse(line, style).1 } else { style }
}

fn push(spans: &mut Vec<Span>, rewrite: &mut bool, letter: char, style: Style) {
    if std::mem::take(rewrite) {
        spans.clear();
    }
    match spans.last_mut() {
        Some(span) if span.style == style => span.text.push(letter),
        _ => spans.push(Span { text: letter.into(), style }),
    }
}

/// Reads what follows an escape character. A sequence that the line does not finish takes the rest of the line.
fn escape(letters: &mut Peekable<Chars<'_>>, style: &mut Style) {
    match letters.next() {
        Some('[') => control_sequence(letters, style),
        // Titles, links, images: a string up to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(letter) = letters.next() {
                if letter == '\x07' || (letter == '\x1b' && letters.next_if_eq(&'\\').is_some()) {
                    return;
                }
            }
        }
        // Character sets: one more letter says which.
        Some('(' | ')' | '*' | '+' | '#' | '%') => {
            letters.next();
        }
        _ => {}
    }
}

fn control_sequence(letters: &mut Peekable<Chars<'_>>, style: &mut Style) {
    let mut parameters = String::new();
    for letter in letters {
        match letter {
            '\x20'..='\x3f' => parameters.push(letter),
            'm' => return set(&parameters, style),
            _ => return,
        }
    }
}

/// Applies a “select graphic rendition” sequence.
fn set(parameters: &str, style: &mut Style) {
    // `:` separates the parts of one colour in newer programs, `;` in all others.
    let mut codes = parameters.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
    while let Some(code) = codes.next() {
        match code {
            0 => *style = Style::default(),
            1 => style.bold = true,
            2 => style.dim = true,
            3 => style.italic = true,
            4 => style.underline = true,
            7 => style.inverse = true,
            9 => style.strike = true,
            21 | 22 => (style.bold, style.dim) = (false, false),
            23 => style.italic = false,
            24 => style.underline = false,
            27 => style.inverse = false,
            29 => style.strike = false,
            30..=37 => style.foreground = Color::Palette(code as u8 - 30),
            38 => style.foreground = exact(&mut codes).unwrap_or(style.foreground),
            39 => style.foreground = Color::Default,
            40..=47 => style.background = Color::Palette(code as u8 - 40),
            48 => style.background = exact(&mut codes).unwrap_or(style.background),
            49 => style.background = Color::Default,
            90..=97 => style.foreground = Color::Palette(code as u8 - 82),
            100..=107 => style.background = Color::Palette(code as u8 - 92),
            _ => {}
        }
    }
}

/// The colour after 38 or 48: `5;n` out of 256, or `2;r;g;b`.
fn exact(codes: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let part = |code: u16| u8::try_from(code).unwrap_or(u8::MAX);
    match codes.next()? {
        5 => Some(indexed(part(codes.next()?))),
        2 => Some(Color::Rgb(part(codes.next()?), part(codes.next()?), part(codes.next()?))),
        _ => None,
    }
}

/// A colour of the 256: sixteen of the theme, a cube of six steps, and greys.
fn indexed(index: u8) -> Color {
    let step = |value: u8| if value == 0 { 0 } else { 55 + 40 * value };
    match index {
        0..=15 => Color::Palette(index),
        16..=231 => {
            let cube = index - 16;
            Color::Rgb(step(cube / 36), step(cube / 6 % 6), step(cube % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            Color::Rgb(grey, grey, grey)
        }
    }
}

impl Style {
    /// The classes that show this style; the palette's colours are in the style sheet.
    pub fn classes(&self) -> String {
        let mut classes = String::new();
        let (foreground, background) = self.shown_colors();
        let mut add = |class: &str| {
            if !classes.is_empty() {
                classes.push(' ');
            }
            classes.push_str(class);
        };
        for (on, class) in [
            (self.bold, "bold"),
            (self.dim, "dim"),
            (self.italic, "italic"),
            (self.underline, "underline"),
            (self.strike, "line-through"),
            (self.inverse && foreground == Color::Default, "inverse-text"),
            (self.inverse && background == Color::Default, "inverse-ground"),
        ] {
            if on {
                add(class);
            }
        }
        if let Color::Palette(index) = foreground {
            add(&format!("fg-{index}"));
        }
        if let Color::Palette(index) = background {
            add(&format!("bg-{index}"));
        }
        classes
    }

    /// The exact colours as an inline style, where there are any.
    pub fn inline(&self) -> Option<String> {
        let (foreground, background) = self.shown_colors();
        let mut inline = String::new();
        for (property, color) in [("color", foreground), ("background-color", background)] {
            if let Color::Rgb(red, green, blue) = color {
                inline.push_str(&format!("{property}:#{red:02x}{green:02x}{blue:02x};"));
            }
        }
        Some(inline).filter(|inline| !inline.is_empty())
    }

    fn shown_colors(&self) -> (Color, Color) {
        if self.inverse { (self.background, self.foreground) } else { (self.foreground, self.background) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &str) -> String {
        parse(line, Style::default()).0.into_iter().map(|span| span.text).collect()
    }

    fn only(line: &str) -> Span {
        let (mut spans, _) = parse(line, Style::default());
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }

    #[test]
    fn text_without_escapes_is_one_span() {
        assert_eq!(only("a\tb ü"), Span { text: "a\tb ü".to_owned(), style: Style::default() });
        assert_eq!(parse("", Style::default()).0, []);
    }

    #[test]
    fn each_way_to_name_a_colour_is_understood() {
        for (line, color) in [
            ("\x1b[31mx", Color::Palette(1)),
            ("\x1b[97mx", Color::Palette(15)),
            ("\x1b[38;5;9mx", Color::Palette(9)),
            ("\x1b[38;5;196mx", Color::Rgb(255, 0, 0)),
            ("\x1b[38;5;255mx", Color::Rgb(238, 238, 238)),
            ("\x1b[38;2;1;2;3mx", Color::Rgb(1, 2, 3)),
            ("\x1b[38:2:1:2:3mx", Color::Rgb(1, 2, 3)),
            ("\x1b[31;39mx", Color::Default),
        ] {
            assert_eq!(only(line).style.foreground, color, "{line:?}");
        }
        assert_eq!(only("\x1b[44mx").style.background, Color::Palette(4));
        assert_eq!(only("\x1b[103mx").style.background, Color::Palette(11));
    }

    #[test]
    fn weights_are_set_and_taken_back() {
        let style = only("\x1b[1;2;3;4;7;9mx").style;
        assert!(style.bold && style.dim && style.italic && style.underline && style.inverse && style.strike);
        assert_eq!(only("\x1b[1;2;3;4;7;9m\x1b[22;23;24;27;29mx").style, Style::default());
        assert_eq!(only("\x1b[1m\x1b[mx").style, Style::default());
    }

    #[test]
    fn a_line_goes_on_in_the_style_of_the_line_before() {
        let (_, end) = parse("\x1b[32mgreen", Style::default());
        assert_eq!(parse("still", end).0[0].style.foreground, Color::Palette(2));
        assert_eq!(end_style("\x1b[0m", end), Style::default());
        assert_eq!(end_style("no escape", end), end);
    }

    #[test]
    fn everything_else_that_steers_a_terminal_is_left_out() {
        for line in [
            "a\x1b[2Kb",
            "a\x1b[1;5Hb",
            "a\x1b[?25lb",
            "a\x1b]0;title\x07b",
            "a\x1b]8;;https://example.org\x1b\\b",
            "a\x1bPq#0\x1b\\b",
            "a\x1b(Bb",
            "a\x1b7b",
            "a\x07\x08\x0bb",
            "a\u{9b}b",
        ] {
            assert_eq!(plain(line), "ab", "{line:?}");
        }
    }

    #[test]
    fn a_sequence_that_is_cut_off_takes_no_other_text_with_it() {
        assert_eq!(plain("a\x1b["), "a");
        assert_eq!(plain("a\x1b[38;5"), "a");
        assert_eq!(plain("a\x1b]0;title"), "a");
        assert_eq!(plain("a\x1b"), "a");
        assert_eq!(only("\x1b[38;5mx").style, Style::default());
    }

    #[test]
    fn a_progress_bar_shows_what_it_wrote_last() {
        assert_eq!(plain("10 %\r50 %\r100 %"), "100 %");
        assert_eq!(plain("100 %\r"), "100 %");
        let span = only("\x1b[31m10 %\r\x1b[32m100 %");
        assert_eq!((span.text.as_str(), span.style.foreground), ("100 %", Color::Palette(2)));
    }

    #[test]
    fn inverse_swaps_the_colours() {
        let style = only("\x1b[7;31mx").style;
        assert_eq!(style.classes(), "inverse-text bg-1");
        assert_eq!(only("\x1b[7;38;2;1;2;3mx").style.inline().as_deref(), Some("background-color:#010203;"));
        assert_eq!(only("\x1b[1;92mx").style.classes(), "bold fg-10");
        assert_eq!(Style::default().inline(), None);
    }
}
