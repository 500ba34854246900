//! The tokens of a filter expression.

/// A token, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name, a value or a keyword, without quotes.
    Word(&'a str),
    /// A name or a value that stood in quotes.
    Quoted(&'a str),
    /// A comparison.
    Operator(&'a str),
    /// `(` or `[`.
    Open(char),
    /// `)` or `]`.
    Close(char),
    /// `,`.
    Comma,
}

/// The tokens of an expression; `None` where it holds anything else, escapes in quotes among it.
pub(super) fn tokens(expression: &str) -> Option<Vec<Token<'_>>> {
    let mut rest = expression.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, len) = match first {
            '(' | '[' => (Token::Open(first), 1),
            ')' | ']' => (Token::Close(first), 1),
            ',' => (Token::Comma, 1),
            '"' | '\'' => {
                let inner = rest.get(1..)?;
                let inner = inner.get(..inner.find(first)?).filter(|inner| !inner.contains('\\'))?;
                (Token::Quoted(inner), inner.len() + 2)
            }
            '=' | '!' | '<' | '>' => {
                let text = run(rest, |letter| matches!(letter, '=' | '!' | '<' | '>'));
                (Token::Operator(text), text.len())
            }
            _ => {
                let text = run(rest, |letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'));
                (Token::Word(text), text.len())
            }
        };
        if len == 0 {
            return None;
        }
        tokens.push(token);
        rest = rest.get(len..)?.trim_start();
    }
    Some(tokens)
}

/// The start of a text that is made of such characters.
fn run(text: &str, is_part: impl Fn(char) -> bool) -> &str {
    let end = text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_cut_where_its_tokens_end() {
        let expected = [
            Token::Word("id"),
            Token::Operator("="),
            Token::Word("-1"),
            Token::Word("AND"),
            Token::Quoted("a b"),
            Token::Word("IN"),
            Token::Open('['),
            Token::Quoted("x"),
            Token::Comma,
            Token::Word("2.5"),
            Token::Close(']'),
        ];
        assert_eq!(tokens(" id=-1 AND \"a b\" IN['x',2.5]  ").as_deref(), Some(&expected[..]));
    }

    #[test]
    fn what_is_not_known_is_nothing() {
        for text in ["a = 'x", r#"a = "\"x""#, "a & b", "a = x/y", "é@"] {
            assert_eq!(tokens(text), None, "{text}");
        }
        assert_eq!(tokens("  "), Some(Vec::new()));
    }
}
