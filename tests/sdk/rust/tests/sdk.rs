//! The official Rust client against a running gateway: `MIROIR_URL` and `MIROIR_KEY` say where.

use meilisearch_sdk::{
    client::Client,
    errors::{Error, ErrorCode},
    key::{Action, KeyBuilder},
    settings::Settings,
    task_info::TaskInfo,
    tasks::{Task, TasksSearchQuery},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Film {
    id: u32,
    title: String,
    genre: String,
}

fn film(id: u32, title: &str, genre: &str) -> Film {
    Film { id, title: title.to_owned(), genre: genre.to_owned() }
}

async fn done(client: &Client, task: TaskInfo) -> Task {
    let task = task.wait_for_completion(client, None, None).await.expect("the task ends");
    assert!(task.is_success(), "{task:?}");
    task
}

fn with_key(key: &str) -> Client {
    let url = std::env::var("MIROIR_URL").expect("MIROIR_URL");
    Client::new(url, Some(key)).expect("a client")
}

/// An index of this name with films in it, in place of the one that is there.
async fn filled(uid: &str) -> Client {
    let client = with_key(&std::env::var("MIROIR_KEY").expect("MIROIR_KEY"));
    let before = client.delete_index(uid).await.expect("taken");
    before.wait_for_completion(&client, None, None).await.expect("it ends");
    done(&client, client.create_index(uid, Some("id")).await.expect("taken")).await;
    let films = client.index(uid);
    let settings = Settings::new().with_filterable_attributes(["genre"]).with_stop_words(["of"]);
    done(&client, films.set_settings(&settings).await.expect("taken")).await;
    let documents =
        [film(1, "Star Wars", "space"), film(2, "Star Trek", "space"), film(3, "A Star is Born", "music")];
    done(&client, films.add_documents(&documents, None).await.expect("taken")).await;
    client
}

async fn clean_up(client: &Client, uid: &str) {
    done(client, client.delete_index(uid).await.expect("taken")).await;
}

#[tokio::test]
async fn documents_are_added_and_found() {
    let client = filled("rs_films").await;
    let films = client.index("rs_films");
    let found: Film = films.get_document("3").await.expect("there");
    assert_eq!(found, film(3, "A Star is Born", "music"));
    let mut search = films.search();
    let answer =
        search.with_query("star").with_filter("genre = space").execute::<Film>().await.expect("found");
    assert_eq!(answer.hits.len(), 2);
    let mut multi = client.multi_search();
    let both = films.search().with_query("star").build();
    let answers = multi.with_search_query(both.clone()).with_search_query(both).execute::<Film>().await;
    let hits: Vec<usize> = answers.expect("found").results.iter().map(|answer| answer.hits.len()).collect();
    assert_eq!(hits, [3, 3]);
    assert_eq!(films.get_settings().await.expect("there").stop_words, Some(vec!["of".to_owned()]));
    done(&client, films.delete_document(3).await.expect("taken")).await;
    assert_eq!(films.get_stats().await.expect("there").number_of_documents, 2);
    clean_up(&client, "rs_films").await;
}

#[tokio::test]
async fn keys_and_tenant_tokens_open_what_they_are_for() {
    let client = filled("rs_keys").await;
    let mut asked = KeyBuilder::new();
    asked.with_action(Action::Search).with_index("rs_keys").with_name("mine");
    let key = asked.execute(&client).await.expect("created");
    let uid = key.uid.clone();
    let token = client
        .generate_tenant_token(uid, json!({ "rs_keys": { "filter": "genre = music" } }), Some(&key.key), None)
        .expect("signed");
    let tenant = with_key(&token);
    let hits =
        tenant.index("rs_keys").search().with_query("star").execute::<Film>().await.expect("found").hits;
    assert_eq!(hits.into_iter().map(|hit| hit.result.id).collect::<Vec<_>>(), [3]);
    let refused = tenant.index("books").search().execute::<Film>().await;
    assert!(
        matches!(&refused, Err(Error::Meilisearch(error)) if error.error_code == ErrorCode::InvalidApiKey),
        "{refused:?}"
    );
    client.delete_key(&key).await.expect("deleted");
    assert!(tenant.index("rs_keys").search().execute::<Film>().await.is_err());
    clean_up(&client, "rs_keys").await;
}

#[tokio::test]
async fn tasks_are_listed_and_fail_for_a_reason() {
    let client = filled("rs_tasks").await;
    let films = client.index("rs_tasks");
    let info = films.add_documents(&[json!({ "title": "no id" })], None).await.expect("taken");
    let task = info.wait_for_completion(&client, None, None).await.expect("it ends");
    assert_eq!(task.unwrap_failure().error_code, ErrorCode::MissingDocumentId);
    let mut query = TasksSearchQuery::new(&client);
    let listed = query
        .with_statuses(["failed"])
        .with_index_uids(["rs_tasks"])
        .with_limit(1)
        .execute()
        .await
        .expect("listed");
    assert_eq!(listed.results.len(), 1);
    clean_up(&client, "rs_tasks").await;
}
