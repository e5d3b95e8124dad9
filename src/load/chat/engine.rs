//! Runs one template, in the environment that transformers gives it and within limits: a template is a program from
//! somebody else, and may loop, nest or write without end.

use super::error::{ChatError, Place};
use super::{methods, python, source};
use jiff::civil::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Tuple, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use std::io::Write;

/// Longest template in bytes; the longest that are in use have a tenth of it.
pub(super) const LARGEST_TEMPLATE: usize = 256 << 10;
/// Most bytes a template may write.
pub(super) const LARGEST_OUTPUT: usize = 16 << 20;
/// Work a template may do: about as many instructions, or 64 times as many bytes of text.
const FUEL: u64 = 4_000_000;
/// Levels that a value may be nested.
const DEEPEST: usize = 100;
/// A value nested to its limit, a macro that calls itself to its limit and an expression as long as a whole template find
/// room in it. Memory is taken only as far as it is used.
const STACK: usize = 64 << 20;

/// A template's source, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) text: String,
}

/// Renders the template once for every context, on a thread with a stack of its own. `now` is what `strftime_now` tells.
pub(super) fn render(source: &Source, contexts: Vec<Value>, now: DateTime) -> Result<Vec<String>, ChatError> {
    let file = source.file.clone();
    if source.text.len() > LARGEST_TEMPLATE {
        return Err(ChatError::TooLong { file, bytes: source.text.len() });
    }
    let crashed = |problem: &str| ChatError::Crashed { file: file.clone(), problem: problem.to_owned() };
    std::thread::scope(|scope| {
        let work = || render_here(source, contexts, now);
        let thread = std::thread::Builder::new().name("fovea-template".to_owned()).stack_size(STACK);
        let running = thread.spawn_scoped(scope, work).map_err(|error| crashed(&error.to_string()))?;
        running.join().unwrap_or_else(|_| Err(crashed("the template engine failed")))
    })
}

fn render_here(source: &Source, contexts: Vec<Value>, now: DateTime) -> Result<Vec<String>, ChatError> {
    let explain = |error: Error| explain(&error, source);
    let prepared = source::prepare(&source.text);
    let environment = environment(now).map_err(explain)?;
    let template = environment.template_from_named_str("chat template", &prepared).map_err(explain)?;
    let render_one = |context: Value| {
        let mut out = Limited { text: Vec::new(), is_full: false };
        match template.render_captured_to(context, &mut out) {
            Ok(_) => Ok(String::from_utf8_lossy(&out.text).into_owned()),
            Err(_) if out.is_full => {
                Err(ChatError::TooMuch { place: Place { file: source.file.clone(), ..Place::default() } })
            }
            Err(error) => Err(explain(error)),
        }
    };
    contexts.into_iter().map(render_one).collect()
}

/// What `raise_exception` threw.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

fn explain(error: &Error, source: &Source) -> ChatError {
    let place = Place::new(&source.file, &source.text, error.line());
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return ChatError::Refused { message: message.clone(), place };
        }
        cause = inner.source();
    }
    if error.kind() == ErrorKind::OutOfFuel {
        return ChatError::Endless { place };
    }
    let message = match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    ChatError::Template { message, place }
}

/// The environment of transformers' `_compile_jinja_template`: blocks trimmed, loop controls, its own `tojson`,
/// `raise_exception` and `strftime_now`.
fn environment<'source>(now: DateTime) -> Result<Environment<'source>, Error> {
    let mut env = Environment::new();
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_unknown_method_callback(methods::call);
    env.set_formatter(|out, _state, value| out.write_str(&python::to_str(value)).map_err(Error::from));
    env.add_filter("tojson", python::tojson);
    env.add_filter("string", |value: &Value| python::to_str(value));
    env.add_filter("trim", |text: &Value, cut: Option<&str>| trim(&python::to_str(text), cut));
    env.add_filter("wordcount", |text: &Value| python::to_str(text).split_whitespace().count());
    // Whatever has a length and items has them in Python, texts and dicts too.
    let is_sequence =
        |v: &Value| v.is_undefined() || matches!(v.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map);
    env.add_test("sequence", is_sequence);
    env.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        let message = python::to_str(message);
        Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
    });
    env.add_function("strftime_now", move |format: &str| {
        let text = jiff::fmt::strtime::BrokenDownTime::from(now).to_string(format);
        text.map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}")))
    });
    env.add_function(source::CHECKED, |state: &State<'_, '_>, value: &Value| checked(state, value, true, 0));
    env.add_function(source::CHECKED_FIELD, |state: &State<'_, '_>, value: &Value| checked(state, value, false, 0));
    Ok(env)
}

fn trim(text: &str, cut: Option<&str>) -> String {
    match cut {
        Some(cut) => text.trim_matches(|c| cut.contains(c)).to_owned(),
        None => python::strip(text).to_owned(),
    }
}

/// The value, if it is not nested too deep; a sequence that is made on demand becomes a list, since taking a slice of a
/// slice of a slice nests as well. Namespaces can only be assigned to names (`outermost`): one inside another could hold
/// itself.
fn checked(state: &State<'_, '_>, value: &Value, outermost: bool, depth: usize) -> Result<Value, Error> {
    let wrong = |problem: String| Error::new(ErrorKind::InvalidOperation, problem);
    if depth > DEEPEST {
        return Err(wrong(format!("a value is nested more than {DEEPEST} times")));
    }
    let Some(object) = value.as_object() else { return Ok(value.clone()) };
    if object.type_name().contains("Namespace") {
        let allowed = outermost && depth == 0;
        return if allowed {
            Ok(value.clone())
        } else {
            Err(wrong("a namespace cannot be put into another".to_owned()))
        };
    }
    let kind = value.kind();
    if !matches!(kind, ValueKind::Seq | ValueKind::Map | ValueKind::Iterable) {
        return Ok(value.clone());
    }
    let mut items = Vec::new();
    for (place, item) in value.try_iter()?.enumerate() {
        if place % 8 == 0 {
            state.consume_fuel(1)?;
        }
        let inner = if kind == ValueKind::Map { value.get_item(&item)? } else { item };
        items.push(checked(state, &inner, false, depth + 1)?);
    }
    Ok(match kind {
        ValueKind::Map => value.clone(),
        _ if value.is_tuple() => Value::from(Tuple::from(items)),
        _ => Value::from(items),
    })
}

/// Takes text up to [`LARGEST_OUTPUT`].
struct Limited {
    text: Vec<u8>,
    is_full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.text.len() + bytes.len() > LARGEST_OUTPUT {
            self.is_full = true;
            return Err(std::io::Error::other("the output is too long"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
