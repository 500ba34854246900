//! The table.

use http::Method;

use crate::keys::Action;

macro_rules! operations {
    ($(
        #[doc = $about:literal]
        $resource:ident {$(
            $operation:ident $method:ident $path:literal $(needs $($action:ident)+)?;
        )*}
    )*) => {
        /// What an operation is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Resource {$(
            #[doc = $about]
            $resource,
        )*}

        /// What a request can ask for.
        #[allow(missing_docs)] // the table says what each one is
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {$($(
            $operation,
        )*)*}

        impl Operation {
            /// Every operation. Of two paths that match the same request, the one that counts comes first.
            pub const TABLE: &'static [Row] = &[$($(Row {
                operation: Self::$operation,
                resource: Resource::$resource,
                method: Method::$method,
                path: $path,
                actions: &[$($(Action::$action),+)?],
                segments: segments($path),
            },)*)*];
        }
    };
}

/// One operation: how it is reached, and what a key needs for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The operation.
    pub operation: Operation,
    /// What it is about.
    pub resource: Resource,
    /// Its method.
    pub method: Method,
    /// Its path, with names in braces where anything may stand. `{setting}` stands for one of the settings; of
    /// [`Operation::PutSetting`] and [`Operation::PatchSetting`] each setting has one.
    pub path: &'static str,
    /// The actions a key must have, all of them. None: anybody may.
    pub actions: &'static [Action],
    /// How many parts the path has.
    pub(super) segments: usize,
}

/// How many parts a pattern has.
const fn segments(path: &str) -> usize {
    let (bytes, mut at, mut count) = (path.as_bytes(), 0, 0);
    while at < bytes.len() {
        count += (bytes[at] == b'/') as usize;
        at += 1;
    }
    count
}

operations! {
    /// Searches: of one index, of several, of its facets, for similar documents.
    Search {
        Search             POST   "/indexes/{index_uid}/search"                   needs Search;
        SearchByUrl        GET    "/indexes/{index_uid}/search"                   needs Search;
        MultiSearch        POST   "/multi-search"                                 needs Search;
        FacetSearch        POST   "/indexes/{index_uid}/facet-search"             needs Search;
        Similar            POST   "/indexes/{index_uid}/similar"                  needs Search;
        SimilarByUrl       GET    "/indexes/{index_uid}/similar"                  needs Search;
    }
    /// The documents of an index.
    Documents {
        ListDocuments      GET    "/indexes/{index_uid}/documents"                needs DocumentsGet;
        AddDocuments       POST   "/indexes/{index_uid}/documents"                needs DocumentsAdd;
        UpdateDocuments    PUT    "/indexes/{index_uid}/documents"                needs DocumentsAdd;
        DeleteDocuments    DELETE "/indexes/{index_uid}/documents"                needs DocumentsDelete;
        DeleteBatch        POST   "/indexes/{index_uid}/documents/delete-batch"   needs DocumentsDelete;
        DeleteByFilter     POST   "/indexes/{index_uid}/documents/delete"         needs DocumentsDelete;
        EditDocuments      POST   "/indexes/{index_uid}/documents/edit"           needs DocumentsAll;
        FetchDocuments     POST   "/indexes/{index_uid}/documents/fetch"          needs DocumentsGet;
        GetDocument        GET    "/indexes/{index_uid}/documents/{document_id}"  needs DocumentsGet;
        DeleteDocument     DELETE "/indexes/{index_uid}/documents/{document_id}"  needs DocumentsDelete;
    }
    /// Indexes themselves.
    Indexes {
        ListIndexes        GET    "/indexes"                                      needs IndexesGet;
        CreateIndex        POST   "/indexes"                                      needs IndexesCreate;
        GetIndex           GET    "/indexes/{index_uid}"                          needs IndexesGet;
        UpdateIndex        PATCH  "/indexes/{index_uid}"                          needs IndexesUpdate;
        DeleteIndex        DELETE "/indexes/{index_uid}"                          needs IndexesDelete;
        IndexStats         GET    "/indexes/{index_uid}/stats"                    needs StatsGet;
        Fields             POST   "/indexes/{index_uid}/fields"                   needs FieldsPost;
        CompactIndex       POST   "/indexes/{index_uid}/compact"                  needs IndexesCompact;
        SwapIndexes        POST   "/swap-indexes"                                 needs IndexesSwap;
    }
    /// The settings of an index.
    Settings {
        GetSettings        GET    "/indexes/{index_uid}/settings"                 needs SettingsGet;
        UpdateSettings     PATCH  "/indexes/{index_uid}/settings"                 needs SettingsUpdate;
        ResetSettings      DELETE "/indexes/{index_uid}/settings"                 needs SettingsUpdate;
        GetSetting         GET    "/indexes/{index_uid}/settings/{setting}"       needs SettingsGet;
        PutSetting         PUT    "/indexes/{index_uid}/settings/{setting}"       needs SettingsUpdate;
        PatchSetting       PATCH  "/indexes/{index_uid}/settings/{setting}"       needs SettingsUpdate;
        ResetSetting       DELETE "/indexes/{index_uid}/settings/{setting}"       needs SettingsUpdate;
    }
    /// Tasks and the batches they were done in.
    Tasks {
        ListTasks          GET    "/tasks"                                        needs TasksGet;
        DeleteTasks        DELETE "/tasks"                                        needs TasksDelete;
        CancelTasks        POST   "/tasks/cancel"                                 needs TasksCancel;
        CompactTasks       POST   "/tasks/compact"                                needs TasksCompact;
        GetTask            GET    "/tasks/{task_id}"                              needs TasksGet;
        TaskDocuments      GET    "/tasks/{task_id}/documents"                    needs TasksGet;
        ListBatches        GET    "/batches"                                      needs TasksGet;
        GetBatch           GET    "/batches/{batch_id}"                           needs TasksGet;
    }
    /// API keys.
    Keys {
        ListKeys           GET    "/keys"                                         needs KeysGet;
        CreateKey          POST   "/keys"                                         needs KeysCreate;
        GetKey             GET    "/keys/{key}"                                   needs KeysGet;
        UpdateKey          PATCH  "/keys/{key}"                                   needs KeysUpdate;
        DeleteKey          DELETE "/keys/{key}"                                   needs KeysDelete;
    }
    /// Webhooks.
    Webhooks {
        ListWebhooks       GET    "/webhooks"                                     needs WebhooksGet;
        CreateWebhook      POST   "/webhooks"                                     needs WebhooksCreate;
        GetWebhook         GET    "/webhooks/{uuid}"                              needs WebhooksGet;
        UpdateWebhook      PATCH  "/webhooks/{uuid}"                              needs WebhooksUpdate;
        DeleteWebhook      DELETE "/webhooks/{uuid}"                              needs WebhooksDelete;
    }
    /// Health, version, statistics, backups and the rest of the instance.
    Instance {
        Health             GET    "/health";
        Version            GET    "/version"                                      needs Version;
        Stats              GET    "/stats"                                        needs StatsGet;
        Metrics            GET    "/metrics"                                      needs MetricsGet;
        CreateDump         POST   "/dumps"                                        needs DumpsCreate;
        CreateSnapshot     POST   "/snapshots"                                    needs SnapshotsCreate;
        Export             POST   "/export"                                       needs Export;
        RenderTemplate     POST   "/render-template"                              needs SettingsGet DocumentsGet;
        LogsToStderr       POST   "/logs/stderr"                                  needs MetricsGet;
        StreamLogs         POST   "/logs/stream"                                  needs MetricsGet;
        StopLogs           DELETE "/logs/stream"                                  needs MetricsGet;
    }
    /// Experimental features.
    Features {
        GetFeatures        GET    "/experimental-features"                        needs ExperimentalFeaturesGet;
        UpdateFeatures     PATCH  "/experimental-features"                        needs ExperimentalFeaturesUpdate;
    }
    /// The network of servers, as clients see it.
    Network {
        GetNetwork         GET    "/network"                                      needs NetworkGet;
        UpdateNetwork      PATCH  "/network"                                      needs NetworkUpdate;
        ControlNetwork     POST   "/network/control"                              needs NetworkUpdate;
    }
    /// Dynamic search rules.
    Rules {
        ListRules          POST   "/dynamic-search-rules"                         needs DynamicSearchRulesGet;
        DeleteRules        DELETE "/dynamic-search-rules"                         needs DynamicSearchRulesDelete;
        GetRule            GET    "/dynamic-search-rules/{uid}"                   needs DynamicSearchRulesGet;
        UpdateRule         PATCH  "/dynamic-search-rules/{uid}"                   needs DynamicSearchRulesUpdate;
        DeleteRule         DELETE "/dynamic-search-rules/{uid}"                   needs DynamicSearchRulesDelete;
    }
    /// Chat workspaces.
    Chats {
        ListChats          GET    "/chats"                                        needs ChatsGet;
        GetChat            GET    "/chats/{workspace_uid}"                        needs ChatsGet;
        DeleteChat         DELETE "/chats/{workspace_uid}"                        needs ChatsDelete;
        GetChatSettings    GET    "/chats/{workspace_uid}/settings"               needs ChatsSettingsGet;
        UpdateChatSettings PATCH  "/chats/{workspace_uid}/settings"               needs ChatsSettingsUpdate;
        ResetChatSettings  DELETE "/chats/{workspace_uid}/settings"               needs ChatsSettingsUpdate;
        ChatCompletions    POST   "/chats/{workspace_uid}/chat/completions"       needs ChatCompletions;
    }
}
