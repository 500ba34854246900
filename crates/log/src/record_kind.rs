//! Small things that are kept beside the log.

/// What a record kept by [`Log::put_record`](crate::Log::put_record) is. Ids are unique within a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// An API key.
    Key,
    /// A webhook.
    Webhook,
    /// An experimental feature, or all of them.
    Feature,
    /// A dynamic search rule.
    Rule,
    /// The settings of a chat workspace.
    Chat,
    /// The network as clients see it.
    Network,
    /// The answer to a write that carried an idempotency key.
    Idempotency,
    /// A change of the fleet that is under way.
    FleetChange,
    /// What belongs to the instance as a whole.
    Instance,
    /// A write that some nodes failed: its copies are to be compared.
    Failure,
    /// The newest task that is known to have ended on a node.
    EndedTask,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Key,
        Self::Webhook,
        Self::Feature,
        Self::Rule,
        Self::Chat,
        Self::Network,
        Self::Idempotency,
        Self::FleetChange,
        Self::Instance,
        Self::Failure,
        Self::EndedTask,
    ];

    /// The name under which the kind is stored; it never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Webhook => "webhook",
            Self::Feature => "feature",
            Self::Rule => "rule",
            Self::Chat => "chat",
            Self::Network => "network",
            Self::Idempotency => "idempotency",
            Self::FleetChange => "fleetChange",
            Self::Instance => "instance",
            Self::Failure => "failure",
            Self::EndedTask => "endedTask",
        }
    }
}
