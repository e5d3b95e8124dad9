//! Values of Python that are neither texts, numbers, lists nor dicts: methods that are not called yet, the keys, values and items
//! of a dict, ranges, groups, and what joins and cycles.

use super::limits::wrong;
use super::methods;
use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A method with what it belongs to: `message.items` without a call.
#[derive(Debug)]
pub(super) struct Bound {
    owner: Value,
    name: String,
}

impl Bound {
    /// The method of that name, where a text, list or dict has one.
    pub(super) fn of(owner: &Value, name: &str) -> Option<Value> {
        methods::has(owner, name).then(|| Value::from_object(Self { owner: owner.clone(), name: name.to_owned() }))
    }

    pub(super) fn is_in(value: &Value) -> bool {
        value.downcast_object_ref::<Self>().is_some()
    }
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.owner.call_method(state, &self.name, args)
    }
}

/// What of a dict is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Keys,
    Values,
    Items,
}

/// `dict.keys()` and its like.
#[derive(Debug)]
pub(super) struct View {
    part: Part,
    items: Vec<Value>,
}

impl View {
    /// # Errors
    /// When it is no dict.
    pub(super) fn of(dict: &Value, part: Part) -> Result<Value, Error> {
        let mut items = Vec::new();
        for key in dict.try_iter()? {
            items.push(match part {
                Part::Keys => key,
                Part::Values => dict.get_item(&key)?,
                Part::Items => Value::from(Tuple::from([key.clone(), dict.get_item(&key)?])),
            });
        }
        Ok(Value::from_object(Self { part, items }))
    }

    /// What Python calls it, where the value is one.
    pub(super) fn name_of(value: &Value) -> Option<&'static str> {
        value.downcast_object_ref::<Self>().map(|view| match view.part {
            Part::Keys => "dict_keys",
            Part::Values => "dict_values",
            Part::Items => "dict_items",
        })
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
}

/// True for what has a length and items by number or name.
pub(super) fn is_sequence(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Bytes
    )
}

/// What `groupby` makes: a tuple whose parts have names.
#[derive(Debug)]
pub(super) struct Group(Tuple);

impl Group {
    pub(super) fn of(parts: Tuple) -> Value {
        Value::from_object(Self(parts))
    }

    pub(super) fn parts(value: &Value) -> Option<&Tuple> {
        value.downcast_object_ref::<Self>().map(|group| &group.0)
    }
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) => self.0.first().cloned(),
            (Some("list"), _) => self.0.get(1).cloned(),
            (_, Some(place)) => self.0.get(place).cloned(),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

/// `range(start, stop, step)`.
#[derive(Debug)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: i64,
    length: usize,
}

impl Range {
    /// # Errors
    /// When the step is 0, or there are more numbers than Jinja2 allows.
    pub(super) fn of(first: i64, second: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
        const MOST: u64 = 100_000;
        let (start, stop) = second.map_or((0, first), |stop| (first, stop));
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(wrong("a range takes no steps of 0"));
        }
        let distance =
            if step > 0 { i128::from(stop) - i128::from(start) } else { i128::from(start) - i128::from(stop) };
        let length = if distance > 0 { (distance - 1) / i128::from(step.unsigned_abs()) + 1 } else { 0 };
        match u64::try_from(length) {
            Ok(length) if length <= MOST => {
                Ok(Value::from_object(Self { start, stop, step, length: usize::try_from(length).unwrap_or(0) }))
            }
            _ => Err(wrong(format!("a range of {length} numbers is longer than {MOST}"))),
        }
    }

    /// As Python prints it, where the value is one.
    pub(super) fn text_of(value: &Value) -> Option<String> {
        let Self { start, stop, step, .. } = value.downcast_object_ref::<Self>()?;
        Some(if *step == 1 { format!("range({start}, {stop})") } else { format!("range({start}, {stop}, {step})") })
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = key.as_usize().filter(|place| *place < self.length)?;
        Some(Value::from(self.start + i64::try_from(place).ok()? * self.step))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.length)
    }
}

/// `joiner(text)`: nothing at the first call, then the text.
#[derive(Debug)]
pub(super) struct Joiner {
    text: Value,
    is_used: AtomicBool,
}

impl Joiner {
    pub(super) fn of(text: Option<Value>) -> Value {
        let text = text.unwrap_or_else(|| Value::from(", "));
        Value::from_object(Self { text, is_used: AtomicBool::new(false) })
    }
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let is_used = self.is_used.swap(true, Ordering::Relaxed);
        Ok(if is_used { self.text.clone() } else { Value::from("") })
    }
}

/// `cycler(a, b, …)`: one after the other, and again.
#[derive(Debug)]
pub(super) struct Cycler {
    items: Vec<Value>,
    place: AtomicUsize,
}

impl Cycler {
    /// # Errors
    /// When there is nothing to go through.
    pub(super) fn of(items: Vec<Value>) -> Result<Value, Error> {
        if items.is_empty() {
            return Err(wrong("a cycler needs something to go through"));
        }
        Ok(Value::from_object(Self { items, place: AtomicUsize::new(0) }))
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = self.place.load(Ordering::Relaxed);
        match key.as_str()? {
            "current" => self.items.get(place).cloned(),
            "pos" => Some(Value::from(place)),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        let place = self.place.load(Ordering::Relaxed);
        match method {
            "next" => {
                self.place.store((place + 1) % self.items.len(), Ordering::Relaxed);
                Ok(self.items.get(place).cloned().unwrap_or_default())
            }
            "reset" => {
                self.place.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
