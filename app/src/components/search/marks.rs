//! Marks text on the screen without changing the document: the browser paints ranges (CSS custom highlights). One that cannot
//! shows the line that was found, and no marks.

use js_sys::{Array, Function, JsString, Map, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Node};

/// Its name in the style sheet.
const NAME: &str = "found";
/// `NodeFilter.SHOW_TEXT`
const TEXT: u32 = 4;
/// More would slow scrolling down.
const MOST: u32 = 2_000;

/// Marks `text` in `rows` and nowhere else; in nothing when it is empty.
pub fn mark(rows: Option<&Element>, text: &str) {
    let ranges = Array::new();
    if let (Some(rows), false) = (rows, text.is_empty()) {
        collect(rows, text, &ranges);
    }
    // Browsers without these know no marks.
    let _ = paint(&ranges);
}

/// Collects where the text is, within each text node. JavaScript compares, as it knows letters' cases and the nodes' offsets.
fn collect(rows: &Element, text: &str, ranges: &Array) {
    let text = JsString::from(text).to_lower_case();
    let (text, length) = (String::from(&text), text.length());
    let document = document();
    let Ok(nodes) = document.create_tree_walker_with_what_to_show(rows, TEXT) else { return };
    while let Ok(Some(node)) = nodes.next_node() {
        let Some(content) = node.node_value() else { continue };
        let content = JsString::from(content).to_lower_case();
        let mut from = 0;
        while let Ok(at) = u32::try_from(content.index_of(&text, from))
            && ranges.length() < MOST
        {
            let end = at + length;
            if let Some(range) = range(&node, at, end) {
                ranges.push(&range);
            }
            from = i32::try_from(end).unwrap_or(i32::MAX);
        }
    }
}

fn range(node: &Node, start: u32, end: u32) -> Option<web_sys::Range> {
    let range = document().create_range().ok()?;
    range.set_start(node, start).ok()?;
    range.set_end(node, end).ok()?;
    Some(range)
}

/// `CSS.highlights.set(NAME, new Highlight(...ranges))`
fn paint(ranges: &Array) -> Result<(), JsValue> {
    let window = window();
    let highlight = Reflect::get(&window, &"Highlight".into())?.dyn_into::<Function>()?;
    let registry = Reflect::get(&Reflect::get(&window, &"CSS".into())?, &"highlights".into())?;
    let marks = Reflect::construct(&highlight, ranges)?;
    // It is like a map, and no `Map`.
    registry.unchecked_into::<Map>().set(&NAME.into(), &marks);
    Ok(())
}
