//! `millrace pause` and `resume`: the switch of a lane.

use std::io::Write as _;

use app::model::{Kind, Lane, PauseRequest};

use super::{Api, Format, text};

pub async fn pause(api: &Api, kind: Kind, request: &PauseRequest, format: Format) -> anyhow::Result<()> {
    let lane: Lane = api.post(&format!("/api/lanes/{kind}/pause"), request).await?;
    print(&lane, format)
}

pub async fn resume(api: &Api, kind: Kind, format: Format) -> anyhow::Result<()> {
    let lane: Lane = api.post(&format!("/api/lanes/{kind}/resume"), &()).await?;
    print(&lane, format)
}

fn print(lane: &Lane, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(lane)?)?,
        Format::Text => {
            let kind = lane.kind;
            match &lane.pause {
                None => writeln!(out, "The lane {kind} goes on; {} jobs wait in it.", lane.waiting)?,
                Some(pause) => {
                    let until = match pause.until {
                        Some(until) => format!("until {}", text::date(until)),
                        None => format!("until `millrace resume {kind}`"),
                    };
                    writeln!(out, "The lane {kind} is paused {until}. {} jobs go on running.", lane.running)?;
                }
            }
        }
    }
    Ok(())
}
