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
    let error = lurcher_onnx::load(&path, &[], &[]).unwrap_err();
    assert!(error.ends_with("this build runs no ONNX models: build with `--features onnx`"), "{error}");
}

#[cfg(feature = "tract")]
mod with_tract {
    use std::sync::Arc;

    use lurcher_schema::Value;

    use super::*;

    fn names(names: &[Arc<str>]) -> Vec<&str> {
        names.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn columns_are_named_by_the_model_or_by_the_user() {
        let (_folder, path) = file(&tiny::weighted("length, entropy"));
        let model = lurcher_onnx::load(&path, &[], &[]).unwrap();
        assert_eq!(names(model.inputs()), ["length", "entropy"]);
        assert_eq!(names(model.outputs()), ["predicted(score)"]);
        assert_eq!(model.judge(&[Value::text("3"), Value::Int(1)]).unwrap(), [Value::Float(5.5)]);
        assert!(model.judge(&[Value::text("three"), Value::Int(1)]).is_err());
        let named = ["a".to_owned(), "b".to_owned()];
        let own = lurcher_onnx::load(&path, &named, &["IsOutlier(a)".to_owned()]).unwrap();
        assert_eq!(names(own.inputs()), ["a", "b"]);
        assert_eq!(names(own.outputs()), ["IsOutlier(a)"]);
    }

    #[test]
    fn a_text_takes_all_columns() {
        let (_folder, path) = file(&tiny::weighted(""));
        let model = lurcher_onnx::load(&path, &["domain".to_owned()], &["pred_dga_proba".to_owned()]).unwrap();
        assert_eq!(names(model.inputs()), ["domain"]);
        assert_eq!(names(model.outputs()), ["pred_dga_proba"]);
        // 2 × the first code point − the second + 0.5.
        assert_eq!(model.judge(&[Value::text("ABC")]).unwrap(), [Value::Float(64.5)]);
        assert_eq!(model.judge(&[Value::text("A")]).unwrap(), [Value::Float(130.5)]);
        assert!(model.judge(&[Value::Null]).is_err());
    }

    #[test]
    fn inputs_may_be_fields() {
        let (_folder, path) = file(&tiny::sum());
        let model = lurcher_onnx::load(&path, &[], &[]).unwrap();
        assert_eq!(names(model.inputs()), ["bytes_in", "bytes_out"]);
        assert_eq!(model.judge(&[Value::Int(3), Value::Int(4)]).unwrap(), [Value::Float(7.0)]);
        assert!(model.judge(&[Value::Int(3)]).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let (_folder, path) = file(&tiny::weighted(""));
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let why = |features: &[&str], outputs: &[&str]| {
            lurcher_onnx::load(&path, &named(features), &named(outputs)).unwrap_err()
        };
        assert!(why(&[], &[]).contains("nothing says which fields are the columns"), "{}", why(&[], &[]));
        assert!(why(&["a", "b", "c"], &[]).contains("it takes 2 fields, and 3 are named"));
        assert!(why(&["a", "b"], &["x", "y"]).contains("it has 1 outputs, and 2 fields are named for them"));
        let (_folder, path) = file(b"no model at all");
        assert!(lurcher_onnx::load(&path, &[], &[]).is_err());
        assert!(lurcher_onnx::load(&path.with_extension("gone"), &[], &[]).is_err());
    }
}
