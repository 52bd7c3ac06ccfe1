//! Cancel, retry, copy, delete. Plain forms, so that they work without the WASM.

use leptos::prelude::*;
use server_fn::ServerFn;

use super::shown::Shown;
use crate::{
    api::{CancelJob, DeleteJob, RetryJob},
    components::{Shape, icon},
};

pub fn actions(shown: Shown, copy_address: String) -> impl IntoView {
    let id = shown.id().to_string();
    let state = move || {
        let job = shown.job.read();
        (job.state.is_finished(), job.cancel_requested)
    };
    let (address, shape) = (
        move || if state().0 { RetryJob::url() } else { CancelJob::url() },
        move || if state().0 { Shape::Repeat } else { Shape::Stop },
    );
    let label = move || match state() {
        (true, _) => "Retry",
        (false, false) => "Cancel",
        (false, true) => "Stopping…",
    };

    view! {
        <div class="actions">
            <form method="post" action=address data-live="">
                <input type="hidden" name="id" value=id.clone() />
                <button
                    class="button"
                    data-kind=move || (!state().0).then_some("danger")
                    type="submit"
                    disabled=move || state() == (false, true)
                >
                    {move || icon(shape())}
                    {label}
                </button>
            </form>
            <a class="button" href=copy_address>{icon(Shape::Copy)}"New from this"</a>
            {delete(id, shown)}
        </div>
    }
}

/// A job that runs has to be canceled first.
fn delete(id: String, shown: Shown) -> impl IntoView {
    view! {
        <details class="menu confirm" hidden=move || !shown.job.read().state.is_finished()>
            <summary class="button" title="Delete">
                {icon(Shape::Trash)}
                <span class="sr-only">"Delete"</span>
            </summary>
            <form class="menu-list menu-form" method="post" action=DeleteJob::url() data-live="">
                <p>"The job, its attempts and all that they printed go for good."</p>
                <input type="hidden" name="id" value=id />
                <button class="button" data-kind="danger" type="submit">"Delete for good"</button>
            </form>
        </details>
    }
}
