//! Values of the configuration file that people write as text.

mod byte_size;
mod duration;
mod header;

pub use self::{
    byte_size::{ByteSize, ParseByteSizeError},
    duration::{HumanDuration, ParseDurationError},
    header::HeaderField,
};
