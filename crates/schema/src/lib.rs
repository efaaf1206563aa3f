//! Events and what their fields are called.
//!
//! Readers turn bytes into [`EventBatch`]es: Arrow columns of *raw* fields, all rows of one [`Shape`] (one kind of
//! event, such as Sysmon 1). Rules speak a [`Taxonomy`] (ECS, CIM, OCSF, Sigma's, or the raw names). In between stand the
//! mapping packs, data under `schemas/`: for each shape they say which raw field and which transforms a taxonomy's
//! field is. That pair is a [`Binding`]; it is computed once per *distinct* raw value, and only for fields that
//! somebody asks for. Whole events are normalised only where they become evidence or output.

mod batch;
mod clock;
mod column;
mod cron;
mod event;
mod log_source;
pub mod mapping;
mod relative_time;
mod secret;
mod shape;
mod star;
mod taxonomy;
mod time;
mod value;
mod zone;

pub use batch::{BatchBuilder, EventBatch, RawField};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use column::{Column, ColumnValues, MISSING, ValueRef};
pub use cron::Cron;
pub use event::{Event, EventRef, Origin};
pub use log_source::LogSource;
pub use mapping::{Binding, Provenance, Schemas};
pub use relative_time::{RelativeTime, Rounding};
pub use secret::Secret;
pub use shape::{Shape, ShapeId};
pub use star::star_match;
pub use taxonomy::{FieldPath, FieldType, Taxonomy};
pub use time::Timestamp;
pub use value::{Object, Value};
pub use zone::Zone;
