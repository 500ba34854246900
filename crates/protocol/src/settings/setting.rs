//! A setting in a request: given, reset with `null`, or left alone.

use deserr::{DeserializeError, Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a request says about one setting; also what an index keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting<T> {
    /// The setting has this value.
    Set(T),
    /// The setting goes back to its default: `null`.
    Reset,
    /// Nothing is said.
    #[default]
    NotSet,
}

impl<T> Setting<T> {
    /// Whether nothing is said.
    pub fn is_not_set(&self) -> bool {
        matches!(self, Self::NotSet)
    }

    /// The value, if there is one.
    pub fn set(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Reset | Self::NotSet => None,
        }
    }

    /// The value, if there is one.
    pub fn as_set(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Reset | Self::NotSet => None,
        }
    }

    /// The value, if there is one.
    pub fn as_set_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Reset | Self::NotSet => None,
        }
    }

    /// The value or what it is by default.
    #[must_use]
    pub fn or_default_to(self, default: impl FnOnce() -> T) -> Self {
        Self::Set(self.set().unwrap_or_else(default))
    }
}

impl<T> From<Option<T>> for Setting<T> {
    /// A value, or the default.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Reset, Self::Set)
    }
}

impl<T: Deserr<E>, E: DeserializeError> Deserr<E> for Setting<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, E> {
        match value {
            Value::Null => Ok(Self::Reset),
            value => T::deserialize_from_value(value, location).map(Self::Set),
        }
    }
}

/// `NotSet` is left out by the field's `skip_serializing_if`.
impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_set().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Self::from)
    }
}
