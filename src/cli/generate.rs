//! `fovea generate`.

use super::args::GenerateArgs;
use super::output::{print, print_json, tell, tell_edits};
use super::session::{Session, unexpected};
use super::{CliError, chat};
use crate::engine::{Command, Event, GenerateSpec, Outcome, PromptInput, Work};
use crate::types::{Edit, GenerationStats, JobId, Sampling};
use serde::Serialize;

/// The last line of `--json`.
#[derive(Serialize)]
struct Done {
    done: GenerationStats,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<Edit>,
}

/// Streams the continuation of a prompt.
pub(super) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    let prompt = match &args.prompt {
        Some(text) => PromptInput::Text(text.clone()),
        None => PromptInput::Chat(Box::new(chat::prompt(&args.chat)?)),
    };
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        seed: args.seed,
        max_new_tokens: args.max_new_tokens,
        stop: chat::stops(&args.chat, &args.stop),
        ..Sampling::default()
    };
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Generate(GenerateSpec { prompt, sampling, edits: edits.clone() }));
    let outcome = session.run(job, command, |event| match event {
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
