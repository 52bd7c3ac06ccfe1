//! Cancel, retry, copy. Plain forms, so that they work without the WASM.

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};
use server_fn::ServerFn;
use wasm_bindgen::JsCast;
use web_sys::HtmlFormElement;

use super::shown::Shown;
use crate::{
    api::{CancelJob, RetryJob},
    components::{Shape, icon},
    live::post_form,
};

pub fn actions(shown: Shown, copy_address: String) -> impl IntoView {
    let pending = RwSignal::new(false);
    let finished = Memo::new(move |_| shown.job.read().state.is_finished());
    let stopping =
        Memo::new(move |_| !finished.get() && (pending.get() || shown.job.read().cancel_requested));
    let (address, shape) = (
        move || if finished.get() { RetryJob::url() } else { CancelJob::url() },
        move || if finished.get() { Shape::Repeat } else { Shape::Stop },
    );
    let label = move || match (finished.get(), stopping.get() || pending.get()) {
        (true, false) => "Retry",
        (true, true) => "Retrying…",
        (false, false) => "Cancel",
        (false, true) => "Stopping…",
    };
    let post = move |event: SubmitEvent| {
        let Some(form) = event.target().and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else {
            return;
        };
        event.prevent_default();
        pending.set(true);
        spawn_local(async move {
            let answer = post_form(&form).await;
            pending.set(false);
            shown.problem.set(answer.err().map(|error| error.to_string()));
            shown.refresh();
        });
    };

    view! {
        <div class="actions">
            <form method="post" action=address on:submit=post>
                <input type="hidden" name="id" value=shown.id().to_string() />
                <button
                    class="button"
                    data-kind=move || (!finished.get()).then_some("danger")
                    type="submit"
                    disabled=move || pending.get() || stopping.get()
                >
                    {move || icon(shape())}
                    {label}
                </button>
            </form>
            <a class="button" href=copy_address>{icon(Shape::Copy)}"New from this"</a>
        </div>
    }
}
