//! Text from others, made fit to be shown: in it stands what a file or a server chose, and a terminal obeys some characters.

use std::borrow::Cow;

/// True for characters that do something instead of being seen: controls (C0 with ESC and line breaks, DEL, C1), and what
/// ends a line or turns the direction of writing (Unicode's line separators, embeddings, overrides and isolates).
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The text in one line, with escapes such as `\u{1b}` and `\n` for what is not seen.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_unprintable) { Cow::Owned(escaped(text)) } else { Cow::Borrowed(text) }
}

/// As [`printable`], but lines stay lines and tabs stay tabs.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_unprintable(c) && !matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| line.split('\t').map(escaped).collect::<Vec<_>>().join("\t");
    // A carriage return before a line's end belongs to it; any other goes back over what is written.
    let lines = text.split('\n').map(|text| line(text.strip_suffix('\r').unwrap_or(text)));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped() {
        for (text, expected) in [
            ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("gpt\u{202e}2\u{2066}\u{2069}\u{2028}", "gpt\\u{202e}2\\u{2066}\\u{2069}\\u{2028}"),
        ] {
            assert_eq!(printable(text), expected);
        }
        let seen = "naïve 🙂 \u{200d} עברית \\n";
        assert!(matches!(printable(seen), Cow::Borrowed(text) if text == seen));
    }

    #[test]
    fn lines_and_tabs_may_stay() {
        assert_eq!(printable_lines("a\tb\r\nc\rd\u{1b}\n"), "a\tb\nc\\rd\\u{1b}\n");
        assert!(matches!(printable_lines("a\n\tb"), Cow::Borrowed(_)));
    }
}
