//! Markdown of agents as HTML. What an agent says is as hostile as what it reads: no HTML of its own, no picture, no link to
//! anything but a web page.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// A longer text is cut: the raw output holds all of it.
const LONGEST: usize = 64 * 1024;

pub fn render(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    // Whether each link that is open leads somewhere.
    let mut links = Vec::new();
    let events = Parser::new_ext(&text[..end], options).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let address = web_address(&dest_url);
            links.push(address.is_some());
            markup(address.map_or_else(String::new, |address| {
                format!("<a href=\"{address}\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">")
            }))
        }
        Event::End(TagEnd::Link) => markup(if links.pop() == Some(true) { "</a>" } else { "" }),
        // Its words stand for it: a picture would tell its server who reads this.
        Event::Start(Tag::Image { .. }) => markup("<em>"),
        Event::End(TagEnd::Image) => markup("</em>"),
        // The page has headings of its own above these.
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        // The language of a fence would become a class.
        Event::Start(Tag::CodeBlock(_)) => markup("<pre tabindex=\"0\"><code>"),
        Event::End(TagEnd::CodeBlock) => markup("</code></pre>"),
        other => other,
    });
    let mut html = String::with_capacity(end * 3 / 2);
    push_html(&mut html, events);
    if end < text.len() {
        html.push_str("<p>…</p>");
    }
    html
}

/// HTML of ours.
fn markup<'a>(html: impl Into<String>) -> Event<'a> {
    Event::InlineHtml(html.into().into())
}

/// The address of a web page, as an attribute takes it.
fn web_address(address: &str) -> Option<String> {
    let scheme = address.split_once("://")?.0.to_ascii_lowercase();
    (scheme == "http" || scheme == "https").then(|| {
        let quoted = [("&", "&amp;"), ("\"", "%22"), ("'", "%27"), ("<", "%3C"), (">", "%3E")];
        quoted.iter().fold(address.to_owned(), |address, (letter, safe)| address.replace(letter, safe))
    })
}

const fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_markdown_is_shown() {
        let html = render("# Done\n\n* **two** `files`\n\n```rust\nlet a = 1 < 2;\n```\n\n|a|\n|-|\n|b|\n");
        assert_eq!(
            html,
            "<h3>Done</h3>\n<ul>\n<li><strong>two</strong> <code>files</code></li>\n</ul>\n\
             <pre tabindex=\"0\"><code>let a = 1 &lt; 2;\n</code></pre>\
             <table><thead><tr><th>a</th></tr></thead><tbody>\n<tr><td>b</td></tr>\n</tbody></table>\n"
        );
    }

    #[test]
    fn html_is_text() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div>\n\n**x**\n\n</div>",
            "<!-- --><svg/onload=alert(1)>",
            "`<b>`",
            "```\"><script>\n</code><script>\n```",
            "<style>*{}</style>",
        ] {
            let html = render(hostile);
            let ours = [
                "<p>",
                "</p>",
                "<strong>",
                "</strong>",
                "<code>",
                "</code>",
                "<pre tabindex=\"0\">",
                "</pre>",
            ];
            let rest = ours.iter().fold(html.clone(), |rest, tag| rest.replace(tag, ""));
            assert!(!rest.contains('<'), "{hostile:?} became {html:?}");
        }
    }

    #[test]
    fn only_links_to_web_pages_are_links() {
        assert_eq!(
            render("[a](https://example.org/?a=1&b=2)"),
            "<p><a href=\"https://example.org/?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">a</a></p>\n"
        );
        for address in
            ["javascript:alert(1)", "JaVaScRiPt://x%0aalert(1)", "data:text/html,x", "/jobs", "//x", "#S1"]
        {
            assert_eq!(render(&format!("[a]({address})")), "<p>a</p>\n", "{address}");
        }
        assert!(!render("[a](<https://x/\" onclick=\"alert(1)>)").contains("\" onclick"));
        assert!(!render("<https://x/'><script>").contains("<script>"));
    }

    #[test]
    fn a_picture_is_its_words() {
        assert_eq!(render("![the *gate*](https://example.org/x.png)"), "<p><em>the <em>gate</em></em></p>\n");
    }

    #[test]
    fn a_text_without_end_is_cut() {
        assert!(render(&"ä".repeat(LONGEST)).len() < LONGEST + 100);
    }
}
