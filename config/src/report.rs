//! All errors of a file, printed with the lines they are about.

use std::{error::Error, fmt};

use crate::tree::Place;

/// One error of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The line, from 1; 0 when the error is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 when the error is about the file as a whole.
    pub column: usize,
    /// The path of the key, such as `cluster.nodes[1].url`; empty outside of any key.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or what was probably meant.
    pub hint: Option<String>,
    /// How many characters of the line are meant.
    width: usize,
}

/// All errors of a configuration file, in the order of the file; `Display` prints them with the lines they are about.
#[derive(Debug)]
pub struct Report {
    /// The errors; at least one.
    pub errors: Vec<ConfigError>,
    source_name: String,
    text: String,
    /// Where secrets stand in the text; they are not printed.
    hidden: Vec<Place>,
}

// === impl ConfigError ===

impl ConfigError {
    pub(crate) fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        let Place { line, column, width } = place;
        Self { line, column, path: path.into(), message: message.into(), hint: None, width }
    }

    /// An error about the file as a whole.
    pub(crate) fn of_file(message: impl Into<String>) -> Self {
        Self::new(Place { line: 0, column: 0, width: 0 }, "", message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

// === impl Report ===

impl Report {
    pub(crate) fn new(
        source_name: &str,
        text: &str,
        mut errors: Vec<ConfigError>,
        hidden: Vec<Place>,
    ) -> Self {
        errors.sort_by_key(|error| (error.line, error.column));
        Self { errors, source_name: source_name.to_owned(), text: text.to_owned(), hidden }
    }

    fn print(&self, error: &ConfigError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigError { line, column, path, message, hint, .. } = error;
        writeln!(f, "error: {message}")?;
        let indent = line.to_string().len();
        write!(f, "{:indent$}--> {}", "", self.source_name)?;
        if *line > 0 {
            write!(f, ":{line}:{column}")?;
        }
        if !path.is_empty() {
            write!(f, ", at `{path}`")?;
        }
        writeln!(f)?;
        if let Some((excerpt, caret)) = self.excerpt(error) {
            writeln!(f, "{:indent$} |\n{line} | {excerpt}\n{:indent$} | {caret}", "", "")?;
        }
        match hint {
            Some(hint) => writeln!(f, "{:indent$} = {hint}", ""),
            None => Ok(()),
        }
    }

    /// The line of an error and the marks below it.
    fn excerpt(&self, error: &ConfigError) -> Option<(String, String)> {
        const LONGEST: usize = 120;
        let line = self.text.lines().nth(error.line.checked_sub(1)?)?.trim_start_matches('\u{feff}');
        let secret =
            self.hidden.iter().filter(|place| place.line == error.line).map(|place| place.column).min();
        let shown = secret.map_or(usize::MAX, |column| column - 1).min(LONGEST);
        // A control character could move the marks or the cursor; what stays is as wide as it looks.
        let mut excerpt: String =
            line.trim_end().chars().take(shown).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let length = excerpt.chars().count();
        if secret.is_some_and(|column| column - 1 <= LONGEST) {
            excerpt.push_str("[secret]");
        } else if line.trim_end().chars().nth(LONGEST).is_some() {
            excerpt.push_str("...");
        }
        let start = (error.column - 1).min(length);
        let marks = error.width.clamp(1, (length - start).max(1));
        Some((excerpt, format!("{}{}", " ".repeat(start), "^".repeat(marks))))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            self.print(error, f)?;
            writeln!(f)?;
        }
        match self.errors.len() {
            1 => write!(f, "{}: 1 error", self.source_name),
            count => write!(f, "{}: {count} errors", self.source_name),
        }
    }
}

impl Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str, place: Place, hidden: Vec<Place>) -> Vec<String> {
        let report = Report::new("file", text, vec![ConfigError::new(place, "a.b", "wrong")], hidden);
        report.to_string().lines().skip(3).take(2).map(str::to_owned).collect()
    }

    fn place(line: usize, column: usize, width: usize) -> Place {
        Place { line, column, width }
    }

    #[test]
    fn marks_stand_below_what_is_meant() {
        assert_eq!(printed("é: ünï # x", place(1, 4, 3), vec![]), ["1 | é: ünï # x", "  |    ^^^"]);
        assert_eq!(printed("a:\r\n\tb: c\r\n", place(2, 2, 1), vec![]), ["2 |  b: c", "  |  ^"]);
        assert_eq!(printed("a: \"b", place(1, 4, usize::MAX), vec![]), ["1 | a: \"b", "  |    ^^"]);
    }

    #[test]
    fn places_beyond_the_text_are_survived() {
        assert_eq!(printed("a", place(1, 9, 9), vec![]), ["1 | a", "  |  ^"]);
        assert_eq!(printed("a", place(7, 1, 1), vec![]), ["file: 1 error"]);
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("a: {}", "x".repeat(500));
        let lines = printed(&text, place(1, 4, 500), vec![]);
        assert!(lines[0].ends_with("xxx...") && lines[0].len() < 130, "{lines:?}");
        assert!(lines[1].len() < 130, "{lines:?}");
    }

    #[test]
    fn nothing_of_a_secret_or_behind_it_is_shown() {
        let lines = printed("{ key: hunter2, b: 3 }", place(1, 17, 1), vec![place(1, 8, 7)]);
        assert_eq!(lines, ["1 | { key: [secret]", "  |        ^"]);
    }
}
