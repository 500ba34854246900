//! The JSON Schema of the file.

use serde_json::Value;

use crate::FileConfig;

/// The JSON Schema of the file, made from its types; `config/schema.json` is this.
pub fn schema() -> Value {
    schemars::schema_for!(FileConfig).to_value()
}
