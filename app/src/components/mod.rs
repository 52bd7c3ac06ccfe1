//! Widgets that pages share.
