//! Models that searches judge by: files of the user, read when a search names them.
//!
//! A model is known by the name of its file, as the machine-learning toolkit keeps it among the lookups
//! (`__mlspl_NAME.onnx`) or plainly (`NAME.onnx`). What reads and computes one is the caller's affair, but for the
//! toolkit's own files (`__mlspl_NAME.mlmodel`), which give way to any other of the name.

mod toolkit;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use lurcher_frontend::spl;
use lurcher_ir::Model;

/// Reads a model from its file; the names are those of the fields that it judges by and of those that it fills, if the
/// user has said them.
pub type ReadModel = fn(&Path, &[String], &[String]) -> Result<Arc<dyn Model>, String>;

/// A model of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFile {
    /// What searches call it.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The fields that it judges by, in order; empty: the model says it itself.
    pub features: Vec<String>,
    /// The fields for what it says, in order; empty: they are named after its outputs.
    pub outputs: Vec<String>,
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
        if !is_of_toolkit(&path) || !self.files.contains_key(&name) {
            self.insert(ModelFile { name, path, ..ModelFile::default() });
        }
    }

    /// A model; the error says why there is none.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<dyn Model>, String> {
        let (file, read) = self.files.get(name).ok_or_else(|| spl::no_model(name))?;
        let no_reader = || Err(format!("{} is there, and nothing reads it", file.path.display()));
        let by_reader = || self.reader.map_or_else(no_reader, |read| read(&file.path, &file.features, &file.outputs));
        let of_toolkit = || toolkit::read(&file.path).map_err(|why| format!("{why}: `--model {name}=FILE.onnx`"));
        read.get_or_init(|| if is_of_toolkit(&file.path) { of_toolkit() } else { by_reader() }).clone()
    }

    /// The models that searches have asked for so far.
    pub fn used(&self) -> Vec<(Arc<str>, Arc<dyn Model>)> {
        let read = |(name, (_, read)): (&String, &(ModelFile, Read))| {
            Some((Arc::from(name.as_str()), Arc::clone(read.get()?.as_ref().ok()?)))
        };
        self.files.iter().filter_map(read).collect()
    }
}

/// Whether a file is one of the machine-learning toolkit.
fn is_of_toolkit(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mlmodel"))
}

/// Whether a file holds a model, by its name.
pub(crate) fn is_model(path: &Path) -> bool {
    is_of_toolkit(path) || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
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
        models.read_by(Some(|path, _, _| Err(format!("{}: no", path.display()))));
        let mut models = Models { reader: models.reader, ..Models::default() };
        models.insert(ModelFile { name: "mine".into(), path: "x.onnx".into(), ..ModelFile::default() });
        assert_eq!(models.find("mine").unwrap_err(), "x.onnx: no");
        assert!(models.used().is_empty());
    }

    #[test]
    fn a_file_of_the_toolkit_gives_way() {
        let mut models = Models::default();
        models.add_file("__mlspl_odd.mlmodel".into());
        assert!(models.find("odd").is_err_and(|why| why.contains(".mlmodel") && why.contains("`--model odd=")));
        models.add_file("odd.onnx".into());
        models.add_file("other/__mlspl_odd.mlmodel".into());
        assert!(models.find("odd").is_err_and(|why| why.starts_with("odd.onnx is there")));
    }
}
