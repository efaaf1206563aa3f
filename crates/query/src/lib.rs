//! The only crate that knows DataFusion: the relational stages of pipelines.
//!
//! [`DataFusion`] implements the engine's [`lurcher_engine::Relational`] on the physical operators of Apache
//! DataFusion: hash aggregation, hash joins and sorting, with a limit on memory beyond which aggregation and sorting spill to disk. Of DataFusion's
//! crates it takes only those: no SQL, no catalogues, no file formats, no optimizer, which is most of what takes long
//! to build. Languages that want logical plans can add the `datafusion` crate beside them without changing this.

mod columns;
mod groups;
mod joins;
mod plan;
mod sorting;

pub use plan::DataFusion;

/// The relational engine of a run, with its default limit of memory.
pub fn relational() -> std::sync::Arc<dyn lurcher_engine::Relational> {
    std::sync::Arc::new(DataFusion::default())
}
