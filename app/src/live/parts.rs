//! Pages that the server renders again: elements with `data-part` are taken over from a fresh copy of the page when something
//! has changed, so that what they show needs no code in the browser.

use std::{ops::ControlFlow, time::Duration};

use leptos::{prelude::*, task::spawn_local};
use server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::{Document, DomParser, Element, SupportedType};

use super::{LiveState, StreamEvent, Subscription, ask, form::POSTED, subscribe};
use crate::api::Me;

/// A burst of changes is shown once, this long after its first.
const GENTLY: Duration = Duration::from_millis(1500);

/// Renews the page's parts whenever the jobs' event stream tells of a change.
pub fn follow_parts(state: LiveState) -> Subscription {
    let waiting = StoredValue::new(false);
    let renew = move || {
        if !waiting.get_value() {
            waiting.set_value(true);
            set_timeout(
                move || {
                    waiting.set_value(false);
                    spawn_local(renew_parts());
                },
                GENTLY,
            );
        }
    };
    let read = move |_: StreamEvent<'_>| {
        renew();
        ControlFlow::Continue(())
    };
    let events = &["job", "lane", "deleted", "figures"];
    subscribe(|| "/api/jobs/stream".to_owned(), Me::url().to_owned(), events, state, read)
}

/// Renews them when a form of the page was posted.
pub fn renew_after_forms() {
    // For as long as the page is there.
    window_event_listener_untyped(POSTED, |_| spawn_local(renew_parts()));
}

/// Takes over what has changed in the parts of the page.
pub async fn renew_parts() {
    if document().query_selector("[data-part]").ok().flatten().is_none() {
        return;
    }
    let Ok(address) = location().pathname().and_then(|path| Ok(path + &location().search()?)) else { return };
    // Without an answer the page stays as it is; the connection's drop says how old that may be.
    let Ok(page) = ask(&address).await else { return };
    let fresh = DomParser::new().and_then(|parser| parser.parse_from_string(&page, SupportedType::TextHtml));
    if let Ok(fresh) = fresh {
        take_over(&fresh);
    }
}

fn take_over(fresh: &Document) {
    let Ok(parts) = document().query_selector_all("[data-part]") else { return };
    for part in (0..parts.length()).filter_map(|index| parts.item(index)?.dyn_into::<Element>().ok()) {
        if let Some(renewed) = fresh.get_element_by_id(&part.id())
            && !in_use(&part)
            && part.inner_html() != renewed.inner_html()
        {
            part.set_inner_html(&renewed.inner_html());
        }
    }
}

/// Somebody has a form of it open, or the keyboard in it: it is renewed when they are done.
fn in_use(part: &Element) -> bool {
    let open = part.query_selector("details[open]:not(.diff-file), :focus");
    open.is_ok_and(|open| open.is_some())
}
