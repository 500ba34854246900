use super::*;

fn merged(answers: &[&'static str], spec: &DocumentsSpec) -> String {
    let answers: Vec<Bytes> = answers.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
    String::from_utf8(merge_documents(&answers, spec).unwrap()).unwrap()
}

const A: &str = r#"{"results":[{"id":1,"y":5,"_miroir":{"n":"!!"}},{"id":3,"y":1,"_miroir":{"n":"!:"}}],"offset":0,"limit":20,"total":7}"#;
const B: &str = r#"{"results":[{"_miroir":{"n":"!,"},"id":2},{"_miroir":{"n":";;"},"id":4,"y":2}],"offset":0,"limit":20,"total":3}"#;

#[test]
fn documents_come_in_the_order_of_insertion() {
    let spec = DocumentsSpec { offset: 1, limit: 2, ..DocumentsSpec::default() };
    assert_eq!(
        merged(&[A, B], &spec),
        r#"{"results":[{"id":2},{"id":3,"y":1}],"offset":1,"limit":2,"total":10}"#
    );
}

#[test]
fn nothing_asked_is_nothing_given() {
    let spec = DocumentsSpec { offset: 3, limit: 0, ..DocumentsSpec::default() };
    assert_eq!(merged(&[A, B], &spec), r#"{"results":[],"offset":3,"limit":0,"total":10}"#);
}

#[test]
fn sorted_listings_stay_sorted() {
    let a = r#"{"results":[{"id":3,"y":1},{"id":1,"y":5}],"total":2}"#;
    let b = r#"{"results":[{"id":4,"y":2},{"id":2}],"total":2}"#;
    let spec = DocumentsSpec {
        limit: 9,
        sort: vec![SortKey::parse("y:asc").unwrap()],
        strip: vec!["y".to_owned()],
        ..DocumentsSpec::default()
    };
    assert_eq!(
        merged(&[a, b], &spec),
        r#"{"results":[{"id":3},{"id":4},{"id":1},{"id":2}],"offset":0,"limit":9,"total":4}"#
    );
}

#[test]
fn a_malformed_listing_is_named() {
    for text in [
        "",
        "{}",
        r#"{"results":[}"#,
        r#"{"results":[]}"#,
        r#"{"results":[1],"total":1}"#,
        r#"{"message":"x"}"#,
    ] {
        let answers = [Bytes::from_static(A.as_bytes()), Bytes::copy_from_slice(text.as_bytes())];
        let spec = DocumentsSpec { limit: 9, ..DocumentsSpec::default() };
        let error = merge_documents(&answers, &spec).unwrap_err();
        assert!(matches!(error, MergeError::Malformed { node: 1, .. }), "{text}");
    }
    assert_eq!(merge_documents(&[], &DocumentsSpec::default()), Err(MergeError::NoAnswers));
}

#[test]
fn single_documents_lose_the_internal_field() {
    let text = br#"{"id":1,"_miroir":{"n":"!"},"_rankingScore":1}"#;
    assert_eq!(strip_internal(text).unwrap(), &br#"{"id":1,"_rankingScore":1}"#[..]);
    assert!(matches!(strip_internal(br#"{"id":1}"#), Ok(Cow::Borrowed(_))));
    assert!(strip_internal(br#"{"id":1} x"#).is_err());
}
