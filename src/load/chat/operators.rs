//! What stands in the place of a template's operators: subscripts, slices, attributes, `%`, a sign, and what is looked at
//! before it is compared or kept.

use super::arguments::{float, whole};
use super::expressions::OWN;
use super::limits::{look, pay, pay_items, wrong};
use super::order::{compared, defined};
use super::views::{Bound, Group, Range, View};
use super::{percent, python};
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Environment, Error, State, Value};

/// Levels that a value may be nested.
const DEEPEST: usize = 100;

/// Gives an environment the functions that `expressions.rs` writes calls of.
pub(super) fn add_to(env: &mut Environment<'_>) {
    let name = |function: &str| format!("{OWN}_{function}");
    env.add_function(name("item"), item);
    env.add_function(name("slice"), slice);
    env.add_function(name("field"), field);
    env.add_function(name("remainder"), remainder);
    env.add_function(name("number"), number);
    env.add_function(name("text"), text);
    env.add_function(name("listed"), listed);
    env.add_function(name("unmarked"), |value: &Value| unmarked(value).cloned());
    env.add_function(name("compared"), comparison);
    env.add_function(name("weighed"), |state: &State<'_, '_>, value: &Value| -> Result<Value, Error> {
        weigh(state, value, 0)?;
        Ok(value.clone())
    });
    env.add_function(name("kept"), |state: &State<'_, '_>, value: &Value| kept(state, value, true, 0));
    env.add_function(name("kept_in"), |state: &State<'_, '_>, value: &Value| kept(state, value, false, 0));
}

/// `container[key]`; undefined where there is none, a method where a text names one, as Jinja2's `getitem`.
pub(super) fn item(state: &State<'_, '_>, container: &Value, key: &Value) -> Result<Value, Error> {
    look(state)?;
    let text = container.as_str().filter(|_| container.kind() == ValueKind::String);
    if let (Some(text), Some(place)) = (text, whole(key)) {
        let from_end = place < 0;
        let steps = usize::try_from(if from_end { -(place + 1) } else { place }).unwrap_or(usize::MAX);
        pay(state, steps.saturating_mul(4).min(text.len()))?;
        let found = if from_end { text.chars().rev().nth(steps) } else { text.chars().nth(steps) };
        return Ok(found.map_or(Value::UNDEFINED, |c| Value::from(c.to_string())));
    }
    weigh(state, key, 0)?;
    if !container.is_undefined() && !is_usable_key(key) {
        return Ok(Value::UNDEFINED);
    }
    let found = match (container.kind(), whole(key)) {
        // A list has no other items than those that are counted, and an iterator has none.
        (ValueKind::Iterable, _) => Value::UNDEFINED,
        (ValueKind::Seq, Some(place)) => container.get_item(&Value::from(place))?,
        (ValueKind::Seq, None) if Group::parts(container).is_none() => Value::UNDEFINED,
        (ValueKind::Bytes, Some(place)) => byte(container.as_bytes().unwrap_or_default(), place),
        _ => container.get_item(key)?,
    };
    Ok(match key.as_str() {
        Some(name) if found.is_undefined() => Bound::of(container, name).unwrap_or(found),
        _ => found,
    })
}

fn byte(bytes: &[u8], place: i64) -> Value {
    let place = if place < 0 { place + bytes.len() as i64 } else { place };
    let byte = usize::try_from(place).ok().and_then(|place| bytes.get(place));
    byte.map_or(Value::UNDEFINED, |byte| Value::from(i64::from(*byte)))
}

/// Lists and dicts are no keys.
fn is_usable_key(key: &Value) -> bool {
    !matches!(key.kind(), ValueKind::Map | ValueKind::Iterable) && (key.kind() != ValueKind::Seq || key.is_tuple())
}

/// `object.name`: a method before an item of that name, as Jinja2's `getattr`.
pub(super) fn field(state: &State<'_, '_>, object: &Value, name: &str) -> Result<Value, Error> {
    look(state)?;
    match Bound::of(object, name) {
        Some(method) => Ok(method),
        None => object.get_attr(name),
    }
}

/// `container[start:stop:step]`.
fn slice(state: &State<'_, '_>, container: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    if container.is_undefined() {
        return container.get_item(&Value::from(0));
    }
    let bound = |value: &Value| {
        if value.is_none() { Some(None) } else { whole(value).map(Some) }
    };
    let (Some(start), Some(stop), Some(step)) = (bound(start), bound(stop), bound(step)) else {
        return Err(wrong("a slice goes from a whole number to a whole number"));
    };
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(wrong("a slice takes no steps of 0"));
    }
    if let Some(text) = container.as_str().filter(|_| container.kind() == ValueKind::String) {
        pay(state, text.len())?;
        if text.is_ascii() && step == 1 {
            let places = Places::new(text.len(), start, stop, 1);
            let from = places.first.min(places.first + places.count);
            return Ok(Value::from(&text[from..from + places.count]));
        }
        // Letters take four bytes each.
        pay(state, text.len().saturating_mul(4))?;
        let letters: Vec<char> = text.chars().collect();
        let places = Places::new(letters.len(), start, stop, step);
        return Ok(Value::from(places.iter().map(|place| letters[place]).collect::<String>()));
    }
    if container.kind() != ValueKind::Seq {
        return Err(wrong(format!("a slice of {}", container.kind())));
    }
    let length = container.len().unwrap_or(0);
    pay_items(state, length)?;
    let items: Vec<Value> = container.try_iter()?.collect();
    let places = Places::new(items.len(), start, stop, step);
    let taken: Vec<Value> = places.iter().map(|place| items[place].clone()).collect();
    Ok(if container.is_tuple() { Value::from(Tuple::from(taken)) } else { Value::from(taken) })
}

/// The places a slice takes, as `slice.indices` of Python tells them.
struct Places {
    first: usize,
    step: i64,
    count: usize,
}

impl Places {
    fn new(length: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> Self {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let clamp = |place: i64| if place < 0 { (place.saturating_add(length)).max(low) } else { place.min(high) };
        let start = start.map_or(if step > 0 { low } else { high }, clamp);
        let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
        let distance = if step > 0 { stop - start } else { start - stop };
        let count = if distance > 0 { (distance - 1) as u64 / step.unsigned_abs() + 1 } else { 0 };
        let count = usize::try_from(count).unwrap_or(0);
        Self { first: if count > 0 { usize::try_from(start).unwrap_or(0) } else { 0 }, step, count }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.count as i64).filter_map(|i| usize::try_from(self.first as i64 + i * self.step).ok())
    }
}

/// `left % right`: a text formatted, or the remainder that has the sign of the divisor.
fn remainder(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = unmarked(left)?.as_str() {
        return percent::format(state, format, right).map(Value::from);
    }
    if left.is_undefined() {
        return left.get_attr("").map(|_| Value::UNDEFINED);
    }
    if right.is_undefined() {
        return right.get_attr("").map(|_| Value::UNDEFINED);
    }
    let unfit = || wrong(format!("% between {} and {}", left.kind(), right.kind()));
    match (exact(left), exact(right)) {
        (Some(_), Some(0)) => Err(wrong("division by zero")),
        (Some(a), Some(b)) => {
            let rest = a.checked_rem(b).unwrap_or(0);
            Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }))
        }
        _ => {
            let (a, b) = (float(left).ok_or_else(unfit)?, float(right).ok_or_else(unfit)?);
            if b == 0.0 {
                return Err(wrong("division by zero"));
            }
            let rest = a % b;
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
                rest + b
            } else {
                rest.abs().copysign(if rest == 0.0 { b } else { rest })
            }))
        }
    }
}

/// A whole number that is not cut to 64 bits.
pub(super) fn exact(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// `+value`.
fn number(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        ValueKind::Number => Ok(value.clone()),
        ValueKind::Undefined => value.get_attr(""),
        kind => Err(wrong(format!("+ before {kind}"))),
    }
}

/// What `~` puts together.
pub(super) fn text(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    look(state)?;
    if unmarked(value)?.kind() == ValueKind::String {
        return Ok(value.clone());
    }
    weigh(state, value, 0)?;
    python::written(value).map(Value::from)
}

/// A text that is no markup. What is put together with markup is escaped in Jinja2, which has no place in a prompt.
fn unmarked(value: &Value) -> Result<&Value, Error> {
    if value.is_safe() {
        return Err(wrong(
            "a text that was escaped or marked as safe cannot be put together with others: do that last",
        ));
    }
    Ok(value)
}

/// What `+` and `*` gave: lists put together are lists.
fn listed(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Iterable || View::name_of(value).is_some() {
        return Ok(value.clone());
    }
    let Some(length) = value.len() else { return Ok(value.clone()) };
    pay_items(state, length)?;
    Ok(Value::from(value.try_iter()?.collect::<Vec<_>>()))
}

/// A comparison of two values that need not have an order, or of which the right one need not hold anything.
pub(super) fn comparison(state: &State<'_, '_>, left: &Value, sign: &str, right: &Value) -> Result<bool, Error> {
    weigh(state, left, 0)?;
    weigh(state, right, 0)?;
    if sign.ends_with("in") {
        let holds = match (right.kind(), left.as_str()) {
            (ValueKind::String, Some(part)) => right.as_str().unwrap_or_default().contains(part),
            (ValueKind::String, None) => {
                return Err(wrong(format!("a text holds texts, and not {}", defined(left)?.kind())));
            }
            (ValueKind::Undefined, _) => false,
            (ValueKind::Map, _) if is_usable_key(left) => {
                right.as_object().is_some_and(|object| object.get_value(left).is_some())
            }
            (ValueKind::Seq | ValueKind::Iterable, _) => right.try_iter()?.any(|item| item == *left),
            (kind, _) => return Err(wrong(format!("{kind} holds nothing that could be looked for"))),
        };
        return Ok(holds == (sign == "in"));
    }
    let order = compared(left, right, 0)?;
    Ok(order.is_some_and(|order| match sign {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }))
}

/// Pays for looking at all of a value, texts by their length.
pub(super) fn weigh(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return pay(state, text.len());
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) || depth > DEEPEST || is_namespace(value) {
        return look(state);
    }
    pay_items(state, value.len().unwrap_or(0))?;
    for item in value.try_iter()? {
        weigh(state, &item, depth + 1)?;
        if value.kind() == ValueKind::Map {
            weigh(state, &value.get_item(&item)?, depth + 1)?;
        }
    }
    Ok(())
}

pub(super) fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().contains("Namespace"))
}

/// The value, if it is not nested too deep: whoever prints or drops a value nested a million times needs as much stack, and
/// the one way to nest without end is an assignment. A sequence that is made on demand becomes a list, since taking a slice of
/// a slice of a slice nests as well. Namespaces can only be assigned to names (`outermost`): one inside another could hold
/// itself.
fn kept(state: &State<'_, '_>, value: &Value, outermost: bool, depth: usize) -> Result<Value, Error> {
    if depth > DEEPEST {
        return Err(wrong(format!("a value is nested more than {DEEPEST} times")));
    }
    if value.as_object().is_none() {
        return Ok(value.clone());
    }
    if is_namespace(value) {
        let allowed = outermost && depth == 0;
        return if allowed { Ok(value.clone()) } else { Err(wrong("a namespace cannot be put into another")) };
    }
    let kind = value.kind();
    // What else holds values (a cycler, a method) is not looked into, so it cannot be where it could be nested in a loop.
    if !matches!(kind, ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
        let holds_none = outermost && depth == 0 || kind != ValueKind::Plain;
        return if holds_none { Ok(value.clone()) } else { Err(wrong("only a name can be given a function")) };
    }
    let mut items = Vec::new();
    for (place, item) in value.try_iter()?.enumerate() {
        if place % 8 == 0 {
            pay_items(state, 1)?;
        }
        let inner = if kind == ValueKind::Map { value.get_item(&item)? } else { item };
        items.push(kept(state, &inner, false, depth + 1)?);
    }
    let is_own = View::name_of(value).is_some() || Group::parts(value).is_some() || Range::text_of(value).is_some();
    Ok(match kind {
        _ if is_own => value.clone(),
        ValueKind::Map => value.clone(),
        // It was gone through just now, and is to be gone through once more.
        ValueKind::Iterable if value.len().is_none() => Value::make_one_shot_iterator(items.into_iter()),
        _ if value.is_tuple() => Value::from(Tuple::from(items)),
        _ => Value::from(items),
    })
}
