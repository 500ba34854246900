//! Which operation a request asks for.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use super::table::{Operation, Row};
use crate::settings::{SettingName, UpdateMethod};

/// The most parts a path has.
const LONGEST: usize = 4;

/// An operation, and what stands in its path where anything may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched<'a> {
    row: &'static Row,
    names: [&'a str; 2],
    setting: Option<SettingName>,
}

/// Why a request asks for no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOperation {
    /// Nothing is at that path.
    NotFound,
    /// Something is, but not with that method.
    MethodNotAllowed,
}

// === impl Operation ===

impl Operation {
    /// The operation that a request with this method and path asks for. Doubled slashes and one at the end are
    /// ignored, and `HEAD` is no `GET`, as in Meilisearch.
    pub fn of<'a>(method: &Method, path: &'a str) -> Result<Matched<'a>, NoOperation> {
        let mut parts = [""; LONGEST];
        let mut count = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            *parts.get_mut(count).ok_or(NoOperation::NotFound)? = part;
            count += 1;
        }
        let parts = &parts[..count];
        let mut rows = Self::TABLE.iter();
        let (row, names) =
            rows.find_map(|row| Some((row, names(row, parts)?))).ok_or(NoOperation::NotFound)?;
        let setting = if row.path.ends_with("{setting}") {
            Some(SettingName::from_route(names[1]).ok_or(NoOperation::NotFound)?)
        } else {
            None
        };
        // The paths of one resource stand together in the table, those of equal paths one after another.
        let same = std::iter::once(row).chain(rows.filter(|other| other.path == row.path));
        let row = { same }
            .find(|row| row.method == *method && setting.is_none_or(|setting| row.operation.updates(setting)))
            .ok_or(NoOperation::MethodNotAllowed)?;
        Ok(Matched { row, names, setting })
    }

    /// Whether the operation is one that this setting has.
    fn updates(self, setting: SettingName) -> bool {
        match self {
            Self::PutSetting => setting.update_method() == UpdateMethod::Put,
            Self::PatchSetting => setting.update_method() == UpdateMethod::Patch,
            _ => true,
        }
    }
}

/// What stands at the names of the row's path, if the path is the row's.
fn names<'a>(row: &Row, parts: &[&'a str]) -> Option<[&'a str; 2]> {
    if row.segments != parts.len() {
        return None;
    }
    let (mut names, mut found) = ([""; 2], 0);
    for (pattern, part) in row.path[1..].split('/').zip(parts) {
        if pattern.starts_with('{') {
            *names.get_mut(found)? = part;
            found += 1;
        } else if pattern != *part && pattern != percent_decode_str(part).decode_utf8_lossy() {
            return None;
        }
    }
    Some(names)
}

// === impl Matched ===

impl<'a> Matched<'a> {
    /// The operation.
    pub fn operation(&self) -> Operation {
        self.row.operation
    }

    /// The operation's row in the table.
    pub fn row(&self) -> &'static Row {
        self.row
    }

    /// The first name in the path: of an index, a task, a key. Empty if the path has none.
    pub fn name(&self) -> Cow<'a, str> {
        percent_decode_str(self.names[0]).decode_utf8_lossy()
    }

    /// The second name in the path: of a document. Empty if the path has none.
    pub fn second_name(&self) -> Cow<'a, str> {
        percent_decode_str(self.names[1]).decode_utf8_lossy()
    }

    /// The index in the path.
    pub fn index_uid(&self) -> Option<Cow<'a, str>> {
        self.row.path.starts_with("/indexes/").then(|| self.name())
    }

    /// The setting in the path.
    pub fn setting(&self) -> Option<SettingName> {
        self.setting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str) -> Result<Operation, NoOperation> {
        Operation::of(&method, path).map(|matched| matched.operation())
    }

    #[test]
    fn names_are_taken_from_the_path() {
        let document = Operation::of(&Method::GET, "/indexes/movies/documents/a%2Db").expect("an operation");
        assert_eq!(document.operation(), Operation::GetDocument);
        assert_eq!((document.name(), document.second_name()), ("movies".into(), "a-b".into()));
        assert_eq!(document.index_uid(), Some("movies".into()));
        let task = Operation::of(&Method::GET, "/tasks/7").expect("an operation");
        assert_eq!((task.name(), task.index_uid()), ("7".into(), None));
    }

    #[test]
    fn another_method_is_not_another_path() {
        assert_eq!(of(Method::PUT, "/indexes/movies/search"), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::GET, "/multi-search"), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::PATCH, "/health"), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::HEAD, "/health"), Err(NoOperation::MethodNotAllowed));
        for path in ["/nope", "/", "/indexes/movies/nope", "/indexes/m/documents/1/2", "/a/b/c/d/e", "*"] {
            assert_eq!(of(Method::GET, path), Err(NoOperation::NotFound), "{path}");
        }
    }

    #[test]
    fn what_is_spelled_out_comes_before_what_may_be_anything() {
        assert_eq!(of(Method::POST, "/tasks/cancel"), Ok(Operation::CancelTasks));
        assert_eq!(of(Method::GET, "/tasks/cancel"), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::POST, "/indexes/m/documents/fetch"), Ok(Operation::FetchDocuments));
        assert_eq!(of(Method::GET, "/indexes/m/documents/fetch"), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::GET, "/indexes/m/documents/fetched"), Ok(Operation::GetDocument));
    }

    #[test]
    fn slashes_may_be_doubled_and_at_the_end() {
        assert_eq!(of(Method::GET, "//indexes///movies/"), Ok(Operation::GetIndex));
        assert_eq!(of(Method::GET, "/indexes/"), Ok(Operation::ListIndexes));
    }

    #[test]
    fn letters_may_be_written_by_their_codes() {
        assert_eq!(of(Method::GET, "/%68ealth"), Ok(Operation::Health));
        assert_eq!(of(Method::POST, "/indexes/movies/%73earch"), Ok(Operation::Search));
        assert_eq!(of(Method::GET, "/indexes%2Fmovies"), Err(NoOperation::NotFound));
    }

    #[test]
    fn settings_have_the_method_meilisearch_gives_them() {
        let path = "/indexes/i/settings/stop-words";
        assert_eq!(of(Method::PUT, path), Ok(Operation::PutSetting));
        assert_eq!(of(Method::PATCH, path), Err(NoOperation::MethodNotAllowed));
        let path = "/indexes/i/settings/faceting";
        assert_eq!(of(Method::PATCH, path), Ok(Operation::PatchSetting));
        assert_eq!(of(Method::PUT, path), Err(NoOperation::MethodNotAllowed));
        assert_eq!(of(Method::GET, "/indexes/i/settings/nope"), Err(NoOperation::NotFound));
        let matched = Operation::of(&Method::DELETE, path).expect("an operation");
        assert_eq!(matched.setting(), Some(SettingName::Faceting));
    }
}
