//! Pairs from JSON: a list of objects or of lists of two, the same inside an object, or one of them a line.

use crate::types::{Columns, PairRows, TableWarning};
use serde_json::Value;

/// The pairs of a text that is JSON; none of one that is not.
///
/// # Errors
/// A sentence that names the line or the item.
pub(super) fn rows(text: &str) -> Result<Option<PairRows>, String> {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return Ok(None);
    }
    let whole = serde_json::from_str(text);
    let problem = match whole {
        Ok(Value::Array(items)) if !is_pair_of_cells(&items) => return from_items(&items).map(Some),
        Ok(Value::Object(fields)) if is_wrapper(&fields, start) => {
            return from_items(only_list(&fields)?).map(Some);
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let first = start.lines().next().unwrap_or_default();
    let is_lines = serde_json::from_str::<Value>(first).is_ok();
    let inside = start[1..].trim_start();
    match problem {
        // Neither the text nor its first line: plain text may begin with a bracket, as in [MASK].
        Some(_) if !is_lines && start.starts_with('[') && !inside.starts_with(['{', '[', ']']) => Ok(None),
        Some(error) if !is_lines => Err(format!("It is not JSON: {error}.")),
        Some(_) => from_lines(text).map(Some),
        None if !start.trim_end().contains('\n') => from_lines(text).map(Some),
        // One pair by itself over several lines.
        None => {
            let value = serde_json::from_str(text).map_err(|error| format!("It is not JSON: {error}."))?;
            from_items(&[value]).map(Some)
        }
    }
}

/// `["hot", "cold"]` is a pair, not a list of pairs.
fn is_pair_of_cells(items: &[Value]) -> bool {
    items.len() == 2 && items.iter().all(|item| !item.is_array() && !item.is_object())
}

/// An object over several lines or with a list in it is no pair that lacks a name, but something around a table.
fn is_wrapper(fields: &serde_json::Map<String, Value>, text: &str) -> bool {
    let is_large = text.trim_end().contains('\n') || fields.values().any(Value::is_array);
    is_large && Columns::named(fields.keys().map(String::as_str)).is_none()
}

/// The list in an object that wraps a table.
fn only_list(fields: &serde_json::Map<String, Value>) -> Result<&[Value], String> {
    let lists: Vec<(&String, &Vec<Value>)> =
        fields.iter().filter_map(|(name, value)| value.as_array().map(|list| (name, list))).collect();
    match lists.as_slice() {
        [(_, list)] => Ok(list),
        [] => Err(format!("It is one object without a list in it, and with no pair: {}.", Columns::usual_names())),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("It is an object with {} lists ({}); one is expected.", several.len(), names.join(", ")))
        }
    }
}

fn from_items(items: &[Value]) -> Result<PairRows, String> {
    let mut found = Found::default();
    for (number, value) in items.iter().enumerate() {
        found.add(value, &format!("Item {}", number + 1))?;
    }
    Ok(found.rows())
}

fn from_lines(text: &str) -> Result<PairRows, String> {
    let mut found = Found::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("Line {}", number + 1);
        let value = serde_json::from_str(line).map_err(|error| format!("{place} is not JSON: {error}."))?;
        found.add(&value, &place)?;
    }
    Ok(found.rows())
}

/// Pairs so far.
#[derive(Default)]
struct Found {
    rows: PairRows,
    left_out: Vec<String>,
}

impl Found {
    fn add(&mut self, value: &Value, place: &str) -> Result<(), String> {
        let text = |value: &Value| match value {
            Value::String(text) => Ok(text.trim().to_owned()),
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            Value::Null => Ok(String::new()),
            Value::Array(_) | Value::Object(_) => {
                Err(format!("{place} holds a list or an object where a text should be."))
            }
        };
        let pair = match value {
            Value::Array(pair) if pair.len() == 2 => Some([text(&pair[0])?, text(&pair[1])?]),
            Value::Object(fields) => match Columns::named(fields.keys().map(String::as_str)) {
                Some(columns) => {
                    let pair = columns.pair(|column| fields.values().nth(column).map(text).transpose())?;
                    self.rows.are_labels |= columns.are_labels;
                    for name in columns.left_out {
                        if !self.left_out.contains(&name) {
                            self.left_out.push(name);
                        }
                    }
                    pair
                }
                None => None,
            },
            _ => None,
        };
        self.rows.pairs.push(pair.ok_or_else(|| format!("{place} has no pair: {}.", Columns::usual_names()))?);
        Ok(())
    }

    fn rows(mut self) -> PairRows {
        if !self.left_out.is_empty() {
            self.rows.warnings.push(TableWarning::ColumnsLeftOut { columns: self.left_out });
        }
        self.rows
    }
}
