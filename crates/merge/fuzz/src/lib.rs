//! What the targets share: how bytes become answers, and what must hold of every outcome.

use bytes::Bytes;
use miroir_merge::MergeError;

/// Answers of up to four nodes, parted by bytes that no UTF-8 text has.
pub fn answers(text: &[u8]) -> Vec<Bytes> {
    text.split(|byte| *byte == 0xff).take(4).map(Bytes::copy_from_slice).collect()
}

/// Answers are merged or refused, JSON makes JSON, and what is wrong is told of one of them.
pub fn check(answers: &[Bytes], merged: Result<Vec<u8>, MergeError>) {
    match merged {
        Ok(merged) => assert!(is_json(&merged) || !answers.iter().all(|answer| is_json(answer))),
        Err(MergeError::Malformed { node, offset, .. }) => assert!(offset <= answers[node].len()),
        Err(_) => {}
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text).is_ok()
}
