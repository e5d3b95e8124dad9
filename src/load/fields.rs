//! Reads the fields of a JSON object so that every complaint names the file and the field.

use crate::load::error::LoadError;
use crate::load::{file, json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A JSON file of a model folder, as Python writes it.
///
/// # Errors
/// When the file cannot be read, only points at what should be there, or is no JSON.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    json::parse(&file::read(path)?).map_err(|source| LoadError::Json { path: path.to_owned(), source })
}

/// The fields of one JSON object in a file. `null` counts as absent, as Hugging Face writes it.
#[derive(Clone)]
pub(super) struct Fields {
    path: PathBuf,
    prefix: String,
    map: Map<String, Value>,
    /// What fields were called where they were made of something else; complaints name that.
    names: Arc<BTreeMap<String, String>>,
}

impl Fields {
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        Ok(Self::made(path, read_json(path)?, BTreeMap::new()))
    }

    /// Fields made of what a file has under other names.
    pub(super) fn made(path: &Path, map: Map<String, Value>, names: BTreeMap<String, String>) -> Self {
        Self { path: path.to_owned(), prefix: String::new(), map, names: Arc::new(names) }
    }

    /// The objects of a file that holds a list of them.
    pub(super) fn read_list(path: &Path) -> Result<Vec<Self>, LoadError> {
        let list: Vec<Map<String, Value>> = read_json(path)?;
        let one = |(place, map)| Self { prefix: format!("[{place}]."), ..Self::made(path, map, BTreeMap::new()) };
        Ok(list.into_iter().enumerate().map(one).collect())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Every field that is there.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter().filter(|(_, value)| !value.is_null())
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    /// True when the field is there and `null`, for the few where that differs from being absent.
    pub(super) fn is_null(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(Value::is_null)
    }

    /// True when there is no field at all.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// True when both hold the same fields, wherever they stand.
    pub(super) fn same_values(&self, other: &Self) -> bool {
        self.map == other.map
    }

    /// A nested object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let map = value.as_object().filter(|_| !json::is_not_finite(value));
        let map = map.ok_or_else(|| self.wrong(name, format!("is {value}, not an object")))?;
        Ok(Some(Self { prefix: format!("{}{name}.", self.prefix), map: map.clone(), ..self.clone() }))
    }

    /// A positive whole number that must be there.
    pub(super) fn count(&self, name: &str) -> Result<usize, LoadError> {
        self.count_if_any(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    /// A positive whole number.
    pub(super) fn count_if_any(&self, name: &str) -> Result<Option<usize>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n > 0 => Ok(Some(n)),
            _ => Err(self.wrong(name, format!("is {value}, not a positive whole number"))),
        }
    }

    /// A positive whole number up to `most` that must be there.
    pub(super) fn count_up_to(&self, name: &str, most: usize) -> Result<usize, LoadError> {
        match self.count(name)? {
            n if n <= most => Ok(n),
            n => Err(self.wrong(name, format!("is {n}; no model has more than {most}"))),
        }
    }

    /// A whole number, which may be zero.
    pub(super) fn whole_number_if_any(&self, name: &str) -> Result<Option<usize>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(self.wrong(name, format!("is {value}, not a whole number"))),
        }
    }

    /// A positive number.
    pub(super) fn number_if_any(&self, name: &str) -> Result<Option<f64>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_f64() {
            Some(x) if x.is_finite() && x > 0.0 => Ok(Some(x)),
            _ => Err(self.wrong(name, format!("is {value}, not a positive number"))),
        }
    }

    /// A positive number that must be there.
    pub(super) fn number(&self, name: &str) -> Result<f64, LoadError> {
        self.number_if_any(name)?.ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, LoadError> {
        let Some(value) = self.value(name) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(name, format!("is {value}, neither true nor false")))
    }

    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<&str>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, format!("is {value}, not a text")))
    }

    /// A list of texts.
    pub(super) fn texts_if_any(&self, name: &str) -> Result<Option<Vec<&str>>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        texts.map(Some).ok_or_else(|| self.wrong(name, format!("is {value}, not a list of texts")))
    }

    /// One token id or a list of them; none when the field is absent. `-1` is no token, as the first Llamas write it.
    pub(super) fn token_ids(&self, name: &str) -> Result<Vec<u32>, LoadError> {
        let Some(value) = self.value(name) else { return Ok(Vec::new()) };
        let id = |v: &Value| {
            v.as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| self.wrong(name, format!("holds {v}, not a token id")))
        };
        match value {
            Value::Array(ids) => ids.iter().filter(|v| v.as_i64() != Some(-1)).map(id).collect(),
            none if none.as_i64() == Some(-1) => Ok(Vec::new()),
            one => Ok(vec![id(one)?]),
        }
    }

    /// What a field is called in the file.
    fn told(&self, name: &str) -> String {
        let full = format!("{}{name}", self.prefix);
        self.names.get(&full).cloned().unwrap_or(full)
    }

    pub(super) fn wrong(&self, name: &str, problem: impl Into<String>) -> LoadError {
        LoadError::Field { path: self.path.clone(), field: self.told(name), problem: problem.into() }
    }

    pub(super) fn unsupported(&self, name: &str, value: &dyn ToString, supported: impl Into<String>) -> LoadError {
        LoadError::UnsupportedOption {
            path: self.path.clone(),
            field: self.told(name),
            value: value.to_string(),
            supported: supported.into(),
        }
    }
}
