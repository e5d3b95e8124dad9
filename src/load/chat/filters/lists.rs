//! Filters of lists.

use super::super::arguments::Arguments;
use super::super::limits::{pay, pay_items, room, wrong};
use super::super::python;
use super::super::views::{Part, View};
use super::choosing::attribute_of;
use super::{defined, generator, iterated};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

type Given<'a> = &'a Arguments;

pub(super) fn list(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    iterated(state, value).map(Value::from)
}

pub(super) fn length(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let length = match value.kind() {
        ValueKind::Undefined => Some(0),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            pay(state, text.len())?;
            Some(text.chars().count())
        }
        ValueKind::Bytes => value.as_bytes().map(<[u8]>::len),
        _ => value.len(),
    };
    length.map(Value::from).ok_or_else(|| wrong(format!("{} has no length", value.kind())))
}

pub(super) fn first(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.chars().next().map_or(Value::UNDEFINED, |c| Value::from(c.to_string())));
    }
    if value.is_none() {
        return iterated(state, value).map(Value::from);
    }
    Ok(value.try_iter()?.next().unwrap_or(Value::UNDEFINED))
}

pub(super) fn last(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    if value.kind() == ValueKind::Iterable && View::name_of(value).is_none() {
        return Err(wrong("only a list has a last item"));
    }
    Ok(iterated(state, value)?.pop().unwrap_or(Value::UNDEFINED))
}

pub(super) fn reverse(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let mut items = iterated(state, value)?;
    items.reverse();
    Ok(match value.as_str() {
        Some(text) => Value::from(text.chars().rev().collect::<String>()),
        None => generator(items),
    })
}

pub(super) fn join(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let separator = args.get("d").map_or(Ok(String::new()), python::written)?;
    let mut out = String::new();
    for (place, item) in iterated(state, value)?.into_iter().enumerate() {
        let item = match args.some("attribute") {
            Some(attribute) => attribute_of(state, &item, attribute, None)?,
            None => item,
        };
        let text = python::written(&item)?;
        room(state, out.len() + separator.len() + text.len())?;
        if place > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text);
    }
    Ok(Value::from(out))
}

pub(super) fn items(state: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(generator(Vec::new())),
        ValueKind::Map => Ok(generator(iterated(state, &View::of(value, Part::Items)?)?)),
        kind => Err(wrong(format!("only a dict has items, not {kind}"))),
    }
}

pub(super) fn batch(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    args.need("linecount")?;
    let size = args.whole_or("linecount", 0)?;
    let items = iterated(state, value)?;
    let size_or_none = usize::try_from(size).unwrap_or(0);
    let mut batches: Vec<Vec<Value>> = match size_or_none {
        _ if items.is_empty() => Vec::new(),
        // A line of none is full before it begins, and then there is no other end.
        0 if size == 0 => vec![Vec::new(), items],
        0 => vec![items],
        size => items.chunks(size).map(<[Value]>::to_vec).collect(),
    };
    if let (Some(fill), Some(last)) = (args.some("fill_with"), batches.last_mut())
        && last.len() < size_or_none
    {
        pay_items(state, size_or_none)?;
        last.resize(size_or_none, fill.clone());
    }
    Ok(generator(batches.into_iter().map(Value::from).collect()))
}

pub(super) fn slice(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    args.need("slices")?;
    let items = iterated(state, defined(value)?)?;
    let slices = args.whole_or("slices", 0)?;
    if slices == 0 {
        return Err(wrong("a list cannot be cut into 0 slices"));
    }
    let slices = usize::try_from(slices).unwrap_or(0);
    pay_items(state, slices)?;
    let (each, longer) = (items.len().checked_div(slices).unwrap_or(0), items.len().checked_rem(slices).unwrap_or(0));
    let mut rest = items.as_slice();
    let mut cut = Vec::new();
    for place in 0..slices {
        let (head, tail) = rest.split_at(each + usize::from(place < longer));
        let mut slice = head.to_vec();
        if let Some(fill) = args.some("fill_with").filter(|_| place >= longer) {
            slice.push(fill.clone());
        }
        cut.push(Value::from(slice));
        rest = tail;
    }
    Ok(generator(cut))
}
