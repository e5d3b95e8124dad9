//! Values as Python writes them: `str` and `repr`. Chat templates are written for a template engine in Python,
//! and what a model was trained on has Python's spelling.

use super::letters::is_space;
use super::limits::wrong;
use super::views::{Group, Range, View};
use minijinja::value::ValueKind;
use minijinja::{Error, Value};

/// `str(value)`: texts as they are, everything else as its `repr`. Undefined is empty.
pub(super) fn to_str(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        _ => repr(value, false),
    }
}

/// `str(value)` where Python's text of it says nothing of where it lies in memory.
///
/// # Errors
/// For a method without a call, and for what is made as it is gone through.
pub(super) fn written(value: &Value) -> Result<String, Error> {
    if value.kind() == ValueKind::String { Ok(to_str(value)) } else { can_be_written(value, 0).map(|()| to_str(value)) }
}

/// `repr(value)`.
///
/// # Errors
/// As [`written`].
pub(super) fn represented(value: &Value) -> Result<String, Error> {
    can_be_written(value, 0)?;
    Ok(if value.is_undefined() { "Undefined".to_owned() } else { repr(value, false) })
}

/// `repr(value)` with the keys of every dict in order.
///
/// # Errors
/// As [`written`].
pub(super) fn sorted(value: &Value) -> Result<String, Error> {
    can_be_written(value, 0)?;
    Ok(if value.is_undefined() { "Undefined".to_owned() } else { repr(value, true) })
}

fn can_be_written(value: &Value, depth: usize) -> Result<(), Error> {
    const DEEPEST: usize = 200;
    let is_known = match value.kind() {
        ValueKind::Iterable => View::name_of(value).is_some(),
        ValueKind::Plain => false,
        _ => true,
    };
    if !is_known || depth > DEEPEST {
        return Err(wrong("this value has no text: call it, or make a list of it with |list"));
    }
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
        || value.kind() == ValueKind::Map && is_plain_map(value)
    {
        for item in value.try_iter()? {
            can_be_written(&item, depth + 1)?;
            if value.kind() == ValueKind::Map {
                can_be_written(&value.get_item(&item)?, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// A character as `ascii` of Python writes it.
pub(super) fn ascii(c: char) -> String {
    match u32::from(c) {
        _ if c.is_ascii() => c.to_string(),
        code @ ..=0xFF => format!("\\x{code:02x}"),
        code @ ..=0xFFFF => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

fn repr(value: &Value, in_order: bool) -> String {
    if let Some(text) = Range::text_of(value) {
        return text;
    }
    let all = |value: &Value| -> Vec<String> {
        value.try_iter().map(|items| items.map(|item| repr(&item, in_order)).collect()).unwrap_or_default()
    };
    match value.kind() {
        ValueKind::Undefined => "Undefined".to_owned(),
        ValueKind::Number if !value.is_integer() => float(value),
        ValueKind::Seq => match (value.is_tuple() || Group::parts(value).is_some(), all(value).as_slice()) {
            (true, [one]) => format!("({one},)"),
            (true, many) => format!("({})", many.join(", ")),
            (false, many) => format!("[{}]", many.join(", ")),
        },
        ValueKind::Iterable => match View::name_of(value) {
            Some(name) => format!("{name}([{}])", all(value).join(", ")),
            None => format!("{value:?}"),
        },
        ValueKind::Bytes => bytes(value.as_bytes().unwrap_or_default()),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Map if is_plain_map(value) => {
            let mut keys: Vec<Value> = value.try_iter().map(Iterator::collect).unwrap_or_default();
            if in_order {
                keys.sort();
            }
            let item = |key: &Value| {
                format!("{}: {}", repr(key, in_order), repr(&value.get_item(key).unwrap_or_default(), in_order))
            };
            let items: Vec<String> = keys.iter().map(item).collect();
            format!("{{{}}}", items.join(", "))
        }
        // minijinja spells truth values and None as Python does.
        _ => format!("{value:?}"),
    }
}

/// True for what Python prints as it is. Rust's tables are made of the same categories; it hides combining marks as well, but
/// not behind a letter.
pub(super) fn is_printable(c: char) -> bool {
    c == '\'' || c == '"' || c == '\\' || ['a', c].iter().collect::<String>().escape_debug().nth(1) == Some(c)
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = quote.to_string();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&ascii(c)),
        }
    }
    out.push(quote);
    out
}

fn bytes(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    let mut out = format!("b{quote}");
    for byte in bytes {
        match char::from(*byte) {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c @ ' '..='~' => out.push(c),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
    out
}

/// Namespaces and macros print in a way of their own.
fn is_plain_map(value: &Value) -> bool {
    value.as_object().is_some_and(|object| !object.type_name().contains("Namespace"))
}

pub(super) fn float(value: &Value) -> String {
    f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float_repr)
}

/// The shortest decimal that reads back as the same number, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&power) {
        return format!("{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs());
    }
    let plain = number.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// `text.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `text.rstrip()`.
pub(super) fn rstrip(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_the_spelling_of_python() {
        let spelled = [1.0, -0.0, 0.1, 1e16, 1e15, 1.5e-5, 1e-4, 123_456_789.125, f64::INFINITY].map(float_repr);
        assert_eq!(
            spelled,
            ["1.0", "-0.0", "0.1", "1e+16", "1000000000000000.0", "1.5e-05", "0.0001", "123456789.125", "inf"]
        );
    }
}
