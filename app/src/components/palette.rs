//! The command palette: go to a job, or do what is done often, without leaving the keyboard.

use leptos::{ev::KeyboardEvent, html, prelude::*, task::spawn_local};
use server_fn::ServerFn;
use web_sys::{ScrollIntoViewOptions, ScrollLogicalPosition};

use super::{
    Shape, icon,
    overlays::{Overlay, go_to, is_backdrop, show_while, toggle_theme},
    state::job_icon,
    words::repository_name,
};
use crate::{
    api::ReadBoard,
    live::ask,
    model::{Board, Job, JobFilter, JobId, Role},
};

/// How many jobs are offered at once.
const JOBS_OFFERED: usize = 8;

/// Something that the palette offers.
#[derive(Clone, Debug, PartialEq)]
enum Offer {
    Page {
        address: &'static str,
        label: &'static str,
        shape: Shape,
    },
    Theme,
    Shortcuts,
    Job(Box<Job>),
    /// A job that is not loaded, by its id or by the end of it.
    JobById(String),
}

const PAGES: [Offer; 7] = [
    Offer::Page { address: "/new", label: "New job", shape: Shape::Plus },
    Offer::Page { address: "/", label: "Board", shape: Shape::Board },
    Offer::Page { address: "/lanes", label: "Lanes: pause, resume, clean up", shape: Shape::Lanes },
    // To a field in a closed form: a browser opens the form and puts the cursor there.
    Offer::Page { address: "/lanes#reason-agent", label: "Pause the agent lane", shape: Shape::Pause },
    Offer::Page { address: "/lanes#reason-command", label: "Pause the command lane", shape: Shape::Pause },
    Offer::Page { address: "/deliveries", label: "Deliveries: what GitHub told", shape: Shape::Inbox },
    Offer::Page { address: "/settings", label: "Settings: tokens and schedules", shape: Shape::Sliders },
];

impl Offer {
    fn label(&self) -> String {
        match self {
            Self::Page { label, .. } => (*label).to_owned(),
            Self::Theme => "Switch between light and dark".to_owned(),
            Self::Shortcuts => "Shortcuts".to_owned(),
            Self::Job(job) => job.title.clone(),
            Self::JobById(id) => format!("Go to job {id}"),
        }
    }

    fn is_for(&self, role: Role) -> bool {
        match self {
            Self::Page { address, .. } => role.may_open(address),
            _ => true,
        }
    }
}

/// What is offered to such a person for what was typed: commands whose label holds it, then jobs by title, repository or id.
fn offers(typed: &str, jobs: &[Job], role: Role) -> Vec<Offer> {
    let typed = typed.trim().to_lowercase();
    let filter = JobFilter { q: Some(typed.clone()), ..JobFilter::default() };
    let by_id = |job: &Job| typed.len() >= 4 && job.id.to_string().contains(&typed);
    let mut offers: Vec<_> = PAGES
        .into_iter()
        .chain([Offer::Theme, Offer::Shortcuts])
        .filter(|offer| offer.is_for(role) && offer.label().to_lowercase().contains(&typed))
        .collect();
    let known = jobs.iter().filter(|job| filter.admits(job) || by_id(job)).take(JOBS_OFFERED);
    offers.extend(known.map(|job| Offer::Job(Box::new(job.clone()))));
    let is_id = JobId::is_short(&typed) || typed.parse::<JobId>().is_ok();
    if is_id && !jobs.iter().any(|job| job.id.to_string().ends_with(&typed)) {
        offers.push(Offer::JobById(typed));
    }
    offers
}

/// What is typed, what is offered for it, and which of that is chosen.
#[derive(Clone, Copy)]
struct Search {
    overlay: RwSignal<Option<Overlay>>,
    typed: RwSignal<String>,
    jobs: RwSignal<Vec<Job>>,
    offered: Memo<Vec<Offer>>,
    chosen: RwSignal<usize>,
}

impl Search {
    fn new(overlay: RwSignal<Option<Overlay>>, role: Role) -> Self {
        let (typed, jobs) = (RwSignal::new(String::new()), RwSignal::new(Vec::new()));
        let offered = Memo::new(move |_| jobs.with(|jobs| offers(&typed.read(), jobs, role)));
        Self { overlay, typed, jobs, offered, chosen: RwSignal::new(0) }
    }

    /// Starts from nothing typed, with the jobs of the board.
    fn begin(self) {
        self.type_in(String::new());
        spawn_local(async move {
            // Without an answer the palette still has its commands.
            if let Ok(answer) = ask(ReadBoard::url()).await
                && let Ok(board) = serde_json::from_str::<Board>(&answer)
            {
                self.jobs.set([board.running, board.waiting, board.finished].concat());
            }
        });
    }

    fn type_in(self, typed: String) {
        self.typed.set(typed);
        self.chosen.set(0);
    }

    fn on_key(self, event: &KeyboardEvent) {
        let count = self.offered.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => self.chosen.update(|index| *index = (*index + 1) % count),
            "ArrowUp" => self.chosen.update(|index| *index = (*index + count - 1) % count),
            "Enter" => self.run(self.chosen.get_untracked()),
            _ => return,
        }
        event.prevent_default();
    }

    /// Does what was offered.
    fn run(self, index: usize) {
        let Some(offer) = self.offered.with_untracked(|offers| offers.get(index).cloned()) else { return };
        self.overlay.set(None);
        match offer {
            Offer::Page { address, .. } => go_to(address),
            Offer::Theme => toggle_theme(),
            Offer::Shortcuts => self.overlay.set(Some(Overlay::Shortcuts)),
            Offer::Job(job) => go_to(&format!("/jobs/{}", job.id)),
            Offer::JobById(id) => go_to(&format!("/jobs/{id}")),
        }
    }
}

pub fn palette(overlay: RwSignal<Option<Overlay>>, role: Role) -> impl IntoView {
    let (dialog, input) = (NodeRef::new(), NodeRef::<html::Input>::new());
    let search = Search::new(overlay, role);
    show_while(dialog, overlay, Overlay::Palette);
    Effect::new(move |_| {
        if overlay.get() == Some(Overlay::Palette) {
            search.begin();
            if let Some(input) = input.get_untracked() {
                input.set_value("");
            }
        }
    });
    Effect::new(move |_| show_offer(search.chosen.get()));

    view! {
        <dialog
            class="overlay palette"
            aria-label="Search or go to"
            node_ref=dialog
            on:close=move |_| if overlay.get_untracked() == Some(Overlay::Palette) { overlay.set(None) }
            on:click=move |event| if is_backdrop(&event) { overlay.set(None) }
        >
            <div class="overlay-body">
                <label class="palette-input">
                    {icon(Shape::Search)}
                    <input
                        type="text"
                        role="combobox"
                        aria-expanded="true"
                        aria-controls="palette-offers"
                        aria-label="A command, or a job's title, repository or id"
                        aria-activedescendant=move || format!("offer-{}", search.chosen.get())
                        placeholder="A command, or a job's title, repository or id"
                        autocomplete="off"
                        spellcheck="false"
                        node_ref=input
                        on:input=move |event| search.type_in(event_target_value(&event))
                        on:keydown=move |event| search.on_key(&event)
                    />
                </label>
                <ul id="palette-offers" role="listbox" aria-label="Offers">{move || offer_list(search)}</ul>
                <p class="palette-empty" hidden=move || !search.offered.read().is_empty()>
                    "Nothing here is called that."
                </p>
            </div>
        </dialog>
    }
}

/// Brings the chosen offer into view: there may be more than the list has room for.
fn show_offer(index: usize) {
    if let Some(row) = document().get_element_by_id(&format!("offer-{index}")) {
        let options = ScrollIntoViewOptions::new();
        options.set_block(ScrollLogicalPosition::Nearest);
        row.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

fn offer_list(search: Search) -> impl IntoView {
    let row = |(index, offer): (usize, &Offer)| {
        view! {
            <li
                id=format!("offer-{index}")
                role="option"
                aria-selected=move || if search.chosen.get() == index { "true" } else { "false" }
                on:click=move |_| search.run(index)
            >
                {offer_view(offer)}
            </li>
        }
    };
    search.offered.with(|offers| offers.iter().enumerate().map(row).collect_view())
}

fn offer_view(offer: &Offer) -> impl IntoView + use<> {
    let (job, shape, detail) = match offer {
        Offer::Page { shape, .. } => (None, Some(*shape), None),
        Offer::Theme => (None, Some(Shape::Moon), None),
        Offer::Shortcuts => (None, Some(Shape::Keyboard), None),
        Offer::JobById(_) => (None, Some(Shape::Terminal), None),
        Offer::Job(job) => {
            (Some(job), None, Some(format!("{} {}", repository_name(&job.repository), job.id.short())))
        }
    };
    view! {
        {shape.map(icon)}
        {job.map(|job| job_icon(job))}
        <span class="truncate">{offer.label()}</span>
        {detail.map(|detail| view! { <span class="offer-detail">{detail}</span> })}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample;

    #[test]
    fn nothing_typed_offers_every_command_and_the_newest_jobs() {
        let jobs: Vec<_> = (0..20).map(sample::job).collect();
        let offers = offers("", &jobs, Role::Owner);
        assert_eq!(offers.len(), PAGES.len() + 2 + JOBS_OFFERED);
        assert_eq!(offers[0], PAGES[0]);
    }

    #[test]
    fn pages_for_owners_are_offered_to_owners_alone() {
        assert_eq!(offers("lane", &[], Role::Owner).len(), 3);
        assert!(offers("lane", &[], Role::Member).is_empty());
        assert!(offers("github", &[], Role::Member).is_empty());
    }

    #[test]
    fn a_job_is_found_by_its_words_and_by_its_id() {
        let jobs = [sample::job(0xabcd), sample::job(2)];
        assert_eq!(offers("cargo project", &jobs, Role::Member).len(), 2);
        assert_eq!(offers("abcd", &jobs, Role::Member), [Offer::Job(Box::new(jobs[0].clone()))]);
    }

    #[test]
    fn a_whole_id_that_is_not_loaded_can_be_gone_to() {
        let id = sample::job(7).id.to_string();
        assert_eq!(offers(&id, &[], Role::Member), [Offer::JobById(id.clone())]);
    }

    #[test]
    fn the_end_of_an_id_leads_to_a_job_that_is_not_loaded() {
        let jobs = [sample::job(0xabcd)];
        assert_eq!(offers(" 00C0FFEE ", &jobs, Role::Member), [Offer::JobById("00c0ffee".to_owned())]);
        assert_eq!(offers(&jobs[0].id.short(), &jobs, Role::Member), [Offer::Job(Box::new(jobs[0].clone()))]);
    }
}
