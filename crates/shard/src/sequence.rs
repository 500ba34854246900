//! Where a document was written: the order of insertion, as one comparable code.

use crate::codes::{decode, encode};

/// How many characters the code of a [`Sequence`] has.
pub const SEQUENCE_CODE_LEN: usize = 32;
/// How many characters the code of a write has.
pub(crate) const TASK_CODE_LEN: usize = 16;

/// The write that brought a document first and the document's place in that write's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence {
    /// The log uid of the write.
    pub task: u32,
    /// The place of the document in the payload, from 0.
    pub ordinal: u32,
}

impl Sequence {
    /// The code of this place: as text, codes compare as the places do.
    pub fn code(self) -> [u8; SEQUENCE_CODE_LEN] {
        let mut code = [0; SEQUENCE_CODE_LEN];
        encode(u64::from(self.task) << 32 | u64::from(self.ordinal), &mut code);
        code
    }

    /// Reads a code back; `None` if it is none.
    pub fn from_code(code: &[u8]) -> Option<Self> {
        if code.len() != SEQUENCE_CODE_LEN {
            return None;
        }
        let value = decode(code)?;
        Some(Self { task: (value >> 32) as u32, ordinal: value as u32 })
    }
}

/// The code of a write.
pub(crate) fn task_code(task: u32) -> [u8; TASK_CODE_LEN] {
    let mut code = [0; TASK_CODE_LEN];
    encode(u64::from(task), &mut code);
    code
}

/// The log uid of the write that has this code; `None` if none has.
pub fn task_of_code(code: &[u8]) -> Option<u32> {
    let value = if code.len() == TASK_CODE_LEN { decode(code)? } else { return None };
    u32::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sequence() -> impl Strategy<Value = Sequence> {
        let edge = || prop_oneof![Just(0), Just(1), Just(u32::MAX), 0..5u32, any::<u32>()];
        (edge(), edge()).prop_map(|(task, ordinal)| Sequence { task, ordinal })
    }

    proptest! {
        #[test]
        fn codes_compare_as_the_places_do(a in sequence(), b in sequence()) {
            prop_assert_eq!(a.code().cmp(&b.code()), a.cmp(&b));
            prop_assert_eq!(Sequence::from_code(&a.code()), Some(a));
            prop_assert_eq!(task_of_code(&task_code(a.task)), Some(a.task));
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let code = Sequence { task: 7, ordinal: 9 }.code();
        assert_eq!(Sequence::from_code(&code[1..]), None);
        assert_eq!(Sequence::from_code(&[b'a'; SEQUENCE_CODE_LEN]), None);
        assert_eq!((task_of_code(&code), task_of_code(&[b'a'; TASK_CODE_LEN])), (None, None));
    }
}
