//! The ids of what one node is to get of a payload.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use miroir_shard::Slot;

use crate::{IndexReader, Part, index::damaged, split::id_text};

const SPOOL_BUFFER: usize = 64 * 1024;

/// Shows the id of every document of a part, and the document's place in the payload. `wants` must be what the part was made
/// with.
///
/// # Errors
///
/// If the spool or its index cannot be read, or do not fit each other.
pub fn part_ids<S: Read + Seek, I: Read + Seek>(
    spool: S,
    index: &mut IndexReader<I>,
    part: Part,
    mut wants: impl FnMut(Slot) -> bool,
    mut see: impl FnMut(u32, &str),
) -> io::Result<()> {
    let no_fit = || damaged("the index of the payload does not fit the payload");
    let mut spool = BufReader::with_capacity(SPOOL_BUFFER, spool);
    let mut offset = spool.seek(SeekFrom::Start(0))?;
    let mut written = Vec::new();
    index.seek_to(part.first)?;
    while index.place() < part.end {
        let ordinal = u32::try_from(index.place());
        let Some(record) = index.next().transpose()? else { break };
        if !wants(record.slot) {
            continue;
        }
        let id_at = record.offset + u64::from(record.id_at);
        let ahead = id_at.checked_sub(offset).and_then(|ahead| i64::try_from(ahead).ok());
        spool.seek_relative(ahead.ok_or_else(no_fit)?)?;
        written.resize(record.id_len.into(), 0);
        spool.read_exact(&mut written)?;
        offset = id_at + u64::from(record.id_len);
        let id = std::str::from_utf8(&written).ok().and_then(id_text).ok_or_else(no_fit)?;
        see(ordinal.map_err(|_| damaged("the payload has too many documents"))?, &id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{IndexReader, PrimaryKey, Split, parts};

    fn ids(spool: &str, key: &str, wants: impl Fn(Slot) -> bool + Copy) -> io::Result<Vec<(u32, String)>> {
        let split = Split::new(spool.as_bytes(), PrimaryKey::new(key));
        let (_, index) = split.write_index(Cursor::new(Vec::new())).expect("an index");
        let mut index = IndexReader::new(index)?;
        let mut ids = Vec::new();
        for part in parts(&mut index, 8, 150, wants)? {
            let see = |ordinal, id: &str| ids.push((ordinal, id.to_owned()));
            part_ids(Cursor::new(spool), &mut index, part, wants, see)?;
        }
        Ok(ids)
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let spool = "{\"a\":[1,{\"id\":9}],\"id\": 12 }\n{\"id\":\"b-\\u0061\"}\n{\"x\":1,\"id\":\"ccc\"}\n";
        let found = ids(spool, "id", |_| true).expect("ids");
        assert_eq!(found, [(0, "12".to_owned()), (1, "b-a".to_owned()), (2, "ccc".to_owned())]);
        let nested = "{\"id\":1,\"meta\":{\"x\":1,\"id\":\"n\"}}\n";
        assert_eq!(ids(nested, "meta.id", |_| true).expect("ids"), [(0, "n".to_owned())]);
    }

    #[test]
    fn only_those_of_the_node_are_shown() {
        let spool: String = (0..50).map(|id| format!("{{\"id\":{id},\"text\":\"{id}\"}}\n")).collect();
        let found = ids(&spool, "id", |slot| slot.index().is_multiple_of(2)).expect("ids");
        let expected = (0..50u32).filter(|id| Slot::of(&id.to_string()).index().is_multiple_of(2));
        assert_eq!(found, expected.map(|id| (id, id.to_string())).collect::<Vec<_>>());
    }

    #[test]
    fn an_index_of_another_payload_is_refused() {
        let split = Split::new(&b"{\"id\":1}\n{\"id\":2}\n"[..], PrimaryKey::new("id"));
        let (_, index) = split.write_index(Cursor::new(Vec::new())).expect("an index");
        let mut index = IndexReader::new(index).expect("an index");
        let part = parts(&mut index, 8, u64::MAX, |_| true).expect("parts")[0];
        for other in ["{\"id\":1}\n", "{\"id\":[}\n{\"id\":2}\n", ""] {
            assert!(part_ids(Cursor::new(other), &mut index, part, |_| true, |_, _| {}).is_err());
        }
    }
}
