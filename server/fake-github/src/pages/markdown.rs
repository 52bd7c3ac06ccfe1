//! Comments as a person reads them: Markdown without any HTML of its own.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

/// Tags and hidden comments are left out, the words between them stay.
pub(super) fn render(text: &str) -> Markup {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(text, options).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(without_tags(&html).into()),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: harmless(dest_url), title, id })
        }
        event => event,
    });
    let mut rendered = String::new();
    html::push_html(&mut rendered, events);
    PreEscaped(rendered)
}

fn harmless(address: CowStr<'_>) -> CowStr<'_> {
    let known = ["http://", "https://", "/", "#"].iter().any(|start| address.starts_with(start));
    if known { address } else { "#".into() }
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let end = if tag.starts_with("!--") { "-->" } else { ">" };
        rest = tag.split_once(end).map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn no_html_comes_through() {
        let shown =
            render("<!-- mark -->\n**bold** <script>alert(1)</script> [x](javascript:alert(1)) a < b")
                .into_string();
        assert_eq!(shown.trim(), "<p><strong>bold</strong> alert(1) <a href=\"#\">x</a> a &lt; b</p>");
    }
}
