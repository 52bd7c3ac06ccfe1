//! `GET /api/jobs/stream`: every change that this person may see, over one connection.

use std::{sync::Arc, time::Duration};

use app::model::{ApiError, Figures, Lane};
use async_stream::stream;
use axum::{body::Bytes, extract::State, response::Response};
use serde::Serialize;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep_until},
};

use super::{
    admission::{Admission, withdrawn},
    job_stream::{HEARTBEAT_EVERY, event_stream, expired},
    openapi::Refused,
};
use crate::{
    backend::Server,
    db::Visible,
    lifecycle::{Event, visible_to},
    sse,
};

/// Figures follow a change after this long, so that a burst of changes is counted once.
const FIGURES_AFTER: Duration = Duration::from_millis(300);
/// Without a change they are sent this often: runners come and go unannounced.
const FIGURES_EVERY: Duration = Duration::from_secs(10);

/// Follow every job and lane that one may see.
///
/// Events: `job` (a job that was made or changed), `deleted` (the id of one that is gone), `line` (the newest line of a
/// running job), `lane` (a lane that was paused or resumed), `figures` (lanes and figures, after changes
/// and every ten seconds).
#[utoipa::path(
    get,
    path = "/api/jobs/stream",
    tag = "jobs",
    responses(
        (
            status = 200,
            description = "Server-sent events",
            body = String,
            content_type = "text/event-stream"
        ),
        Refused
    )
)]
pub(super) async fn board_stream(State(server): State<Arc<Server>>, admission: Admission) -> Response {
    let visible = visible_to(&admission.person);
    let mut changes = server.feed.subscribe();
    event_stream(
        "board",
        stream! {
            let deadline = Instant::now() + server.config.server.stream;
            let mut figures = Instant::now();
            let mut heartbeat = Instant::now() + HEARTBEAT_EVERY;
            loop {
                tokio::select! {
                    news = changes.recv() => match news {
                        Ok(news) if news.event.is_for(visible) => {
                            yield news.frame.clone();
                            if !matches!(news.event, Event::Line { .. }) {
                                figures = figures.min(Instant::now() + FIGURES_AFTER);
                            }
                        }
                        Ok(_) => {}
                        // Too slow to hear of everything: end here, and the browser begins again with a fresh board.
                        Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                    },
                    () = sleep_until(figures) => {
                        figures = Instant::now() + FIGURES_EVERY;
                        match figures_event(&server, visible).await {
                            Ok(event) => yield event,
                            Err(error) => tracing::debug!(%error, "figures wait"),
                        }
                    }
                    () = sleep_until(heartbeat.min(deadline)) => {
                        if Instant::now() >= deadline {
                            yield expired();
                            return;
                        }
                        if !admission.holds().await {
                            yield withdrawn();
                            return;
                        }
                        yield sse::HEARTBEAT;
                        heartbeat = Instant::now() + HEARTBEAT_EVERY;
                    }
                }
            }
        },
    )
}

#[derive(Serialize)]
struct FiguresEvent {
    lanes: Vec<Lane>,
    figures: Figures,
}

async fn figures_event(server: &Server, visible: Visible) -> Result<Bytes, ApiError> {
    let (lanes, figures) = tokio::try_join!(server.lanes(), server.figures(visible))?;
    Ok(sse::event("figures", &FiguresEvent { lanes, figures }))
}
