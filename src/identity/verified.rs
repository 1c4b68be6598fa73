use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A `T` as it arrived: its text, and nothing that anybody may rely on.
///
/// This is what deserialises; the only way to a [`Verified<T>`] leads through `T`'s verification.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unverified<T> {
    text: String,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

impl<T> Unverified<T> {
    /// Marks a text as claiming to be a `T`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: PhantomData }
    }

    /// The text as received.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T> Clone for Unverified<T> {
    fn clone(&self) -> Self {
        Self::new(self.text.clone())
    }
}

impl<T> PartialEq for Unverified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Unverified<T> {}

/// A `T` that verification has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Called by a verification at its end, or for a value that this node's own log kept after verification.
    pub(crate) const fn vouched(value: T) -> Self {
        Self(value)
    }

    /// The value, no longer marked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
