//! What stands around the hits of a node's answer: its members before them and after them.

use crate::scan::{Cursor, Scan};

/// The members of an answer beside `hits`.
pub(crate) trait Envelope<'a> {
    /// Takes one member, whose value comes next.
    fn read(&mut self, key: &[u8], cursor: &mut Cursor<'a>) -> Scan<()>;

    /// Whether the answer has said how many hits there are.
    fn has_total(&self) -> bool;

    /// Reads up to the first hit.
    fn read_head(&mut self, cursor: &mut Cursor<'a>) -> Scan<()> {
        cursor.enter_object()?;
        let mut first = true;
        while let Some(key) = cursor.key(&mut first)? {
            if key == b"hits" {
                return cursor.enter_array();
            }
            self.read(key, cursor)?;
        }
        cursor.fail("expected the member `hits`")
    }

    /// Reads what follows the hits; `among_hits` those that were not taken are stepped over.
    fn read_tail(&mut self, cursor: &mut Cursor<'a>, among_hits: bool) -> Scan<()> {
        if among_hits {
            cursor.leave()?;
        }
        let mut first = false;
        while let Some(key) = cursor.key(&mut first)? {
            self.read(key, cursor)?;
        }
        cursor.end()?;
        if self.has_total() {
            return Ok(());
        }
        cursor.fail("expected the member `estimatedTotalHits` or `totalHits`")
    }
}
