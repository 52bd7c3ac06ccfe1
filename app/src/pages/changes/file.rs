//! One file of a diff.

use leptos::prelude::*;

use super::rows::{Rows, more_link, rows_view};
use crate::{
    components::copy::copy_button,
    model::{ChangedFile, DiffFile, FileStatus},
};

pub fn file_view(file: DiffFile, rows: Rows) -> impl IntoView {
    let DiffFile { file, rows: count, shown } = file;
    let index = rows.file;
    let body = match shown {
        _ if file.binary => said("No text: a diff of it cannot be shown."),
        _ if count == 0 => said(without_rows(&file)),
        Some(shown) => rows_view(shown, rows).into_any(),
        None => more_link(rows, 0, count).into_any(),
    };
    let old = file.old_path.clone().map(|old| view! { <span class="diff-old">{old} " → "</span> });
    view! {
        <details class="diff-file" id=format!("file-{index}") open="">
            <summary>
                <span class="diff-status" data-status=file.status.as_str() title=status_name(file.status)>
                    {letter(file.status)}
                </span>
                <span class="diff-path"><bdi>{old}<span id=format!("path-{index}")>{file.path.clone()}</span></bdi></span>
                {copy_button(format!("path-{index}"))}
                <span class="added">{format!("+{}", file.additions)}</span>
                <span class="removed">{format!("−{}", file.deletions)}</span>
            </summary>
            <div class="diff">{body}</div>
        </details>
    }
}

fn said(text: &'static str) -> AnyView {
    view! { <p class="diff-said">{text}</p> }.into_any()
}

fn without_rows(file: &ChangedFile) -> &'static str {
    match file.status {
        FileStatus::Added => "An empty file.",
        FileStatus::Deleted => "It was an empty file.",
        FileStatus::Renamed => "Renamed, with the same content.",
        FileStatus::Modified => "Only its mode was changed.",
    }
}

const fn letter(status: FileStatus) -> &'static str {
    match status {
        FileStatus::Added => "A",
        FileStatus::Modified => "M",
        FileStatus::Renamed => "R",
        FileStatus::Deleted => "D",
    }
}

const fn status_name(status: FileStatus) -> &'static str {
    match status {
        FileStatus::Added => "Added",
        FileStatus::Modified => "Modified",
        FileStatus::Renamed => "Renamed",
        FileStatus::Deleted => "Deleted",
    }
}
