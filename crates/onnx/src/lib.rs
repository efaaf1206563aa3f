//! Models in the ONNX format, as models of the IR: the only crate that knows the library that computes them.
//!
//! A model takes its fields in one of two ways: an input for each of them, named as the field is, or one input of
//! as many columns as there are fields. Then somebody must say which field is which column: the user, or the model
//! itself in its metadata (`feature_names`, separated by commas). One field for several columns is a text, and they are
//! the code points of its characters, cut off at the width and filled up with zeros: what a model of characters embeds.
//!
//! What it says goes to fields named by the user, by the metadata (`output_names`), or after the outputs
//! ([`lurcher_ir::predicted`]). Outputs that are no tensors (the maps of probabilities that scikit-learn's converter
//! adds) are left out.
//!
//! Without the feature `tract` the crate is empty but for the reason why no model runs.

#[cfg(feature = "tract")]
mod tract;

use std::{path::Path, sync::Arc};

use lurcher_ir::Model;

/// Reads a model. `features` are the fields that it judges by, in order; empty: the model says it itself. `names` are
/// those of the fields for what it says, in order of its outputs; empty: they are named after these.
///
/// # Errors
///
/// The file is none, its operations are not known, its fields are not, or this build runs no models.
pub fn load(path: &Path, features: &[String], names: &[String]) -> Result<Arc<dyn Model>, String> {
    #[cfg(feature = "tract")]
    return tract::load(path, features, names).map_err(|error| format!("{}: {error}", path.display()));
    #[cfg(not(feature = "tract"))]
    {
        let _ = (features, names);
        Err(format!("{} is there, and this build runs no ONNX models: build with `--features onnx`", path.display()))
    }
}
