//! Models that searches judge by: files of the user, read when a search names them.
//!
//! A model is known by the name of its file, as the machine-learning toolkit keeps it among the lookups
//! (`__mlspl_NAME.onnx`) or plainly (`NAME.onnx`). What reads and computes one is the caller's affair.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use lurcher_frontend::spl;
use lurcher_ir::Model;

/// Reads a model from its file; the names are those of the fields that it judges by, if the user has said them.
pub type ReadModel = fn(&Path, &[String]) -> Result<Arc<dyn Model>, String>;

/// A model of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFile {
    /// What searches call it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The fields that it judges by, in order; empty: the model says it itself.
    pub features: Vec<String>,
}

type Read = OnceLock<Result<Arc<dyn Model>, String>>;

/// Models by name.
#[derive(Debug, Default)]
pub struct Models {
    reader: Option<ReadModel>,
    files: BTreeMap<String, (ModelFile, Read)>,
}

impl Models {
    /// What reads them.
    pub fn read_by(&mut self, reader: Option<ReadModel>) {
        self.reader = reader;
    }

    /// Adds a model; one of the same name gives way.
    pub fn insert(&mut self, file: ModelFile) {
        self.files.insert(file.name.clone(), (file, OnceLock::new()));
    }

    /// Adds a file that was found among rules.
    pub(crate) fn add_file(&mut self, path: PathBuf) {
        let Some(stem) = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { return };
        let name = stem.strip_prefix("__mlspl_").unwrap_or(&stem).to_owned();
        self.insert(ModelFile { name, path, features: Vec::new() });
    }

    /// A model; the error says why there is none.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<dyn Model>, String> {
        let (file, read) = self.files.get(name).ok_or_else(|| spl::no_model(name))?;
        let no_reader = || Err(format!("{} is there, and nothing reads it", file.path.display()));
        let model = || self.reader.map_or_else(no_reader, |reader| reader(&file.path, &file.features));
        read.get_or_init(model).clone()
    }

    /// The models that searches have asked for so far.
    pub fn used(&self) -> Vec<(Arc<str>, Arc<dyn Model>)> {
        let read = |(name, (_, read)): (&String, &(ModelFile, Read))| {
            Some((Arc::from(name.as_str()), Arc::clone(read.get()?.as_ref().ok()?)))
        };
        self.files.iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_file() {
        let mut models = Models::default();
        models.add_file("lookups/__mlspl_odd_names.onnx".into());
        models.add_file("odd_values.onnx".into());
        assert!(models.find("odd_names").is_err_and(|why| why.contains("__mlspl_odd_names.onnx")));
        assert!(models.find("odd_values").is_err());
        assert!(models.find("other").is_err_and(|why| why.ends_with("`--model other=FILE.onnx`")));
        models.read_by(Some(|path, _| Err(format!("{}: no", path.display()))));
        let mut models = Models { reader: models.reader, ..Models::default() };
        models.insert(ModelFile { name: "mine".into(), path: "x.onnx".into(), features: Vec::new() });
        assert_eq!(models.find("mine").unwrap_err(), "x.onnx: no");
        assert!(models.used().is_empty());
    }
}
