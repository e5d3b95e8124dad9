//! The order Python has among values.

use super::arguments::float;
use super::limits::wrong;
use super::operators::exact;
use minijinja::value::ValueKind;
use minijinja::{Error, Value};
use std::cmp::Ordering;

/// How two values stand to each other; nothing where one is no number (NaN).
///
/// # Errors
/// When Python has no order for them.
pub(super) fn compared(a: &Value, b: &Value, depth: usize) -> Result<Option<Ordering>, Error> {
    const DEEPEST: usize = 100;
    let unfit = || wrong(format!("{} and {} have no order", a.kind(), b.kind()));
    if depth > DEEPEST {
        return Err(unfit());
    }
    match (a.kind(), b.kind()) {
        (ValueKind::String, ValueKind::String) => Ok(Some(a.as_str().cmp(&b.as_str()))),
        (ValueKind::Seq, ValueKind::Seq) if a.is_tuple() == b.is_tuple() => {
            for (a, b) in a.try_iter()?.zip(b.try_iter()?) {
                if a != b {
                    return compared(&a, &b, depth + 1);
                }
            }
            Ok(Some(a.len().cmp(&b.len())))
        }
        _ => match (exact(a), exact(b)) {
            (Some(a), Some(b)) => Ok(Some(a.cmp(&b))),
            _ => {
                let (a, b) = (float(defined(a)?).ok_or_else(unfit)?, float(defined(b)?).ok_or_else(unfit)?);
                Ok(a.partial_cmp(&b))
            }
        },
    }
}

/// The value, if it is not undefined.
///
/// # Errors
/// The engine's own about an undefined value.
pub(super) fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { value.get_attr("").map(|_| value) } else { Ok(value) }
}
