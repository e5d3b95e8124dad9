//! Filters of texts.

use super::super::arguments::Arguments;
use super::super::limits::{pay, pay_items, room, wrong};
use super::super::text::{self, Side};
use super::super::text_methods::lines;
use super::super::{letters, percent, python};
use super::{defined, iterated};
use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Error, State, Value};

type Given<'a> = &'a Arguments;

/// `str(value)`, paid for.
fn soft(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let text = python::written(value)?;
    pay(state, text.len())?;
    Ok(text)
}

pub(super) fn string(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    soft(state, value).map(Value::from)
}

pub(super) fn lower(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    Ok(Value::from(soft(state, value)?.to_lowercase()))
}

pub(super) fn upper(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    Ok(Value::from(soft(state, value)?.to_uppercase()))
}

pub(super) fn capitalize(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    Ok(Value::from(letters::capitalize(&soft(state, value)?)))
}

/// Words begin behind white space and opening brackets, other than in `str.title`.
pub(super) fn title(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    let is_between = |c: char| letters::is_space(c) || "-({[<".contains(c);
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(is_between) {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        out.extend(first);
        out.push_str(&letters.as_str().to_lowercase());
    }
    Ok(Value::from(out))
}

pub(super) fn trim(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    Ok(Value::from(match args.text("chars")? {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => python::strip(&text),
    }))
}

pub(super) fn center(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    text::padded(state, &text, args.whole_or("width", 80)?, " ", Side::Both).map(Value::from)
}

pub(super) fn replace(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    let (old, new) = (soft(state, args.need("old")?)?, soft(state, args.need("new")?)?);
    text::replaced(state, &text, &old, &new, args.whole("count")?.unwrap_or(-1)).map(Value::from)
}

pub(super) fn escape(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    text::escaped(state, &text).map(Value::from_safe_string)
}

pub(super) fn safe(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    soft(state, value).map(Value::from_safe_string)
}

pub(super) fn truncate(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    const LEEWAY: i64 = 5;
    let text = defined(value)?.as_str().ok_or_else(|| wrong(format!("{} cannot be truncated", value.kind())))?;
    pay(state, text.len())?;
    let end = args.get("end").map_or(Ok("..."), |_| args.need_text("end"))?;
    let length = args.whole_or("length", 255)?;
    let leeway = args.whole("leeway")?.unwrap_or(LEEWAY);
    let kept = length - i64::try_from(end.chars().count()).unwrap_or(i64::MAX);
    if kept < 0 || leeway < 0 {
        return Err(wrong("truncate: the length is shorter than the end, or the leeway negative"));
    }
    if text.chars().count() as i64 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let cut = text.char_indices().nth(usize::try_from(kept).unwrap_or(0)).map_or(text, |(at, _)| &text[..at]);
    let cut = if args.flag("killwords") { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    Ok(Value::from(cut.to_owned() + end))
}

pub(super) fn indent(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let text = defined(value)?.as_str().ok_or_else(|| wrong(format!("{} cannot be indented", value.kind())))?;
    let indent = match args.get("width").and_then(Value::as_str) {
        Some(indent) => indent.to_owned(),
        None => {
            let width = usize::try_from(args.whole_or("width", 4)?).unwrap_or(0);
            room(state, width)?;
            " ".repeat(width)
        }
    };
    pay(state, text.len())?;
    // As Jinja2 does, so that a text that ends with a line end keeps it.
    let whole = format!("{text}\n");
    let parts = lines(&whole, false);
    room(state, text.len().saturating_add(parts.len().saturating_mul(indent.len() + 1)))?;
    let (first, blank) = (args.flag("first"), args.flag("blank"));
    let mut out = String::new();
    for (place, line) in parts.into_iter().enumerate() {
        let is_indented = if place == 0 { first } else { blank || !line.is_empty() };
        if place > 0 {
            out.push('\n');
        }
        if is_indented {
            out.push_str(&indent);
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

/// `format(value, *values, **names)`
#[allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]
pub(super) fn format(
    state: &State<'_, '_>,
    value: &Value,
    positional: Rest<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let names: Vec<&str> = named.args().collect();
    if !names.is_empty() && !positional.is_empty() {
        return Err(wrong("format takes values by position or by name, not both"));
    }
    let values = if names.is_empty() {
        Value::from(Tuple::from(positional.0))
    } else {
        let pairs = names.iter().map(|name| Ok((*name, named.get::<Value>(name)?)));
        Value::from_pairs(pairs.collect::<Result<Vec<_>, Error>>()?)
    };
    percent::format(state, &soft(state, value)?, &values)
}

pub(super) fn word_count(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let text = soft(state, value)?;
    let (mut count, mut in_word) = (0, false);
    for c in text.chars() {
        let is_word = c == '_' || letters::all("isalnum", c.encode_utf8(&mut [0; 4]))?;
        count += i64::from(is_word && !in_word);
        in_word = is_word;
    }
    Ok(Value::from(count))
}

pub(super) fn url_encode(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let is_list = matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable);
    if !is_list {
        let text = soft(state, value)?;
        return Ok(Value::from(text::quoted(&text, false)));
    }
    let mut parts = Vec::new();
    for item in iterated(state, value)? {
        let (key, item) = match value.kind() {
            ValueKind::Map => (item.clone(), value.get_item(&item)?),
            _ if item.len() == Some(2) && item.as_str().is_none() => {
                (item.get_item_by_index(0)?, item.get_item_by_index(1)?)
            }
            _ => return Err(wrong("urlencode takes a text, a dict or pairs")),
        };
        let (key, item) = (soft(state, &key)?, soft(state, &item)?);
        parts.push(format!("{}={}", text::quoted(&key, true), text::quoted(&item, true)));
    }
    Ok(Value::from(parts.join("&")))
}

pub(super) fn xml_attributes(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let mut out = String::new();
    for key in iterated(state, value)? {
        let item = value.get_item(&key)?;
        if item.is_none() || item.is_undefined() {
            continue;
        }
        let key = soft(state, &key)?;
        if key.contains(|c: char| letters::is_space(c) || "/>=".contains(c)) {
            return Err(wrong(format!("{key:?} is no name of an attribute")));
        }
        let item = soft(state, &item)?;
        let space = if out.is_empty() { "" } else { " " };
        out += &format!("{space}{}=\"{}\"", text::escaped(state, &key)?, text::escaped(state, &item)?);
        room(state, out.len())?;
    }
    let space = if args.get("autospace").is_none_or(Value::is_true) && !out.is_empty() { " " } else { "" };
    Ok(Value::from(space.to_owned() + &out))
}

/// Without tags and comments, white space as one space, and characters in the place of their names.
pub(super) fn strip_tags(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let mut text = soft(state, value)?;
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, (_, after))) =
            rest.find(open).and_then(|at| Some((&rest[..at], rest[at..].split_once(close)?)))
        {
            out.push_str(before);
            rest = after;
        }
        out.push_str(rest);
        text = out;
    }
    let words: Vec<&str> = text.split(letters::is_space).filter(|word| !word.is_empty()).collect();
    let mut out = String::new();
    let joined = words.join(" ");
    let mut rest = joined.as_str();
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let names = [
            ("&amp;", '&'),
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&#39;", '\''),
            ("&#34;", '"'),
            ("&quot;", '"'),
            ("& ", '&'),
        ];
        let known = names.into_iter().find(|(name, _)| rest.starts_with(name));
        let (name, c) = known.ok_or_else(|| wrong("striptags knows only the commonest names of characters"))?;
        out.push(c);
        rest = &rest[name.trim_end().len()..];
    }
    Ok(Value::from(out + rest))
}

/// What fits into a line is as `repr` writes it, with keys in order.
pub(super) fn pretty(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    const WIDEST: usize = 80;
    pay_items(state, value.len().unwrap_or(0))?;
    let text = python::sorted(value)?;
    if text.chars().count() > WIDEST {
        return Err(wrong(format!("pprint breaks lines of more than {WIDEST} characters, which is not supported")));
    }
    Ok(Value::from(text))
}
