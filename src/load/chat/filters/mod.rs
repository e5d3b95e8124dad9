//! The filters of Jinja2, each with the parameters that it has there.

mod choosing;
mod lists;
mod numbers;
mod order;
mod texts;

use super::arguments::Arguments;
use super::limits::{look, pay_items, wrong};
use super::order::defined;
use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, State, Value};

type Filter = fn(&mut State<'_, '_>, &Value, &Arguments) -> Result<Value, Error>;

/// Name, parameters, and what it does.
const FILTERS: [(&str, &[&str], Filter); 47] = [
    ("abs", &[], numbers::abs),
    ("attr", &["name"], choosing::attr),
    ("batch", &["linecount", "fill_with"], lists::batch),
    ("capitalize", &[], texts::capitalize),
    ("center", &["width"], texts::center),
    ("count", &[], lists::length),
    ("d", &["default_value", "boolean"], choosing::default),
    ("default", &["default_value", "boolean"], choosing::default),
    ("dictsort", &["case_sensitive", "by", "reverse"], order::dictsort),
    ("e", &[], texts::escape),
    ("escape", &[], texts::escape),
    ("filesizeformat", &["binary"], numbers::file_size),
    ("first", &[], lists::first),
    ("float", &["default"], numbers::float),
    ("forceescape", &[], texts::escape),
    ("groupby", &["attribute", "default", "case_sensitive"], order::groupby),
    ("indent", &["width", "first", "blank"], texts::indent),
    ("int", &["default", "base"], numbers::int),
    ("items", &[], lists::items),
    ("join", &["d", "attribute"], lists::join),
    ("last", &[], lists::last),
    ("length", &[], lists::length),
    ("list", &[], lists::list),
    ("lower", &[], texts::lower),
    ("max", &["case_sensitive", "attribute"], order::max),
    ("min", &["case_sensitive", "attribute"], order::min),
    ("pprint", &[], texts::pretty),
    ("replace", &["old", "new", "count"], texts::replace),
    ("reverse", &[], lists::reverse),
    ("round", &["precision", "method"], numbers::round),
    ("safe", &[], texts::safe),
    ("slice", &["slices", "fill_with"], lists::slice),
    ("sort", &["reverse", "case_sensitive", "attribute"], order::sort),
    ("string", &[], texts::string),
    ("striptags", &[], texts::strip_tags),
    ("sum", &["attribute", "start"], numbers::sum),
    ("title", &[], texts::title),
    ("trim", &["chars"], texts::trim),
    ("truncate", &["length", "killwords", "end", "leeway"], texts::truncate),
    ("unique", &["case_sensitive", "attribute"], order::unique),
    ("upper", &[], texts::upper),
    ("urlencode", &[], texts::url_encode),
    ("wordcount", &[], texts::word_count),
    ("wordwrap", &["width", "break_long_words", "wrapstring", "break_on_hyphens"], not_here),
    ("xmlattr", &["autospace"], texts::xml_attributes),
    ("random", &[], not_here),
    ("urlize", &["trim_url_limit", "nofollow", "target", "rel", "extra_schemes"], not_here),
];

/// What minijinja has of its own, and Jinja2 has not.
const FOREIGN: [&str; 6] = ["bool", "chain", "keys", "lines", "split", "zip"];

/// Gives an environment the filters of Jinja2 and takes all others from it.
pub(super) fn add_to(env: &mut Environment<'_>) {
    for name in FOREIGN {
        env.remove_filter(name);
    }
    for (name, parameters, filter) in FILTERS {
        env.add_filter(
            name,
            move |state: &mut State<'_, '_>, value: &Value, positional: Rest<Value>, named: Kwargs| {
                look(state)?;
                filter(state, value, &Arguments::bind(name, parameters, positional.0, &named)?)
            },
        );
    }
    env.add_filter("format", texts::format);
    env.add_filter("tojson", super::json::tojson);
    choosing::add_to(env);
}

/// Draws lots, makes links for a browser, or breaks lines at places that only Python knows.
fn not_here(_: &mut State<'_, '_>, _: &Value, _: &Arguments) -> Result<Value, Error> {
    Err(wrong("this filter has no place in a chat template"))
}

/// What a filter goes through: undefined is empty, and what is no list is refused.
fn iterated(state: &State<'_, '_>, value: &Value) -> Result<Vec<Value>, Error> {
    if let Some(text) = value.as_str() {
        pay_items(state, text.len())?;
        return Ok(text.chars().map(|c| Value::from(c.to_string())).collect());
    }
    if value.is_none() {
        return Err(wrong("none is no list"));
    }
    let mut items = Vec::new();
    for (place, item) in value.try_iter()?.enumerate() {
        if place % 8 == 0 {
            pay_items(state, 1)?;
        }
        items.push(item);
    }
    Ok(items)
}

/// What Jinja2 makes as a generator: it is gone through once, has no length and no text.
fn generator(items: Vec<Value>) -> Value {
    Value::make_one_shot_iterator(items.into_iter())
}
