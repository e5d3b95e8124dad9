//! The tokens of a template's expressions, as Jinja2's lexer cuts them.

use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A text in quotes.
    Text,
    Sign,
    /// Behind the last one.
    End,
}

/// A token, and what is written around it.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// White space before it.
    pub(super) space: &'a str,
    /// Written before it, the last first.
    pub(super) before: Vec<Cow<'static, str>>,
    pub(super) text: Cow<'a, str>,
    /// Written behind it, the first first.
    pub(super) after: Vec<&'static str>,
}

/// Cuts an expression; the last token is an [`Kind::End`]. Nothing when it holds what is no token.
pub(super) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = text;
    loop {
        let word = rest.trim_start();
        let space = &rest[..rest.len() - word.len()];
        let is_behind_dot = tokens.last().is_some_and(|last| last.text == ".") && space.is_empty();
        let (kind, length) = match word.chars().next() {
            None => (Kind::End, 0),
            Some('"' | '\'') => (Kind::Text, quoted(word)?),
            Some(c) if c.is_ascii_digit() => {
                let length = number(word, is_behind_dot);
                // Python has no whole numbers that begin with 0.
                let digits = word[..length].replace('_', "");
                let is_octal = digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit());
                if is_octal && digits.starts_with('0') && !digits.trim_start_matches('0').is_empty() {
                    return None;
                }
                (Kind::Number, length)
            }
            Some(c) if c == '_' || c.is_alphabetic() => {
                (Kind::Name, word.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(word.len()))
            }
            Some(_) => (Kind::Sign, sign(word)?),
        };
        let text = Cow::Borrowed(&word[..length]);
        tokens.push(Token { kind, space, before: Vec::new(), text, after: Vec::new() });
        if kind == Kind::End {
            return Some(tokens);
        }
        rest = &word[length..];
    }
}

/// The length of a text in quotes.
fn quoted(word: &str) -> Option<usize> {
    let quote = word.as_bytes()[0];
    let mut at = 1;
    while let Some(&byte) = word.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The length of a number: with a base, with a fraction, with an exponent, with `_` between digits.
fn number(word: &str, is_index: bool) -> usize {
    let digits = |text: &str, is_digit: fn(&char) -> bool| -> usize {
        text.find(|c: char| c != '_' && !is_digit(&c)).unwrap_or(text.len())
    };
    let decimal = |text: &str| digits(text, char::is_ascii_digit);
    for (prefixes, is_digit) in [
        (["0b", "0B"], (|c: &char| "01".contains(*c)) as fn(&char) -> bool),
        (["0o", "0O"], |c: &char| ('0'..='7').contains(c)),
        (["0x", "0X"], char::is_ascii_hexdigit),
    ] {
        if prefixes.iter().any(|prefix| word.starts_with(prefix)) {
            return 2 + digits(&word[2..], is_digit);
        }
    }
    let mut length = decimal(word);
    if is_index {
        return length;
    }
    if let Some(fraction) = word[length..].strip_prefix('.').filter(|f| f.starts_with(|c: char| c.is_ascii_digit())) {
        length += 1 + decimal(fraction);
    }
    if let Some(exponent) = word[length..].strip_prefix(['e', 'E']) {
        let signless = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if signless.starts_with(|c: char| c.is_ascii_digit()) {
            length += 1 + exponent.len() - signless.len() + decimal(signless);
        }
    }
    length
}

/// The length of an operator or a bracket.
fn sign(word: &str) -> Option<usize> {
    let is_long = ["**", "//", "==", "!=", "<=", ">="].iter().any(|sign| word.starts_with(sign));
    let is_short = word
        .starts_with(['+', '-', '*', '/', '%', '~', '[', ']', '(', ')', '{', '}', '<', '>', '=', '.', ':', '|', ',']);
    if is_long { Some(2) } else { is_short.then_some(1) }
}

/// A text in quotes, as minijinja reads what Python means by its escapes. Nothing where it holds an escape that stands for no
/// character.
pub(super) fn literal(quoted: &str) -> Option<String> {
    let mut out = String::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escaped = &rest[at + 1..];
        let mark = escaped.chars().next()?;
        let behind = &escaped[mark.len_utf8()..];
        let hex = |digits: usize| {
            let code = u32::from_str_radix(behind.get(..digits)?, 16).ok()?;
            char::from_u32(code).map(|c| (c, &behind[digits..]))
        };
        let (c, behind) = match mark {
            '\\' | '\'' | '"' => (mark, behind),
            'n' => ('\n', behind),
            'r' => ('\r', behind),
            't' => ('\t', behind),
            'a' => ('\x07', behind),
            'b' => ('\x08', behind),
            'f' => ('\x0c', behind),
            'v' => ('\x0b', behind),
            'x' => hex(2)?,
            'u' => hex(4)?,
            'U' => hex(8)?,
            '0'..='7' => {
                let length = escaped.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let code = u32::from_str_radix(&escaped[..length], 8).ok()?;
                (char::from_u32(code)?, &escaped[length..])
            }
            '\n' | 'N' => return None,
            // Any other escape is two characters.
            other => {
                out.push_str("\\\\");
                (other, behind)
            }
        };
        match c {
            '\\' | '\'' | '"' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
        rest = behind;
    }
    Some(out + rest)
}
