//! What a model is told by a workspace.

use deserr::Deserr;
use serde::{Deserialize, Serialize};

use crate::{error::marker, parse::JsonRefusal, settings::Setting};

const SYSTEM: &str = "You are a highly capable research assistant with access to powerful search tools. IMPORTANT INSTRUCTIONS:1. \
    When answering questions, you MUST make multiple tool calls (at least 2-3) to gather comprehensive \
    information.2. Use different search queries for each tool call - vary keywords, rephrase questions, and explore \
    different semantic angles to ensure broad coverage.3. Always explicitly announce BEFORE making each tool call \
    by saying: \"I'll search for [specific information] now.\"4. Combine information from ALL tool calls to provide \
    complete, nuanced answers rather than relying on a single source.5. For complex topics, break down your \
    research into multiple targeted queries rather than using a single generic search. Meilisearch doesn't use the \
    colon (:) syntax to filter but rather the equal (=) one. Separate filters from query and keep the q parameter \
    empty if needed. Same for the filter parameter: keep it empty if need be. If you need to find documents that \
    CONTAINS keywords simply put the keywords in the q parameter do no use a filter for this purpose. Whenever you \
    get an error, read the error message and fix your error. ";
const SEARCH_DESCRIPTION: &str = "Query: 'best story about Rust before 2018' with year: 2018, 2020, 2021\nlabel: analysis, golang, \
    javascript\ntype: story, link\nvote: 300, 298, 278\n: {\"q\": \"\", \"filter\": \"category = Rust AND type = \
    story AND year < 2018 AND vote > 100\"}\nQuery: 'A black or green car that can go fast with red brakes' with \
    maxspeed_kmh: 200, 150, 130\ncolor: black, grey, red, green\nbrand: Toyota, Renault, Jeep, Ferrari\n: {\"q\": \
    \"red brakes\", \"filter\": \"maxspeed_kmh > 150 AND color IN ['black', green]\"}\nQuery: 'Superman movie \
    released in 2018 or after' with year: 2018, 2020, 2021\ngenres: Drama, Comedy, Adventure, Fiction\n: \
    {\"q\":\"Superman\",\"filter\":\"genres IN [Adventure, Fiction] AND year >= 2018\"}";
const SEARCH_Q_PARAM: &str = "The search query string used to find relevant documents in the index. This should contain keywords or phrases \
    that best represent what the user is looking for. More specific queries will yield more precise results.";
const SEARCH_FILTER_PARAM: &str = "The search filter string used to find relevant documents in the index. It supports parentheses, `=`, `!=`, \
    `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS \
    NOT EMPTY`, `_geoRadius`, or `_geoBoundingBox`. Here is an example: \"price > 100 AND category = \
    'electronics'\". The following is a list of fields that can be filtered on: ";
const SEARCH_INDEX_UID_PARAM: &str = "The name of the index to search within. An index is a collection of documents organized for search. Selecting \
    the right index ensures the most relevant results for the user query.";

/// The prompts, each with its default and the code of its errors.
macro_rules! prompts {
    ($(#[doc = $doc:literal] $name:ident = $default:ident, $code:ident;)*) => {
        /// What a model is told.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct Prompts {
            $(#[doc = $doc] pub $name: String,)*
        }

        /// Changes of what a model is told.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserr)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        pub struct PromptsChange {
            $(#[deserr(default, error = JsonRefusal<marker::$code>)] $name: Setting<String>,)*
        }

        impl Default for Prompts {
            fn default() -> Self {
                Self { $($name: $default.to_owned(),)* }
            }
        }

        impl Prompts {
            /// Changes what the change names.
            pub(super) fn apply(&mut self, change: PromptsChange) {
                $(match change.$name {
                    Setting::Set(text) => self.$name = text,
                    Setting::Reset => $default.clone_into(&mut self.$name),
                    Setting::NotSet => {}
                })*
            }
        }
    };
}

prompts! {
    #[doc = "Before the conversation."]
    system = SYSTEM, InvalidChatCompletionSystemPrompt;
    #[doc = "How to search."]
    search_description = SEARCH_DESCRIPTION, InvalidChatCompletionSearchDescriptionPrompt;
    #[doc = "What the words of a search are."]
    search_q_param = SEARCH_Q_PARAM, InvalidChatCompletionSearchQueryParamPrompt;
    #[doc = "What the filter of a search is."]
    search_filter_param = SEARCH_FILTER_PARAM, InvalidChatCompletionSearchFilterParamPrompt;
    #[doc = "What the index of a search is."]
    search_index_uid_param = SEARCH_INDEX_UID_PARAM, InvalidChatCompletionSearchIndexUidParamPrompt;
}
