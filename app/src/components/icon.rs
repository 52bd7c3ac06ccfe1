//! The icons: one path each on a 16 pixel grid, drawn with a stroke.

use leptos::prelude::*;

/// What an icon shows. States come first: each differs in its shape, not only in its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Clock,
    Ring,
    Arc,
    Check,
    Close,
    Cross,
    Slash,
    Pause,
    Dash,
    Board,
    Bolt,
    Copy,
    Down,
    Download,
    Exit,
    Expand,
    Inbox,
    Keyboard,
    Lanes,
    Moon,
    Pencil,
    Play,
    Plus,
    Repeat,
    Search,
    Sliders,
    Stop,
    Terminal,
    Trash,
    Up,
    Warning,
    Wrap,
}

impl Shape {
    const fn path(self) -> &'static str {
        match self {
            Self::Clock => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.75V8l2.25 1.5",
            Self::Ring => "M8 2.75a5.25 5.25 0 1 1 0 10.5a5.25 5.25 0 0 1 0-10.5",
            Self::Arc => "M8 2a6 6 0 1 1-6 6M8 8h.01",
            Self::Check => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M5.4 8.2l1.8 1.8l3.4-3.8",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Cross => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M6 6l4 4M10 6l-4 4",
            Self::Slash => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M3.8 12.2l8.4-8.4",
            Self::Pause => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M6.5 6v4M9.5 6v4",
            Self::Dash => "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M5.5 8h5",
            Self::Board => "M2.5 4h11M2.5 8h11M2.5 12h7",
            Self::Bolt => "M9 1.75L3.5 9H8l-1 5.25L12.5 7H8z",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Down => "M8 2.5v11M3.5 9L8 13.5L12.5 9",
            Self::Download => "M8 2v8M4.5 6.75L8 10.25l3.5-3.5M2.5 13.5h11",
            Self::Exit => "M6.5 2.5h-4v11h4M10 4.5L13.5 8L10 11.5M13.5 8H6",
            Self::Expand => "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5L9 7M2.5 13.5L7 9",
            Self::Inbox => "M2.5 9l2-6h7l2 6v4.5h-11zM2.5 9h3.25l1 2h2.5l1-2h3.25",
            Self::Keyboard => "M1.5 4h13v8h-13zM4 6.75h.01M6.67 6.75h.01M9.33 6.75h.01M12 6.75h.01M5 9.5h6",
            Self::Lanes => "M2.5 3.5h11v3h-11zM2.5 9.5h11v3h-11zM7 3.5v3M10 9.5v3",
            Self::Moon => "M13.5 9.5A6 6 0 1 1 6.5 2.5a4.75 4.75 0 0 0 7 7",
            Self::Pencil => "M2.75 13.25l.75-3L10.5 3.25l2.25 2.25l-7 7z",
            Self::Play => "M5 3.25v9.5l7.5-4.75z",
            Self::Plus => "M8 2.5v11M2.5 8h11",
            Self::Repeat => "M13 8a5 5 0 1 1-1.6-3.7M13.25 2v3h-3",
            Self::Search => "M7 2.25a4.75 4.75 0 1 1 0 9.5a4.75 4.75 0 0 1 0-9.5M10.5 10.5L14 14",
            Self::Sliders => {
                "M2.5 5h6M12 5h1.5M2.5 11H4M7.5 11h6M10.25 3.25a1.75 1.75 0 1 1 0 3.5a1.75 1.75 0 0 1 0-3.5M5.75 9.25a1.75 1.75 0 1 1 0 3.5a1.75 1.75 0 0 1 0-3.5"
            }
            Self::Stop => "M4 4h8v8H4z",
            Self::Terminal => "M2.5 4.5L6 8l-3.5 3.5M8 12h5.5",
            Self::Trash => "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.75 9h6.5l.75-9M6.75 7.5v3.5M9.25 7.5v3.5",
            Self::Up => "M8 13.5v-11M3.5 7L8 2.5L12.5 7",
            Self::Warning => "M8 2.25L14.25 13H1.75zM8 6.5v3M8 11.25h.01",
            Self::Wrap => "M2.5 3.5h11M2.5 8h9a2.25 2.25 0 0 1 0 4.5H8.5M10.25 10.5l-2 2l2 2M2.5 12.5h3",
        }
    }
}

/// An icon beside words that say the same; alone, its button needs a label.
pub fn icon(shape: Shape) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=shape.path() />
        </svg>
    }
}
