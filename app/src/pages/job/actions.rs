//! Cancel, retry, copy. Plain forms, so that they work without the WASM.

use leptos::{form::ActionForm, prelude::*};

use super::Shown;
use crate::{
    api::{CancelJob, RetryJob},
    components::{ErrorNotice, Icon, Shape},
    model::ApiError,
};

#[component]
pub fn Actions(shown: Shown, copy_address: String) -> impl IntoView {
    let cancel = ServerAction::<CancelJob>::new();
    let retry = ServerAction::<RetryJob>::new();
    let id = shown.id().to_string();
    let finished = Memo::new(move |_| shown.job.read().state.is_finished());
    let stopping = Memo::new(move |_| cancel.pending().get() || shown.job.read().cancel_requested);
    refresh_after(shown, cancel.value());
    refresh_after(shown, retry.value());

    view! {
        {error_view(cancel.value())}
        {error_view(retry.value())}
        <div class="actions">
            {move || {
                let id = id.clone();
                if finished.get() {
                    view! {
                        <ActionForm action=retry>
                            <input type="hidden" name="id" value=id />
                            <button class="button" type="submit" disabled=retry.pending()>
                                <Icon shape=Shape::Repeat />
                                {move || if retry.pending().get() { "Retrying…" } else { "Retry" }}
                            </button>
                        </ActionForm>
                    }
                    .into_any()
                } else {
                    view! {
                        <ActionForm action=cancel>
                            <input type="hidden" name="id" value=id />
                            <button class="button" data-kind="danger" type="submit" disabled=stopping>
                                <Icon shape=Shape::Stop />
                                {move || if stopping.get() { "Stopping…" } else { "Cancel" }}
                            </button>
                        </ActionForm>
                    }
                    .into_any()
                }
            }}
            <a class="button" href=copy_address><Icon shape=Shape::Copy />"New from this"</a>
        </div>
    }
    .into_any()
}

type Answer = MappedSignal<Option<Result<(), ApiError>>>;

/// The stream of a job that has ended is closed: what a retry did is asked for.
fn refresh_after(shown: Shown, answer: Answer) {
    Effect::new(move |_| {
        if let Some(Ok(())) = answer.get() {
            shown.refresh();
        }
    });
}

fn error_view(answer: Answer) -> impl IntoView {
    move || answer.get().and_then(Result::err).map(|error| view! { <ErrorNotice error /> })
}
