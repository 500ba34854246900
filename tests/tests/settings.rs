//! Settings on the nodes: what they have, and what happens to those that have others.

use miroir_tests::{Cluster, cluster, eventually};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

fn of_nodes(cluster: &mut Cluster, index: &str) -> Vec<Value> {
    let path = format!("/indexes/{index}/settings");
    cluster.nodes().iter().map(|node| node.client().get(&path).send().ok()).collect()
}

#[test]
fn a_node_whose_settings_were_changed_behind_the_gateway_gets_its_own_back() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    let settings =
        json!({"stopWords": ["the"], "filterableAttributes": ["genre"], "displayedAttributes": ["title"]});
    client.patch("/indexes/films/settings").json(&settings).succeeds();
    let changed =
        json!({"stopWords": ["a"], "filterableAttributes": ["year"], "displayedAttributes": ["year"]});
    cluster.nodes()[1].client().patch("/indexes/films/settings").json(&changed).succeeds();

    client.put("/indexes/films/settings/dictionary").json(&json!(["J. R. R."])).succeeds();
    eventually("the node has the settings of the index", || {
        let settings = of_nodes(&mut cluster, "films");
        let mended = &settings[1];
        (mended["stopWords"] == json!(["the"])
            && mended["filterableAttributes"] == json!(["genre", "_miroir.s"])
            && mended["displayedAttributes"] == json!(["*"])
            && mended == &settings[0])
            .then_some(())
    });
    assert_eq!(client.get("/indexes/films/settings/stop-words").send().ok(), json!(["the"]));
}

#[test]
fn templates_are_shown_as_clients_set_them_and_never_read_the_internal_field() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let client = cluster.client();
    let embedders = json!({"embedders": {
        "plain": {"source": "rest", "url": "http://127.0.0.1:9", "dimensions": 2, "apiKey": "secret of the service",
                  "request": {"input": "{{text}}"}, "response": {"embedding": "{{embedding}}"}},
        "given": {"source": "userProvided", "dimensions": 2},
    }});
    client.patch("/indexes/films/settings").json(&embedders).succeeds();

    let shown = client.get("/indexes/films/settings/embedders").send().ok();
    let template = shown["plain"]["documentTemplate"].as_str().expect("a template");
    assert!(template.starts_with("{% for field in fields %}{% if field.is_searchable"), "{template}");
    assert_eq!(shown["plain"]["apiKey"], "secXXXXX...");
    assert_eq!(shown["given"], json!({"source": "userProvided", "dimensions": 2}));
    for settings in of_nodes(&mut cluster, "films") {
        let template = settings["embedders"]["plain"]["documentTemplate"].as_str().expect("a template");
        assert!(
            template.contains("{% if miroir_root == \"_miroir\" %}{% continue %}{% endif %}"),
            "{template}"
        );
        assert_eq!(settings["embedders"]["given"].get("documentTemplate"), None);
    }

    let own = json!({"plain": {"documentTemplate": "{{doc.title}}"}});
    client.patch("/indexes/films/settings/embedders").json(&own).succeeds();
    let more = json!({"plain": {"source": "rest", "url": "http://127.0.0.1:10", "dimensions": 2,
                                "request": {"input": "{{text}}"}, "response": {"embedding": "{{embedding}}"}}});
    client.patch("/indexes/films/settings/embedders").json(&more).succeeds();
    for settings in of_nodes(&mut cluster, "films") {
        assert_eq!(settings["embedders"]["plain"]["documentTemplate"], "{{doc.title}}");
    }
}
