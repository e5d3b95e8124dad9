//! The tests of Jinja2 (`x is callable`) that minijinja lacks or answers otherwise.

use super::arguments::float;
use super::limits::{pay, wrong};
use super::operators::{comparison, exact};
use super::order::defined;
use super::views::{Cycler, is_sequence};
use super::{letters, python};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

/// What minijinja has of its own, and Jinja2 has not.
const FOREIGN: [&str; 4] = ["endingwith", "int", "safe", "startingwith"];

pub(super) fn add_to(env: &mut Environment<'_>) {
    for name in FOREIGN {
        env.remove_test(name);
    }
    env.add_test("callable", is_callable);
    env.add_test("sequence", is_sequence);
    env.add_test("iterable", |value: &Value| is_sequence(value) || matches!(value.kind(), ValueKind::Iterable));
    env.add_test("lower", |state: &State<'_, '_>, value: &Value| has_case(state, value, false));
    env.add_test("upper", |state: &State<'_, '_>, value: &Value| has_case(state, value, true));
    env.add_test("sameas", is_same);
    env.add_test("even", |value: &Value| divisible(value, 2));
    env.add_test("odd", |value: &Value| Ok::<_, Error>(remainder(value, 2)? == 1.0));
    env.add_test("divisibleby", divisible);
    for (sign, names) in [
        ("<", ["lt", "lessthan", "<"]),
        (">", ["gt", "greaterthan", ">"]),
        ("<=", ["le", "<=", "<="]),
        (">=", ["ge", ">=", ">="]),
        ("in", ["in"; 3]),
    ] {
        for name in names {
            env.add_test(name, move |state: &State<'_, '_>, value: &Value, other: &Value| {
                comparison(state, value, sign, other)
            });
        }
    }
}

/// An undefined value is callable in Jinja2, and fails when it is called.
fn is_callable(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Undefined => true,
        ValueKind::Plain => value.downcast_object_ref::<Cycler>().is_none(),
        ValueKind::Map => value
            .as_object()
            .is_some_and(|object| ["Macro", "Loop"].iter().any(|name| object.type_name().contains(name))),
        _ => false,
    }
}

fn has_case(state: &State<'_, '_>, value: &Value, is_upper: bool) -> Result<bool, Error> {
    let text = python::written(value)?;
    pay(state, text.len())?;
    Ok(letters::has_case(&text, is_upper))
}

fn divisible(value: &Value, by: i64) -> Result<bool, Error> {
    Ok(remainder(value, by)? == 0.0)
}

fn remainder(value: &Value, by: i64) -> Result<f64, Error> {
    match (exact(value), float(value)) {
        (_, None) => Err(wrong(format!("{} is not divided", defined(value)?.kind()))),
        _ if by == 0 => Err(wrong("division by zero")),
        (Some(whole), _) => Ok(whole.rem_euclid(i128::from(by)) as f64),
        (None, Some(number)) => Ok(number.rem_euclid(by as f64)),
    }
}

/// Python's `is`, where it does not hang on what Python shares.
fn is_same(value: &Value, other: &Value) -> Result<bool, Error> {
    match (value.kind(), other.kind()) {
        (a, b) if a != b => Ok(false),
        (ValueKind::None | ValueKind::Bool, _) => Ok(value == other),
        _ if value != other => Ok(false),
        // Python keeps one of each of them.
        (ValueKind::Number, _) if exact(value).is_some_and(|number| (-5..=256).contains(&number)) => Ok(true),
        _ => Err(wrong("sameas of two equal values hangs on where they lie")),
    }
}
