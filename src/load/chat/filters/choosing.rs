//! Filters that look attributes up, and those that apply other filters and tests to each item.

use super::super::arguments::Arguments;
use super::super::limits::{look, wrong};
use super::super::operators::{field, item};
use super::{generator, iterated};
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, State, Value};

/// `item.a.b.0`, as filters name attributes.
///
/// # Errors
/// When something on the way is undefined, or the attribute is no name and no number.
pub(super) fn attribute_of(
    state: &State<'_, '_>,
    value: &Value,
    attribute: &Value,
    default: Option<&Value>,
) -> Result<Value, Error> {
    let mut found = value.clone();
    match attribute.as_str() {
        Some(path) => {
            for part in path.split('.') {
                let key = part.parse::<u32>().map_or_else(|_| Value::from(part), Value::from);
                found = item(state, &found, &key)?;
                if let Some(default) = default.filter(|_| found.is_undefined()) {
                    found = default.clone();
                }
            }
        }
        None => {
            found = item(state, &found, attribute)?;
            if let Some(default) = default.filter(|_| found.is_undefined()) {
                found = default.clone();
            }
        }
    }
    Ok(found)
}

pub(super) fn default(_: &mut State<'_, '_>, value: &Value, args: &Arguments) -> Result<Value, Error> {
    let is_replaced = value.is_undefined() || args.flag("boolean") && !value.is_true();
    Ok(if is_replaced { args.get("default_value").cloned().unwrap_or_else(|| Value::from("")) } else { value.clone() })
}

/// An attribute and nothing else: not what a dict holds under that name.
pub(super) fn attr(state: &mut State<'_, '_>, value: &Value, args: &Arguments) -> Result<Value, Error> {
    let name = args.need_text("name")?;
    let found = field(state, value, name)?;
    let is_item = value.kind() == ValueKind::Map
        && !super::super::operators::is_namespace(value)
        && !super::super::views::Bound::is_in(&found);
    Ok(if is_item { Value::UNDEFINED } else { found })
}

pub(super) fn add_to(env: &mut Environment<'_>) {
    env.add_filter("map", map);
    for (name, by_attribute, wanted) in
        [("select", false, true), ("reject", false, false), ("selectattr", true, true), ("rejectattr", true, false)]
    {
        env.add_filter(name, move |state: &mut State<'_, '_>, value: &Value, args: Rest<Value>, named: Kwargs| {
            chosen(state, value, &args.0, &named, by_attribute, wanted)
        });
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]
fn map(state: &mut State<'_, '_>, value: &Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let items = iterated(state, value)?;
    let mut mapped = Vec::with_capacity(items.len());
    if args.is_empty() && named.has("attribute") {
        let attribute: Value = named.get("attribute")?;
        let default: Option<Value> = if named.has("default") { Some(named.get("default")?) } else { None };
        named.assert_all_used()?;
        for item in items {
            look(state)?;
            mapped.push(attribute_of(state, &item, &attribute, default.as_ref())?);
        }
        return Ok(generator(mapped));
    }
    let filter = args.first().and_then(Value::as_str).ok_or_else(|| wrong("map needs a filter or an attribute"))?;
    for item in items {
        mapped.push(state.apply_filter(filter, &arguments(item, &args[1..], &named)?)?);
    }
    Ok(generator(mapped))
}

/// An item with the arguments behind it.
fn arguments(item: Value, positional: &[Value], named: &Kwargs) -> Result<Vec<Value>, Error> {
    let mut all = vec![item];
    all.extend_from_slice(positional);
    let names: Vec<&str> = named.args().collect();
    if !names.is_empty() {
        let pairs = names.into_iter().map(|name| Ok((name, named.get::<Value>(name)?)));
        all.push(Value::from(pairs.collect::<Result<Kwargs, Error>>()?));
    }
    Ok(all)
}

fn chosen(
    state: &mut State<'_, '_>,
    value: &Value,
    args: &[Value],
    named: &Kwargs,
    by_attribute: bool,
    wanted: bool,
) -> Result<Value, Error> {
    let (attribute, rest) = match args.split_first() {
        Some((attribute, rest)) if by_attribute => (Some(attribute), rest),
        None if by_attribute => return Err(wrong("an attribute is missing")),
        _ => (None, args),
    };
    let test = rest.first().map(|test| test.as_str().ok_or_else(|| wrong("a test is named by a text"))).transpose()?;
    let mut kept = Vec::new();
    for item in iterated(state, value)? {
        look(state)?;
        let looked_at = match attribute {
            Some(attribute) => attribute_of(state, &item, attribute, None)?,
            None => item.clone(),
        };
        let holds = match test {
            Some(test) => state.perform_test(test, &arguments(looked_at, &rest[1..], named)?)?,
            None => looked_at.is_true(),
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}
