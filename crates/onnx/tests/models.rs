//! Models as rows see them. Without the library, why none runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod tiny;

use std::path::PathBuf;

use tempfile::TempDir;

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[cfg(not(feature = "tract"))]
#[test]
fn a_build_without_the_library_says_how_to_get_it() {
    let (_folder, path) = file(&tiny::weighted("a,b"));
    let error = lurcher_onnx::load(&path, &[]).unwrap_err();
    assert!(error.ends_with("this build runs no ONNX models: build with `--features onnx`"), "{error}");
}

#[cfg(feature = "tract")]
mod with_tract {
    use lurcher_schema::Value;

    use super::*;

    #[test]
    fn columns_are_named_by_the_model_or_by_the_user() {
        let (_folder, path) = file(&tiny::weighted("length, entropy"));
        let model = lurcher_onnx::load(&path, &[]).unwrap();
        assert_eq!(model.inputs().iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["length", "entropy"]);
        assert_eq!(model.outputs().iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["score"]);
        assert_eq!(model.judge(&[3.0, 1.0]).unwrap(), [Value::Float(5.5)]);
        let own = lurcher_onnx::load(&path, &["a".to_owned(), "b".to_owned()]).unwrap();
        assert_eq!(own.inputs()[0].as_ref(), "a");
    }

    #[test]
    fn inputs_may_be_fields() {
        let (_folder, path) = file(&tiny::sum());
        let model = lurcher_onnx::load(&path, &[]).unwrap();
        assert_eq!(model.inputs().iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["bytes_in", "bytes_out"]);
        assert_eq!(model.judge(&[3.0, 4.0]).unwrap(), [Value::Float(7.0)]);
        assert!(model.judge(&[3.0]).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (_folder, path) = file(&tiny::weighted(""));
        let why = |features: &[String]| lurcher_onnx::load(&path, features).unwrap_err();
        assert!(why(&[]).contains("nothing says which fields are the columns"), "{}", why(&[]));
        assert!(why(&["a".to_owned()]).contains("it takes 2 fields, and 1 are named"));
        let (_folder, path) = file(b"no model at all");
        assert!(lurcher_onnx::load(&path, &[]).is_err());
        assert!(lurcher_onnx::load(&path.with_extension("gone"), &[]).is_err());
    }
}
