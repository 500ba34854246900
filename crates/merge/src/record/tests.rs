use super::*;

fn written(text: &str, shape: &Shape<'_>) -> String {
    let mut record = Record::default();
    record.read(&mut Cursor::new(text.as_bytes()), shape).unwrap();
    let mut out = Vec::new();
    record.write(shape, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn hit(text: &str) -> String {
    written(text, &Shape::of_hit(&[], &[], None))
}

#[test]
fn the_internal_field_goes_wherever_it_stands() {
    assert_eq!(hit(r#"{"_miroir":{"n":"!"},"a":1,"b":2}"#), r#"{"a":1,"b":2}"#);
    assert_eq!(hit(r#"{"a":1,"_miroir":{"n":"!"},"b":2}"#), r#"{"a":1,"b":2}"#);
    assert_eq!(hit(r#"{"a":1,"b":2,"_miroir":{"n":"!"}}"#), r#"{"a":1,"b":2}"#);
    assert_eq!(hit(r#"{"_miroir":{"n":"!"}}"#), "{}");
    assert_eq!(hit(r#" { "_miroir" : 3 , "a" : 1 } "#), r#"{ "a" : 1 }"#);
    assert_eq!(hit("{}"), "{}");
}

#[test]
fn scores_go_unless_asked_for() {
    let text = r#"{"a":1,"_rankingScore":0.5,"_rankingScoreDetails":{"words":{"order":0,"score":1.0}}}"#;
    assert_eq!(hit(text), r#"{"a":1}"#);
    let mut shape = Shape::of_hit(&[], &[], None);
    shape.show_score = true;
    assert_eq!(written(text, &shape), r#"{"a":1,"_rankingScore":0.5}"#);
    shape.show_details = true;
    assert_eq!(written(text, &shape), text);
}

#[test]
fn the_sequence_and_the_scores_are_found() {
    let text =
        br#"{"_rankingScoreDetails":{"x":[]},"_rankingScore":0.5,"_miroir":{"s":["!","!!"],"n":",:"}}"#;
    let mut record = Record::default();
    record.read(&mut Cursor::new(text), &Shape::of_hit(&[], &[], None)).unwrap();
    assert_eq!(record.sequence(), b",:");
    assert_eq!(record.score(), Some(&b"0.5"[..]));
    assert_eq!(record.details(), Some(&br#"{"x":[]}"#[..]));
}

#[test]
fn formatted_and_matches_lose_it_too() {
    let text =
        r#"{"a":1,"_formatted":{"_miroir":{"n":"!"},"a":"1"},"_matchesPosition":{"_miroir.n":[],"a":[]}}"#;
    assert_eq!(hit(text), r#"{"a":1,"_formatted":{"a":"1"},"_matchesPosition":{"a":[]}}"#);
    assert_eq!(hit(r#"{"a":1,"_formatted":{"_miroir":{}}}"#), r#"{"a":1}"#);
    assert_eq!(hit(r#"{"_matchesPosition":{"_miroir.n":[]}}"#), r#"{"_matchesPosition":{}}"#);
}

#[test]
fn members_of_the_document_with_names_of_the_nodes_are_left_alone() {
    let own = r#"{"_formatted":1,"_matchesPosition":[2],"_rankingScore":"x","_rankingScoreDetails":3,"a":1"#;
    let scored = format!(
        r#"{own},"_rankingScore":0.5,"_rankingScoreDetails":{{"words":{{"order":0,"score":1.0}}}}}}"#
    );
    assert_eq!(hit(&scored), format!("{own}}}"));
    let mut record = Record::default();
    record.read(&mut Cursor::new(scored.as_bytes()), &Shape::of_hit(&[], &[], None)).unwrap();
    assert_eq!(record.score(), Some(&b"0.5"[..]));
    let displayed = ["a".to_owned()];
    let shape = Shape::of_hit(&[], &[], Some(&displayed));
    assert_eq!(written(r#"{"_formatted":1,"_matchesPosition":2,"a":1}"#, &shape), r#"{"a":1}"#);
}

#[test]
fn paths_asked_for_in_addition_go() {
    let strip = ["color".to_owned(), "a.b".to_owned()];
    let shape = Shape::of_hit(&strip, &strip[..1], None);
    let text = r#"{"color":1,"a":{"b":1,"c":2},"z":0,"_formatted":{"a":{"b":"1"},"color":"1","z":"0"}}"#;
    assert_eq!(written(text, &shape), r#"{"a":{"c":2},"z":0,"_formatted":{"a":{"b":"1"},"z":"0"}}"#);
    assert_eq!(written(r#"{"a":{"b":1}}"#, &shape), "{}");
    assert_eq!(written(r#"{"a":5}"#, &shape), r#"{"a":5}"#);
}

#[test]
fn hidden_attributes_are_redacted() {
    let displayed = ["title".to_owned()];
    let mut shape = Shape::of_hit(&[], &[], Some(&displayed));
    shape.show_details = true;
    let text = r#"{"title":"x","_formatted":{"title":"x","year":"1"},"_matchesPosition":{"title":[1],"year":[2]},"_rankingScoreDetails":{"words":{"order":0,"score":1.0},"year:desc":{"order":1,"value":1.0},"title:asc":{"order":2,"value":"x"}}}"#;
    assert_eq!(
        written(text, &shape),
        r#"{"title":"x","_formatted":{"title":"x"},"_matchesPosition":{"title":[1]},"_rankingScoreDetails":{"words":{"order":0,"score":1.0},"<hidden-rule-1>":{"order":1,"value":"<hidden>"},"title:asc":{"order":2,"value":"x"}}}"#
    );
}

#[test]
fn what_is_no_object_is_an_error() {
    let strip = ["b".to_owned()];
    for shape in [Shape::default(), Shape::of_document(&strip)] {
        for text in ["", "[]", "{\"a\":1", "{\"_a\" 1", "{\"_miroir\":{\"n\":\"!\"}", "{\"_miroir\":}"] {
            let read = Record::default().read(&mut Cursor::new(text.as_bytes()), &shape);
            assert!(read.is_err(), "{text}");
        }
    }
    // Where all members are looked at.
    for text in ["{\"a\" 1}", "{a:1}"] {
        let read = Record::default().read(&mut Cursor::new(text.as_bytes()), &Shape::of_document(&strip));
        assert!(read.is_err(), "{text}");
    }
}
