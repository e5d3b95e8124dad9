//! Runs one template, in the environment that transformers gives it and within limits: a template is a program from
//! somebody else, and may loop, nest or write without end.

use super::error::{ChatError, Place};
use super::operators::weigh;
use super::views::{Cycler, Joiner, Range};
use super::{filters, methods, operators, python, questions, source};
use jiff::civil::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use std::io::Write;

/// Longest template in bytes; the longest that are in use have a tenth of it.
pub(super) const LARGEST_TEMPLATE: usize = 256 << 10;
/// Most bytes a template may write.
pub(super) const LARGEST_OUTPUT: usize = 16 << 20;
/// Work a template may do: about as many instructions, or 64 times as many bytes of text.
const FUEL: u64 = 4_000_000;

/// A template's source, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) text: String,
}

/// Renders one template for any number of contexts. `now` is what `strftime_now` tells.
pub(super) fn run<T>(
    source: &Source,
    now: DateTime,
    work: impl FnOnce(&dyn Fn(Value) -> Result<String, ChatError>) -> Result<T, ChatError>,
) -> Result<T, ChatError> {
    if source.text.len() > LARGEST_TEMPLATE {
        return Err(ChatError::TooLong { file: source.file.clone(), bytes: source.text.len() });
    }
    let explain = |error: Error| explain(&error, source);
    let prepared = source::prepare(&source.text);
    let environment = environment(now).map_err(explain)?;
    let template = environment.template_from_named_str("chat template", &prepared.text).map_err(explain)?;
    if let Some(line) = prepared.not_understood {
        let place = Place::new(&source.file, &source.text, Some(line));
        return Err(ChatError::Template { message: "this tag is not understood".to_owned(), place });
    }
    work(&|context: Value| {
        let mut out = Limited { text: Vec::new(), is_full: false };
        match template.render_captured_to(context, &mut out) {
            Ok(_) => Ok(String::from_utf8_lossy(&out.text).into_owned()),
            Err(_) if out.is_full => {
                Err(ChatError::TooMuch { place: Place { file: source.file.clone(), ..Place::default() } })
            }
            Err(error) => Err(explain(error)),
        }
    })
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
    env.set_formatter(|out, state, value| {
        if value.kind() != ValueKind::String {
            weigh(state, value, 0)?;
        }
        out.write_str(&python::written(value)?).map_err(Error::from)
    });
    filters::add_to(&mut env);
    questions::add_to(&mut env);
    operators::add_to(&mut env);
    env.remove_global("debug");
    env.add_function("range", Range::of);
    env.add_function("dict", methods::dict);
    env.add_function("joiner", Joiner::of);
    env.add_function("cycler", |items: Rest<Value>| Cycler::of(items.0));
    env.add_function("raise_exception", |message: &Value| -> Result<Value, Error> {
        let message = python::to_str(message);
        Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
    });
    env.add_function("strftime_now", move |format: &str| {
        let text = jiff::fmt::strtime::BrokenDownTime::from(now).to_string(format);
        text.map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}")))
    });
    Ok(env)
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
