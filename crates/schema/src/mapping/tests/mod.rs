//! Tests of the mapping engine and of the packs that come with it.

mod packs;
