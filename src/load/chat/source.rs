//! A template's source made ready for the engine: line ends, `{% generation %}` blocks, and assignments that are watched.
//!
//! transformers adds a tag of its own, `{% generation %}…{% endgeneration %}`, around what a model is to learn; the text is
//! the same with and without it. minijinja knows no tags of others, but a `{% with %}` block without variables opens a scope
//! of its own and does nothing else, which is what the tag does. Only tags are replaced: the scanner knows comments, raw
//! blocks and texts in quotes.
//!
//! Values may only grow so deep: whoever prints or drops a value nested a million times needs as much stack. The one way to
//! nest without end, and the one way to a value that holds itself, is an assignment, so each passes through a function that
//! looks. No line is added or removed: errors keep their line numbers.

/// Looks at a value that is assigned to a name.
pub(super) const CHECKED: &str = "__checked";
/// Looks at a value that is assigned to a field of a namespace.
pub(super) const CHECKED_FIELD: &str = "__checked_field";

/// The source as the engine gets it.
pub(super) fn prepare(template: &str) -> String {
    // As Jinja does first of all.
    let source = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len() + source.len() / 4);
    let mut rest = source.as_str();
    while let Some(start) = next_opening(rest) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let length = match &rest[..2] {
            "{#" => rest.find("#}").map_or(rest.len(), |end| end + 2),
            "{{" => 2 + inside(&rest[2..], "}}").end,
            _ => match raw_block(rest) {
                Some(length) => length,
                None => {
                    let length = 2 + inside(&rest[2..], "%}").end;
                    tag(&rest[..length], &mut out);
                    rest = &rest[length..];
                    continue;
                }
            },
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out + rest
}

fn next_opening(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// What stands between an opening and its end.
struct Inside {
    /// Behind the closing mark, or the end of the text.
    end: usize,
    /// A single `=` outside of brackets.
    assignment: Option<usize>,
}

/// Reads to `close`, which counts neither in quotes nor in brackets.
fn inside(text: &str, close: &str) -> Inside {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut assignment) = (0, 0usize, None);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            _ if depth == 0 && bytes[at..].starts_with(close.as_bytes()) => {
                return Inside { end: at + close.len(), assignment };
            }
            b'"' | b'\'' => {
                at += 1;
                while let Some(&inner) = bytes.get(at).filter(|b| **b != byte) {
                    at += if inner == b'\\' { 2 } else { 1 };
                }
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'=' if depth == 0 && assignment.is_none() => assignment = Some(at),
            _ => {}
        }
        at += 1;
    }
    Inside { end: bytes.len(), assignment }
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

/// Writes a tag `{% … %}`, changed where it must be.
fn tag(whole: &str, out: &mut String) {
    let Some(body) = whole.strip_prefix("{%").and_then(|t| t.strip_suffix("%}")) else {
        // It never ends, which the engine will say.
        out.push_str(whole);
        return;
    };
    for (name, stands_for) in [("generation", "with"), ("endgeneration", "endwith")] {
        if closed_tag(&whole[2..], name).is_some() {
            out.push_str("{%");
            out.push_str(&body.replacen(name, stands_for, 1));
            out.push_str("%}");
            return;
        }
    }
    match assignment(body) {
        Some((target, value, sign)) => {
            let check = if target.contains('.') { CHECKED_FIELD } else { CHECKED };
            out.push_str(&format!("{{%{target}={check}(({value})){sign}%}}"));
        }
        None => out.push_str(whole),
    }
}

/// Target (with the word `set` before it), value and closing sign of `{% set target = value %}`.
fn assignment(body: &str) -> Option<(&str, &str, &str)> {
    let words = body.strip_prefix(['-', '+']).unwrap_or(body).trim_ascii_start().strip_prefix("set")?;
    words.starts_with(|c: char| c.is_ascii_whitespace() || c == '(').then_some(())?;
    let at = inside(body, "%}").assignment?;
    let (target, value) = (&body[..at], &body[at + 1..]);
    // `==` compares.
    (!value.starts_with('=') && !target.ends_with(['!', '<', '>'])).then_some(())?;
    let (value, sign) = match value.strip_suffix(['-', '+']) {
        Some(shorter) => (shorter, &value[shorter.len()..]),
        None => (value, ""),
    };
    (!value.trim().is_empty()).then_some((target, value, sign))
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
            assert_eq!(prepare(template), expected);
        }
    }

    #[test]
    fn assignments_are_watched() {
        for (template, expected) in [
            ("{% set a = 1 -%}", "{% set a =__checked(( 1 ))-%}"),
            ("{%- set ns.a = [ns.a, '%}='] %}", "{%- set ns.a =__checked_field(( [ns.a, '%}='] ))%}"),
            ("{% set a, b = 1, 2 %}", "{% set a, b =__checked(( 1, 2 ))%}"),
            ("{% set a %}x{% endset %}", "{% set a %}x{% endset %}"),
            ("{% set a | replace(old='b') %}", "{% set a | replace(old='b') %}"),
            ("{% set a = %}{% if a == 1 %}{% setting = 1 %}", "{% set a = %}{% if a == 1 %}{% setting = 1 %}"),
        ] {
            assert_eq!(prepare(template), expected);
        }
    }

    proptest! {
        #[test]
        fn lines_stay_where_they_are(template in "([a{}%#='\" \\n.-]|set|raw|endraw|generation|é){0,40}") {
            prop_assert_eq!(prepare(&template).matches('\n').count(), template.matches('\n').count());
        }
    }
}
