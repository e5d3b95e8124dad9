//! `str.format`: fields in braces.

use super::limits::{look, room, wrong};
use super::python;
use super::spec::Spec;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, State, Value};

/// What the fields name.
struct Fields<'a> {
    positional: &'a [Value],
    named: &'a dyn Fn(&str) -> Option<Value>,
    /// The next field without a name; none once a field has a number.
    next: Option<usize>,
}

/// # Errors
/// When a field names nothing, as in Python, or a width is out of reach.
pub(super) fn format(
    state: &State<'_, '_>,
    format: &str,
    positional: &[Value],
    named: &Kwargs,
) -> Result<String, Error> {
    let named = |name: &str| named.get::<Option<Value>>(name).ok().flatten().filter(|_| named.has(name));
    Fields { positional, named: &named, next: Some(0) }.write(state, format, 0)
}

/// `str.format_map`.
///
/// # Errors
/// As [`format`].
pub(super) fn format_map(state: &State<'_, '_>, format: &str, values: &Value) -> Result<String, Error> {
    let named = |name: &str| values.get_item(&Value::from(name)).ok().filter(|value| !value.is_undefined());
    Fields { positional: &[], named: &named, next: Some(0) }.write(state, format, 0)
}

impl Fields<'_> {
    fn write(&mut self, state: &State<'_, '_>, format: &str, depth: usize) -> Result<String, Error> {
        if depth > 1 {
            return Err(wrong("fields of a format are nested too deep"));
        }
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            look(state)?;
            out.push_str(&rest[..at]);
            let (brace, behind) = rest[at..].split_at(1);
            if behind.starts_with(brace) && depth == 0 {
                out.push_str(brace);
                rest = &behind[1..];
                continue;
            }
            if brace == "}" {
                return Err(wrong("a format has a } without a {"));
            }
            let end = closing(behind).ok_or_else(|| wrong("a field of a format does not end"))?;
            out.push_str(&self.field(state, &behind[..end], depth)?);
            room(state, out.len())?;
            rest = &behind[end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// `name[!conversion][:specification]`
    fn field(&mut self, state: &State<'_, '_>, field: &str, depth: usize) -> Result<String, Error> {
        let mut is_in_brackets = false;
        let name_end = field.find(|c: char| {
            is_in_brackets = (is_in_brackets || c == '[') && c != ']';
            !is_in_brackets && (c == '!' || c == ':')
        });
        let (name, rest) = field.split_at(name_end.unwrap_or(field.len()));
        let value = self.value(state, name)?;
        let (conversion, spec) = match rest.strip_prefix('!') {
            Some(rest) => {
                let (conversion, spec) = rest.split_once(':').unwrap_or((rest, ""));
                (Some(conversion), spec)
            }
            None => (None, rest.strip_prefix(':').unwrap_or("")),
        };
        let value = match conversion {
            None => value,
            Some("s") => Value::from(python::written(&value)?),
            Some("r") => Value::from(python::represented(&value)?),
            Some("a") => Value::from(python::represented(&value)?.chars().map(python::ascii).collect::<String>()),
            Some(other) => return Err(wrong(format!("a format has no conversion !{other}"))),
        };
        let spec = if spec.contains(['{', '}']) { self.write(state, spec, depth + 1)? } else { spec.to_owned() };
        if spec.is_empty() {
            return python::written(&value);
        }
        Spec::parse(state, &spec)?.write(state, &value)
    }

    /// `name.attribute[key]`
    fn value(&mut self, state: &State<'_, '_>, path: &str) -> Result<Value, Error> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (first, mut rest) = path.split_at(end);
        let mut value = match (first.parse::<usize>(), first.is_empty()) {
            (Ok(place), _) => {
                if self.next.is_some_and(|next| next > 0) {
                    return Err(wrong("a format has fields with numbers and without"));
                }
                self.next = None;
                self.positional.get(place).cloned()
            }
            (_, true) => {
                let place = self.next.ok_or_else(|| wrong("a format has fields with numbers and without"))?;
                self.next = Some(place + 1);
                self.positional.get(place).cloned()
            }
            _ => (self.named)(first),
        }
        .ok_or_else(|| wrong(format!("a format names {first:?}, which it is not given")))?;
        while !rest.is_empty() {
            look(state)?;
            let (key, behind) = if let Some(attribute) = rest.strip_prefix('.') {
                let end = attribute.find(['.', '[']).unwrap_or(attribute.len());
                (Value::from(&attribute[..end]), &attribute[end..])
            } else {
                let inner = &rest[1..];
                let end = inner.find(']').ok_or_else(|| wrong("a [ in a format does not end"))?;
                let key = &inner[..end];
                (key.parse::<i64>().map_or_else(|_| Value::from(key), Value::from), &inner[end + 1..])
            };
            if matches!(value.kind(), ValueKind::Undefined) {
                return value.get_item(&key);
            }
            value = value.get_item(&key)?;
            rest = behind;
        }
        Ok(value)
    }
}

/// The place of the brace that closes a field.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(at)
    })
}
