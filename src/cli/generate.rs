//! `fovea generate`.

use super::args::GenerateArgs;
use super::output::{print, print_json, tell, tell_edits};
use super::session::{Session, model_dir, unexpected};
use super::{CliError, chat};
use crate::engine::{Command, Event, GenerateSpec, Outcome, PromptInput, SamplesSpec, Work};
use crate::types::{Agreement, Edit, GenerationStats, JobId, ModelId, Sampling, printable};
use serde::Serialize;

/// The last line of `--json`.
#[derive(Serialize)]
struct Done {
    done: GenerationStats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<Edit>,
}

/// The last line of `--json` with several samples.
#[derive(Serialize)]
struct Agreed {
    agreement: Agreement,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<Edit>,
}

/// Which model the lines behind are of, where two answer.
#[derive(Serialize)]
struct Of<'a> {
    model: &'a str,
}

/// Streams the continuation of a prompt, and that of another model behind it.
pub(super) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    let prompt = match &args.prompt {
        Some(text) => PromptInput::Text(text.clone()),
        None => PromptInput::Chat(Box::new(chat::prompt(&args.chat)?)),
    };
    let edits = args.edits.edits()?;
    let beside = args.beside.as_deref().map(model_dir).transpose()?;
    let (session, info) = Session::with_model(&args.model)?;
    let stop = chat::stops(&args.chat, &args.stop);
    let sampling = Sampling { stop, ..args.sampling.settings(&info.name, info.own_sampling.as_deref())? };
    let spec = GenerateSpec { prompt, sampling, edits };
    let Some(path) = beside else { return one(&session, info.id, spec, args) };
    let other = session.open(|job, model| Command::start(job, model, Work::Open(path)))?;
    let mut failed = None;
    for (place, info) in [&info, &other].into_iter().enumerate() {
        if args.json {
            print_json(&Of { model: &info.full_name() })?;
        } else {
            print(&format!("{}# {}\n", if place > 0 { "\n" } else { "" }, printable(&info.full_name())))?;
        }
        // What one cannot answer does not keep the other from it.
        match one(&session, info.id, spec.clone(), args) {
            Err(CliError::User(error)) => {
                tell(format_args!("{}: {error}", info.full_name()));
                failed = Some(error);
            }
            done => done?,
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// One model's answer.
fn one(session: &Session, model: ModelId, spec: GenerateSpec, args: &GenerateArgs) -> Result<(), CliError> {
    let edits = spec.edits.clone();
    if args.samples != 1 {
        return samples(session, model, SamplesSpec { generate: spec, count: args.samples }, args.json);
    }
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, model, Work::Generate(spec)), |event| match event {
        Event::Token { token, .. } if args.json => print_json(&token),
        Event::Token { token, .. } => print(&token.text),
        Event::HeldBack { text, .. } if !args.json => print(&text),
        _ => Ok(()),
    })?;
    let Outcome::Generated(done) = outcome else { return Err(unexpected()) };
    if args.json {
        return print_json(&Done { done, edits });
    }
    print("\n")?;
    tell_edits(&edits);
    tell(format_args!(
        "{} tokens after a prompt of {}; first after {:.0} ms, then {:.1} tokens/s; ended by: {}",
        done.new_tokens, done.prompt_tokens, done.ttft_ms, done.tokens_per_s, done.stop
    ));
    Ok(())
}

/// Draws several continuations, and tells each and how far they agree.
fn samples(session: &Session, model: ModelId, spec: SamplesSpec, as_json: bool) -> Result<(), CliError> {
    let edits = spec.generate.edits.clone();
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, model, Work::Samples(spec)), |_| Ok(()))?;
    let Outcome::Sampled(report) = outcome else { return Err(unexpected()) };
    let agreement = report.agreement().ok_or_else(unexpected)?;
    if as_json {
        for sample in &report.samples {
            print_json(sample)?;
        }
        return print_json(&Agreed { agreement, edits });
    }
    for sample in &report.samples {
        print(&format!("seed {}:{}\n", sample.seed, indented(&sample.text)))?;
    }
    tell_edits(&edits);
    tell(format_args!("{}", agreement_in_words(&agreement)));
    Ok(())
}

/// A text behind a name: its further lines stand below its first.
fn indented(text: &str) -> String {
    let space = if text.starts_with(char::is_whitespace) { "" } else { " " };
    format!("{space}{}", text.replace('\n', "\n  "))
}

fn agreement_in_words(agreement: &Agreement) -> String {
    let Agreement { answer, count, samples, distinct, parts_at } = agreement;
    let share = agreement.share() * 100.0;
    let parts = parts_at.map_or_else(
        || "all are the same".to_owned(),
        |at| format!("{distinct} different texts, which part at token {at}"),
    );
    format!("{count} of {samples} ({share:.0} %) say {answer:?}; {parts}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_told_with_where_samples_part() {
        let told = |distinct, parts_at| {
            agreement_in_words(&Agreement { answer: "yes".into(), count: 3, samples: 4, distinct, parts_at })
        };
        assert_eq!(told(2, Some(5)), "3 of 4 (75 %) say \"yes\"; 2 different texts, which part at token 5");
        assert!(told(1, None).ends_with("all are the same"));
        assert_eq!(indented("a\nb"), " a\n  b");
        assert_eq!(indented(" a"), " a");
    }
}
