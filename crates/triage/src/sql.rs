//! One statement and its parameters. All values go in as parameters, never as text; what is text is a literal of this crate.
//!
//! `$1`, `$2` … are understood by SQLite and PostgreSQL alike, so there is one set of statements.

use lurcher_schema::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Any, AssertSqlSafe, Executor, Row, any::AnyRow};

use crate::{Error, Result};

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Int(i64),
    MaybeInt(Option<i64>),
    Float(f64),
    Text(String),
    MaybeText(Option<String>),
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Arg {
    fn from(truth: bool) -> Self {
        Self::Int(i64::from(truth))
    }
}

impl From<Timestamp> for Arg {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.0)
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(time: Option<Timestamp>) -> Self {
        Self::MaybeInt(time.map(|time| time.0))
    }
}

impl From<Option<u64>> for Arg {
    fn from(number: Option<u64>) -> Self {
        Self::MaybeInt(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<f64> for Arg {
    fn from(number: f64) -> Self {
        // NaN becomes NULL in one database and stays in the other.
        Self::Float(if number.is_finite() { number } else { 0.0 })
    }
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(storable(text))
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Self::Text(storable(text))
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        if text.contains('\0') { Self::Text(storable(&text)) } else { Self::Text(text) }
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        Self::MaybeText(text.map(storable))
    }
}

/// PostgreSQL takes no NUL in text, and SQLite's functions stop at one; events may well have some.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A statement being put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    text: String,
    args: Vec<Arg>,
}

/// A statement of which all parameters are known.
macro_rules! sql {
    ($text:expr $(, $arg:expr)* $(,)?) => {
        $crate::sql::Sql::with($text, vec![$($crate::sql::Arg::from($arg)),*])
    };
}

pub(crate) use sql;

impl Sql {
    /// A statement that is all there but for its end.
    pub(crate) fn with(text: &'static str, args: Vec<Arg>) -> Self {
        Self { text: text.to_owned(), args }
    }

    /// Goes on with a literal.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with the next parameter.
    pub(crate) fn bind(&mut self, arg: impl Into<Arg>) -> &mut Self {
        self.args.push(arg.into());
        self.text.push('$');
        self.text.push_str(&self.args.len().to_string());
        self
    }

    /// Goes on with parameters in brackets.
    pub(crate) fn tuple(&mut self, args: impl IntoIterator<Item = Arg>) -> &mut Self {
        let mut between = "(";
        for arg in args {
            self.push(between).bind(arg);
            between = ", ";
        }
        self.push(if between == "(" { "(NULL)" } else { ")" })
    }

    /// Goes on with a row of parameters for each item.
    pub(crate) fn rows_of<T, const N: usize>(&mut self, items: &[T], row: impl Fn(&T) -> [Arg; N]) -> &mut Self {
        for (number, item) in items.iter().enumerate() {
            self.push(if number == 0 { "" } else { ", " }).tuple(row(item));
        }
        self
    }

    /// Runs it; how many rows it touched.
    pub(crate) async fn run<'e>(self, on: impl Executor<'e, Database = Any>) -> Result<u64> {
        Ok(self.query().execute(on).await?.rows_affected())
    }

    /// Its rows.
    pub(crate) async fn all<'e>(self, on: impl Executor<'e, Database = Any>) -> Result<Vec<Fields>> {
        Ok(self.query().fetch_all(on).await?.into_iter().map(Fields).collect())
    }

    /// Its first row, if it has one.
    pub(crate) async fn first<'e>(self, on: impl Executor<'e, Database = Any>) -> Result<Option<Fields>> {
        Ok(self.query().fetch_optional(on).await?.map(Fields))
    }

    fn query(self) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
        // Safe: `push` takes only literals of this crate.
        let query = sqlx::query(AssertSqlSafe(self.text));
        self.args.into_iter().fold(query, |query, arg| match arg {
            Arg::Int(number) => query.bind(number),
            Arg::MaybeInt(number) => query.bind(number),
            Arg::Float(number) => query.bind(number),
            Arg::Text(text) => query.bind(text),
            Arg::MaybeText(text) => query.bind(text),
        })
    }
}

/// A row that was read.
pub(crate) struct Fields(AnyRow);

impl Fields {
    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn count(&self, column: &str) -> Result<u64> {
        Ok(u64::try_from(self.int(column)?).unwrap_or(0))
    }

    pub(crate) fn maybe_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn truth(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp> {
        self.int(column).map(Timestamp)
    }

    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp))
    }

    pub(crate) fn float(&self, column: &str) -> Result<f64> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String> {
        Ok(self.0.try_get(column)?)
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.0.try_get(column)?)
    }

    /// A column that holds JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| Error::Damaged(format!("column {column}: {error}")))
    }

    /// A column that holds one of some words.
    pub(crate) fn word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word = self.text(column)?;
        parse(&word).ok_or_else(|| Error::Damaged(format!("column {column}: `{word}` is none of its words")))
    }
}

/// The JSON of something that can always be written as such.
pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Invalid(format!("it cannot be written as JSON: {error}")))
}

/// A pattern for `LIKE … ESCAPE '\'` that holds the text as it stands.
pub(crate) fn like_literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_as_they_come() {
        let mut sql = sql!("SELECT a FROM b WHERE c = $1", 7_i64);
        sql.push(" AND d IN ").tuple(["x", "y"].map(Arg::from)).push(" AND e = ").bind("z");
        assert_eq!(sql.text, "SELECT a FROM b WHERE c = $1 AND d IN ($2, $3) AND e = $4");
        assert_eq!(Sql::default().tuple([]).text, "(NULL)");
    }

    #[test]
    fn wildcards_are_escaped_and_nul_does_not_get_in() {
        assert_eq!(like_literal(r"50%_\"), r"50\%\_\\");
        assert!(matches!(Arg::from("a\0b"), Arg::Text(text) if text == "a\u{fffd}b"));
    }
}
