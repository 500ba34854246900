use super::*;

fn merged(nodes: &[(&str, &str)], spec: &FacetSpec, candidates: u64) -> String {
    let mut stats = Stats::default();
    for (_, text) in nodes {
        stats.add(text.as_bytes()).unwrap();
    }
    let mut distribution = Distribution::default();
    for (node, (text, _)) in nodes.iter().enumerate() {
        distribution.add(node, text.as_bytes()).unwrap();
    }
    let mut out = Vec::new();
    let listing = Listing {
        spec,
        candidates,
        stats: &stats,
        duplicates: &[],
        documents: None,
        groups: None,
        ranks: None,
    };
    distribution.write(&listing, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn attributes_come_by_name_and_the_internal_ones_not_at_all() {
    let nodes = [
        (r#"{"year":{"1998":1},"_miroir.s":{"!":2},"genre":{}}"#, r#"{"year":{"min":1998.0,"max":1998.0}}"#),
        (
            r#"{"année \"x\"":{"a\"b":1},"year":{"1998":2,"2001":1}}"#,
            r#"{"year":{"min":1998.0,"max":2001.0}}"#,
        ),
    ];
    assert_eq!(
        merged(&nodes, &FacetSpec { max_values: 10, ..FacetSpec::default() }, 5),
        r#"{"année \"x\"":{"a\"b":1},"genre":{},"year":{"1998":3,"2001":1}}"#
    );
}

#[test]
fn each_attribute_has_its_own_order() {
    let spec = FacetSpec {
        max_values: 2,
        order: FacetOrder::Count,
        order_by: vec![("a".to_owned(), FacetOrder::Name)],
    };
    let nodes = [(r#"{"a":{"x":1,"y":2},"b":{"x":1,"y":2}}"#, "{}"), (r#"{"a":{"z":9},"b":{"z":9}}"#, "{}")];
    assert_eq!(merged(&nodes, &spec, 12), r#"{"a":{"x":1,"y":2},"b":{"z":9,"y":2}}"#);
}

#[test]
fn many_candidates_order_numbers_by_value() {
    let nodes = [(r#"{"n":{"10":1,"9":1}}"#, r#"{"n":{"min":9.0,"max":10.0}}"#)];
    let spec = FacetSpec { max_values: 9, ..FacetSpec::default() };
    assert_eq!(merged(&nodes, &spec, 3000), r#"{"n":{"10":1,"9":1}}"#);
    assert_eq!(merged(&nodes, &spec, 3001), r#"{"n":{"9":1,"10":1}}"#);
}

#[test]
fn hits_are_taken_off_value_by_value() {
    let mut distribution = Distribution::default();
    distribution.add(0, br#"{"a":{"5":1,"Drama":2,"true":1},"b.c":{"x":2}}"#).unwrap();
    let hit: &[u8] = br#"{"a":["drama","DRAMA",true,null,"",7],"b":[{"c":"x"}]}"#;
    let spec = FacetSpec { max_values: 9, ..FacetSpec::default() };
    let stats = Stats::default();
    let listing = Listing {
        spec: &spec,
        candidates: 1,
        stats: &stats,
        duplicates: &[(0, hit)],
        documents: None,
        groups: None,
        ranks: None,
    };
    let mut out = Vec::new();
    distribution.write(&listing, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":{"5":1,"Drama":1},"b.c":{"x":1}}"#);
}

#[test]
fn what_is_no_count_is_an_error() {
    for text in [r#"{"a":{"x":-1}}"#, r#"{"a":3}"#] {
        let mut distribution = Distribution::default();
        distribution.add(7, text.as_bytes()).unwrap();
        let (spec, stats) = (FacetSpec::default(), Stats::default());
        let listing = Listing {
            spec: &spec,
            candidates: 1,
            stats: &stats,
            duplicates: &[],
            documents: None,
            groups: None,
            ranks: None,
        };
        let error = distribution.write(&listing, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, MergeError::Malformed { node: 7, .. }));
    }
    assert!(Stats::default().add(br#"{"a":3}"#).is_err());
}
