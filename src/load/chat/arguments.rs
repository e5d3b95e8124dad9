//! Arguments of filters and methods, by position and by name, as Python takes them.

use super::limits::wrong;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

/// What a function was given, by the names of its parameters.
pub(super) struct Arguments {
    function: &'static str,
    names: &'static [&'static str],
    given: Vec<Option<Value>>,
}

impl Arguments {
    /// # Errors
    /// When there are too many, a name is unknown, or one is given twice.
    pub(super) fn bind(
        function: &'static str,
        names: &'static [&'static str],
        positional: Vec<Value>,
        named: &Kwargs,
    ) -> Result<Self, Error> {
        if positional.len() > names.len() {
            return Err(wrong(format!("{function} takes at most {} arguments, not {}", names.len(), positional.len())));
        }
        let mut given: Vec<Option<Value>> = positional.into_iter().map(Some).collect();
        given.resize(names.len(), None);
        for name in named.args() {
            let place = names.iter().position(|known| *known == name);
            let place = place.ok_or_else(|| wrong(format!("{function} takes no argument {name}")))?;
            if given[place].is_some() {
                return Err(wrong(format!("{function} is given {name} twice")));
            }
            given[place] = Some(named.get(name)?);
        }
        Ok(Self { function, names, given })
    }

    /// An argument, where it is given.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.names.iter().position(|known| *known == name).and_then(|place| self.given[place].as_ref())
    }

    /// The same, where `None` means that it is not.
    pub(super) fn some(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_none())
    }

    pub(super) fn need(&self, name: &str) -> Result<&Value, Error> {
        self.get(name).ok_or_else(|| wrong(format!("{} needs the argument {name}", self.function)))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let wrong = |value: &Value| wrong(format!("{}: {name} is {}, not a text", self.function, value.kind()));
        self.some(name).map(|value| value.as_str().ok_or_else(|| wrong(value))).transpose()
    }

    pub(super) fn need_text(&self, name: &str) -> Result<&str, Error> {
        self.need(name)?;
        self.text(name)?.ok_or_else(|| wrong(format!("{}: {name} is none, not a text", self.function)))
    }

    /// A whole number, for which a truth value stands as well.
    pub(super) fn whole(&self, name: &str) -> Result<Option<i64>, Error> {
        self.some(name).map(|value| self.as_whole(name, value)).transpose()
    }

    pub(super) fn whole_or(&self, name: &str, default: i64) -> Result<i64, Error> {
        self.get(name).map_or(Ok(default), |value| self.as_whole(name, value))
    }

    fn as_whole(&self, name: &str, value: &Value) -> Result<i64, Error> {
        whole(value).ok_or_else(|| wrong(format!("{}: {name} is {}, not a whole number", self.function, value.kind())))
    }

    /// Whether it is given and true.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(Value::is_true)
    }
}

/// A whole number, or a truth value as one.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.as_i64(),
        _ => None,
    }
}

/// A number as a float, truth values too.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(|whole| whole as f64),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}
