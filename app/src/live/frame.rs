//! Events collected until the browser draws its next frame: a thousand lines a second cost sixty updates.

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::request_animation_frame;

/// Hands everything pushed since the last frame to `drain`, once a frame.
pub struct FrameQueue<T: 'static> {
    items: Rc<RefCell<Vec<T>>>,
    drain: Rc<dyn Fn(Vec<T>)>,
}

impl<T: 'static> Clone for FrameQueue<T> {
    fn clone(&self) -> Self {
        Self { items: Rc::clone(&self.items), drain: Rc::clone(&self.drain) }
    }
}

impl<T: 'static> FrameQueue<T> {
    pub fn new(drain: impl Fn(Vec<T>) + 'static) -> Self {
        Self { items: Rc::default(), drain: Rc::new(drain) }
    }

    pub fn push(&self, item: T) {
        self.extend(std::iter::once(item));
    }

    pub fn extend(&self, items: impl IntoIterator<Item = T>) {
        let mut queued = self.items.borrow_mut();
        let scheduled = !queued.is_empty();
        queued.extend(items);
        if scheduled || queued.is_empty() {
            return;
        }
        let queue = self.clone();
        request_animation_frame(move || {
            let items = queue.items.take();
            (queue.drain)(items);
        });
    }
}
