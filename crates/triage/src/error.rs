//! What can go wrong, told apart by what the caller should do about it.

use std::fmt;

/// Why something was not done. Nothing of it has been done then: every call is one transaction.
#[derive(Debug)]
pub enum Error {
    /// The database could not be asked, or refused: it is away, busy, full or damaged.
    Database(Box<sqlx::Error>),
    /// The place of the database is not one that can be opened, or not one where this can be done.
    Place(String),
    /// The database was written by a newer program.
    Newer {
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// There is no such thing; its kind and id.
    Missing(String),
    /// Somebody else changed it in the meantime.
    Stale {
        /// What was to be changed.
        id: String,
        /// The revision that the caller has seen.
        expected: u64,
        /// The revision that it has.
        found: u64,
    },
    /// What was asked for makes no sense; why, for people.
    Invalid(String),
    /// What stands in the database is not what this program writes.
    Damaged(String),
}

/// What calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether the same call may succeed a little later without anything being changed: the database is busy, full, or away.
    pub fn is_transient(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error.as_ref() {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
            _ => false,
        }
    }
}

/// SQLite's primary codes 5 (busy), 6 (locked), 10 (I/O), 13 (full); PostgreSQL's classes of connections, resources and
/// intervention, and its codes for lost races.
fn is_transient_code(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 10 | 13),
        _ => matches!(code.get(..2), Some("08" | "53" | "57" | "58")) || matches!(code, "40001" | "40P01" | "55P03"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the database of alerts: {error}"),
            Self::Place(why) | Self::Invalid(why) => f.write_str(why),
            Self::Newer { found, known } => write!(
                f,
                "the database of alerts has version {found}, and this program knows versions up to {known}: \
                 run the newer program, or restore the backup that was made before the upgrade"
            ),
            Self::Missing(what) => write!(f, "there is no {what}"),
            Self::Stale { id, expected, found } => {
                write!(f, "{id} has been changed in the meantime: revision {found}, not {expected}")
            }
            Self::Damaged(what) => write!(f, "the database of alerts is damaged: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Damaged(error.to_string()),
            error => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for code in ["5", "261", "13", "57P01", "40001", "08006"] {
            assert!(is_transient_code(code), "{code}");
        }
        for code in ["1", "19", "2067", "42601", "23505"] {
            assert!(!is_transient_code(code), "{code}");
        }
    }
}
