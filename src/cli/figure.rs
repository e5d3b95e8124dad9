//! `fovea figure`.

use super::CliError;
use super::args::AttentionArgs;
use super::output::write_file;
use super::session::{Session, unexpected};
use crate::chart::{AttentionFigure, Format, attention_figure};
use crate::engine::{Command, InspectSpec, Outcome, PromptInput, Work};
use crate::types::{Blocks, ColorMap, JobId, ModelInfo, SiteFilter, UserError, WeightScale};

/// Draws the attention pattern of one head.
pub(super) fn run(args: &AttentionArgs) -> Result<(), CliError> {
    let format = Format::from_path(&args.out).map_err(UserError::from)?;
    let (session, info) = Session::with_model(&args.model)?;
    check_place(args, &info)?;
    let job = JobId::next();
    let site = format!("blocks.{}.attn.pattern", args.layer);
    let sites = match site.parse::<SiteFilter>() {
        Ok(sites) => sites,
        Err(never) => match never {},
    };
    let prompt = PromptInput::Text(args.prompt.clone());
    let command = Command::start(job, info.id, Work::Inspect(InspectSpec { prompt, sites, edits: Vec::new() }));
    let Outcome::Inspected(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    let Some(pattern) = report.pattern(args.layer, args.head) else {
        let why = report.left_out.clone().unwrap_or_else(|| "The pattern was not captured.".to_owned());
        return Err(UserError::new("The figure was not drawn.", why, "Use a shorter prompt.").into());
    };
    let figure = AttentionFigure {
        title: format!("{}, layer {}, head {}", info.name, args.layer, args.head),
        caption: crate::types::excerpt(&report.tokens),
        tokens: report.tokens.iter().map(|token| token.text.clone()).collect(),
        pattern,
        map: ColorMap::default(),
        scale: WeightScale::LINEAR,
    };
    write_file(&args.out, &attention_figure(&figure, format).map_err(UserError::from)?)
}

fn check_place(args: &AttentionArgs, info: &ModelInfo) -> Result<(), UserError> {
    let out_of_range = |what: &str, given: usize, count: usize| {
        UserError::new(
            format!("{} has no {what} {given}.", info.name),
            format!("It has {count}, counted from 0 to {}.", count.saturating_sub(1)),
            format!("Use --{what} with a number in that range."),
        )
    };
    // A digit network has neither; the engine says so better.
    let Some(Blocks { layers, heads, .. }) = info.shape.blocks().copied() else { return Ok(()) };
    if args.layer >= layers {
        return Err(out_of_range("layer", args.layer, layers));
    }
    if args.head >= heads {
        return Err(out_of_range("head", args.head, heads));
    }
    Ok(())
}
