//! A template's source made ready for the engine: line ends, `{% generation %}` blocks, and assignments that are watched.
//!
//! transformers adds a tag of its own, `{% generation %}…{% endgeneration %}`, around what a model is to learn; the text is
//! the same with and without it. minijinja knows no tags of others, but a `{% with %}` block without variables opens a scope
//! of its own and does nothing else, which is what the tag does. Only tags are replaced: the scanner knows comments, raw
//! blocks and texts in quotes.
//!
//! What is written in a tag is rewritten (`expressions.rs`). No line is added or removed: errors keep their line numbers.

use super::expressions::{OWN, Part, rewritten};

/// What the engine gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) text: String,
    /// The line of a tag that could not be rewritten, so that nothing watches what it does. It must not be run.
    pub(super) not_understood: Option<usize>,
}

/// The source as the engine gets it.
pub(super) fn prepare(template: &str) -> Prepared {
    // As Jinja does first of all.
    let source = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = Prepared { text: String::with_capacity(2 * source.len()), not_understood: None };
    let marks = makes_markup(&source);
    let mut rest = source.as_str();
    while let Some(start) = next_opening(rest) {
        out.text.push_str(&rest[..start]);
        rest = &rest[start..];
        let (length, part) = match &rest[..2] {
            "{#" => (rest.find("#}").map_or(rest.len(), |end| end + 2), None),
            "{{" => (2 + inside(&rest[2..], "}}"), Some(Part::Output)),
            _ => match raw_block(rest) {
                Some(length) => (length, None),
                None => (2 + inside(&rest[2..], "%}"), Some(Part::Tag)),
            },
        };
        match part {
            Some(part) => out.tag(&rest[..length], part, marks),
            None => out.text.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out.text.push_str(rest);
    out
}

impl Prepared {
    /// Writes a tag `{% … %}` or `{{ … }}`.
    fn tag(&mut self, whole: &str, part: Part, marks: bool) {
        let close = if part == Part::Output { "}}" } else { "%}" };
        let Some(body) = whole[2..].strip_suffix(close) else {
            // It never ends, which the engine will say.
            self.text.push_str(whole);
            return;
        };
        let begin = usize::from(body.starts_with(['-', '+']));
        let end = body.len() - usize::from(body.len() > begin && body.ends_with(['-', '+']));
        let words = &body[begin..end];
        let tag = [("generation", "with"), ("endgeneration", "endwith")].into_iter();
        let renamed = tag.filter(|(name, _)| part == Part::Tag && words.trim() == *name);
        let changed = match renamed.map(|(name, stands_for)| words.replacen(name, stands_for, 1)).next() {
            Some(renamed) => Some(renamed),
            None => rewritten(words, part, marks).filter(|_| !words.contains(OWN)),
        };
        if changed.is_none() {
            let line = self.text.matches('\n').count() + 1;
            self.not_understood.get_or_insert(line);
        }
        let changed = changed.as_deref().unwrap_or(words);
        for piece in [&whole[..2 + begin], changed, &body[end..], close] {
            self.text.push_str(piece);
        }
    }
}

/// True where a filter may make markup.
fn makes_markup(source: &str) -> bool {
    let names = ["e", "escape", "forceescape", "safe", "xmlattr"];
    source.split(|c: char| c != '_' && !c.is_alphanumeric()).any(|word| names.contains(&word))
}

fn next_opening(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// The place behind `close`, which counts neither in quotes nor in brackets; the end of the text where there is none.
fn inside(text: &str, close: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            _ if depth == 0 && bytes[at..].starts_with(close.as_bytes()) => return at + close.len(),
            b'"' | b'\'' => {
                at += 1;
                while let Some(&inner) = bytes.get(at).filter(|b| **b != byte) {
                    at += if inner == b'\\' { 2 } else { 1 };
                }
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The length of a whole raw block, if one begins here.
fn raw_block(text: &str) -> Option<usize> {
    let opening = 2 + closed_tag(&text[2..], "raw")?;
    let mut at = opening;
    while let Some(start) = text[at..].find("{%") {
        at += start + 2;
        if let Some(length) = closed_tag(&text[at..], "endraw") {
            return Some(at + length);
        }
    }
    Some(text.len())
}

/// The length of ` name %}` with or without signs, if the text begins with it.
fn closed_tag(text: &str, name: &str) -> Option<usize> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text).trim_ascii_start().strip_prefix(name)?.trim_ascii_start();
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_tags_are_replaced() {
        for (template, expected) in [
            ("{% generation %}a{%- endgeneration -%}", "{% with %}a{%- endwith -%}"),
            ("{# {% generation %} #}{{ '{% generation %}' }}", "{# {% generation %} #}{{ '{% generation %}' }}"),
            ("{% raw %}{% generation %}{% endraw %}", "{% raw %}{% generation %}{% endraw %}"),
            ("{%- raw -%} {% set a = 1 %} {%- endraw -%}x", "{%- raw -%} {% set a = 1 %} {%- endraw -%}x"),
            ("{% generations %}{% if generation %}", "{% generations %}{% if generation %}"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("{{ {'a': {'b': 1}} }}{% generation %}", "{{ {'a': {'b': 1}} }}{% with %}"),
            ("{{ \"it's %}\" }}{% generation", "{{ \"it's %}\" }}{% generation"),
        ] {
            assert_eq!(prepare(template).text, expected);
        }
    }

    #[test]
    fn assignments_are_watched() {
        for (template, expected) in [
            ("{% set a = 1 -%}", "{% set a = __fovea_kept((1)) -%}"),
            ("{%- set ns.a = [ns, '%}='] %}", "{%- set ns.a = __fovea_kept_in(([ns, '%}='])) %}"),
            ("{% set a, b = 1, 2 %}", "{% set a, b = __fovea_kept((1, 2)) %}"),
            ("{% set a %}x{% endset %}", "{% set a %}x{% endset %}"),
            ("{% set a | replace(old='b') %}", "{% set a | replace(old='b') %}"),
        ] {
            assert_eq!(prepare(template), Prepared { text: expected.to_owned(), not_understood: None });
        }
        for (template, line) in
            [("{% set a = %}", 1), ("\n{% setting = 1 %}", 2), ("{{ __fovea_kept }}", 1), ("{{ a b }}", 1)]
        {
            assert_eq!(prepare(template), Prepared { text: template.to_owned(), not_understood: Some(line) });
        }
    }

    proptest! {
        #[test]
        fn lines_stay_where_they_are(template in "([a{}%#='\" \\n.-]|set|raw|endraw|generation|é){0,40}") {
            prop_assert_eq!(prepare(&template).text.matches('\n').count(), template.matches('\n').count());
        }
    }
}
