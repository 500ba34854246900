//! Which error becomes which answer.

use miroir_edge::BodyError;
use miroir_filters::RescueTable;
use miroir_protocol::error::{Code, ResponseError};

/// The table of the whole program: the filters' own errors, a body that the client has not sent as it said, then
/// everything else as an internal one.
pub(crate) fn table() -> RescueTable {
    RescueTable::new().filters().rule(|_: &BodyError| {
        let message = "The provided payload is incomplete and cannot be parsed";
        ResponseError::new(Code::BadRequest, message)
    })
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_body_that_ends_early_is_the_clients_fault() {
        for error in [BodyError::CutOff, BodyError::TimedOut, BodyError::Malformed("chunk".to_owned())] {
            assert_eq!(table().rescue(&error).0.status, StatusCode::BAD_REQUEST, "{error}");
        }
    }
}
