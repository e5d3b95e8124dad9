//! The settings at the beginning of a file: names with values of thirteen kinds.

use super::cursor::Cursor;
use crate::load::error::LoadError;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Lists in lists in lists: no setting has any.
const DEEPEST: usize = 8;

/// What a value is; the numbers are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Self, LoadError> {
        const KINDS: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::Text,
            Kind::List,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        let at = cursor.at();
        let number = cursor.u32(&format!("the type of `{key}`"))?;
        let kind = KINDS.get(number as usize).copied();
        kind.ok_or_else(|| cursor.wrong_at(at, format!("`{key}` has the type {number}, which no value has")))
    }

    /// The fewest bytes a value of this kind takes: a text its length, a list its kind and its length.
    fn least_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::Text | Self::U64 | Self::I64 | Self::F64 => 8,
            Self::List => 12,
        }
    }
}

/// A value. Of a list only where it lies is kept: its elements are read when they are asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(i128),
    Fraction(f64),
    Flag(bool),
    Text(String),
    List(List),
}

/// A list whose elements lie in these bytes, every one of them whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    kind: Kind,
    pub(super) count: usize,
    bytes: Range<usize>,
}

/// Reads a value behind its kind.
fn value(cursor: &mut Cursor<'_>, kind: Kind, key: &str, depth: usize) -> Result<Value, LoadError> {
    let what = || format!("the value of `{key}`");
    let at = cursor.at();
    if !matches!(kind, Kind::Text | Kind::List) {
        let bytes = cursor.take(kind.least_bytes(), &what())?;
        if kind == Kind::Bool && bytes[0] > 1 {
            return Err(cursor.wrong_at(at, format!("`{key}` is {}, neither true nor false", bytes[0])));
        }
        return Ok(single(kind, bytes));
    }
    if kind == Kind::Text {
        return Ok(Value::Text(String::from_utf8_lossy(cursor.text(&what())?).into_owned()));
    }
    if depth == DEEPEST {
        return Err(cursor.wrong(format!("`{key}` holds lists in lists, {DEEPEST} deep and more")));
    }
    let of = Kind::read(cursor, key)?;
    let count = cursor.count(&format!("the length of `{key}`"), of.least_bytes())?;
    let start = cursor.at();
    match of {
        Kind::Text => {
            for place in 0..count {
                cursor.text(&format!("text {place} of `{key}`"))?;
            }
        }
        Kind::List => {
            for _ in 0..count {
                value(cursor, Kind::List, key, depth + 1)?;
            }
        }
        single => {
            cursor.take(count * single.least_bytes(), &what())?;
        }
    }
    Ok(Value::List(List { kind: of, count, bytes: start..cursor.at() }))
}

/// A number or a flag of just these bytes.
fn single(kind: Kind, bytes: &[u8]) -> Value {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let word = u64::from_le_bytes(wide);
    match kind {
        Kind::I8 => Value::Whole((word as u8 as i8).into()),
        Kind::I16 => Value::Whole((word as u16 as i16).into()),
        Kind::I32 => Value::Whole((word as u32 as i32).into()),
        Kind::I64 => Value::Whole((word as i64).into()),
        Kind::F32 => Value::Fraction(shortest(f32::from_bits(word as u32))),
        Kind::F64 => Value::Fraction(f64::from_bits(word)),
        Kind::Bool => Value::Flag(word != 0),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Text | Kind::List => Value::Whole(word.into()),
    }
}

/// The shortest decimal number that F32 rounds to this one: what was meant by it, 0.00001 and not 0.00000999999975.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

/// All settings of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    path: PathBuf,
    values: BTreeMap<String, Value>,
}

impl Metadata {
    /// Reads `count` settings.
    pub(super) fn read(path: &Path, cursor: &mut Cursor<'_>, count: usize) -> Result<Self, LoadError> {
        let mut values = BTreeMap::new();
        for place in 0..count {
            let at = cursor.at();
            let key = cursor.text(&format!("the name of setting {place}"))?;
            let Ok(key) = std::str::from_utf8(key) else {
                return Err(cursor.wrong_at(at, format!("the name of setting {place} is no text")));
            };
            let kind = Kind::read(cursor, key)?;
            let value = value(cursor, kind, key, 0)?;
            if values.insert(key.to_owned(), value).is_some() {
                return Err(cursor.wrong_at(at, format!("there are two settings `{key}`")));
            }
        }
        Ok(Self { path: path.to_owned(), values })
    }

    /// Every setting, by name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// What is wrong with a setting.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> LoadError {
        LoadError::Field { path: self.path.clone(), field: key.to_owned(), problem: problem.into() }
    }

    /// What a setting asks for and is not computed.
    pub(super) fn unsupported(&self, key: &str, value: &dyn ToString, supported: &str) -> LoadError {
        let (path, field, value) = (self.path.clone(), key.to_owned(), value.to_string());
        LoadError::UnsupportedOption { path, field, value, supported: supported.to_owned() }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "is no text")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, "is neither true nor false")),
        }
    }

    /// A whole number from 0 on.
    pub(super) fn whole(&self, key: &str) -> Result<Option<u64>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Whole(number)) => match u64::try_from(*number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.wrong(key, format!("is {number}, not a whole number from 0 on"))),
            },
            Some(_) => Err(self.wrong(key, "is no whole number")),
        }
    }

    /// A number that is finite.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Whole(number)) => Ok(Some(*number as f64)),
            Some(Value::Fraction(number)) if number.is_finite() => Ok(Some(*number)),
            Some(Value::Fraction(number)) => Err(self.wrong(key, format!("is {number}, not a number"))),
            Some(_) => Err(self.wrong(key, "is no number")),
        }
    }

    /// The list of a setting, if there is one.
    pub(super) fn list(&self, key: &str) -> Result<Option<&List>, LoadError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(key, "is no list")),
        }
    }

    /// The texts of a list, from the bytes of the file.
    pub(super) fn texts<'a>(&self, key: &str, file: &'a [u8]) -> Result<Option<Vec<&'a str>>, LoadError> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        if list.kind != Kind::Text {
            return Err(self.wrong(key, "is no list of texts"));
        }
        let mut cursor = Cursor::new(&self.path, &file[..list.bytes.end], list.bytes.start);
        let text = |place: usize| {
            let at = cursor.at();
            let bytes = cursor.text(key)?;
            std::str::from_utf8(bytes).map_err(|_| cursor.wrong_at(at, format!("text {place} of `{key}` is not UTF-8")))
        };
        (0..list.count).map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The numbers of a list, from the bytes of the file.
    pub(super) fn numbers(&self, key: &str, file: &[u8]) -> Result<Option<Vec<f64>>, LoadError> {
        let Some(list) = self.list(key)? else { return Ok(None) };
        if matches!(list.kind, Kind::Text | Kind::List) {
            return Err(self.wrong(key, "is no list of numbers"));
        }
        let elements = file[list.bytes.clone()].chunks_exact(list.kind.least_bytes());
        let number = |bytes| match single(list.kind, bytes) {
            Value::Whole(number) => number as f64,
            Value::Fraction(number) => number,
            Value::Flag(flag) => flag.into(),
            Value::Text(_) | Value::List(_) => f64::NAN,
        };
        Ok(Some(elements.map(number).collect()))
    }
}

impl Value {
    /// As a person reads it; of a list its length.
    pub(super) fn told(&self) -> Json {
        match self {
            Self::Whole(number) => match (i64::try_from(*number), u64::try_from(*number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => number.to_string().into(),
            },
            Self::Fraction(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(list) => format!("{} values", list.count).into(),
        }
    }
}
