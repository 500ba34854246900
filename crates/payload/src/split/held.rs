//! What a node says of documents that it has.

use std::borrow::Cow;

use miroir_shard::{INTERNAL_FIELD, Sequence};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

use super::{
    PrimaryKey,
    scan::{Field, FieldSeed, Id, look_into},
};

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Internal<'a> {
    #[serde(borrow, default)]
    n: Cow<'a, str>,
}

/// Goes through a listing of documents, which holds the primary key and `_miroir.n` of each, and shows every id with the
/// place of the document's first write. Documents that do not say are left out.
///
/// # Errors
///
/// If it is no listing of documents.
pub fn held_places(
    listing: &[u8],
    key: &PrimaryKey,
    mut see: impl FnMut(&str, Sequence),
) -> Result<(), Error> {
    let Listing { results } = serde_json::from_slice(listing)?;
    for document in results {
        let (id, internal) = document.deserialize_map(HeldVisitor(key.path()))?;
        if let (Some(id), Some(place)) = (id, Sequence::from_code(internal.n.as_bytes())) {
            see(&id.text, place);
        }
    }
    Ok(())
}

/// The parts of a document that are asked for.
struct HeldVisitor<'a>(&'a str);

impl<'de> Visitor<'de> for HeldVisitor<'_> {
    type Value = (Option<Id<'de>>, Internal<'de>);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut internal) = (None, Internal::default());
        while let Some(field) = map.next_key_seed(FieldSeed(self.0))? {
            match field {
                Field::Reserved(name) if name == INTERNAL_FIELD => internal = map.next_value()?,
                Field::OnPath(rest) => {
                    // What is no id is no document of the gateway's.
                    let _ = look_into::<A::Error>(map.next_value()?, rest, &mut id)?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((id, internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(listing: &str, key: &str) -> Result<Vec<(String, u32)>, Error> {
        let mut held = Vec::new();
        let see = |id: &str, place: Sequence| held.push((id.to_owned(), place.ordinal));
        held_places(listing.as_bytes(), &PrimaryKey::new(key), see).map(|()| held)
    }

    fn code(ordinal: u32) -> String {
        String::from_utf8(Sequence { task: 3, ordinal }.code().to_vec()).expect("text")
    }

    #[test]
    fn every_id_comes_with_its_place() {
        let (one, two) = (code(1), code(2));
        let listing = format!(
            r#"{{"results":[{{"id":7,"_miroir":{{"n":"{one}"}}}},{{"_miroir":{{"w":"","n":"{two}"}},"id":"\u0061"}}],"total":2}}"#
        );
        assert_eq!(held(&listing, "id").expect("places"), [("7".to_owned(), 1), ("a".to_owned(), 2)]);
        let nested = format!(r#"{{"results":[{{"meta":{{"id":"x"}},"_miroir":{{"n":"{one}"}}}}]}}"#);
        assert_eq!(held(&nested, "meta.id").expect("places"), [("x".to_owned(), 1)]);
    }

    #[test]
    fn documents_that_do_not_say_are_left_out() {
        let one = code(1);
        let listing = format!(
            r#"{{"results":[{{"id":1}},{{"id":2,"_miroir":{{}}}},{{"id":3,"_miroir":{{"n":"?"}}}},{{"_miroir":{{"n":"{one}"}}}}]}}"#
        );
        assert_eq!(held(&listing, "id").expect("places"), []);
        assert!(held("{}", "id").is_err() && held(r#"{"results":[1]}"#, "id").is_err());
    }
}
