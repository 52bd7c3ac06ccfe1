//! What the server gives an island.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Data that the server writes into the page and the browser reads from it. Leptos has both write it; the browser's side
/// throws that away, so there it writes nothing, which keeps the code for it out of the WASM.
#[derive(Clone, Debug)]
pub struct Given<T>(pub T);

impl<T: Serialize> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if cfg!(feature = "ssr") { self.0.serialize(serializer) } else { serializer.serialize_unit() }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}
