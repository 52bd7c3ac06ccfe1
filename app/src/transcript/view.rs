//! The items of a transcript as HTML.

use std::hash::{DefaultHasher, Hash, Hasher};

use leptos::{either::EitherOf6, prelude::*};

use super::{
    items::{Call, Item, Told, What},
    markdown,
    tool::{Action, Purpose, action},
};
use crate::{
    components::{
        Shape, icon, plain_text,
        time::{duration_text, hour, utc_text},
        words::count_text,
    },
    model::{JobId, Stream, Timestamp, Usage},
};

/// Where a piece stands.
pub struct Place {
    pub job: JobId,
    pub attempt: u32,
    pub after: u64,
    /// It may still change.
    pub is_open: bool,
    pub is_last: bool,
}

/// How much of an output is shown from its start and from its end, in bytes.
const HEAD: usize = 3000;
const TAIL: usize = 1000;

/// A list of the items.
pub fn piece(told: &Told, place: &Place) -> String {
    let mark = |name, is_set| if is_set { name } else { "" };
    let items: String = told.items.iter().map(|item| item_html(item, place)).collect();
    format!(
        "<ol class=\"steps\" data-after=\"{}\"{}{}>{items}</ol>",
        place.after,
        mark(" data-open", place.is_open),
        mark(" data-last", place.is_last)
    )
}

/// What the agent does now, if it still runs, and what it has used up.
pub fn standing(told: &Told, live_since: Option<Timestamp>) -> String {
    let now = live_since.map(|start| {
        let (what, since) = match (told.running(), told.items.last()) {
            (Some(call), _) => {
                let Action { runs, object, .. } = action(&call.tool, &call.input);
                (view! { {runs}" "<code>{object}</code> }.into_any(), call.at)
            }
            (None, Some(Item { what: What::Retry { .. }, at, .. })) => {
                (view! { "Waits for its provider" }.into_any(), *at)
            }
            (None, Some(Item { what: What::Result { .. }, at, .. })) => {
                (view! { "Is done; its work is being looked at" }.into_any(), *at)
            }
            (None, last) => (view! { "Thinks" }.into_any(), last.map_or(start, last_change)),
        };
        view! {
            <span class="now">
                <span class="state" data-state="running">{icon(Shape::Arc)}</span>
                <span class="now-what">{what}</span>
                <span class="now-time" data-since=since.0></span>
            </span>
        }
    });
    view! { {now}{told.usage.map(usage_view)} }.to_html()
}

/// When something last happened to an item.
fn last_change(item: &Item) -> Timestamp {
    match &item.what {
        What::Calls(calls) => {
            calls.iter().filter_map(|call| call.result.as_ref()).map(|result| result.at).max()
        }
        _ => None,
    }
    .unwrap_or(item.at)
}

/// `12,345 tokens read, 9,000 of them cached · 678 written · $0.12`
fn usage_view(usage: Usage) -> impl IntoView {
    let tokens = format!("{} in · {} out", count_text(usage.input_tokens), count_text(usage.output_tokens));
    let exact = format!(
        "{} tokens read, {} of them from the provider's cache; {} written",
        count_text(usage.input_tokens),
        count_text(usage.cached_tokens),
        count_text(usage.output_tokens)
    );
    let cost =
        usage.cost_micros.map(|micros| format!(" · ${}.{:02}", micros / 1_000_000, micros / 10_000 % 100));
    view! { <span class="usage" title=exact><span class="sr-only">"Tokens: "</span>{tokens}{cost}</span> }
}

fn item_html(item: &Item, place: &Place) -> String {
    let Item { seq, at, what } = item;
    let kind = match what {
        What::Message { .. } => "message",
        What::Thought(_) => "thought",
        What::Calls(_) => "call",
        What::Retry { .. } => "retry",
        What::Result { .. } => "result",
        What::Notices { .. } => "notice",
    };
    let inner = view! {
        {body(what, place)}
        <a class="step-link" href=format!("#S{seq}") title=format!("Link to this step of {}", utc_text(*at))>
            <span aria-hidden="true">"#"</span>
            <span class="sr-only">"Link to this step"</span>
        </a>
    }
    .to_html();
    let mut revision = DefaultHasher::new();
    inner.hash(&mut revision);
    let revision = revision.finish();
    format!(
        "<li class=\"step\" id=\"S{seq}\" data-kind=\"{kind}\" data-revision=\"{revision:x}\">{inner}</li>"
    )
}

fn body(what: &What, place: &Place) -> impl IntoView {
    match what {
        What::Message { text, .. } => {
            EitherOf6::A(view! { <div class="markdown" inner_html=markdown::render(text)></div> })
        }
        What::Thought(text) => EitherOf6::B(view! {
            <details class="step-fold">
                <summary><span class="step-what">"Thought"</span><span class="step-object">{first_words(text)}</span></summary>
                <div class="markdown" inner_html=markdown::render(text)></div>
            </details>
        }),
        What::Calls(calls) => EitherOf6::C(calls_view(calls, place)),
        What::Retry { text, again_at } => {
            let again = again_at.map(|at| (" It tries again at ", hour(at), "."));
            EitherOf6::D(
                view! { <p class="step-notice" data-stream="retry">{icon(Shape::Repeat)}<span>{text.clone()}{again}</span></p> },
            )
        }
        What::Result { ok, text, usage } => EitherOf6::E(result_view(*ok, text, *usage)),
        What::Notices { stream, lines } => EitherOf6::F(notices_view(*stream, lines)),
    }
}

fn calls_view(calls: &[Call], place: &Place) -> AnyView {
    let [first, rest @ ..] = calls else { return ().into_any() };
    if rest.is_empty() {
        return call_view(first, place).into_any();
    }
    let Action { purpose, runs, ran, .. } = action(&first.tool, &first.input);
    let is_running = place.is_open && calls.iter().any(|call| call.result.is_none());
    let failed =
        calls.iter().filter(|call| call.result.as_ref().is_some_and(|result| result.failed())).count();
    let what = match purpose {
        Purpose::Other => {
            format!("{} {} {} times", if is_running { runs } else { ran }, first.tool, calls.len())
        }
        _ => format!("{} {} {}", if is_running { runs } else { ran }, calls.len(), purpose.counted()),
    };
    let note = (failed > 0).then(|| format!("{failed} failed"));
    let inner = calls.iter().map(|call| view! { <li>{call_view(call, place)}</li> }).collect_view();
    view! {
        <details class="step-fold" data-state=call_state(is_running, failed > 0)>
            <summary>
                {icon(shape(purpose))}
                <span class="step-what">{what}</span>
                <span class="step-object">{objects(calls)}</span>
                {note.map(|note| view! { <span class="step-note">{note}</span> })}
            </summary>
            <ol class="step-group">{inner}</ol>
        </details>
    }
    .into_any()
}

/// The last parts of what the calls are about.
fn objects(calls: &[Call]) -> String {
    let names = calls.iter().map(|call| {
        let object = action(&call.tool, &call.input).object;
        object.rsplit('/').next().unwrap_or_default().to_owned()
    });
    names.collect::<Vec<_>>().join(", ")
}

fn call_view(call: &Call, place: &Place) -> impl IntoView + use<> {
    let Action { purpose, runs, ran, object } = action(&call.tool, &call.input);
    let is_running = place.is_open && call.result.is_none();
    let note = match &call.result {
        None if is_running => Some("running".to_owned()),
        None => Some("no result".to_owned()),
        Some(result) => match result.exit_code {
            Some(code) if code != 0 => Some(format!("exit code {code}")),
            _ => result.error.then(|| "failed".to_owned()),
        },
    };
    let failed = call.result.as_ref().is_some_and(|result| result.failed());
    let took = call.result.as_ref().map(|result| duration_text(result.at.millis_since(call.at)));
    let raw = |seq: u64| format!("/jobs/{}?attempt={}&view=raw#L{seq}", place.job, place.attempt);
    let output = call.result.as_ref().map(|result| {
        let text = plain(&result.output);
        let shown = excerpt(&text);
        let label = if text.is_empty() { "It gave nothing back." } else { "All of it, raw" };
        view! {
            {(!text.is_empty()).then(|| view! { <pre class="step-output" tabindex="0">{shown}</pre> })}
            <a class="step-raw" href=raw(result.seq)>{label}</a>
        }
    });
    let input_link =
        call.result.is_none().then(|| view! { <a class="step-raw" href=raw(call.seq)>"Raw"</a> });
    view! {
        <details class="step-fold" data-state=call_state(is_running, failed)>
            <summary>
                {icon(shape(purpose))}
                <span class="step-what">{if is_running { runs } else { ran }}</span>
                <code class="step-object">{object}</code>
                {note.map(|note| view! { <span class="step-note">{note}</span> })}
                {took.map(|took| view! { <span class="step-took">{took}</span> })}
            </summary>
            <pre class="step-input" tabindex="0">{excerpt(&input_text(purpose, &call.input))}</pre>
            {output}
            {input_link}
        </details>
    }
}

const fn call_state(is_running: bool, failed: bool) -> Option<&'static str> {
    match (is_running, failed) {
        (true, _) => Some("running"),
        (false, true) => Some("failed"),
        (false, false) => None,
    }
}

const fn shape(purpose: Purpose) -> Shape {
    match purpose {
        Purpose::Shell => Shape::Terminal,
        Purpose::Read => Shape::Board,
        Purpose::Write | Purpose::Edit => Shape::Pencil,
        Purpose::Find => Shape::Search,
        Purpose::Fetch => Shape::Download,
        Purpose::Plan => Shape::Check,
        Purpose::Delegate => Shape::Lanes,
        Purpose::Other => Shape::Bolt,
    }
}

fn result_view(ok: bool, text: &str, usage: Option<Usage>) -> impl IntoView + use<> {
    let (shape, state, heading) = if ok {
        (Shape::Check, "succeeded", "The agent says that it is done")
    } else {
        (Shape::Cross, "failed", "The agent could not finish")
    };
    let text = (!text.trim().is_empty())
        .then(|| view! { <div class="markdown" inner_html=markdown::render(text)></div> });
    view! {
        <div class="step-card" data-state=state>
            <p class="step-card-head"><span class="state" data-state=state>{icon(shape)}</span><strong>{heading}</strong></p>
            {text}
            {usage.map(|usage| view! { <p class="step-card-foot">{usage_view(usage)}</p> })}
        </div>
    }
}

fn notices_view(stream: Stream, lines: &[String]) -> impl IntoView + use<> {
    // A program that complains without end is read in the raw output.
    const MOST: usize = 12;
    let more = lines.len().saturating_sub(MOST);
    let mut shown: Vec<&str> = lines.iter().take(MOST).map(String::as_str).collect();
    let more = format!("… and {more} more lines");
    if lines.len() > MOST {
        shown.push(&more);
    }
    let shape = if stream == Stream::System { Shape::Board } else { Shape::Warning };
    view! { <p class="step-notice" data-stream=stream.as_str()>{icon(shape)}<span>{shown.join("\n")}</span></p> }
}

/// A command as it is; another input with a field a line.
fn input_text(purpose: Purpose, input: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(input).ok();
    let command =
        value.as_ref().filter(|_| purpose == Purpose::Shell).and_then(|value| value.get("command")?.as_str());
    match (command, &value) {
        (Some(command), _) => command.to_owned(),
        (None, Some(value)) => serde_json::to_string_pretty(value).unwrap_or_else(|_| input.to_owned()),
        (None, None) => input.to_owned(),
    }
}

fn plain(text: &str) -> String {
    text.trim_end().lines().map(plain_text).collect::<Vec<_>>().join("\n")
}

/// The start and the end of a long text.
fn excerpt(text: &str) -> String {
    if text.len() <= HEAD + TAIL {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(HEAD)];
    let tail = &text[text.ceil_char_boundary(text.len() - TAIL)..];
    // Whole lines where they are not longer than the excerpt.
    let head = head.rfind('\n').map_or(head, |end| &head[..end]);
    let tail = tail.find('\n').map_or(tail, |start| &tail[start + 1..]);
    format!(
        "{head}\n\n… {} bytes are left out here …\n\n{tail}",
        count_text((text.len() - head.len() - tail.len()) as u64)
    )
}

fn first_words(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.chars().filter(|letter| !"*#`_".contains(*letter)).take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Line, Step, sample},
        transcript::items::read,
    };

    fn told(steps: Vec<Step>) -> Told {
        let lines: Vec<_> = steps
            .into_iter()
            .zip(1..)
            .map(|(step, seq)| Line {
                seq,
                timestamp: Timestamp(seq as i64 * 1000),
                stream: Stream::Stdout,
                line: String::new(),
                continues: false,
                steps: vec![step],
            })
            .collect();
        read(&lines, 0..lines.len())
    }

    fn place() -> Place {
        Place { job: sample::job(1).id, attempt: 1, after: 0, is_open: true, is_last: true }
    }

    fn call(input: &str) -> Step {
        Step::ToolCall { call: "1".to_owned(), tool: "Bash".to_owned(), input: input.to_owned() }
    }

    fn result(exit_code: i32, output: &str) -> Step {
        Step::ToolResult {
            call: "1".to_owned(),
            exit_code: Some(exit_code),
            error: false,
            output: output.to_owned(),
        }
    }

    #[test]
    fn nothing_that_an_agent_wrote_is_markup() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
        let html = piece(
            &told(vec![
                Step::Message { text: hostile.to_owned(), delta: false },
                Step::Thought { text: hostile.to_owned() },
                call(hostile),
                result(0, hostile),
                Step::ToolCall {
                    call: "2".to_owned(),
                    tool: hostile.to_owned(),
                    input: format!("{{\"path\":{hostile:?}}}"),
                },
                Step::Retry { text: hostile.to_owned(), again_at: None },
                Step::Result { ok: false, text: hostile.to_owned() },
            ]),
            &place(),
        );
        assert!(html.matches("alert(1)").count() >= 10);
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }

    #[test]
    fn a_call_says_how_it_stands() {
        let row = |steps| piece(&told(steps), &place());
        let input = r#"{"command":"cargo test"}"#;
        let running = row(vec![call(input)]);
        assert!(running.contains("data-state=\"running\"") && running.contains("Runs"), "{running}");
        let failed = row(vec![call(input), result(101, "")]);
        assert!(failed.contains("data-state=\"failed\"") && failed.contains("exit code 101"), "{failed}");
        let ended = piece(&told(vec![call(input)]), &Place { is_open: false, ..place() });
        assert!(ended.contains("no result"), "{ended}");
    }

    #[test]
    fn an_item_has_another_revision_when_it_changed() {
        let revision = |steps| {
            let html = piece(&told(steps), &place());
            html.split("data-revision=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
        };
        let begun = revision(vec![call("{}")]);
        assert_eq!(begun, revision(vec![call("{}")]));
        assert_ne!(begun, revision(vec![call("{}"), result(0, "")]));
    }

    #[test]
    fn what_happens_now_is_the_call_that_runs() {
        let usage = Usage {
            input_tokens: 12_345,
            output_tokens: 6,
            cost_micros: Some(1_050_000),
            ..Usage::default()
        };
        let told = told(vec![Step::Usage(usage), call(r#"{"command":"cargo test"}"#)]);
        let live = standing(&told, Some(Timestamp(0)));
        assert!(live.contains("cargo test") && live.contains("data-since=\"2000\""), "{live}");
        assert!(live.contains("12,345 in · 6 out") && live.contains("$1.05"), "{live}");
        assert!(!standing(&told, None).contains("cargo test"));
    }

    #[test]
    fn a_long_output_shows_its_start_and_its_end() {
        let text = (0..5000).map(|number| format!("line {number}\n")).collect::<String>();
        let shown = excerpt(&text);
        assert!(shown.starts_with("line 0\n") && shown.ends_with("line 4999\n") && shown.len() < 5000);
        assert_eq!(excerpt("ä"), "ä");
    }
}
