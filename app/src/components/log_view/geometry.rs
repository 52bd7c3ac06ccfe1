//! Where a line is in the scrolled space. A browser limits an element's height, so that a long log's space is smaller than
//! its lines: a position in it then stands for a proportional position among the lines.

use std::ops::RangeInclusive;

/// The height of an unwrapped line, in pixels; the style sheet has the same.
pub const ROW: f64 = 20.0;
/// Browsers stop between 8 and 33 million pixels.
const MAX_HEIGHT: f64 = 8_000_000.0;
/// How many lines are rendered beyond each edge of the screen.
const OVERSCAN: u64 = 30;

/// The height of the scrolled space for this many lines.
pub fn space_height(total: u64) -> f64 {
    (total as f64 * ROW).min(MAX_HEIGHT)
}

/// How many pixels of lines one pixel of the space stands for; 1 unless the log is very long.
fn scale(total: u64, viewport: f64) -> f64 {
    let lines = total as f64 * ROW - viewport;
    let space = space_height(total) - viewport;
    if space > 0.0 { lines / space } else { 1.0 }
}

/// The line at the top of the screen when the space is scrolled to `top`, and how far above the screen it begins.
pub fn line_at(top: f64, viewport: f64, total: u64) -> (u64, f64) {
    let pixels = (top * scale(total, viewport)).max(0.0);
    let index = (pixels / ROW).floor();
    ((index as u64 + 1).min(total.max(1)), index * ROW - pixels)
}

/// Where to scroll the space so that the line `seq` is `y` pixels below the top of the screen.
pub fn top_of(seq: u64, y: f64, viewport: f64, total: u64) -> f64 {
    (((seq.saturating_sub(1)) as f64 * ROW - y) / scale(total, viewport)).max(0.0)
}

/// The lines to render when `seq` is the first on the screen.
pub fn rendered(seq: u64, viewport: f64, total: u64) -> RangeInclusive<u64> {
    let on_screen = (viewport / ROW).ceil() as u64 + 1;
    // Near the end the screen is filled from the last line upwards.
    let first = seq.min(total.saturating_sub(on_screen) + 1).saturating_sub(OVERSCAN).max(1);
    first..=(seq + on_screen + OVERSCAN).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEWPORT: f64 = 600.0;

    #[test]
    fn a_short_log_scrolls_pixel_by_pixel() {
        assert_eq!(space_height(1_000), 20_000.0);
        assert_eq!(line_at(0.0, VIEWPORT, 1_000), (1, 0.0));
        assert_eq!(line_at(45.0, VIEWPORT, 1_000), (3, -5.0));
        assert_eq!(top_of(3, -5.0, VIEWPORT, 1_000), 45.0);
    }

    #[test]
    fn a_million_lines_fit_into_the_space_from_the_first_to_the_last() {
        let total = 1_000_000;
        assert_eq!(space_height(total), MAX_HEIGHT);
        assert_eq!(line_at(0.0, VIEWPORT, total).0, 1);
        assert_eq!(line_at(MAX_HEIGHT - VIEWPORT, VIEWPORT, total).0, total - 29);
        for seq in [1, 77, 500_000, 999_970] {
            let (found, y) = line_at(top_of(seq, 0.0, VIEWPORT, total), VIEWPORT, total);
            let distance = (found as f64 - seq as f64) * ROW + y;
            assert!(distance.abs() < 0.001, "{seq}: {found} {y}");
        }
    }

    #[test]
    fn what_is_rendered_covers_the_screen_and_stays_bounded() {
        assert_eq!(rendered(1, VIEWPORT, 10), 1..=10);
        assert_eq!(rendered(1, VIEWPORT, 1_000), 1..=62);
        assert_eq!(rendered(500, VIEWPORT, 1_000), 470..=561);
        assert_eq!(rendered(1_000, VIEWPORT, 1_000), 940..=1_000);
        assert!(rendered(5, VIEWPORT, 0).is_empty());
    }
}
