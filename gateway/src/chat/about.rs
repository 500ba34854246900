//! What a model is told of the indexes that the client may search.

use futures_util::{StreamExt, TryStreamExt, stream};
use miroir_chat::IndexAbout;
use miroir_filters::auth::Access;
use miroir_log::IndexRecord;
use miroir_protocol::error::ResponseError;

use crate::{
    read::{scatter::Terms, whole},
    state::Gateway,
};

/// How many values of a facet the model is told, as in Meilisearch.
const VALUES: usize = 10;
/// How many indexes are asked for their facets at once.
const AT_ONCE: usize = 8;

/// All indexes that may be searched, by name.
pub(super) async fn indexes(
    gateway: &Gateway,
    access: &Access,
    terms: Terms,
) -> Result<Vec<IndexAbout>, ResponseError> {
    let catalog = gateway.log.catalog();
    let allowed: Vec<_> =
        catalog.indexes.values().filter(|index| access.allows(&index.uid)).cloned().collect();
    let told = allowed.into_iter().map(|index| async move { one(gateway, &index, access, terms).await });
    stream::iter(told).buffered(AT_ONCE).try_collect().await
}

async fn one(
    gateway: &Gateway,
    index: &IndexRecord,
    access: &Access,
    terms: Terms,
) -> Result<IndexAbout, ResponseError> {
    let description = index.settings["chat"]["description"].as_str().unwrap_or_default().to_owned();
    let mut filter = None;
    access.restrict(&index.uid, &mut filter);
    let facets = whole::frequent_values(gateway, index, filter.as_ref(), VALUES, terms).await?;
    Ok(IndexAbout { uid: index.uid.clone(), description, facets })
}
