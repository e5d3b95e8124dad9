//! `format % values`: texts as C writes them.

use super::arguments::float;
use super::limits::{look, room, wrong};
use super::python;
use super::spec::{Spec, digits};
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

/// The values that are left.
struct Values {
    dict: Option<Value>,
    list: std::vec::IntoIter<Value>,
}

impl Values {
    fn next(&mut self) -> Result<Value, Error> {
        self.list.next().ok_or_else(|| wrong("there are not enough values for the format"))
    }
}

/// # Errors
/// When values and format do not fit each other, as in Python, or a width is out of reach.
pub(super) fn format(state: &State<'_, '_>, format: &str, values: &Value) -> Result<String, Error> {
    let items = if values.is_tuple() { values.try_iter()?.collect() } else { vec![values.clone()] };
    // Python takes lists for dicts here: what is left of them is no error.
    let is_dict = !values.is_tuple() && matches!(values.kind(), ValueKind::Map | ValueKind::Seq);
    let mut values = Values { dict: is_dict.then(|| values.clone()), list: items.into_iter() };
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = one(state, &rest[at + 1..], &mut values, &mut out)?;
        room(state, out.len())?;
    }
    out.push_str(rest);
    if values.list.next().is_some() && values.dict.is_none() {
        return Err(wrong("not all values are used by the format"));
    }
    Ok(out)
}

/// Writes one conversion, whose `%` is read already; gives the rest of the format.
fn one<'a>(state: &State<'_, '_>, text: &'a str, values: &mut Values, out: &mut String) -> Result<&'a str, Error> {
    look(state)?;
    let mut rest = text;
    if let Some(behind) = rest.strip_prefix('(') {
        let end = closing(behind).ok_or_else(|| wrong("a name in a format does not end"))?;
        let dict = values.dict.clone().filter(|dict| dict.kind() == ValueKind::Map);
        let dict = dict.ok_or_else(|| wrong("a format with names needs a dict"))?;
        let value = dict.get_item(&Value::from(&behind[..end]))?;
        if value.is_undefined() {
            return Err(wrong(format!("the dict has no {:?}", &behind[..end])));
        }
        values.list = vec![value].into_iter();
        rest = &behind[end + 1..];
    }
    let mut spec = Spec { align: Some('>'), ..Spec::default() };
    while let Some(flag) = rest.chars().next().filter(|c| "#0- +".contains(*c)) {
        match flag {
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            '-' => spec.align = Some('<'),
            '+' => spec.sign = Some('+'),
            _ => spec.sign = spec.sign.or(Some(' ')),
        }
        rest = &rest[1..];
    }
    let width;
    (width, rest) = size(state, rest, values)?;
    if width.is_some_and(|width| width < 0) {
        spec.align = Some('<');
    }
    spec.width = width.map_or(0, |width| usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX));
    if let Some(behind) = rest.strip_prefix('.') {
        let precision;
        (precision, rest) = size(state, behind, values)?;
        spec.precision = Some(usize::try_from(precision.unwrap_or(0)).unwrap_or(0));
    }
    rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let kind = rest.chars().next().ok_or_else(|| wrong("a format ends in the middle of a conversion"))?;
    rest = &rest[kind.len_utf8()..];
    if kind == '%' && rest.len() + 1 == text.len() {
        out.push('%');
        return Ok(rest);
    }
    out.push_str(&written(state, &spec, kind, &values.next()?)?);
    Ok(rest)
}

/// The place of the bracket that closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        (depth == 0).then_some(at)
    })
}

/// A width or a precision, `*` for one of the values.
fn size<'a>(state: &State<'_, '_>, text: &'a str, values: &mut Values) -> Result<(Option<i64>, &'a str), Error> {
    let Some(rest) = text.strip_prefix('*') else {
        let (number, rest) = digits(state, text)?;
        return Ok((number.and_then(|number| i64::try_from(number).ok()), rest));
    };
    let value = values.next()?;
    let number = super::arguments::whole(&value).ok_or_else(|| wrong("* in a format needs a whole number"))?;
    room(state, usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))?;
    Ok((Some(number), rest))
}

fn written(state: &State<'_, '_>, spec: &Spec, kind: char, value: &Value) -> Result<String, Error> {
    let is_number = matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    let needs_number = || wrong(format!("%{kind} needs a number, not {}", value.kind()));
    let plain = |text: String| {
        let spec = Spec { kind: None, zero: false, sign: None, alternate: false, ..spec.clone() };
        spec.write(state, &Value::from(text))
    };
    let zeros = |spec: Spec| {
        if spec.zero && spec.align == Some('>') { Spec { align: None, ..spec } } else { Spec { zero: false, ..spec } }
    };
    match kind {
        's' => plain(python::written(value)?),
        'r' => plain(python::represented(value)?),
        'a' => plain(python::represented(value)?.chars().map(python::ascii).collect()),
        'c' => match value.as_str() {
            Some(text) if text.chars().count() == 1 => plain(text.to_owned()),
            Some(_) => Err(wrong("%c needs one character")),
            None => plain(Spec { kind: Some('c'), ..Spec::default() }.write(state, value)?),
        },
        'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
            let number = match value.kind() {
                ValueKind::Number if !value.is_integer() && "diu".contains(kind) => truncated(float(value))?,
                _ if is_number => super::operators::exact(value).ok_or_else(needs_number)?,
                _ => return Err(needs_number()),
            };
            let spec_kind = Some(if "iu".contains(kind) { 'd' } else { kind });
            // Here a precision is the least number of digits.
            let least = spec.precision.unwrap_or(0);
            let bare = Spec { kind: spec_kind, ..Spec::default() }.write_whole(state, number)?;
            let digits = bare.trim_start_matches('-');
            room(state, least)?;
            let filled = "0".repeat(least.saturating_sub(digits.len())) + digits;
            let prefix = match kind {
                'x' if spec.alternate => "0x",
                'X' if spec.alternate => "0X",
                'o' if spec.alternate => "0o",
                _ => "",
            };
            let sign = match spec.sign {
                _ if number < 0 => "-",
                Some('+') => "+",
                Some(_) => " ",
                None => "",
            };
            zeros(spec.clone()).pad(state, &format!("{sign}{prefix}"), &filled, '>')
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            if !is_number {
                return Err(needs_number());
            }
            let number = float(value).ok_or_else(needs_number)?;
            zeros(Spec { kind: Some(kind), ..spec.clone() }).write_float(state, number)
        }
        '%' => Err(wrong("%% takes neither width nor flags")),
        other => Err(wrong(format!("a format has no conversion {other:?}"))),
    }
}

/// A float without its fraction.
fn truncated(number: Option<f64>) -> Result<i128, Error> {
    let number = number.unwrap_or(f64::NAN).trunc();
    if number.abs() < 1e38 { Ok(number as i128) } else { Err(wrong(format!("{number} is no whole number"))) }
}
