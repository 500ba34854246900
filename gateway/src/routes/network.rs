//! Requests about the network of servers.

use miroir_protocol::operation::Matched;

use super::call::{Call, Served};

pub(super) async fn serve(_operation: Matched<'_>, call: Call) -> Served {
    call.not_served().await
}
