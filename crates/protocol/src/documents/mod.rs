//! Parameters of the document routes.

mod browse;
mod change;

pub use self::{
    browse::{BrowseQuery, GetDocument},
    change::{
        AddDocuments, ChangeDocuments, DeleteByFilter, EditDocuments, delete_batch_from_json,
        deleted_id_text, is_empty_filter,
    },
};
