//! What the program says about itself: on standard error, and to a client that asks for it.

use std::{fmt, io, sync::Arc};

use miroir_config::{LogFormat, Telemetry};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{Filtered, Targets},
    fmt::{self as lines, format::FmtSpan},
    layer::{Layered, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

/// What may be put into the place of a client's stream while the program runs.
type Stream = Filtered<Option<Box<dyn Layer<Registry> + Send + Sync>>, Targets, Registry>;
type Streaming = Layered<reload::Layer<Stream, Registry>, Registry>;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// The program's messages, to be changed while it runs. Clones change the same.
#[derive(Clone)]
pub(crate) struct Messages {
    stream: reload::Handle<Stream, Registry>,
    stderr: Arc<reload::Handle<EnvFilter, Streaming>>,
}

/// Starts logging. `RUST_LOG` overrides the configured level. Nothing, where the process has a subscriber already, as in
/// tests.
pub(crate) fn init(telemetry: Telemetry) -> Option<Messages> {
    let configured = || EnvFilter::new(telemetry.log_level.as_str());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| configured());
    let nobody: Option<Box<dyn Layer<Registry> + Send + Sync>> = None;
    let (streaming, stream) = reload::Layer::new(nobody.with_filter(Targets::new()));
    let (filter, stderr) = reload::Layer::new(filter);
    let subscriber = tracing_subscriber::registry().with(streaming);
    let lines = lines::layer().with_writer(io::stderr);
    let started = match telemetry.log_format {
        LogFormat::Json => subscriber.with(lines.json().with_filter(filter)).try_init(),
        LogFormat::Text => subscriber.with(lines.with_filter(filter)).try_init(),
    };
    started.is_ok().then(|| Messages { stream, stderr: Arc::new(stderr) })
}

// === impl Messages ===

impl Messages {
    /// Writes the messages of these targets to `writer` too; false where another stream is there.
    pub(crate) fn stream<W>(
        &self,
        targets: Targets,
        form: Form,
        writer: impl Fn() -> W + Send + Sync + 'static,
    ) -> bool
    where
        W: io::Write + 'static,
    {
        let mut started = false;
        let changed = self.stream.modify(|stream| {
            if stream.inner().is_some() {
                return;
            }
            let layer = lines::layer().with_writer(writer).with_span_events(FmtSpan::CLOSE);
            *stream.filter_mut() = targets;
            *stream.inner_mut() = Some(match form {
                Form::Text => layer.with_ansi(false).boxed(),
                Form::Json => layer.json().boxed(),
            });
            started = true;
        });
        changed.is_ok() && started
    }

    /// Ends the stream, if there is one.
    pub(crate) fn stop_stream(&self) {
        // The only other outcome is that the program ends.
        let _ = self.stream.modify(|stream| {
            *stream.inner_mut() = None;
            *stream.filter_mut() = Targets::new();
        });
    }

    /// Writes the messages of these targets to standard error from now on.
    pub(crate) fn set_stderr(&self, targets: &Targets) {
        let filter = EnvFilter::new(targets.to_string());
        let _ = self.stderr.modify(|current| *current = filter);
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}
