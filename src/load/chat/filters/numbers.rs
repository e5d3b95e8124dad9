//! Filters of numbers.

use super::super::arguments::{Arguments, float as as_float};
use super::super::limits::{pay, wrong};
use super::super::operators::exact;
use super::super::python;
use super::choosing::attribute_of;
use super::{defined, iterated};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

type Given<'a> = &'a Arguments;

pub(super) fn abs(_: &mut State<'_, '_>, value: &Value, _: Given<'_>) -> Result<Value, Error> {
    let unfit = || wrong(format!("{} has no absolute value", value.kind()));
    match exact(defined(value)?) {
        Some(number) => Ok(Value::from(number.checked_abs().ok_or_else(unfit)?)),
        None => Ok(Value::from(as_float(value).ok_or_else(unfit)?.abs())),
    }
}

/// `int(text, base)` of Python.
fn parsed(text: &str, base: i64) -> Option<i128> {
    let text = python::strip(text);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefix = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find(|(prefix, of)| lower.starts_with(prefix) && (base == 0 || base == *of));
    let (digits, base) = match prefix {
        Some((prefix, of)) => (lower[prefix.len()..].trim_start_matches('_').to_owned(), of),
        None if base == 0 => {
            if lower.len() > 1 && lower.starts_with('0') && lower.contains(|c| ('1'..='9').contains(&c)) {
                return None;
            }
            (lower, 10)
        }
        None => (lower, base),
    };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
    let is_written = !digits.starts_with(['_', '+', '-']) && !digits.ends_with('_') && !digits.contains("__");
    let number = is_written.then(|| i128::from_str_radix(&digits.replace('_', ""), base).ok()).flatten()?;
    Some(sign * number)
}

/// `float(text)` of Python.
fn parsed_float(text: &str) -> Option<f64> {
    let text = python::strip(text);
    let is_written = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    let plain = text.replace('_', "");
    let unsigned = plain.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_named = ["inf", "infinity", "nan"].contains(&unsigned.as_str());
    (is_written && (is_number || is_named)).then(|| plain.parse().ok()).flatten()
}

fn cut(number: f64) -> Option<i128> {
    (number.abs() < 1e38).then_some(number.trunc() as i128)
}

pub(super) fn int(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let base = args.whole_or("base", 10)?;
    let number = match defined(value)?.as_str() {
        Some(text) => {
            pay(state, text.len())?;
            parsed(text, base).or_else(|| parsed_float(text).and_then(cut))
        }
        None => match exact(value) {
            Some(number) => Some(number),
            None => match as_float(value) {
                Some(number) if number.is_infinite() => return Err(wrong("an infinite number is no whole one")),
                number => number.and_then(cut),
            },
        },
    };
    Ok(number.map_or_else(|| args.get("default").cloned().unwrap_or_else(|| Value::from(0)), Value::from))
}

pub(super) fn float(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let number = match defined(value)?.as_str() {
        Some(text) => {
            pay(state, text.len())?;
            parsed_float(text)
        }
        None => as_float(value),
    };
    Ok(number.map_or_else(|| args.get("default").cloned().unwrap_or_else(|| Value::from(0.0)), Value::from))
}

pub(super) fn round(_: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    const MOST: i64 = 300;
    let unfit = || wrong(format!("{} cannot be rounded", value.kind()));
    let precision = args.whole_or("precision", 0)?;
    let method = args.get("method").map_or(Ok("common"), |_| args.need_text("method"))?;
    let number = as_float(defined(value)?).ok_or_else(unfit)?;
    if precision.abs() > MOST {
        return Err(wrong(format!("{precision} is no precision")));
    }
    let power = 10f64.powi(i32::try_from(precision).unwrap_or(0));
    match method {
        "common" if exact(value).is_some() => {
            let number = exact(value).unwrap_or(0);
            if precision >= 0 {
                return Ok(Value::from(number));
            }
            let unit = 10i128.checked_pow(u32::try_from(-precision).unwrap_or(u32::MAX)).ok_or_else(unfit)?;
            let (down, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
            let is_up = rest * 2 > unit || rest * 2 == unit && down % 2 != 0;
            Ok(Value::from((down + i128::from(is_up)) * unit))
        }
        // The decimal nearest to the exact value, as Python rounds.
        "common" if precision >= 0 => {
            let digits = usize::try_from(precision).unwrap_or(0);
            Ok(Value::from(format!("{number:.digits$}").parse::<f64>().unwrap_or(number)))
        }
        "common" => Ok(Value::from((number * power).round_ties_even() / power)),
        "ceil" => Ok(Value::from((number * power).ceil() / power)),
        "floor" => Ok(Value::from((number * power).floor() / power)),
        other => Err(wrong(format!("round knows common, ceil and floor, not {other}"))),
    }
}

pub(super) fn sum(state: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let mut total = args.get("start").cloned().unwrap_or_else(|| Value::from(0));
    for item in iterated(state, value)? {
        let item = match args.some("attribute") {
            Some(attribute) => attribute_of(state, &item, attribute, None)?,
            None => item,
        };
        total = added(state, &total, &item)?;
    }
    Ok(total)
}

fn added(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let unfit = || wrong(format!("{} and {} cannot be summed", left.kind(), right.kind()));
    if let (Some(a), Some(b)) = (exact(left), exact(right)) {
        return a.checked_add(b).map(Value::from).ok_or_else(unfit);
    }
    if left.kind() == ValueKind::Seq && right.kind() == ValueKind::Seq && left.is_tuple() == right.is_tuple() {
        let mut items = iterated(state, left)?;
        items.extend(iterated(state, right)?);
        return Ok(Value::from(items));
    }
    Ok(Value::from(as_float(defined(left)?).ok_or_else(unfit)? + as_float(defined(right)?).ok_or_else(unfit)?))
}

pub(super) fn file_size(_: &mut State<'_, '_>, value: &Value, args: Given<'_>) -> Result<Value, Error> {
    let binary = args.flag("binary");
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let text = value.as_str().and_then(parsed_float);
    let bytes = text.or_else(|| as_float(value)).ok_or_else(|| wrong(format!("{} is no size", value.kind())))?;
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", bytes.trunc())));
    }
    let mut unit = base;
    let mut written = String::new();
    for prefix in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
        unit *= base;
        let name = if binary { format!("{}iB", prefix.to_uppercase()) } else { format!("{prefix}B") };
        written = format!("{:.1} {name}", base * bytes / unit);
        if bytes < unit {
            break;
        }
    }
    Ok(Value::from(written))
}
