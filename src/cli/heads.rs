//! `fovea heads`.

use super::CliError;
use super::args::HeadsArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use crate::analysis::{HeadScore, head_scores};
use crate::engine::{Command, InspectSpec, Outcome, PromptInput, Work};
use crate::types::{Ability, JobId, Random, SiteFilter, UserError};

/// Tokens of the random sequence that is read twice.
const HALF: usize = 50;

/// Ranks every head by how much it looks for what came after the same token before (Olsson et al. 2022).
pub(super) fn run(args: &HeadsArgs) -> Result<(), CliError> {
    let (session, info) = Session::with_model(&args.model)?;
    let (Some(vocabulary), Some(context), true) =
        (info.shape.vocabulary(), info.shape.context(), info.can(Ability::Continue) && info.can(Ability::Attend))
    else {
        return Err(UserError::new(
            format!("{} has no induction heads to look for.", info.name),
            "They continue a text, and this model does not read one from left to right.",
            "Choose a causal language model.",
        )
        .into());
    };
    let prompt = match &args.prompt {
        Some(text) => PromptInput::Text(text.clone()),
        None => PromptInput::Ids(twice(vocabulary, context, args.seed)),
    };
    let Ok(sites) = "blocks.*.attn.pattern".parse::<SiteFilter>();
    let job = JobId::next();
    let command = Command::start(job, info.id, Work::Inspect(InspectSpec { prompt, sites, edits: Vec::new() }));
    let Outcome::Inspected(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let mut heads = head_scores(&report, &[], report.tokens.len().saturating_sub(1));
    heads.sort_by(|a, b| b.induction.unwrap_or(0.0).total_cmp(&a.induction.unwrap_or(0.0)));
    if args.json {
        let row = |head: &HeadScore| {
            let (layer, head, induction) = (head.layer, head.head, head.induction);
            serde_json::json!({ "layer": layer, "head": head, "induction": induction })
        };
        return print_json(&heads.iter().map(row).collect::<Vec<_>>());
    }
    let Some(HeadScore { induction: Some(_), .. }) = heads.first() else {
        return Err(UserError::new(
            "No head can be scored on this text.",
            "No token of it comes twice, so there is nothing to continue.",
            "Give a longer text, or none: a random sequence is then read twice.",
        )
        .into());
    };
    let rows = heads.iter().take(args.top).map(|head| {
        format!("layer {:>2}  head {:>2}  {:>5.3}\n", head.layer, head.head, head.induction.unwrap_or(0.0))
    });
    print(&format!("induction score of {}\n\n{}", info.name, rows.collect::<String>()))
}

/// Random ids, and the same once more: what comes second can be known from what came first, and from nothing else.
fn twice(vocabulary: usize, context: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed, 0);
    let half = HALF.min(context / 2).max(1);
    let ids: Vec<u32> = (0..half).map(|_| random.below(vocabulary) as u32).collect();
    [ids.as_slice(), &ids].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_half_is_the_first_and_fits_the_context() {
        let ids = twice(1000, 64, 3);
        assert_eq!(ids.len(), 64);
        assert_eq!(ids[..32], ids[32..]);
        assert_ne!(ids, twice(1000, 64, 4));
        assert_eq!(twice(10, 1, 1).len(), 2);
    }
}
