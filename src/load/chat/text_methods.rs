//! Methods of texts, as Python's `str` has them.

use super::arguments::Arguments;
use super::letters;
use super::limits::{pay, room, wrong};
use super::python::{rstrip, strip};
use super::text::{self, Side};
use minijinja::value::Tuple;
use minijinja::{Error, State, Value};

/// A method's name and what its parameters are called, where Python has it and so have we.
pub(super) fn parameters(method: &str) -> Option<(&'static str, &'static [&'static str])> {
    const METHODS: [(&[&str], &[&str]); 12] = [
        (
            &[
                "capitalize",
                "casefold",
                "lower",
                "swapcase",
                "title",
                "upper",
                "isalnum",
                "isalpha",
                "isascii",
                "isdecimal",
                "isdigit",
                "isidentifier",
                "islower",
                "isnumeric",
                "isprintable",
                "isspace",
                "istitle",
                "isupper",
            ],
            &[],
        ),
        (&["strip", "lstrip", "rstrip"], &["chars"]),
        (&["split", "rsplit"], &["sep", "maxsplit"]),
        (&["center", "ljust", "rjust"], &["width", "fillchar"]),
        (&["count", "find", "index", "rfind", "rindex", "startswith", "endswith"], &["sub", "start", "end"]),
        (&["partition", "rpartition"], &["sep"]),
        (&["removeprefix", "removesuffix"], &["affix"]),
        (&["replace"], &["old", "new", "count"]),
        (&["splitlines"], &["keepends"]),
        (&["encode"], &["encoding", "errors"]),
        (&["expandtabs"], &["tabsize"]),
        (&["join", "zfill"], &["value"]),
    ];
    METHODS
        .iter()
        .find_map(|(names, parameters)| names.iter().find(|name| **name == method).map(|name| (*name, *parameters)))
}

pub(super) fn call(state: &State<'_, '_>, text: &str, method: &str, args: &Arguments) -> Result<Value, Error> {
    Ok(match method {
        "capitalize" => Value::from(letters::capitalize(text)),
        "casefold" => Value::from(letters::case_fold(text)?),
        "lower" => Value::from(text.to_lowercase()),
        "upper" => Value::from(text.to_uppercase()),
        "swapcase" => Value::from(letters::swap_case(text)),
        "title" => Value::from(letters::title(text)),
        "islower" => Value::from(letters::has_case(text, false)),
        "isupper" => Value::from(letters::has_case(text, true)),
        "istitle" => Value::from(letters::is_title(text)),
        "isidentifier" => Value::from(
            letters::all("isalnum", &text.replace('_', "a"))? && !text.starts_with(|c: char| c.is_numeric()),
        ),
        question if question.starts_with("is") => Value::from(letters::all(question, text)?),
        "strip" | "lstrip" | "rstrip" => Value::from(stripped(text, method, args.text("chars")?)),
        "split" | "rsplit" => {
            let most = usize::try_from(args.whole_or("maxsplit", -1)?).unwrap_or(usize::MAX);
            split(text, args.text("sep")?, most, method == "rsplit")?.into_iter().map(Value::from).collect()
        }
        "center" | "ljust" | "rjust" => {
            let fill = args.text("fillchar")?.unwrap_or(" ");
            let side = match method {
                "ljust" => Side::Right,
                "rjust" => Side::Left,
                _ => Side::Both,
            };
            args.need("width")?;
            Value::from(text::padded(state, text, args.whole_or("width", 0)?, fill, side)?)
        }
        "zfill" => {
            args.need("value")?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let width = args.whole_or("value", 0)?.saturating_sub(sign.len() as i64);
            Value::from(sign.to_owned() + &text::padded(state, digits, width, "0", Side::Left)?)
        }
        "count" | "find" | "index" | "rfind" | "rindex" | "startswith" | "endswith" => {
            return searched(text, method, args);
        }
        "partition" | "rpartition" => partition(text, args.need_text("sep")?, method == "partition")?,
        "removeprefix" => Value::from(text.strip_prefix(args.need_text("affix")?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(args.need_text("affix")?).unwrap_or(text)),
        "replace" => {
            let most = args.get("count").map_or(Ok(-1), |_| args.whole_or("count", -1))?;
            Value::from(text::replaced(state, text, args.need_text("old")?, args.need_text("new")?, most)?)
        }
        "splitlines" => lines(text, args.flag("keepends")).into_iter().map(Value::from).collect(),
        "encode" => match args.text("encoding")?.unwrap_or("utf-8").to_lowercase().replace('_', "-").as_str() {
            "utf-8" | "utf8" => Value::from_bytes(text.as_bytes().to_vec()),
            "ascii" | "latin-1" | "iso-8859-1" if text.is_ascii() => Value::from_bytes(text.as_bytes().to_vec()),
            other => return Err(wrong(format!("a text is not encoded as {other}"))),
        },
        "expandtabs" => Value::from(tabs_expanded(state, text, args.whole_or("tabsize", 8)?)?),
        _ => return joined(state, text, args.need("value")?).map(Value::from),
    })
}

fn stripped<'a>(text: &'a str, method: &str, chars: Option<&str>) -> &'a str {
    match (chars, method) {
        (None, "strip") => strip(text),
        (None, "rstrip") => rstrip(text),
        (None, _) => text.trim_start_matches(letters::is_space),
        (Some(chars), "strip") => text.trim_matches(|c| chars.contains(c)),
        (Some(chars), "rstrip") => text.trim_end_matches(|c| chars.contains(c)),
        (Some(chars), _) => text.trim_start_matches(|c| chars.contains(c)),
    }
}

/// Cuts at a separator or at white space, at most so often, from the beginning or from the end.
fn split<'a>(text: &'a str, separator: Option<&str>, most: usize, from_end: bool) -> Result<Vec<&'a str>, Error> {
    let pieces = most.saturating_add(1);
    if let Some(separator) = separator {
        if separator.is_empty() {
            return Err(wrong("the separator is empty"));
        }
        if !from_end {
            return Ok(text.splitn(pieces, separator).collect());
        }
        let mut parts: Vec<&str> = text.rsplitn(pieces, separator).collect();
        parts.reverse();
        return Ok(parts);
    }
    let mut parts = Vec::new();
    let mut rest = strip(text);
    while !rest.is_empty() {
        let at = if parts.len() >= most {
            None
        } else if from_end {
            rest.rfind(letters::is_space)
        } else {
            rest.find(letters::is_space)
        };
        let Some(at) = at else {
            // The last piece keeps the white space at its far end, which `strip` took where it was cut before.
            parts.push(match (parts.is_empty(), from_end) {
                (true, false) => text.trim_start_matches(letters::is_space),
                (true, true) => rstrip(text),
                (false, false) => &text[text.len() - rest_with_end(text, rest)..],
                (false, true) => &text[..rest_with_start(text, rest)],
            });
            break;
        };
        if from_end {
            parts.push(rest[at..].trim_start_matches(letters::is_space));
            rest = rstrip(&rest[..at]);
        } else {
            parts.push(&rest[..at]);
            rest = rest[at..].trim_start_matches(letters::is_space);
        }
    }
    if most == usize::MAX {
        parts = parts.into_iter().map(strip).collect();
    }
    if from_end {
        parts.reverse();
    }
    Ok(parts)
}

/// The length of `rest`, which stands before white space at the end of `text`, with that white space.
fn rest_with_end(text: &str, rest: &str) -> usize {
    rest.len() + text.len() - rstrip(text).len()
}

/// The length of `rest`, which stands behind white space at the beginning of `text`, with that white space.
fn rest_with_start(text: &str, rest: &str) -> usize {
    rest.len() + text.len() - text.trim_start_matches(letters::is_space).len()
}

fn partition(text: &str, separator: &str, at_first: bool) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(wrong("the separator is empty"));
    }
    let cut = if at_first { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match cut {
        Some((before, after)) => [before, separator, after],
        None if at_first => [text, "", ""],
        None => ["", "", text],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

/// The methods that look for a text between two places.
fn searched(text: &str, method: &str, args: &Arguments) -> Result<Value, Error> {
    let length =
        if args.get("start").is_some() || args.get("end").is_some() { text.chars().count() } else { usize::MAX };
    let place = |name: &str, default: usize| -> Result<usize, Error> {
        let Some(place) = args.whole(name)? else { return Ok(default) };
        let place = if place < 0 { place.saturating_add(length as i64).max(0) } else { place };
        Ok(usize::try_from(place).unwrap_or(usize::MAX))
    };
    let (start, end) = (place("start", 0)?, place("end", length)?.min(length));
    let byte = |place: usize| match place {
        0 => 0,
        usize::MAX => text.len(),
        place => text.char_indices().nth(place).map_or(text.len(), |(at, _)| at),
    };
    let sub = args.need("sub")?;
    if start > end || start > length {
        return match method {
            "index" | "rindex" => Err(wrong("the text does not hold what is looked for")),
            "find" | "rfind" => Ok(Value::from(-1)),
            "count" => Ok(Value::from(0)),
            _ => Ok(Value::from(false)),
        };
    }
    let from = byte(start);
    let part = &text[from..byte(end)];
    if method == "startswith" || method == "endswith" {
        let fits = |wanted: &Value| match (wanted.as_str(), method) {
            (Some(wanted), "startswith") => Ok(part.starts_with(wanted)),
            (Some(wanted), _) => Ok(part.ends_with(wanted)),
            _ => Err(wrong(format!("{method} takes a text or a tuple of texts"))),
        };
        if !sub.is_tuple() {
            return fits(sub).map(Value::from);
        }
        for wanted in sub.try_iter()? {
            if fits(&wanted)? {
                return Ok(Value::from(true));
            }
        }
        return Ok(Value::from(false));
    }
    let wanted = args.need_text("sub")?;
    if method == "count" {
        return Ok(Value::from(part.matches(wanted).count()));
    }
    let found = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
    match found {
        Some(at) => Ok(Value::from(text[..from + at].chars().count())),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(wrong("the text does not hold what is looked for")),
    }
}

fn joined(state: &State<'_, '_>, separator: &str, values: &Value) -> Result<String, Error> {
    let mut out = String::new();
    for (place, item) in values.try_iter()?.enumerate() {
        let text = item.as_str().ok_or_else(|| wrong(format!("join takes texts, not {}", item.kind())))?;
        room(state, out.len() + separator.len() + text.len())?;
        if place > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Ok(out)
}

fn tabs_expanded(state: &State<'_, '_>, text: &str, size: i64) -> Result<String, Error> {
    let size = usize::try_from(size).unwrap_or(0);
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let missing = size.checked_rem(size).map_or(0, |_| size - column % size);
            room(state, out.len().saturating_add(missing))?;
            out.push_str(&" ".repeat(missing));
            column += missing;
        } else {
            out.push(c);
            column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
        }
    }
    pay(state, out.len())?;
    Ok(out)
}

/// Lines as `str.splitlines` cuts them: at every line end that Unicode knows.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    const ENDS: [char; 10] = ['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ENDS).unwrap_or(rest.len());
        let after = &rest[end..];
        let length = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        lines.push(&rest[..if keep_ends { end + length } else { end }]);
        rest = &rest[end + length..];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(lines("a\r\nb\x0bc\n\nd\n", false), ["a", "b", "c", "", "d"]);
        assert_eq!(lines("a\r\nb\u{2028}c", true), ["a\r\n", "b\u{2028}", "c"]);
        assert!(lines("", false).is_empty());
    }

    #[test]
    fn white_space_is_cut_as_often_as_asked() {
        assert_eq!(split(" a  b c ", None, usize::MAX, false).unwrap(), ["a", "b", "c"]);
        assert_eq!(split(" a  b c ", None, 1, false).unwrap(), ["a", "b c "]);
        assert_eq!(split(" a  b c ", None, 1, true).unwrap(), [" a  b", "c"]);
        assert_eq!(split(" a ", None, 0, false).unwrap(), ["a "]);
        assert_eq!(split("a-b-c", Some("-"), 1, true).unwrap(), ["a-b", "c"]);
    }
}
