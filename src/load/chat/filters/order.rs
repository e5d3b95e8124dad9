//! Filters that compare: sorted, grouped, each once, the least and the greatest.

use super::super::arguments::Arguments;
use super::super::limits::{pay_items, wrong};
use super::super::operators::weigh;
use super::super::order::compared;
use super::super::views::{Group, Part, View};
use super::choosing::attribute_of;
use super::{defined, generator, iterated};
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};
use std::cmp::Ordering;

type Given<'a> = &'a Arguments;

/// What an item is compared by: itself or an attribute of it, texts without regard to case unless that is asked for.
fn keyed(
    state: &mut State<'_, '_>,
    items: Vec<Value>,
    attribute: Option<&Value>,
    default: Option<&Value>,
    args: Given<'_>,
) -> Result<Vec<(Value, Value)>, Error> {
    let case_sensitive = args.flag("case_sensitive");
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let key = match attribute {
            Some(attribute) => attribute_of(state, &item, attribute, default)?,
            None => item.clone(),
        };
        keyed.push((if case_sensitive { key } else { folded(&key) }, item));
    }
    Ok(keyed)
}

fn folded(key: &Value) -> Value {
    key.as_str().map_or_else(|| key.clone(), |text| Value::from(text.to_lowercase()))
}

/// Sorts by the keys; what is equal stays in its order.
fn in_order(
    state: &State<'_, '_>,
    mut items: Vec<(Value, Value)>,
    reverse: bool,
) -> Result<Vec<(Value, Value)>, Error> {
    let comparisons = items.len().saturating_mul(items.len().max(2).ilog2() as usize + 1);
    pay_items(state, comparisons)?;
    for (key, _) in &items {
        weigh(state, key, 0)?;
    }
    let mut problem = None;
    items.sort_by(|(a, _), (b, _)| {
        let order = compared(a, b, 0).unwrap_or_else(|error| {
            problem.get_or_insert(error);
            None
        });
        let order = order.unwrap_or(Ordering::Equal);
        if reverse { order.reverse() } else { order }
    });
    problem.map_or(Ok(items), Err)
}

pub(super) fn sort(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let items = iterated(state, value)?;
    let attributes = args.some("attribute").cloned();
    let several = attributes.as_ref().and_then(Value::as_str).filter(|names| names.contains(','));
    let keyed = match several {
        // Several attributes, one after the other.
        Some(names) => {
            let mut keyed = Vec::new();
            for item in items {
                let mut keys = Vec::new();
                for name in names.split(',') {
                    let key = attribute_of(state, &item, &Value::from(name), None)?;
                    keys.push(if args.flag("case_sensitive") { key } else { folded(&key) });
                }
                keyed.push((Value::from(keys), item));
            }
            keyed
        }
        None => keyed(state, items, attributes.as_ref(), None, args)?,
    };
    let sorted = in_order(state, keyed, args.flag("reverse"))?;
    Ok(Value::from(sorted.into_iter().map(|(_, item)| item).collect::<Vec<_>>()))
}

pub(super) fn dictsort(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let by = args.get("by").map_or(Ok("key"), |_| args.need_text("by"))?;
    let place = match by {
        "key" => 0,
        "value" => 1,
        other => return Err(wrong(format!("dictsort sorts by key or value, not {other}"))),
    };
    if defined(value)?.kind() != ValueKind::Map {
        return Err(wrong(format!("dictsort takes a dict, not {}", value.kind())));
    }
    let items = iterated(state, &View::of(value, Part::Items)?)?;
    let keyed = keyed(state, items, Some(&Value::from(place)), None, args)?;
    let sorted = in_order(state, keyed, args.flag("reverse"))?;
    Ok(Value::from(sorted.into_iter().map(|(_, item)| item).collect::<Vec<_>>()))
}

fn extreme(state: &mut State<'_, '_>, value: &Value, args: Given<'_>, wanted: Ordering) -> Result<Value, Error> {
    let items = iterated(state, value)?;
    let attribute = args.some("attribute").cloned();
    let mut keyed = keyed(state, items, attribute.as_ref(), None, args)?.into_iter();
    let Some(mut best) = keyed.next() else { return Ok(Value::UNDEFINED) };
    for other in keyed {
        weigh(state, &other.0, 0)?;
        if compared(&other.0, &best.0, 0)? == Some(wanted) {
            best = other;
        }
    }
    Ok(best.1)
}

pub(super) fn min(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    extreme(state, value, args, Ordering::Less)
}

pub(super) fn max(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    extreme(state, value, args, Ordering::Greater)
}

pub(super) fn unique(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let items = iterated(state, value)?;
    let attribute = args.some("attribute").cloned();
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for (key, item) in keyed(state, items, attribute.as_ref(), None, args)? {
        weigh(state, &key, 0)?;
        if matches!(key.kind(), ValueKind::Map | ValueKind::Iterable) || key.kind() == ValueKind::Seq && !key.is_tuple()
        {
            return Err(wrong(format!("unique cannot tell values of type {} apart", key.kind())));
        }
        if seen.insert(key) {
            kept.push(item);
        }
    }
    Ok(generator(kept))
}

pub(super) fn groupby(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let attribute = args.need("attribute")?.clone();
    let default = args.get("default").filter(|value| !value.is_none()).cloned();
    let items = iterated(state, value)?;
    let keyed = keyed(state, items, Some(&attribute), default.as_ref(), args)?;
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in in_order(state, keyed, false)? {
        match groups.last_mut() {
            Some((last, items)) if *last == key => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut named = Vec::new();
    for (_, items) in groups {
        let key = attribute_of(state, &items[0], &attribute, default.as_ref())?;
        named.push(Group::of(Tuple::from([key, Value::from(items)])));
    }
    Ok(Value::from(named))
}
