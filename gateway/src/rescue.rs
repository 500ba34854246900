//! Which error becomes which answer.

use miroir_filters::RescueTable;

/// The table of the whole program: the filters' own errors, then everything else as an internal one.
pub(crate) fn table() -> RescueTable {
    RescueTable::new().filters()
}
