//! How the documents of `lurcher-triage` look, for the OpenAPI document alone: nothing here is ever made. That they look
//! so is tested over the running server.

use std::fmt;

use lurcher_schema::Timestamp;
use serde::{Deserialize, Deserializer, de};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::problem::{Answer, Problem};

mod alerts;
mod work;

pub(crate) use alerts::*;
pub(crate) use work::*;

/// Values with commas between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commas(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Commas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Commas;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values with commas between")
            }

            fn visit_str<E>(self, text: &str) -> Result<Commas, E> {
                Ok(Commas(text.split(',').filter(|value| !value.is_empty()).map(str::to_owned).collect()))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl PartialSchema for Commas {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}

impl ToSchema for Commas {}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// At most so many items.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    #[serde(default = "default_limit")]
    limit: u32,
    /// `next` or `previous` of another page of the same list.
    cursor: Option<String>,
}

fn default_limit() -> u32 {
    50
}

impl Paging {
    pub(crate) fn request(self) -> lurcher_triage::PageRequest {
        lurcher_triage::PageRequest { limit: self.limit, cursor: self.cursor }
    }
}

/// Reads a time.
pub(crate) fn moment(name: &str, text: Option<&str>) -> Answer<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    let time = Timestamp::parse(text);
    time.map(Some).ok_or_else(|| Problem::bad_request(format!("{name} is {text:?}, no time in RFC 3339")))
}

/// Some items of a list.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described, not made")]
pub(crate) struct Page<T> {
    /// The items, in order.
    items: Vec<T>,
    /// Where it goes on; null: nothing more for now.
    next: Option<String>,
    /// What was before; null: this is the beginning.
    previous: Option<String>,
}
