//! Documents in the order of their values, as the engine's `sort` rule would have them.

use std::cmp::Ordering;

use milli_core::heed::RoTxn;
use milli_core::heed_codec::facet::{FieldDocIdFacetF64Codec, FieldDocIdFacetStringCodec};
use milli_core::{AscDesc, DocumentId, FieldId, Index, Member, distance_between_two_points};
use miroir_protocol::error::{Code, ResponseError};
use roaring::RoaringBitmap;

use crate::error::EngineError;

/// The value that a document is sorted by under one criterion. Numbers come before texts in both directions, and
/// documents without a value come last.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Key {
    Number(f64),
    Text(String),
    Missing,
}

/// The documents in order; those that no criterion tells apart in the order they were added.
pub(super) fn sorted(
    index: &Index,
    rtxn: &RoTxn<'_>,
    candidates: &RoaringBitmap,
    criteria: &[AscDesc],
) -> Result<Vec<DocumentId>, EngineError> {
    check(index, rtxn, criteria)?;
    let fields = index.fields_ids_map(rtxn)?;
    let mut keyed = Vec::new();
    for id in candidates {
        let keys = criteria.iter().map(|criterion| match criterion.member() {
            Member::Field(name) => match fields.id(name) {
                Some(field) => field_key(index, rtxn, field, id, is_descending(criterion)),
                None => Ok(Key::Missing),
            },
            Member::Geo(origin) => {
                distance_key(index, rtxn, [fields.id("_geo.lat"), fields.id("_geo.lng")], id, origin)
            }
        });
        keyed.push((keys.collect::<Result<Vec<_>, _>>()?, id));
    }
    let descending: Vec<_> = criteria.iter().map(is_descending).collect();
    keyed.sort_by(|(left, _), (right, _)| compare(left, right, &descending));
    Ok(keyed.into_iter().map(|(_, id)| id).collect())
}

fn is_descending(criterion: &AscDesc) -> bool {
    matches!(criterion, AscDesc::Desc(_))
}

fn compare(left: &[Key], right: &[Key], descending: &[bool]) -> Ordering {
    let keys = left.iter().zip(right).zip(descending);
    keys.map(|((left, right), descending)| match (left, right) {
        (Key::Number(left), Key::Number(right)) => directed(left.total_cmp(right), *descending),
        (Key::Text(left), Key::Text(right)) => directed(left.cmp(right), *descending),
        (left, right) => rank(left).cmp(&rank(right)),
    })
    .find(|order| order.is_ne())
    .unwrap_or(Ordering::Equal)
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

fn rank(key: &Key) -> u8 {
    match key {
        Key::Number(_) => 0,
        Key::Text(_) => 1,
        Key::Missing => 2,
    }
}

/// The first value of a document in the direction of the sort.
fn field_key(
    index: &Index,
    rtxn: &RoTxn<'_>,
    field: FieldId,
    id: DocumentId,
    descending: bool,
) -> Result<Key, EngineError> {
    let numbers = numbers_of(index, rtxn, field, id)?;
    let number = if descending { numbers.last() } else { numbers.first() };
    if let Some(number) = number {
        return Ok(Key::Number(*number));
    }
    let prefix = prefix_of(field, id);
    let texts = index
        .field_id_docid_facet_strings
        .remap_key_type::<milli_core::heed::types::Bytes>()
        .prefix_iter(rtxn, &prefix)?
        .remap_key_type::<FieldDocIdFacetStringCodec>();
    let mut texts = texts.map(|entry| entry.map(|((_, _, text), _)| text.to_owned()));
    let text = if descending { texts.last() } else { texts.next() };
    Ok(text.transpose()?.map_or(Key::Missing, Key::Text))
}

fn distance_key(
    index: &Index,
    rtxn: &RoTxn<'_>,
    [lat, lng]: [Option<FieldId>; 2],
    id: DocumentId,
    origin: &[f64; 2],
) -> Result<Key, EngineError> {
    let mut place = [0.0; 2];
    for (coordinate, field) in place.iter_mut().zip([lat, lng]) {
        let Some(field) = field else { return Ok(Key::Missing) };
        match numbers_of(index, rtxn, field, id)?.first() {
            Some(value) => *coordinate = *value,
            None => return Ok(Key::Missing),
        }
    }
    Ok(Key::Number(distance_between_two_points(origin, &place)))
}

fn numbers_of(
    index: &Index,
    rtxn: &RoTxn<'_>,
    field: FieldId,
    id: DocumentId,
) -> Result<Vec<f64>, EngineError> {
    let entries = index
        .field_id_docid_facet_f64s
        .remap_key_type::<milli_core::heed::types::Bytes>()
        .prefix_iter(rtxn, &prefix_of(field, id))?
        .remap_key_type::<FieldDocIdFacetF64Codec>();
    let numbers = entries.map(|entry| entry.map(|((_, _, number), ())| number));
    Ok(numbers.collect::<Result<_, _>>()?)
}

/// The start of the keys under which the engine keeps a document's values of a field.
fn prefix_of(field: FieldId, id: DocumentId) -> [u8; 6] {
    let [a, b] = field.to_be_bytes();
    let [c, d, e, f] = id.to_be_bytes();
    [a, b, c, d, e, f]
}

fn check(index: &Index, rtxn: &RoTxn<'_>, criteria: &[AscDesc]) -> Result<(), EngineError> {
    let sortable = index.sortable_fields(rtxn)?;
    for criterion in criteria {
        let name = criterion.field().unwrap_or("_geo");
        if sortable.contains(name) {
            continue;
        }
        let mut known: Vec<_> = sortable.iter().map(String::as_str).collect();
        known.sort_unstable();
        let known = match known.is_empty() {
            true => "This index does not have configured sortable attributes.".to_owned(),
            false => format!("Available sortable attributes are: `{}`.", known.join(", ")),
        };
        let message = format!("Attribute `{name}` is not sortable. {known}");
        return Err(ResponseError::new(Code::InvalidDocumentSort, message).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Key, compare};

    #[test]
    fn numbers_come_before_texts_and_missing_values_last_in_both_directions() {
        let keys = [Key::Number(1.0), Key::Text("a".to_owned()), Key::Missing];
        for pair in keys.windows(2) {
            for descending in [false, true] {
                assert_eq!(compare(&pair[..1], &pair[1..], &[descending]), Ordering::Less);
            }
        }
    }

    #[test]
    fn direction_turns_values_of_one_kind() {
        let (one, two) = ([Key::Number(1.0)], [Key::Number(2.0)]);
        assert_eq!(compare(&one, &two, &[false]), Ordering::Less);
        assert_eq!(compare(&one, &two, &[true]), Ordering::Greater);
    }
}
