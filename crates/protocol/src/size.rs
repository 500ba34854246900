//! Sizes in words.

const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL: [&str; 7] = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

/// A limit, exactly: in powers of 1024 when it is a multiple of 1024, in powers of 1000 otherwise.
pub fn exact(bytes: u64) -> String {
    let (value, unit) = match bytes % 1024 {
        0 => in_largest_unit(bytes, 1024, BINARY),
        _ => in_largest_unit(bytes, 1000, DECIMAL),
    };
    format!("{value} {unit}")
}

/// The bytes of a size in words.
pub fn parsed(size: &str) -> Option<u64> {
    let (value, unit) = size.split_once(' ')?;
    let value: f64 = value.parse().ok().filter(|value| *value >= 0.0)?;
    let power = |units: [&str; 7], step: f64| {
        let place = units.iter().position(|other| *other == unit)?;
        i32::try_from(place).ok().map(|place| step.powi(place))
    };
    let step = power(BINARY, 1024.0).or_else(|| power(DECIMAL, 1000.0))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // too much is as much as there can be
    Some((value * step).round() as u64)
}

/// A measured size, in powers of 1024 with at most two decimals.
pub(crate) fn rounded(bytes: u64) -> String {
    let (value, unit) = in_largest_unit(bytes, 1024, BINARY);
    format!("{} {unit}", (value * 100.0).round() / 100.0)
}

/// The size in the largest unit that is not larger than it.
#[allow(clippy::cast_precision_loss)] // sizes of that many bytes are not told apart
fn in_largest_unit(bytes: u64, step: u64, units: [&'static str; 7]) -> (f64, &'static str) {
    let (mut unit, mut size) = (0, 1);
    while unit + 1 < units.len() && bytes / step >= size {
        size *= step;
        unit += 1;
    }
    (bytes as f64 / size as f64, units[unit])
}

#[cfg(test)]
mod tests {
    use super::{exact, parsed, rounded};

    #[test]
    fn limits_are_exact() {
        assert_eq!(exact(104_857_600), "100 MiB");
        assert_eq!(exact(1024), "1 KiB");
        assert_eq!(exact(1_555_000), "1.555 MB");
        assert_eq!(exact(5), "5 B");
        assert_eq!(exact(0), "0 B");
    }

    #[test]
    fn sizes_are_read_back() {
        for bytes in [0, 5, 1024, 40_960, 1_555_000, 104_857_600, 1_234_567_890] {
            assert_eq!(parsed(&exact(bytes)), Some(bytes));
        }
        assert!(["", "1", "1 XB", "x KiB", "-1 KiB"].iter().all(|size| parsed(size).is_none()));
    }

    #[test]
    fn measured_sizes_are_rounded() {
        assert_eq!(rounded(10_000), "9.77 KiB");
        assert_eq!(rounded(8192), "8 KiB");
        assert_eq!(rounded(1023), "1023 B");
        assert_eq!(rounded(u64::MAX), "16 EiB");
    }
}
