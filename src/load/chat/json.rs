//! Values as JSON, as `json.dumps` of Python writes them.

use super::limits::{pay, room, wrong};
use super::operators::weigh;
use super::python::float;
use super::views::Range;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// The filter `tojson` as transformers defines it: `json.dumps(x, ensure_ascii, indent, separators, sort_keys)` without
/// escapes for HTML.
#[allow(clippy::needless_pass_by_value, reason = "the engine hands arguments over by value")]
pub(super) fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    positional: Rest<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let option = |place: usize, name: &str| -> Result<Option<Value>, Error> {
        let given = match positional.get(place) {
            Some(given) => Some(given.clone()),
            None => named.get::<Option<Value>>(name)?,
        };
        Ok(given.filter(|v| !v.is_none() && !v.is_undefined()))
    };
    if positional.len() > 4 {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let is_on = |value: Option<Value>| value.is_some_and(|v| v.is_true());
    let (ascii, indent) = (is_on(option(0, "ensure_ascii")?), option(1, "indent")?);
    let (separators, sorted) = (option(2, "separators")?, is_on(option(3, "sort_keys")?));
    named.assert_all_used()?;
    let item = if indent.is_some() { "," } else { ", " };
    let dump = Dump {
        ascii,
        sorted,
        item: part(separators.as_ref(), 0)?.unwrap_or_else(|| item.to_owned()),
        colon: part(separators.as_ref(), 1)?.unwrap_or_else(|| ": ".to_owned()),
        indent: indent.as_ref().map(indentation).transpose()?,
        state,
    };
    weigh(state, value, 0)?;
    let mut out = String::new();
    dump.write(&mut out, value, 0)?;
    room(state, out.len())?;
    Ok(out)
}

fn part(separators: Option<&Value>, place: usize) -> Result<Option<String>, Error> {
    let Some(separators) = separators else { return Ok(None) };
    let text = separators.get_item_by_index(place)?.as_str().map(str::to_owned);
    text.map(Some).ok_or_else(|| wrong("separators are a pair of texts"))
}

/// A text is repeated for every level, a number stands for that many spaces.
fn indentation(value: &Value) -> Result<String, Error> {
    const WIDEST: i64 = 1 << 10;
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let count = i64::try_from(value.clone()).or_else(|_| bool::try_from(value.clone()).map(i64::from))?;
    if count > WIDEST {
        return Err(wrong(format!("an indent of {count} is more than {WIDEST}")));
    }
    Ok(" ".repeat(usize::try_from(count).unwrap_or(0)))
}

struct Dump<'a, 's, 't> {
    state: &'a State<'s, 't>,
    ascii: bool,
    sorted: bool,
    item: String,
    colon: String,
    indent: Option<String>,
}

impl Dump<'_, '_, '_> {
    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        const DEEPEST: usize = 500;
        if depth > DEEPEST {
            return Err(wrong(format!("a value is nested more than {DEEPEST} times")));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => out.push_str(&value.to_string()),
            ValueKind::Number => out.push_str(match float(value).as_str() {
                "nan" => "NaN",
                "inf" => "Infinity",
                "-inf" => "-Infinity",
                finite => finite,
            }),
            ValueKind::String => self.text(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq if Range::text_of(value).is_none() => {
                let items = value.try_iter()?.map(|item| (None, item)).collect();
                self.container(out, ['[', ']'], items, depth)?;
            }
            ValueKind::Map => {
                let mut items = Vec::new();
                for key in value.try_iter()? {
                    items.push((Some(self.key(&key)?), value.get_item(&key)?));
                }
                if self.sorted {
                    items.sort_by(|(a, _), (b, _)| a.cmp(b));
                }
                self.container(out, ['{', '}'], items, depth)?;
            }
            kind => return Err(wrong(format!("a value of type {kind} cannot be written as JSON"))),
        }
        Ok(())
    }

    fn container(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        items: Vec<(Option<String>, Value)>,
        depth: usize,
    ) -> Result<(), Error> {
        let new_line = |out: &mut String, depth: usize| {
            if let Some(indent) = &self.indent {
                room(self.state, out.len().saturating_add(indent.len().saturating_mul(depth)))?;
                out.push('\n');
                out.push_str(&indent.repeat(depth));
            }
            Ok::<(), Error>(())
        };
        room(self.state, out.len())?;
        out.push(open);
        let is_empty = items.is_empty();
        for (place, (key, item)) in items.into_iter().enumerate() {
            if place > 0 {
                pay(self.state, self.item.len())?;
                out.push_str(&self.item);
            }
            new_line(out, depth + 1)?;
            if let Some(key) = key {
                self.text(out, &key);
                out.push_str(&self.colon);
            }
            self.write(out, &item, depth + 1)?;
        }
        if !is_empty {
            new_line(out, depth)?;
        }
        out.push(close);
        Ok(())
    }

    fn key(&self, key: &Value) -> Result<String, Error> {
        match key.kind() {
            ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => {
                let mut text = String::new();
                self.write(&mut text, key, 0)?;
                Ok(text)
            }
            kind => Err(wrong(format!("a key of type {kind} cannot be written as JSON"))),
        }
    }

    fn text(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\x08' => out.push_str("\\b"),
                '\x0c' => out.push_str("\\f"),
                c if c < ' ' || (self.ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
