//! A body that is one job or a list of them. Serde's untagged enums do the same, but do not say what is wrong with the one.

use std::{borrow::Cow, fmt};

use app::model::NewJob;
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, OneOf, Ref, RefOr, Schema},
};

/// A list is taken as a whole or not at all.
pub(super) enum OneOrMany {
    Many(Vec<NewJob>),
    One(Box<NewJob>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = OneOrMany;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Box::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
    }
}

impl PartialSchema for OneOrMany {
    fn schema() -> RefOr<Schema> {
        let one = Ref::from_schema_name(NewJob::name());
        OneOf::builder().item(one.clone()).item(Array::new(one)).into()
    }
}

impl ToSchema for OneOrMany {
    fn name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewJob::name().into_owned(), NewJob::schema()));
        NewJob::schemas(schemas);
    }
}
