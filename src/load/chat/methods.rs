//! Methods of Python's texts, lists, tuples, dicts, bytes and floats that templates call.

use super::arguments::Arguments;
use super::limits::{pay, pay_items, wrong};
use super::operators::weigh;
use super::views::{Part, View};
use super::{str_format, text_methods};
use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

const OF_LISTS: [&str; 2] = ["count", "index"];
const OF_DICTS: [&str; 5] = ["copy", "get", "items", "keys", "values"];
/// Methods that would change a value, which templates must not.
const CHANGING: [&str; 13] = [
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
    "add",
    "discard",
];

/// True where a value has the method.
pub(super) fn has(value: &Value, method: &str) -> bool {
    match value.kind() {
        ValueKind::String => method.starts_with("format") || text_methods::parameters(method).is_some(),
        ValueKind::Map if value.is_kwargs() || !is_dict(value) => false,
        ValueKind::Map => OF_DICTS.contains(&method),
        ValueKind::Seq => OF_LISTS.contains(&method) || method == "copy" && !value.is_tuple(),
        _ => false,
    }
}

/// Namespaces and loops are no dicts.
fn is_dict(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        let name = object.type_name();
        !["Namespace", "Loop", "Module", "Macro"].iter().any(|other| name.contains(other))
    })
}

pub(super) fn call(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::from(ErrorKind::UnknownMethod);
    match value.kind() {
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            pay(state, text.len())?;
            let (positional, named): (Rest<Value>, Kwargs) = from_args(args)?;
            match method {
                "format" => return str_format::format(state, text, &positional.0, &named).map(Value::from),
                "format_map" if positional.len() == 1 => {
                    return str_format::format_map(state, text, &positional.0[0]).map(Value::from);
                }
                _ => {}
            }
            let (name, parameters) = text_methods::parameters(method).ok_or_else(unknown)?;
            let args = Arguments::bind(name, parameters, positional.0, &named)?;
            text_methods::call(state, text, name, &args)
        }
        ValueKind::Map | ValueKind::Seq if CHANGING.contains(&method) && is_dict(value) => {
            Err(wrong(format!("{method} would change a value, which a template must not")))
        }
        ValueKind::Map if is_dict(value) => of_dict(state, value, method, args)?.ok_or_else(unknown),
        ValueKind::Seq => of_list(state, value, method, args)?.ok_or_else(unknown),
        ValueKind::Bytes if method == "decode" => {
            let bytes = value.as_bytes().unwrap_or_default();
            pay(state, bytes.len())?;
            let text =
                std::str::from_utf8(bytes).map_err(|error| wrong(format!("the bytes are not UTF-8: {error}")))?;
            Ok(Value::from(text))
        }
        ValueKind::Number if method == "is_integer" => {
            let () = from_args(args)?;
            Ok(Value::from(
                value.is_integer() || f64::try_from(value.clone()).is_ok_and(|number| number.fract() == 0.0),
            ))
        }
        _ => Err(unknown()),
    }
}

/// `dict(…)`: of a dict or of pairs, and of names.
#[allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]
pub(super) fn dict(state: &State<'_, '_>, from: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut pairs = Vec::new();
    if let Some(from) = from {
        weigh(state, &from, 0)?;
        for item in from.try_iter()? {
            pairs.push(match from.kind() {
                ValueKind::Map => (item.clone(), from.get_item(&item)?),
                _ if item.len() == Some(2) && item.as_str().is_none() => {
                    (item.get_item_by_index(0)?, item.get_item_by_index(1)?)
                }
                _ => return Err(wrong("a dict is made of a dict or of pairs")),
            });
        }
    }
    for name in named.args() {
        pairs.push((Value::from(name), named.get::<Value>(name)?));
    }
    Ok(Value::from_pairs(pairs))
}

fn of_dict(state: &State<'_, '_>, dict: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let view = |part| {
        let () = from_args(args)?;
        pay_items(state, dict.len().unwrap_or(0))?;
        View::of(dict, part)
    };
    Ok(Some(match method {
        "keys" => view(Part::Keys)?,
        "values" => view(Part::Values)?,
        "items" => view(Part::Items)?,
        "copy" if args.is_empty() => dict.clone(),
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            weigh(state, key, 0)?;
            let found = dict.as_object().and_then(|object| object.get_value(key));
            found.or(default).unwrap_or_else(|| Value::from(()))
        }
        _ => return Ok(None),
    }))
}

fn of_list(state: &State<'_, '_>, list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    weigh(state, list, 0)?;
    Ok(Some(match method {
        "copy" if args.is_empty() && !list.is_tuple() => list.clone(),
        "count" => {
            let (wanted,): (&Value,) = from_args(args)?;
            Value::from(list.try_iter()?.filter(|item| item == wanted).count())
        }
        "index" => {
            let (wanted, start, stop): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
            let length = i64::try_from(list.len().unwrap_or(0)).unwrap_or(i64::MAX);
            let clamp = |place: i64| if place < 0 { (place + length).max(0) } else { place };
            let (start, stop) = (clamp(start.unwrap_or(0)), clamp(stop.unwrap_or(length)));
            let mut places = list.try_iter()?.zip(0..).filter(|(_, place)| (start..stop).contains(place));
            let found = places.find(|(item, _)| item == wanted).map(|(_, place)| place);
            Value::from(found.ok_or_else(|| wrong("the list does not hold what is looked for"))?)
        }
        _ => return Ok(None),
    }))
}
