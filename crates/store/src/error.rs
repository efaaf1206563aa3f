//! What can go wrong in the store.

use std::{error::Error, fmt, io, path::PathBuf, sync::Arc};

use deltalake::DeltaTableError;

/// Why the store did not do what was asked.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// The disk, or the quota, is full. Nothing is lost: what was not written is still in the journal.
    Full {
        /// What was being written.
        what: String,
    },
    /// Another process has the folder open.
    Held {
        /// The store's folder.
        folder: PathBuf,
    },
    /// The place of the store is no folder and no URL that this build can use.
    Location {
        /// The place.
        root: String,
        /// What is wrong with it.
        why: String,
    },
    /// The query cannot be run as it is written.
    Query(String),
    /// No data stream has this name.
    NoStream(String),
    /// Anything else that the disk, the object store or a table's log had against it.
    Failed {
        /// What was tried, on which table or file.
        what: String,
        /// What was said.
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    pub(crate) fn new(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        if is_full(&source) {
            return Self::Full { what: what.into() };
        }
        Self::Failed { what: what.into(), source: Arc::new(source) }
    }

    /// For what comes as text only.
    pub(crate) fn said(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(what, io::Error::other(said.into()))
    }

    /// The same error, said to have happened on a table or file.
    pub(crate) fn delta(what: &str) -> impl FnOnce(DeltaTableError) -> Self {
        let what = what.to_owned();
        move |error| Self::new(what, error)
    }
}

/// Whether an error, or one that it was made from, says that there is no space left.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if full || error.get_ref().is_some_and(|inner| is_full(inner)) {
                return true;
            }
        }
        next = error.source();
    }
    // Some layers keep only the text of what they were told.
    error.to_string().contains("No space left on device")
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { what } => write!(f, "{what}: no space left on the disk; make room"),
            Self::Held { folder } => write!(
                f,
                "{}: another process has this store open; stop it, or choose another folder",
                folder.display()
            ),
            Self::Location { root, why } => write!(f, "{root}: cannot hold a store: {why}"),
            Self::Query(said) => write!(f, "the query cannot be run: {said}"),
            Self::NoStream(name) => write!(f, "no data stream is called `{name}`"),
            Self::Failed { what, source } => {
                write!(f, "{what}: {source}")?;
                // The layers below often say the cause only in what they were made from.
                let mut said = source.to_string();
                let mut next = source.source();
                while let Some(cause) = next {
                    let text = cause.to_string();
                    if !said.contains(&text) {
                        write!(f, ": {text}")?;
                        said = text;
                    }
                    next = cause.source();
                }
                Ok(())
            }
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
