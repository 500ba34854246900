//! What the program says about itself, on standard error.

use miroir_config::{LogFormat, Telemetry};
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. `RUST_LOG` overrides the configured level.
pub(crate) fn init(telemetry: Telemetry) {
    let configured = || EnvFilter::new(telemetry.log_level.as_str());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| configured());
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first subscriber.
    let _ = match telemetry.log_format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.try_init(),
    };
}
