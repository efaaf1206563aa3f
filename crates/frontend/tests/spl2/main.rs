//! SPL2 from text to IR: golden lowerings, faulty queries with their diagnostics, published rules.

mod corpus;
mod errors;
mod golden;

use std::sync::{Arc, LazyLock};

use lurcher_schema::Schemas;

/// The packs that come with Lurcher, read once.
fn schemas() -> &'static Schemas {
    static SCHEMAS: LazyLock<Arc<Schemas>> =
        LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));
    &SCHEMAS
}
