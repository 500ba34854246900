//! What every request handler shares.

use std::{path::PathBuf, sync::Arc, time::Duration};

use miroir_config::Partial;
use miroir_filters::{Epoch, MetricRegistry};
use miroir_log::{IndexRecord, Log};
use miroir_protocol::{error::ResponseError, index_uid::IndexUid};
use miroir_replicate::{CurrentTopology, Progress, Rebalancer};

use crate::{
    instance::{
        features::{self, FeatureSwitch},
        mirror::Mirror,
        rules::RuleBook,
    },
    keys::ApiKeys,
    read::{ranks::KnownFacets, unequal::KnownAttributes},
    room::Room,
    telemetry::Messages,
    webhooks::Webhooks,
};

/// The gateway's state; cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    inner: Arc<Inner>,
}

/// The parts of a [`Gateway`].
pub(crate) struct Inner {
    /// The write log and task store.
    pub log: Arc<dyn Log>,
    /// The API keys.
    pub keys: Arc<ApiKeys>,
    /// Which nodes there are and what they hold.
    pub topology: CurrentTopology,
    /// How far the nodes are.
    pub progress: Arc<Progress>,
    /// Who is told of finished tasks.
    pub webhooks: Webhooks,
    /// Changes the fleet.
    pub rebalancer: Rebalancer,
    /// How searches are fanned out.
    pub search: SearchLimits,
    /// How much may wait in the log.
    pub write: WriteLimits,
    /// The memory that requests may take together.
    pub room: Room,
    /// Which experimental features are on.
    pub features: FeatureSwitch,
    /// The dynamic search rules.
    pub rules: RuleBook,
    /// What nodes are to have beside documents and settings.
    pub mirror: Arc<Mirror>,
    /// The facets whose values are known.
    pub facets: KnownFacets,
    /// Which attributes nodes know.
    pub attributes: KnownAttributes,
    /// What the filters count.
    pub metrics: MetricRegistry,
    /// Where dumps and snapshots are written.
    pub backups: PathBuf,
    /// The program's messages, where it writes them itself.
    pub messages: Option<Messages>,
}

/// How searches are fanned out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchLimits {
    /// How long the nodes may take.
    pub timeout: Duration,
    /// What is answered when not every shard can be read.
    pub partial: Partial,
}

/// How much may wait in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteLimits {
    /// The largest payload, in bytes.
    pub max_payload: u64,
    /// How many bytes of payloads may wait for the nodes.
    pub max_backlog: u64,
    /// How many tasks may wait for the nodes.
    pub max_tasks: u32,
}

impl Gateway {
    /// The state of these parts.
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// When answers to searches may change: when a task has finished, when the indexes as clients see them are others, and
    /// when nodes are told what they are to do otherwise.
    pub(crate) fn epoch(&self) -> Epoch {
        let gateway = self.clone();
        // Each of them only grows, so that the sum is another one when any of them is.
        Epoch::new(move || gateway.progress.ends() + gateway.log.catalog_changes() + gateway.mirror.changes())
    }

    /// The index of that uid as clients see it. A uid that is none is refused first, as Meilisearch does.
    pub(crate) fn index(&self, uid: &str) -> Result<Arc<IndexRecord>, ResponseError> {
        self.known_index(uid)?.found()
    }

    /// Whether the nodes search as versions before 1.50 do: by their version, or because the feature is on.
    pub(crate) fn has_legacy_search(&self) -> bool {
        self.features.now().legacy_search || self.mirror.is_unknown(features::LEGACY_SEARCH)
    }

    /// What is known of that uid, once it is one.
    pub(crate) fn known_index(&self, uid: &str) -> Result<Named, ResponseError> {
        let uid = IndexUid::from_path(uid)?;
        let record = self.log.catalog().indexes.get(uid.as_str()).cloned();
        Ok(Named { uid, record })
    }
}

impl std::ops::Deref for Gateway {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// An index that a request names, before it is known whether it exists: what is wrong with the rest of the request is
/// told first, as Meilisearch does.
#[derive(Debug)]
pub(crate) struct Named {
    uid: IndexUid,
    record: Option<Arc<IndexRecord>>,
}

impl Named {
    /// The index, or that there is none.
    pub(crate) fn found(self) -> Result<Arc<IndexRecord>, ResponseError> {
        self.record.ok_or_else(|| ResponseError::index_not_found(self.uid.as_str()))
    }
}
