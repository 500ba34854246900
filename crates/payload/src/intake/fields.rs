//! One look at a document: is it a well-formed object, where does it end, and what is to be known of its fields.

use miroir_shard::is_internal;
use std::collections::HashSet;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Error, value::RawValue};
use xxhash_rust::xxh3::xxh3_64;

/// From how many fields on names are looked up in a table instead of one by one.
const FEW_FIELDS: usize = 32;

/// What a document's fields are like.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Hashes of the names so far.
    names: Vec<u64>,
    table: HashSet<u64>,
    /// Whether two fields may have the same name.
    pub(super) repeated: bool,
    /// The first field whose name is reserved.
    pub(super) reserved: Option<String>,
}

impl Fields {
    /// Reads the object that `bytes` start with and returns its length.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.names.clear();
        self.table.clear();
        self.repeated = false;
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        parser.deserialize_map(FieldsVisitor(self))?;
        Ok(parser.into_iter::<IgnoredAny>().byte_offset())
    }

    fn see(&mut self, name: &str) {
        if self.reserved.is_none() && is_internal(name) {
            self.reserved = Some(name.to_owned());
        }
        let hash = xxh3_64(name.as_bytes());
        if self.names.len() < FEW_FIELDS {
            self.repeated |= self.names.contains(&hash);
            self.names.push(hash);
            return;
        }
        if self.table.is_empty() {
            self.table.extend(&self.names);
        }
        self.repeated |= !self.table.insert(hash);
    }
}

/// The document with every field once: at the place of the first of a name, with the value of the last.
pub(super) fn deduplicated(document: &[u8]) -> Result<Vec<u8>, Error> {
    let fields: Unique<'_> = serde_json::from_slice(document)?;
    let mut out = Vec::with_capacity(document.len());
    for (name, value) in fields.0 {
        out.push(if out.is_empty() { b'{' } else { b',' });
        serde_json::to_writer(&mut out, &name)?;
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    Ok(out)
}

struct FieldsVisitor<'a>(&'a mut Fields);

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(NameSeed(self.0))?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

struct NameSeed<'a>(&'a mut Fields);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.see(name);
        Ok(())
    }
}

/// Fields by name, each once.
struct Unique<'de>(Vec<(String, &'de RawValue)>);

impl<'de> serde::Deserialize<'de> for Unique<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueVisitor;
        impl<'de> Visitor<'de> for UniqueVisitor {
            type Value = Unique<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<'de>, A::Error> {
                let mut places = std::collections::HashMap::new();
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    match places.get(&name) {
                        Some(place) => {
                            let place: &mut (String, &RawValue) = &mut fields[*place];
                            place.1 = value;
                        }
                        None => {
                            places.insert(name.clone(), fields.len());
                            fields.push((name, value));
                        }
                    }
                }
                Ok(Unique(fields))
            }
        }
        deserializer.deserialize_map(UniqueVisitor)
    }
}
