//! The rows of a diff. One markup serves both layouts: side by side, each block is a grid of two columns, and a line that both
//! sides have is there a second time, which the unified layout hides.

use leptos::prelude::*;
use server_fn::ServerFn;

use crate::{
    api::DiffRows,
    model::{DiffBlock, DiffRow, FileDiff, JobId, Span, SpanKind},
};

/// The file whose rows they are, by its place in the diff.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub job: JobId,
    pub attempt: u32,
    pub file: u32,
}

/// Rows, and a link to those that follow.
pub fn rows_view(diff: FileDiff, of: Rows) -> impl IntoView {
    let more = (diff.left > 0).then(|| more_link(of, diff.next, diff.left));
    view! {
        {diff.blocks.into_iter().map(block_view).collect_view()}
        {more}
    }
}

/// The same as text, for a page that is there already.
pub fn rows_html(diff: FileDiff, of: Rows) -> String {
    rows_view(diff, of).into_view().to_html()
}

/// Asks for `left` rows from the row `from` on.
pub fn more_link(of: Rows, from: u32, left: u32) -> impl IntoView {
    let Rows { job, attempt, file } = of;
    let load = format!("{}?id={job}&attempt={attempt}&file={file}&from={from}", DiffRows::url());
    let page = format!("/jobs/{job}?attempt={attempt}&tab=changes&file={file}&from={from}#file-{file}");
    let text = match (from, left) {
        (0, 1) => "Show its only line".to_owned(),
        (0, _) => format!("Show its {left} lines"),
        (_, 1) => "Show the last line".to_owned(),
        _ => format!("Show more of the {left} lines that follow"),
    };
    view! { <p class="diff-said"><a class="link" href=page data-load=load>{text}</a></p> }
}

fn block_view(block: DiffBlock) -> impl IntoView {
    let rows = match block {
        DiffBlock::Heading(heading) => {
            let heading = (!heading.is_empty()).then_some(heading);
            return view! { <p class="diff-heading">{heading}</p> }.into_any();
        }
        DiffBlock::Context(rows) => {
            let both = rows.into_iter().map(|row| (row_view("both", row.clone()), row_view("copy", row)));
            both.collect_view().into_any()
        }
        DiffBlock::Change { old, new } => {
            let old = old.into_iter().map(|row| row_view("old", row)).collect_view();
            let new = new.into_iter().map(|row| row_view("new", row)).collect_view();
            (old, new).into_any()
        }
    };
    view! { <div class="diff-block">{rows}</div> }.into_any()
}

/// Numbers are attributes that the style sheet shows, so that whoever selects code gets code.
fn row_view(side: &'static str, row: DiffRow) -> impl IntoView {
    let DiffRow { old, new, spans, unfinished } = row;
    let hidden = (side == "copy").then_some("true");
    let title = unfinished.then_some("The file ends without a line break");
    view! {
        <div class="diff-row" data-side=side aria-hidden=hidden title=title data-unfinished=unfinished.then_some("")>
            <i data-n=old></i>
            <i data-n=new></i>
            <code>{spans.into_iter().map(span_view).collect_view()}</code>
        </div>
    }
}

fn span_view(span: Span) -> impl IntoView {
    match class(span.kind) {
        Some(class) => view! { <span class=class>{span.text}</span> }.into_any(),
        None => span.text.into_any(),
    }
}

const fn class(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Plain => None,
        SpanKind::Comment => Some("code-comment"),
        SpanKind::String => Some("code-string"),
        SpanKind::Constant => Some("code-constant"),
        SpanKind::Function => Some("code-function"),
        SpanKind::Type => Some("code-type"),
        SpanKind::Keyword => Some("code-keyword"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_file_is_text_and_never_markup() {
        let row = |text: &str| DiffRow {
            old: None,
            new: Some(1),
            spans: vec![
                Span { kind: SpanKind::Plain, text: text.to_owned() },
                Span { kind: SpanKind::String, text: text.to_owned() },
            ],
            unfinished: false,
        };
        let rows = Rows { job: JobId::new(), attempt: 1, file: 0 };
        let block =
            DiffBlock::Change { old: Vec::new(), new: vec![row("<img src=x onerror=alert(1)>&amp;")] };
        let heading = DiffBlock::Heading("<b>".to_owned());
        let html = rows_html(FileDiff { blocks: vec![heading, block], left: 2, next: 1 }, rows);
        assert!(!html.contains("<img") && !html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;img") && html.contains("&amp;amp;"), "{html}");
        assert!(html.contains("Show more of the 2 lines"), "{html}");
    }
}
