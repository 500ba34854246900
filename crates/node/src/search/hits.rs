//! Hits, from the documents found.

use std::collections::{BTreeMap, BTreeSet};

use milli_core::heed::RoTxn;
use milli_core::score_details::ScoreDetails;
use milli_core::tokenizer::{Tokenizer, TokenizerBuilder};
use milli_core::vector::parsed_vectors::ExplicitVectors;
use milli_core::{DocumentId, FieldId, FieldsIdsMap, Index, MatcherBuilder, MatchingWords, all_obkv_to_json};
use miroir_protocol::search::SearchQuery;
use serde_json::{Map, Value, json};

use super::crop::format_options;
use super::format::Formatter;
use super::geo;
use super::pointer::select_values;
use super::score::global_score;
use crate::engine::languages_of;
use crate::error::EngineError;

/// The field that holds a document's vectors.
const VECTORS: &str = "_vectors";

/// What every hit of a search is made with.
struct HitMaker<'a> {
    index: &'a Index,
    rtxn: &'a RoTxn<'a>,
    fields: FieldsIdsMap,
    query: &'a SearchQuery,
    /// Fields that are returned.
    retrieved: Vec<String>,
    formatter: Formatter<'a>,
    origin: Option<[f64; 2]>,
}

/// The hits for the documents found, in their order.
pub(super) fn make_hits(
    index: &Index,
    rtxn: &RoTxn<'_>,
    query: &SearchQuery,
    words: MatchingWords,
    found: impl Iterator<Item = (DocumentId, Vec<ScoreDetails>)>,
) -> Result<Vec<Value>, EngineError> {
    let dictionary = index.dictionary(rtxn)?;
    let dictionary: Option<Vec<_>> =
        dictionary.as_ref().map(|words| words.iter().map(String::as_str).collect());
    let separators = index.allowed_separators(rtxn)?;
    let separators: Option<Vec<_>> =
        separators.as_ref().map(|tokens| tokens.iter().map(String::as_str).collect());
    let tokenizer = tokenizer(dictionary.as_deref(), separators.as_deref());
    let mut matcher = MatcherBuilder::new(words, tokenizer);
    matcher.crop_marker(query.crop_marker.clone());
    matcher.highlight_prefix(query.highlight_pre_tag.clone());
    matcher.highlight_suffix(query.highlight_post_tag.clone());
    let maker = HitMaker::new(index, rtxn, query, matcher)?;
    found.map(|(id, scores)| maker.hit(id, &scores)).collect()
}

fn tokenizer<'a>(dictionary: Option<&'a [&'a str]>, separators: Option<&'a [&'a str]>) -> Tokenizer<'a> {
    let mut builder = TokenizerBuilder::default();
    builder.create_char_map(true);
    if let Some(separators) = separators {
        builder.separators(separators);
    }
    if let Some(dictionary) = dictionary {
        builder.words_dict(dictionary);
    }
    builder.into_tokenizer()
}

impl<'a> HitMaker<'a> {
    fn new(
        index: &'a Index,
        rtxn: &'a RoTxn<'a>,
        query: &'a SearchQuery,
        matcher: MatcherBuilder<'a>,
    ) -> Result<Self, EngineError> {
        let fields = index.fields_ids_map(rtxn)?;
        let displayed: BTreeSet<FieldId> = match index.displayed_fields_ids(rtxn)? {
            Some(ids) => ids.into_iter().collect(),
            None => fields.ids().collect(),
        };
        let retrieved = retrieved(query, &fields, &displayed);
        let options = format_options(query, &fields, &displayed, &retrieved);
        let names = |ids: &BTreeSet<FieldId>| -> Vec<String> {
            ids.iter().filter_map(|id| fields.name(*id)).map(str::to_owned).collect()
        };
        let formatter = Formatter {
            matcher,
            displayed: names(&displayed),
            options: named(options, &fields),
            show_positions: query.show_matches_position,
            locales: query.locales.as_deref().map(languages_of),
            rules: index.localized_attributes_rules(rtxn)?.unwrap_or_default(),
        };
        let retrieved = names(&retrieved).into_iter().filter(|name| name != VECTORS).collect();
        let origin = query.sort.as_deref().and_then(geo::origin);
        Ok(Self { index, rtxn, fields, query, retrieved, formatter, origin })
    }

    fn hit(&self, id: DocumentId, scores: &[ScoreDetails]) -> Result<Value, EngineError> {
        let stored = all_obkv_to_json(self.index.document(self.rtxn, id)?, &self.fields)?;
        let formatted = (!self.formatter.is_idle()).then(|| {
            let displayed = self.formatter.displayed.iter().map(String::as_str);
            self.formatter.format(select_values(stored.clone(), displayed))
        });
        let given_vectors = stored.get(VECTORS).cloned();
        let mut hit = select_values(stored, self.retrieved.iter().map(String::as_str));
        if self.query.retrieve_vectors {
            hit.insert(VECTORS.to_owned(), vectors_of(self.index, self.rtxn, id, given_vectors)?);
        }
        if let Some(origin) = &self.origin {
            geo::add_distance(&mut hit, origin);
        }
        if let Some((positions, formatted)) = formatted {
            if !formatted.is_empty() {
                hit.insert("_formatted".to_owned(), formatted.into());
            }
            if let Some(positions) = positions {
                hit.insert("_matchesPosition".to_owned(), json!(positions));
            }
        }
        if self.query.show_ranking_score {
            hit.insert("_rankingScore".to_owned(), json!(global_score(scores)));
        }
        if self.query.show_ranking_score_details {
            let details = ScoreDetails::to_json_map(scores.iter());
            hit.insert("_rankingScoreDetails".to_owned(), details.into());
        }
        Ok(hit.into())
    }
}

/// The vectors of a document: those given with it and those the embedders made.
pub(crate) fn vectors_of(
    index: &Index,
    rtxn: &RoTxn<'_>,
    id: DocumentId,
    given: Option<Value>,
) -> Result<Value, EngineError> {
    let mut vectors = match given {
        Some(Value::Object(given)) => given,
        _ => Map::new(),
    };
    let configs = index.embedding_configs(rtxn)?;
    for (name, embeddings) in index.embeddings(rtxn, id)? {
        let user_provided =
            configs.iter().any(|config| config.name == name && config.user_provided.contains(id));
        let embeddings = ExplicitVectors { embeddings: Some(embeddings.into()), regenerate: !user_provided };
        vectors.insert(name, json!(embeddings));
    }
    Ok(vectors.into())
}

/// The displayed fields that are asked for.
fn retrieved(query: &SearchQuery, fields: &FieldsIdsMap, displayed: &BTreeSet<FieldId>) -> BTreeSet<FieldId> {
    match &query.attributes_to_retrieve {
        Some(names) if !names.contains("*") => {
            names.iter().filter_map(|name| fields.id(name)).filter(|id| displayed.contains(id)).collect()
        }
        _ => displayed.clone(),
    }
}

fn named<T>(by_id: BTreeMap<FieldId, T>, fields: &FieldsIdsMap) -> Vec<(String, T)> {
    by_id.into_iter().filter_map(|(id, value)| Some((fields.name(id)?.to_owned(), value))).collect()
}
