//! Lists in pages, forwards and backwards.
//!
//! A page begins behind the last item of the one before (by what the list is sorted by, then by id), not at a number of
//! items. So whoever pages through while more comes in sees all that was there, each once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    sql::{Arg, Sql},
};

/// The most items of a page.
const MOST: u32 = 1000;

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageRequest {
    /// The most items; 1 to 1000.
    pub limit: u32,
    /// `next` or `previous` of another page of the same list; `None`: the first page.
    pub cursor: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None }
    }
}

/// Some items of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where it goes on; `None`: nothing more for now.
    pub next: Option<String>,
    /// What was before; `None`: this is the beginning.
    pub previous: Option<String>,
}

/// A list's order. `key` holds whole numbers, or floating-point ones that are carried by their bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing {
    /// Told apart from other lists' cursors by this.
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) float: bool,
    /// A text column that tells apart what has one key; `None` if the key does.
    pub(crate) tie: Option<&'static str>,
    pub(crate) descending: bool,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    list: String,
    backward: bool,
    descending: bool,
    key: i64,
    tie: String,
}

/// A page request that was understood.
pub(crate) struct Turn {
    listing: Listing,
    limit: usize,
    cursor: Option<Cursor>,
}

impl PageRequest {
    /// Understands it for a list; refuses cursors of other lists.
    pub(crate) fn turn(&self, listing: Listing) -> Result<Turn> {
        if self.limit == 0 || self.limit > MOST {
            return Err(Error::Invalid(format!("a page has 1 to {MOST} items, not {}", self.limit)));
        }
        let cursor = self.cursor.as_deref().map(|text| read(text, listing)).transpose()?;
        Ok(Turn { listing, limit: self.limit as usize, cursor })
    }
}

fn read(text: &str, listing: Listing) -> Result<Cursor> {
    let cursor = URL_SAFE_NO_PAD.decode(text).ok().and_then(|json| serde_json::from_slice::<Cursor>(&json).ok());
    cursor
        .filter(|cursor| cursor.list == listing.name && cursor.descending == listing.descending)
        .ok_or_else(|| Error::Invalid("this is not a cursor of this list in this order".to_owned()))
}

impl Turn {
    fn backward(&self) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.backward)
    }

    /// Puts in where the page begins, the order and the limit. The statement so far ends inside its conditions.
    pub(crate) fn finish(&self, sql: &mut Sql) {
        let Listing { key, tie, float, .. } = self.listing;
        let descending = self.listing.descending != self.backward();
        if let Some(cursor) = &self.cursor {
            let value = if float { Arg::Float(f64::from_bits(cursor.key as u64)) } else { Arg::Int(cursor.key) };
            let beyond = if descending { " < " } else { " > " };
            match tie {
                Some(tie) => {
                    sql.push(" AND (").push(key).push(", ").push(tie).push(")").push(beyond);
                    sql.tuple([value, Arg::from(&cursor.tie)]);
                }
                None => {
                    sql.push(" AND ").push(key).push(beyond).bind(value);
                }
            }
        }
        let direction = if descending { " DESC" } else { " ASC" };
        sql.push(" ORDER BY ").push(key).push(direction);
        if let Some(tie) = tie {
            sql.push(", ").push(tie).push(direction);
        }
        // One more, to know whether there is more.
        sql.push(" LIMIT ").bind(self.limit as i64 + 1);
    }

    /// The page of the items that came; `place` is an item's key and tie.
    pub(crate) fn page<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> (i64, String)) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        if self.backward() {
            items.reverse();
        }
        let cursor = |item: Option<&T>, backward| {
            let (key, tie) = place(item?);
            let Listing { name, descending, .. } = self.listing;
            let cursor = Cursor { list: name.to_owned(), backward, descending, key, tie };
            Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).ok()?))
        };
        let (before, after) = if self.backward() { (more, true) } else { (self.cursor.is_some(), more) };
        let next = if after { cursor(items.last(), false) } else { None };
        let previous = if before { cursor(items.first(), true) } else { None };
        Page { items, next, previous }
    }
}
