//! The ledger of webhooks: what GitHub told, what came of it, and a button that has it worked on anew.

use leptos::{either::Either, prelude::*};
use leptos_meta::Title;
use leptos_router::{hooks::use_query_map, params::ParamsMap};
use server_fn::ServerFn;

use super::error::ErrorPage;
use crate::{
    api::{self, ReplayDelivery},
    backend,
    components::{LiveParts, Shape, icon, time::moment},
    model::{
        ApiError, Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage, Timestamp, Verdict,
    },
};

/// How much of a payload is shown, in bytes; the API has all of it.
const SHOWN: usize = 64 << 10;

/// What the address says: which deliveries, and which of them is open.
struct Asked {
    filter: DeliveryFilter,
    open: Option<DeliveryId>,
}

impl Asked {
    fn read(query: &ParamsMap) -> Self {
        let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
        let filter = DeliveryFilter {
            verdict: query.get_str("verdict").and_then(|word| word.parse().ok()),
            q: given("q"),
            cursor: given("cursor"),
            limit: None,
        };
        Self { filter, open: query.get_str("open").and_then(|id| id.parse().ok()) }
    }
}

#[component]
pub fn DeliveriesPage() -> impl IntoView {
    let asked = use_query_map().with_untracked(Asked::read);
    view! {
        <Title text="Deliveries" />
        <Suspense>
            {Suspend::new(async move {
                match load(&asked).await {
                    Ok((page, open)) => show(asked.filter, page, open).into_any(),
                    Err(error) => {
                        let title = match error {
                            ApiError::Forbidden(_) => "The deliveries are for owners",
                            _ => "The deliveries cannot be shown",
                        };
                        view! { <ErrorPage title error /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
}

async fn load(asked: &Asked) -> Result<(DeliveryPage, Option<DeliveryDetail>), ApiError> {
    let page = api::deliveries(asked.filter.clone()).await?;
    let open = match asked.open {
        Some(id) => api::delivery(id).await.ok(),
        None => None,
    };
    Ok((page, open))
}

fn show(filter: DeliveryFilter, page: DeliveryPage, open: Option<DeliveryDetail>) -> impl IntoView {
    let now = backend::now();
    let list = if page.deliveries.is_empty() {
        Either::Left(empty(&filter))
    } else {
        let rows = page.deliveries.into_iter().map(|delivery| {
            let payload = open.as_ref().filter(|open| open.delivery.id == delivery.id);
            row(delivery, payload.map(|open| open.payload.as_str()), &filter, now)
        });
        Either::Right(view! { <ul class="panel-rows">{rows.collect_view()}</ul> })
    };
    let older = page.next.map(|next| DeliveryFilter { cursor: Some(next), ..filter.clone() }.address(None));
    let heading = if filter.cursor.is_some() { "Earlier deliveries" } else { "Latest first" };
    view! {
        <div class="page">
            <header class="page-head">
                <h1>"Deliveries"</h1>
                <p>"What GitHub told Millrace, and what came of it."</p>
            </header>
            {filters(&filter)}
            <section class="panel" id="deliveries" data-part="" tabindex="-1" aria-labelledby="deliveries-title">
                <header class="panel-head">
                    <h2 id="deliveries-title">{heading}</h2>
                    {filter.cursor.is_some().then(|| view! { <a class="link" href=latest(&filter)>"Back to the latest"</a> })}
                </header>
                {list}
                {older.map(|address| view! { <p class="panel-foot"><a class="button" href=address>"Earlier ones"</a></p> })}
            </section>
        </div>
        <LiveParts />
    }
}

fn latest(filter: &DeliveryFilter) -> String {
    DeliveryFilter { cursor: None, ..filter.clone() }.address(None)
}

fn empty(filter: &DeliveryFilter) -> impl IntoView + use<> {
    if filter.verdict.is_some() || filter.q.is_some() || filter.cursor.is_some() {
        return Either::Left(view! {
            <p class="panel-empty">
                "Nothing fits. " <a class="link" href="/deliveries">"Show all deliveries"</a>
            </p>
        });
    }
    Either::Right(view! {
        <div class="panel-empty">
            <p>
                "GitHub has told nothing yet. Connect it on the "
                <a class="link" href="/settings">"settings page"</a>
                ", and everything that it tells is listed here, also what Millrace does nothing about."
            </p>
            <p class="mt-2">
                "Without a GitHub App: point a webhook with the content type application/json to "
                <code>"/webhooks/github"</code>
                " here, and give its secret as "
                <code>"webhook_secret"</code>
                " and a token as "
                <code>"token"</code>
                " under [github] in Leptos.toml."
            </p>
        </div>
    })
}

fn filters(filter: &DeliveryFilter) -> impl IntoView + use<> {
    let option = |verdict: Verdict| {
        view! { <option value=verdict.as_str() selected=filter.verdict == Some(verdict)>{name(Some(verdict))}</option> }
    };
    view! {
        <form class="delivery-filters" method="get" action="/deliveries" role="search">
            <span class="filter-text">
                {icon(Shape::Search)}
                <input
                    type="search"
                    name="q"
                    aria-label="Repository, number, person, event or reason"
                    placeholder="Repository, #12, person, event or reason"
                    autocomplete="off"
                    value=filter.q.clone()
                />
            </span>
            <select name="verdict" aria-label="What came of it">
                <option value="">"Whatever came of it"</option>
                {Verdict::ALL.iter().copied().map(option).collect_view()}
            </select>
            <button class="button" type="submit">"Search"</button>
        </form>
    }
}

fn row(
    delivery: Delivery,
    payload: Option<&str>,
    filter: &DeliveryFilter,
    now: Timestamp,
) -> impl IntoView + use<> {
    let is_open = payload.is_some();
    let toggle = filter.address(Some(delivery.id).filter(|_| !is_open));
    let anchor = format!("delivery-{}", delivery.id);
    let toggle = format!("{toggle}#{anchor}");
    let (shape, state) = sign(delivery.verdict);
    let about = about(&delivery);
    let can_be_replayed = delivery.can_be_replayed();
    view! {
        <li class="delivery" id=anchor>
            <span class="state" data-state=state>{icon(shape)}</span>
            <div class="min-w-0">
                <p>
                    <strong>{name(delivery.verdict)}</strong> " "
                    <span class="text-soft">{about}</span>
                </p>
                {delivery.detail.map(|detail| view! { <p class="delivery-detail">{detail}</p> })}
                <p class="hint">
                    {moment(delivery.received_at, now)}
                    {delivery.sender.map(|sender| format!(", by {sender}"))}
                    {(delivery.seen > 1).then(|| format!(", came {} times", delivery.seen))}
                    {(delivery.replays > 0).then(|| format!(", replayed {}", times(delivery.replays)))}
                    {delivery.job.map(|job| view! { ", " <a class="link" href=format!("/jobs/{job}")>"job " {job.short()}</a> })}
                </p>
            </div>
            <div class="delivery-actions">
                <a class="button" href=toggle>{if is_open { "Hide payload" } else { "Payload" }}</a>
                {can_be_replayed.then(|| replay(delivery.id))}
            </div>
            {payload.map(|payload| shown(delivery.id, payload))}
        </li>
    }
}

fn replay(id: DeliveryId) -> impl IntoView {
    view! {
        <form method="post" action=ReplayDelivery::url() data-live="">
            <input type="hidden" name="id" value=id.to_string() />
            <button class="button" type="submit" title="Work on it anew; it may make another job">
                {icon(Shape::Repeat)}
                "Replay"
            </button>
        </form>
    }
}

fn shown(id: DeliveryId, payload: &str) -> impl IntoView + use<> {
    let pretty = serde_json::from_str::<serde_json::Value>(payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| payload.to_owned());
    let cut = pretty.floor_char_boundary(SHOWN);
    let is_cut = cut < pretty.len();
    view! {
        <div class="delivery-payload">
            <p class="hint">
                {is_cut.then_some("The beginning of it. ")}
                <a class="link" href=format!("/api/deliveries/{id}")>"All of it as JSON"</a>
            </p>
            <pre tabindex="0">{pretty[..cut].to_owned()}</pre>
        </div>
    }
}

/// What it tells of: `issue comment created in ada/orchard #7`.
fn about(delivery: &Delivery) -> String {
    let event = delivery.event.replace('_', " ");
    let action =
        delivery.action.as_deref().map(|action| format!(" {}", action.replace('_', " "))).unwrap_or_default();
    let place = delivery.repository.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
    let number = delivery.number.map(|number| format!(" #{number}")).unwrap_or_default();
    format!("{event}{action}{place}{number}")
}

/// What came of it, in words.
const fn name(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        None => "Waits",
        Some(Verdict::Ran) => "Made a job",
        Some(Verdict::Answered) => "Answered",
        Some(Verdict::Duplicate) => "Duplicate",
        Some(Verdict::NotForUs) => "Not for us",
        Some(Verdict::NotAllowed) => "Not allowed",
        Some(Verdict::LoopGuard) => "Stopped by the loop guard",
        Some(Verdict::RateLimited) => "Rate limited by GitHub",
        Some(Verdict::BadSignature) => "Bad signature",
        Some(Verdict::Error) => "Error",
    }
}

/// Its shape, and the state whose colour it has.
const fn sign(verdict: Option<Verdict>) -> (Shape, &'static str) {
    match verdict {
        None => (Shape::Ring, "queued"),
        Some(Verdict::Ran | Verdict::Answered) => (Shape::Check, "succeeded"),
        Some(Verdict::Duplicate) => (Shape::Copy, "canceled"),
        Some(Verdict::NotForUs) => (Shape::Slash, "canceled"),
        Some(Verdict::NotAllowed | Verdict::BadSignature | Verdict::Error) => (Shape::Cross, "failed"),
        Some(Verdict::LoopGuard | Verdict::RateLimited) => (Shape::Pause, "parked"),
    }
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId::new(),
            event: "issue_comment".to_owned(),
            action: Some("created".to_owned()),
            repository: Some("ada/orchard".to_owned()),
            number: Some(7),
            sender: None,
            received_at: Timestamp(0),
            verdict: None,
            detail: None,
            job: None,
            worked_at: None,
            seen: 1,
            tries: 0,
            replays: 0,
        }
    }

    #[test]
    fn a_delivery_is_told_in_words() {
        assert_eq!(about(&delivery()), "issue comment created in ada/orchard #7");
        let ping =
            Delivery { event: "ping".to_owned(), action: None, repository: None, number: None, ..delivery() };
        assert_eq!(about(&ping), "ping");
    }

    #[test]
    fn every_verdict_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> =
            Verdict::ALL.iter().map(|verdict| name(Some(*verdict))).collect();
        assert_eq!(names.len(), Verdict::ALL.len());
    }
}
