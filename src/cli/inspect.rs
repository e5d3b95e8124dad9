//! `fovea inspect`.

use super::CliError;
use super::args::{InputArgs, InspectArgs};
use super::output::{tell, tell_edits, write_file};
use super::session::{Session, unexpected};
use crate::chart::{Array, ArrayFormat, ArrayValues, arrays_file};
use crate::engine::{Command, InspectSpec, Outcome, PromptInput, Work, read_picture};
use crate::types::{Ability, InspectReport, JobId, ModelInfo, SiteFilter, UserError};

/// Writes every matching site under its name (F32), and the ids (I64, `[T]`).
pub(super) fn run(args: &InspectArgs) -> Result<(), CliError> {
    let edits = args.edits.edits()?;
    let (session, info) = Session::with_model(&args.model)?;
    let sites = match args.sites.as_deref().unwrap_or(usual_sites(&info)).parse::<SiteFilter>() {
        Ok(sites) => sites,
        Err(never) => match never {},
    };
    let job = JobId::next();
    let command = Command::start(
        job,
        info.id,
        Work::Inspect(InspectSpec { prompt: input(&args.input)?, sites, edits: edits.clone() }),
    );
    let Outcome::Inspected(report) = session.run(job, command, |_| Ok(()))? else { return Err(unexpected()) };
    write_file(&args.out, &encode(&report, ArrayFormat::of(&args.out))?)?;
    if let Some(left_out) = &report.left_out {
        tell(format_args!("note: {left_out}"));
    }
    tell_edits(&edits);
    tell(format_args!("{} sites over {} tokens in {}", report.captures.len(), report.tokens.len(), args.out.display()));
    Ok(())
}

/// Patterns, and logits where there is a head that makes them; of a network without attention what its layers hand on.
fn usual_sites(info: &ModelInfo) -> &'static str {
    if !info.can(Ability::Attend) {
        return "blocks.*.resid_post,logits";
    }
    let has_head = [Ability::Continue, Ability::FillMasks, Ability::ClassifyPictures].iter().any(|a| info.can(*a));
    if has_head { "blocks.*.attn.pattern,logits" } else { "blocks.*.attn.pattern" }
}

fn input(args: &InputArgs) -> Result<PromptInput, UserError> {
    Ok(match (&args.ids, &args.image) {
        (Some(ids), _) => PromptInput::Ids(ids.clone()),
        (None, Some(image)) => PromptInput::Picture(read_picture(image)?),
        (None, None) => PromptInput::Text(args.prompt.clone().unwrap_or_default()),
    })
}

fn encode(report: &InspectReport, format: ArrayFormat) -> Result<Vec<u8>, UserError> {
    let ids: Vec<i64> = report.tokens.iter().map(|token| i64::from(token.id)).collect();
    let captured = report.captures.iter().map(|capture| Array {
        name: capture.site.to_string(),
        shape: capture.shape.clone(),
        values: ArrayValues::Floats(&capture.values),
    });
    let ids = Array { name: "ids".to_owned(), shape: vec![ids.len()], values: ArrayValues::Integers(&ids) };
    let arrays: Vec<Array<'_>> = captured.chain([ids]).collect();
    Ok(arrays_file(&arrays, &[], format)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Capture, PromptToken, Site};

    #[test]
    fn the_file_holds_values_and_ids() {
        let report = InspectReport {
            tokens: [3, 5].map(|id| PromptToken { id, text: String::new(), span: 0..0 }).to_vec(),
            captures: vec![Capture { site: Site::Logits, shape: vec![2, 1], values: [0.5, -1.0].into() }],
            picture: None,
            left_out: None,
        };
        let bytes = encode(&report, ArrayFormat::Safetensors).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let logits = file.tensor("logits").unwrap();
        assert_eq!((logits.shape(), logits.dtype()), ([2, 1].as_slice(), safetensors::Dtype::F32));
        assert_eq!(logits.data(), [0.5f32.to_le_bytes(), (-1.0f32).to_le_bytes()].concat());
        assert_eq!(file.tensor("ids").unwrap().data(), [3i64.to_le_bytes(), 5i64.to_le_bytes()].concat());
    }
}
