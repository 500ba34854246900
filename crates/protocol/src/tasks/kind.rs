//! What tasks do, and how far they are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::parse::{FromParam, ValueError};

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskStatus {
    /// It waits.
    Enqueued,
    /// It is being done.
    Processing,
    /// It is done.
    Succeeded,
    /// It could not be done.
    Failed,
    /// It was given up on request.
    Canceled,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the names say it
pub enum Kind {
    DocumentAdditionOrUpdate,
    DocumentEdition,
    DocumentDeletion,
    SettingsUpdate,
    IndexCreation,
    IndexDeletion,
    IndexUpdate,
    IndexSwap,
    TaskCancelation,
    TaskDeletion,
    DumpCreation,
    SnapshotCreation,
    Export,
    UpgradeDatabase,
    IndexCompaction,
    NetworkTopologyChange,
    DsrUpdate,
    DsrClear,
}

/// A text that names no status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownStatus(String);

/// A text that names no kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind(String);

impl TaskStatus {
    /// Every status, in the order of a task's life.
    pub const ALL: [Self; 5] =
        [Self::Enqueued, Self::Processing, Self::Succeeded, Self::Failed, Self::Canceled];

    /// The name clients see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enqueued => "enqueued",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more happens to the task.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

impl Kind {
    /// Every kind, in the order in which they are listed.
    pub const ALL: [Self; 18] = [
        Self::DocumentAdditionOrUpdate,
        Self::DocumentEdition,
        Self::DocumentDeletion,
        Self::SettingsUpdate,
        Self::IndexCreation,
        Self::IndexDeletion,
        Self::IndexUpdate,
        Self::IndexSwap,
        Self::TaskCancelation,
        Self::TaskDeletion,
        Self::DumpCreation,
        Self::SnapshotCreation,
        Self::Export,
        Self::UpgradeDatabase,
        Self::IndexCompaction,
        Self::NetworkTopologyChange,
        Self::DsrUpdate,
        Self::DsrClear,
    ];

    /// The name clients see.
    pub fn name(self) -> &'static str {
        match self {
            Self::DocumentAdditionOrUpdate => "documentAdditionOrUpdate",
            Self::DocumentEdition => "documentEdition",
            Self::DocumentDeletion => "documentDeletion",
            Self::SettingsUpdate => "settingsUpdate",
            Self::IndexCreation => "indexCreation",
            Self::IndexDeletion => "indexDeletion",
            Self::IndexUpdate => "indexUpdate",
            Self::IndexSwap => "indexSwap",
            Self::TaskCancelation => "taskCancelation",
            Self::TaskDeletion => "taskDeletion",
            Self::DumpCreation => "dumpCreation",
            Self::SnapshotCreation => "snapshotCreation",
            Self::Export => "export",
            Self::UpgradeDatabase => "upgradeDatabase",
            Self::IndexCompaction => "indexCompaction",
            Self::NetworkTopologyChange => "networkTopologyChange",
            Self::DsrUpdate => "dsrUpdate",
            Self::DsrClear => "dsrClear",
        }
    }
}

macro_rules! by_name {
    ($type:ident, $error:ident, $words:literal) => {
        impl FromStr for $type {
            type Err = $error;

            /// Reads the name, whatever its case.
            fn from_str(text: &str) -> Result<Self, $error> {
                let found = Self::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(text));
                found.copied().ok_or_else(|| $error(text.to_owned()))
            }
        }

        impl FromParam for $type {
            type Err = $error;

            fn from_param(text: &str) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let known = $type::ALL.map(|known| format!("`{known}`")).join(", ");
                write!(f, $words, self.0, known)
            }
        }

        impl ValueError for $error {}
    };
}

by_name!(TaskStatus, UnknownStatus, "`{}` is not a valid task status. Available statuses are {}.");
by_name!(Kind, UnknownKind, "`{}` is not a valid task type. Available types are {}.");
