//! Checks a list of filters: phases in order, nothing missing, nothing twice.

use super::Phase;
use crate::FilterConfig;

/// What is wrong with the order of a list of filters. Positions count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A filter stands behind one of a later phase.
    #[error(
        "`{filter}` is of the phase {phase} and cannot stand after `{behind}`, which is of the phase {behind_phase}"
    )]
    Phase {
        /// Where the filter stands.
        position: usize,
        /// The filter.
        filter: &'static str,
        /// Its phase.
        phase: Phase,
        /// The filter of a later phase before it.
        behind: &'static str,
        /// That one's phase.
        behind_phase: Phase,
    },
    /// A filter that another one needs is not in the list.
    #[error("`{filter}` needs `{missing}` before it, and the list does not have it")]
    Missing {
        /// Where the filter stands.
        position: usize,
        /// The filter.
        filter: &'static str,
        /// What it needs.
        missing: &'static str,
    },
    /// Two filters stand in the wrong order.
    #[error("`{filter}` must stand after `{before}`")]
    TooEarly {
        /// Where the filter stands.
        position: usize,
        /// The filter.
        filter: &'static str,
        /// What should stand before it.
        before: &'static str,
    },
    /// A filter is in the list more than once.
    #[error("`{filter}` is in the list twice")]
    Duplicate {
        /// Where it stands again.
        position: usize,
        /// The filter.
        filter: &'static str,
    },
}

/// Everything that is wrong with the order of a list of filters, from its first entry to its last.
pub fn check_order(filters: &[FilterConfig]) -> Vec<OrderError> {
    let place = |name: &str| filters.iter().position(|filter| filter.name() == name);
    let mut errors = Vec::new();
    let mut latest: Option<&FilterConfig> = None;
    for (position, config) in filters.iter().enumerate() {
        let filter = config.name();
        if place(filter).is_some_and(|first| first < position) {
            errors.push(OrderError::Duplicate { position, filter });
            continue;
        }
        match latest {
            Some(behind) if behind.phase() > config.phase() => errors.push(OrderError::Phase {
                position,
                filter,
                phase: config.phase(),
                behind: behind.name(),
                behind_phase: behind.phase(),
            }),
            _ => latest = Some(config),
        }
        for &needed in config.needs() {
            match place(needed) {
                None => errors.push(OrderError::Missing { position, filter, missing: needed }),
                Some(at) if at > position => {
                    errors.push(OrderError::TooEarly { position, filter, before: needed });
                }
                Some(_) => {}
            }
        }
        for &before in config.after() {
            if place(before).is_some_and(|at| at > position) {
                errors.push(OrderError::TooEarly { position, filter, before });
            }
        }
    }
    errors
}

// === impl OrderError ===

impl OrderError {
    /// The place in the list, from 0, of the entry that is to blame.
    pub fn position(&self) -> usize {
        match *self {
            Self::Phase { position, .. }
            | Self::Missing { position, .. }
            | Self::TooEarly { position, .. }
            | Self::Duplicate { position, .. } => position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(entries: &str) -> Vec<FilterConfig> {
        serde_json::from_str(entries).expect("a list of filters")
    }

    fn errors(entries: &str) -> Vec<String> {
        check_order(&chain(entries)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_list_that_follows_the_phases_is_fine() {
        assert!(errors(r#"["request_id", "metrics", "access_log", "auth", "rate_limit"]"#).is_empty());
        assert!(errors("[]").is_empty());
    }

    #[test]
    fn a_step_back_to_an_earlier_phase_is_an_error() {
        assert_eq!(
            errors(r#"["auth", "request_id"]"#),
            [
                "`request_id` is of the phase edge and cannot stand after `auth`, which is of the phase identity"
            ]
        );
    }

    #[test]
    fn what_is_needed_must_be_there_and_before() {
        assert_eq!(
            errors(r#"[{"rate_limit": {"by": "key"}}]"#),
            ["`rate_limit` needs `auth` before it, and the list does not have it"]
        );
        assert_eq!(
            errors(r#"[{"rate_limit": {"by": "key"}}, "auth"]"#).first().map(String::as_str),
            Some("`rate_limit` must stand after `auth`")
        );
    }

    #[test]
    fn the_order_of_two_counts_only_if_both_are_there() {
        assert!(errors(r#"["body_limit"]"#).is_empty());
        assert_eq!(
            errors(r#"["body_limit", "decompression"]"#),
            ["`body_limit` must stand after `decompression`"]
        );
    }

    #[test]
    fn all_errors_are_told_at_once_with_their_places() {
        let found = check_order(&chain(
            r#"["body_limit", "auth", "access_log", "request_id", "decompression", "auth"]"#,
        ));
        let places: Vec<_> = found.iter().map(OrderError::position).collect();
        assert_eq!(places, [0, 1, 2, 2, 3, 5], "{found:#?}");
        assert_eq!(found[5].to_string(), "`auth` is in the list twice");
    }
}
