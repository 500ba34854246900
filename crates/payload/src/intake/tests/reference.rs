//! The whole payload at once, the way Meilisearch v1.50 reads it: what the streaming check is held against.

use std::collections::BTreeMap;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category, value::RawValue};

use crate::Format;

/// A document's fields: names and values' text.
pub(super) type Document = BTreeMap<String, String>;

/// Pieces that payloads are damaged with.
pub(super) const FRAGMENTS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u00",
    b"\\ud800",
    b"\\ud83d\\ude00",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b"1.",
    b"1e5",
    b"1e999",
    b"nul",
    b"null",
    b"true",
    b"\n",
    b"\r\n",
    b"   ",
    b"\xff",
    b"\xc3\xa9",
    b"\xe2\x82",
    b"\x00",
    b"\xef\xbb\xbf",
    b"{\"id\":1}",
    b"[[[[",
    b"\"id\":",
    b";",
    b"12345678901234567890123",
];

/// Payloads of every format and shape.
pub(super) fn samples() -> Vec<(Format, &'static [u8])> {
    const CSV: Format = Format::Csv { delimiter: b',' };
    let deep: &'static [u8] =
        Box::leak([&b"["[..], &b"[".repeat(200), &b"]".repeat(200), b"]"].concat().into_boxed_slice());
    let deep_field: &'static [u8] =
        Box::leak([&b"{\"a\":"[..], &b"[".repeat(150), &b"]".repeat(150), b"}"].concat().into_boxed_slice());
    vec![
        (
            Format::Json,
            br#"[{"id":1,"title":"Carol","tags":["a","b"]},{"id":"b-2","x":{"y":null,"z":[1.5e3,-0,true]}}]"#,
        ),
        (
            Format::Json,
            b"\n[\n  {\"id\": 1, \"t\": \"caf\xc3\xa9 \\\"x\\\" \\u00e9\"} ,\r\n\t{ }\n]\n trailing",
        ),
        (
            Format::Json,
            br#"{"id":1,"id":2,"a":{"b":[1,2,{"c":"\ud83d\ude00"}]},"n":12345678901234567890123}"#,
        ),
        (Format::Json, b"[]"),
        (Format::Json, b" [1, {\"id\":2}]"),
        (Format::Json, b"[{\"id\":1},null]"),
        (Format::Json, b"\"text\""),
        (Format::Json, b"12 "),
        (Format::Json, deep),
        (Format::Json, deep_field),
        (Format::Ndjson, deep_field),
        (
            Format::Ndjson,
            b"{\"id\":1}\n{\"id\":2,\"t\":\"\xe2\x82\xac\"}\n\n  {\"id\":3}{\"id\":4,\"id\":5}\r\n",
        ),
        (Format::Ndjson, b"{\"id\":1,\n \"nested\":{\"a\":[{\"b\":\"c\\n\"}]}}\n[1]\n"),
        (Format::Ndjson, b"{\"id\":1}\n12 {\"id\":2}"),
        (CSV, b"id,title,year:number\n1,CSV one,1999\n2,\"CSV, \"\"two\"\"\",2001\n\n3,,\n"),
        (CSV, b"id,ok:boolean,a:b,ok\r\n1,true,x,y\r\n2,,\xc3\xa9,z\r\n"),
        (Format::Csv { delimiter: b';' }, b"id;n:number\n1;12\n2; 1.5e3 \n3;nan\n"),
    ]
}

/// The documents of a spool.
pub(super) fn documents(spool: &str) -> Vec<Document> {
    serde_json::Deserializer::from_str(spool)
        .into_iter()
        .map(|raw| fields(raw.expect("a value")).expect("an object"))
        .collect()
}

/// The documents, or the message.
pub(super) fn read(format: Format, payload: &[u8]) -> Result<Vec<Document>, String> {
    match format {
        _ if payload.is_empty() => Err(format!("A {format} payload is missing.")),
        Format::Json => json(payload),
        Format::Ndjson => serde_json::Deserializer::from_slice(payload)
            .into_iter::<&RawValue>()
            .map(|raw| raw.and_then(fields).map_err(|error| message(format, &error, false)))
            .collect(),
        Format::Csv { delimiter } => csv(payload, delimiter),
    }
}

fn fields(raw: &RawValue) -> Result<Document, serde_json::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Document;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a map")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
            let mut fields = Document::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                fields.insert(name, value.get().to_owned());
            }
            Ok(fields)
        }
    }
    raw.deserialize_map(Fields)
}

fn message(format: Format, error: &serde_json::Error, whole: bool) -> String {
    let mut text = error.to_string();
    if error.classify() == Category::Data {
        if !whole {
            return text;
        }
        text = "data are neither an object nor a list of objects".into();
    }
    if text.len() > 138 {
        let cut = |at: usize| (at..).find(|at| text.is_char_boundary(*at)).expect("a boundary");
        let head = (0..=50).rev().find(|at| text.is_char_boundary(*at)).expect("a boundary");
        text = format!("{}...{}", &text[..head], &text[cut(text.len() - 85)..]);
    }
    format!("The `{format}` payload provided is malformed. `Couldn't serialize document value: {text}`.")
}

fn json(payload: &[u8]) -> Result<Vec<Document>, String> {
    struct Elements;
    impl<'de> Visitor<'de> for Elements {
        type Value = Result<Vec<Document>, serde_json::Error>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a nonempty sequence")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut documents = Vec::new();
            while let Some(raw) = list.next_element()? {
                match fields(raw) {
                    Ok(document) => documents.push(document),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Ok(Ok(documents))
        }
    }
    match serde_json::Deserializer::from_slice(payload).deserialize_seq(Elements) {
        Ok(documents) => documents.map_err(|error| message(Format::Json, &error, false)),
        Err(error) if error.classify() != Category::Data => Err(message(Format::Json, &error, true)),
        Err(_) => {
            let object: Map<String, Value> =
                serde_json::from_slice(payload).map_err(|error| message(Format::Json, &error, true))?;
            Ok(documents(&Value::from(object).to_string()))
        }
    }
}

fn csv(payload: &[u8], delimiter: u8) -> Result<Vec<Document>, String> {
    let wrong = |reason: String| format!("The `csv` payload provided is malformed: `{reason}`.");
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(payload);
    let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let mut documents = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let mut document = Document::new();
        for (field, value) in header.iter().zip(&record) {
            let (name, kind) = match field.rsplit_once(':') {
                Some((name, kind @ ("string" | "number" | "boolean"))) => (name, kind),
                _ => (field, "string"),
            };
            let text = value.trim();
            let line = line + 1;
            let value = match kind {
                "string" if !value.is_empty() => Value::from(value),
                "number" if !text.is_empty() => match (text.parse::<i64>(), text.parse::<f64>()) {
                    (Ok(integer), _) => Value::from(integer),
                    (_, Ok(float)) => Value::from(float),
                    (_, Err(error)) => {
                        return Err(wrong(format!("Error parsing number {value:?} at line {line}: {error}")));
                    }
                },
                "boolean" if !text.is_empty() => match text.parse::<bool>() {
                    Ok(value) => Value::from(value),
                    Err(error) => {
                        return Err(wrong(format!(
                            "Error parsing boolean {value:?} at line {line}: {error}"
                        )));
                    }
                },
                _ => Value::Null,
            };
            document.insert(name.into(), value.to_string());
        }
        documents.push(document);
    }
    Ok(documents)
}
