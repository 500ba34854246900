//! A YAML document in which every key and value knows its place.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::ConfigError;

/// Where something stands in the file: line and column from 1, and how many characters of the line it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) width: usize,
}

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a value is; scalars get their type only when the schema says what is wanted.
#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Tree>),
    Map(Vec<Entry>),
}

/// A scalar's text.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// The text, after expansion.
    pub(crate) text: String,
    /// The text as it stands in the file.
    pub(crate) written: String,
    /// Written without quotes, so that it may be a number, a boolean or null.
    pub(crate) plain: bool,
    /// Whether the text could not be found out; its error was reported, nothing more is to be said about it.
    pub(crate) unknown: bool,
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Tree,
}

/// Deeper than any valid file; keeps a hostile one from exhausting the stack.
const MAX_DEPTH: usize = 32;

/// Reads the one document of `text`. Errors that do not stop the reading go to `errors`.
pub(crate) fn read(text: &str, errors: &mut Vec<ConfigError>) -> Result<Tree, ConfigError> {
    let mut reader = Reader { parser: Parser::new_from_str(text), errors };
    let mut root = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::DocumentStart(_) if root.is_some() => {
                return Err(ConfigError::new(place(span), "", "a second document starts here")
                    .hint("a file holds one configuration"));
            }
            Event::DocumentStart(_) => {
                let (event, span) = reader.expect_next(span)?;
                root = Some(reader.value(event, span, String::new(), 0)?);
            }
            _ => {}
        }
    }
    Ok(root.unwrap_or_else(|| Tree::null(Place { line: 1, column: 1, width: 0 })))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    errors: &'a mut Vec<ConfigError>,
}

fn place(span: Span) -> Place {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    // What goes on in the next line is underlined to the end of the first: the report cuts it there.
    let width =
        if span.end.line() == line { span.end.col().saturating_sub(span.start.col()) } else { usize::MAX };
    Place { line, column, width }
}

/// The path of a key below `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

// === impl Tree ===

impl Tree {
    fn null(place: Place) -> Self {
        Self { place, kind: Kind::Scalar(Scalar::new(String::new(), true)) }
    }

    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Tree> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The elements of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Tree] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) if !scalar.is_null() && !scalar.unknown => Some(&scalar.text),
            _ => None,
        }
    }

    /// The value at a path such as `cluster.nodes[1].url`, or the last one on the way to it.
    pub(crate) fn nearest(&self, path: &str) -> &Tree {
        let mut at = self;
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match step.strip_suffix(']') {
                Some(index) => index.parse().ok().and_then(|index: usize| at.items().get(index)),
                None => at.get(step),
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }
}

// === impl Scalar ===

impl Scalar {
    fn new(written: String, plain: bool) -> Self {
        Self { text: written.clone(), written, plain, unknown: false }
    }

    /// Nothing, or one of YAML's words for it.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, ConfigError> {
        self.parser.next_event().transpose().map_err(|error| syntax_error(&error))
    }

    fn expect_next(&mut self, after: Span) -> Result<(Event<'a>, Span), ConfigError> {
        self.next()?.ok_or_else(|| ConfigError::new(place(after), "", "the file ends in the middle"))
    }

    fn value(
        &mut self,
        event: Event<'a>,
        span: Span,
        path: String,
        depth: usize,
    ) -> Result<Tree, ConfigError> {
        let place = place(span);
        if depth > MAX_DEPTH {
            return Err(ConfigError::new(place, path, "the nesting is too deep"));
        }
        let tag = match &event {
            Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => {
                tag.is_some()
            }
            _ => false,
        };
        if tag {
            self.errors
                .push(ConfigError::new(place, path.as_str(), "tags are not supported").hint("leave it out"));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let mut scalar = Scalar::new(text.into_owned(), style == ScalarStyle::Plain);
                scalar.unknown = tag;
                Ok(Tree { place, kind: Kind::Scalar(scalar) })
            }
            Event::SequenceStart(..) => self.list(place, span, path, depth),
            Event::MappingStart(..) => self.map(place, span, path, depth),
            Event::Alias(_) => {
                let error = ConfigError::new(place, path, "aliases are not supported");
                self.errors.push(error.hint("write the value out"));
                let scalar = Scalar { unknown: true, ..Scalar::new(String::new(), true) };
                Ok(Tree { place, kind: Kind::Scalar(scalar) })
            }
            _ => Err(ConfigError::new(place, path, "a value is missing here")),
        }
    }

    fn list(
        &mut self,
        place: Place,
        mut span: Span,
        path: String,
        depth: usize,
    ) -> Result<Tree, ConfigError> {
        let mut items = Vec::new();
        loop {
            let event;
            (event, span) = self.expect_next(span)?;
            if event == Event::SequenceEnd {
                return Ok(Tree { place, kind: Kind::List(items) });
            }
            let path = format!("{path}[{}]", items.len());
            items.push(self.value(event, span, path, depth + 1)?);
        }
    }

    fn map(&mut self, start: Place, mut span: Span, path: String, depth: usize) -> Result<Tree, ConfigError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let event;
            (event, span) = self.expect_next(span)?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(ConfigError::new(place(span), path, "a key must be a word")),
            };
            let (key_place, path) = (place(span), join(&path, &key));
            let (event, value_span) = self.expect_next(span)?;
            let mut value = self.value(event, value_span, path.clone(), depth + 1)?;
            if matches!(&value.kind, Kind::Scalar(scalar) if scalar.plain && scalar.text.is_empty()) {
                // Nothing is written there, so the key is what can be pointed at.
                value.place = key_place;
            }
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = format!("`{key}` is given twice");
                let hint = format!("the first one is in line {}", first.place.line);
                self.errors.push(ConfigError::new(key_place, path, message).hint(hint));
            }
            entries.push(Entry { key, place: key_place, value });
        }
        let place = entries.first().map_or(start, |first| first.place);
        Ok(Tree { place, kind: Kind::Map(entries) })
    }
}

fn syntax_error(error: &ScanError) -> ConfigError {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    ConfigError::new(
        Place { line, column, width: 1 },
        "",
        format!("this is not valid YAML: {}", error.info()),
    )
}
