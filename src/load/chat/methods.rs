//! Methods of Python's texts, lists and dicts that templates call, where those of `minijinja-contrib` do not know them or
//! cut white space elsewhere.

use super::python::{is_space, rstrip, strip};
use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

pub(super) fn call(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => text_method(value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Seq if method == "index" => Some(index_of(value, args)?),
        ValueKind::Map | ValueKind::Seq if method == "copy" && args.is_empty() => Some(value.clone()),
        _ => None,
    };
    match own {
        Some(result) => Ok(result),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn text_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let result = match method {
        // With characters to cut, these are the same everywhere.
        "strip" if is_absent(args) => Value::from(strip(text)),
        "rstrip" if is_absent(args) => Value::from(rstrip(text)),
        "lstrip" if is_absent(args) => Value::from(text.trim_start_matches(is_space)),
        "split" if is_absent(args) => text.split(is_space).filter(|word| !word.is_empty()).collect(),
        "splitlines" => {
            let (keep_ends,): (Option<bool>,) = from_args(args)?;
            lines(text, keep_ends.unwrap_or(false)).into_iter().collect()
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            if separator.is_empty() {
                return Err(Error::new(ErrorKind::InvalidOperation, "the separator is empty"));
            }
            let cut = if method == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
            let parts = match (cut, method) {
                (Some((before, after)), _) => [before, separator, after],
                (None, "partition") => [text, "", ""],
                (None, _) => ["", "", text],
            };
            Value::from(Tuple::from(parts.map(Value::from)))
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

fn is_absent(args: &[Value]) -> bool {
    matches!(args, []) || matches!(args, [only] if only.is_none())
}

fn index_of(list: &Value, args: &[Value]) -> Result<Value, Error> {
    let (wanted,): (&Value,) = from_args(args)?;
    let place = list.try_iter()?.position(|item| item == *wanted);
    let missing = || Error::new(ErrorKind::InvalidOperation, format!("{wanted} is not in the list"));
    place.map(Value::from).ok_or_else(missing)
}

/// Lines as `str.splitlines` cuts them: at every line end that Unicode knows.
fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
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
}
