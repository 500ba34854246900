//! The tool by which the model searches, and the ones by which a client's program hears of it.

use std::fmt::Write;

use miroir_protocol::{
    chats::Prompts,
    error::{Code, ResponseError},
};
use serde_json::json;

use crate::{
    request::{ChatRequest, FunctionObject, Tool, ToolKind},
    words::{APPEND, PROGRESS, SEARCH, SOURCES},
};

/// What a client's program wants to hear of: it says so by declaring the tools of these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    pub(crate) progress: bool,
    pub(crate) sources: bool,
    pub(crate) append: bool,
}

/// What a model is told of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexAbout {
    /// Its name.
    pub uid: String,
    /// What it holds.
    pub description: String,
    /// Attributes that can be filtered on, each with its most frequent values.
    pub facets: Vec<(String, Vec<String>)>,
}

/// The tool by which the model searches.
#[derive(Clone, Debug)]
pub struct SearchTool(Tool);

// === impl Reports ===

impl Reports {
    /// Takes the tools of a client's program out of its request: the model does not see them. Others are refused.
    pub fn take(request: &mut ChatRequest) -> Result<Self, ResponseError> {
        let mut reports = Self::default();
        for tool in request.tools.get_or_insert_default().drain(..) {
            match tool.function.name.as_str() {
                PROGRESS => reports.progress = true,
                SOURCES => reports.sources = true,
                APPEND => reports.append = true,
                SEARCH => {
                    let message = format!("{SEARCH} function is already defined.");
                    return Err(ResponseError::new(Code::BadRequest, message));
                }
                other => {
                    let message = format!("{other}: External functions are not supported yet.");
                    return Err(ResponseError::new(Code::UnimplementedExternalFunctionCalling, message));
                }
            }
        }
        Ok(reports)
    }
}

// === impl SearchTool ===

impl SearchTool {
    /// Searches in these indexes, explained in the words of the workspace.
    pub fn new(prompts: &Prompts, indexes: &[IndexAbout]) -> Self {
        let mut description = prompts.search_description.clone();
        let mut filters = prompts.search_filter_param.clone();
        for index in indexes {
            // Writing to a string does not fail.
            let _ = writeln!(description, "\n\n - {}: {}\n", index.uid, index.description);
            let _ = writeln!(filters, "\n## Facet distributions of the {} index", index.uid);
            for (facet, values) in &index.facets {
                let end = if values.is_empty() { "" } else { "." };
                let _ = writeln!(filters, "{facet}: {}{end}", values.join(", "));
            }
            filters.push('\n');
        }
        let uids: Vec<&str> = indexes.iter().map(|index| index.uid.as_str()).collect();
        let parameters = json!({
            "type": "object",
            "properties": {
                "index_uid": {
                    "type": "string", "enum": uids, "description": prompts.search_index_uid_param,
                },
                "q": { "type": "string", "description": prompts.search_q_param },
                "filter": { "type": "string", "description": filters },
            },
            "required": ["index_uid", "q", "filter"],
            "additionalProperties": false,
        });
        let function = FunctionObject {
            name: SEARCH.to_owned(),
            description: Some(description),
            parameters: Some(parameters),
            strict: Some(true),
        };
        Self(Tool { r#type: ToolKind::Function, function })
    }

    /// Gives the tool to the model.
    pub fn add_to(self, request: &mut ChatRequest) {
        request.tools.get_or_insert_default().push(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tools: &[&str]) -> ChatRequest {
        let tools: Vec<_> =
            tools.iter().map(|name| json!({ "type": "function", "function": { "name": name } })).collect();
        let body = json!({ "model": "m", "messages": [], "tools": tools });
        ChatRequest::from_json(body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_tools_of_a_program_are_hidden_from_the_model() {
        let mut asked = request(&[PROGRESS, APPEND]);
        let reports = Reports::take(&mut asked).unwrap();
        assert_eq!(reports, Reports { progress: true, sources: false, append: true });
        assert_eq!(asked.tools, Some(vec![]));
        assert_eq!(
            Reports::take(&mut request(&[SOURCES])).unwrap(),
            Reports { sources: true, ..Reports::default() }
        );
    }

    #[test]
    fn other_tools_are_refused() {
        let error = Reports::take(&mut request(&["weather"])).unwrap_err();
        assert_eq!(error.code_name(), "unimplemented_external_function_calling");
        assert_eq!(error.message(), "weather: External functions are not supported yet.");
        let error = Reports::take(&mut request(&[SEARCH])).unwrap_err();
        assert_eq!(error.message(), "_meiliSearchInIndex function is already defined.");
    }

    #[test]
    fn the_model_is_told_of_every_index() {
        let prompts = Prompts {
            search_description: "Search.".to_owned(),
            search_filter_param: "Filter.".to_owned(),
            ..Prompts::default()
        };
        let films = IndexAbout {
            uid: "films".to_owned(),
            description: "all films".to_owned(),
            facets: vec![
                ("genre".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
                ("year".to_owned(), vec![]),
            ],
        };
        let books = IndexAbout { uid: "books".to_owned(), ..IndexAbout::default() };
        let SearchTool(tool) = SearchTool::new(&prompts, &[books, films]);
        assert_eq!(
            tool.function.description.as_deref(),
            Some("Search.\n\n - books: \n\n\n\n - films: all films\n\n")
        );
        let parameters = tool.function.parameters.unwrap();
        assert_eq!(parameters["properties"]["index_uid"]["enum"], json!(["books", "films"]));
        assert_eq!(
            parameters["properties"]["filter"]["description"],
            "Filter.\n## Facet distributions of the books index\n\n\n## Facet distributions of the films index\n\
             genre: a, b.\nyear: \n\n"
        );
    }
}
