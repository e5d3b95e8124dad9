//! What looking into a model and changing it costs: the lens beside reading the same prompt, a sweep, and an edited pass beside an
//! unedited one that captures the same.

use super::{median, spread_ids};
use crate::cli::CliError;
use crate::cli::session::{Session, unexpected};
use crate::engine::{Command, Event, GenerateSpec, InspectSpec, LensSpec, Outcome, PromptInput, SweepSpec, Work};
use crate::types::{JobId, ModelInfo, Removal, Sampling};
use serde::Serialize;
use std::time::Instant;

/// What was measured. Times are medians over the repeats.
#[derive(Serialize)]
pub(super) struct Search {
    tokens: usize,
    /// Reading the prompt and scoring its last token.
    prefill_ms: f64,
    /// Every layer at every token, and until the first of them are told.
    lens_ms: f64,
    lens_first_ms: f64,
    /// Operations a second of both: two for each weight of the blocks and each score of the vocabulary.
    prefill_gflops: f64,
    lens_gflops: f64,
    /// All heads and MLPs removed by themselves.
    sweep_ms: f64,
    parts: usize,
    /// A pass with one head changed, and one with every MLP changed, as shares of one that captures the same.
    edited_share: f64,
    edited_everywhere_share: f64,
}

/// Measures each in turns.
pub(super) fn measure(session: &Session, info: &ModelInfo, tokens: usize, repeats: usize) -> Result<Search, CliError> {
    let vocabulary = info.shape.vocabulary().unwrap_or(1);
    let ids = spread_ids(tokens, vocabulary);
    let edits: [Vec<String>; 3] = [
        Vec::new(),
        vec![format!("blocks.{}.attn.z[0] = zero", info.shape.layers() / 2)],
        vec!["blocks.*.mlp_out = scale 0.5".to_owned()],
    ];
    let (mut prefill, mut lens, mut first, mut sweeps, mut parts) = (vec![], vec![], vec![], vec![], 0);
    let mut passes: [Vec<f64>; 3] = Default::default();
    for repeat in 0..=repeats {
        let read = prefilled(session, info, &ids)?;
        let (whole, begun) = lensed(session, info, &ids)?;
        let (swept, count) = swept(session, info, &ids)?;
        let mut edited = Vec::new();
        for edits in &edits {
            edited.push(inspected(session, info, &ids, edits)?);
        }
        parts = count;
        // The first round warms up.
        if repeat > 0 {
            prefill.push(read);
            lens.push(whole);
            first.push(begun);
            sweeps.push(swept);
            passes.iter_mut().zip(edited).for_each(|(passes, ms)| passes.push(ms));
        }
    }
    let hidden = info.shape.blocks().map_or(0, |blocks| blocks.hidden);
    let head = (vocabulary * hidden) as f64;
    let blocks = info.parameters as f64 - head;
    let share = |edited: usize| median(passes[edited].iter().zip(&passes[0]).map(|(edited, plain)| edited / plain));
    let (prefill_ms, lens_ms) = (median(prefill.into_iter()), median(lens.into_iter()));
    let of_prefill = 2.0 * (blocks * tokens as f64 + head);
    let of_lens = 2.0 * tokens as f64 * (blocks + head * (info.shape.layers() + 1) as f64);
    Ok(Search {
        tokens,
        prefill_ms,
        lens_ms,
        lens_first_ms: median(first.into_iter()),
        prefill_gflops: of_prefill / prefill_ms / 1e6,
        lens_gflops: of_lens / lens_ms / 1e6,
        sweep_ms: median(sweeps.into_iter()),
        parts,
        edited_share: share(1),
        edited_everywhere_share: share(2),
    })
}

/// For people.
pub(super) fn describe(search: &Search) -> String {
    format!(
        "lens         {:9.1} ms for {} tokens, the first after {:.0} ms\n             {:9.2} of the rate at which they are read\n\
         sweep        {:9.1} ms for {} parts\nedited pass  {:9.2} of an unedited one; {:.2} with every MLP changed\n",
        search.lens_ms,
        search.tokens,
        search.lens_first_ms,
        search.lens_gflops / search.prefill_gflops,
        search.sweep_ms,
        search.parts,
        search.edited_share,
        search.edited_everywhere_share,
    )
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

fn prefilled(session: &Session, info: &ModelInfo, ids: &[u32]) -> Result<f64, CliError> {
    let sampling = Sampling { max_new_tokens: 1, ..Sampling::default() };
    let spec = GenerateSpec { prompt: PromptInput::Ids(ids.to_vec()), sampling, edits: Vec::new() };
    let job = JobId::next();
    let outcome = session.run(job, Command::start(job, info.id, Work::Generate(spec)), |_| Ok(()))?;
    let Outcome::Generated(stats) = outcome else { return Err(unexpected()) };
    Ok(stats.ttft_ms)
}

fn lensed(session: &Session, info: &ModelInfo, ids: &[u32]) -> Result<(f64, f64), CliError> {
    let prompt = PromptInput::Ids(ids.to_vec());
    let spec = LensSpec { prompt, target: None, fitted: None, edits: Vec::new() };
    let (job, begun, mut first) = (JobId::next(), Instant::now(), None);
    let outcome = session.run(job, Command::start(job, info.id, Work::Lens(spec)), |event| {
        if matches!(event, Event::SoFar { .. }) {
            first.get_or_insert_with(|| ms(begun));
        }
        Ok(())
    })?;
    let Outcome::LensRead(_) = outcome else { return Err(unexpected()) };
    let whole = ms(begun);
    Ok((whole, first.unwrap_or(whole)))
}

fn swept(session: &Session, info: &ModelInfo, ids: &[u32]) -> Result<(f64, usize), CliError> {
    let (prompt, removal) = (PromptInput::Ids(ids.to_vec()), Removal::Zero);
    let spec = SweepSpec { prompt, position: None, target: None, removal, edits: Vec::new() };
    let (job, begun) = (JobId::next(), Instant::now());
    let outcome = session.run(job, Command::start(job, info.id, Work::Sweep(spec)), |_| Ok(()))?;
    let Outcome::Swept(report) = outcome else { return Err(unexpected()) };
    Ok((ms(begun), report.effects().count()))
}

/// One pass that keeps patterns and the stream behind each block, under edits.
fn inspected(session: &Session, info: &ModelInfo, ids: &[u32], edits: &[String]) -> Result<f64, CliError> {
    let sites = "blocks.*.attn.pattern,blocks.*.resid_post".parse().unwrap_or_default();
    let edits = edits.iter().map(|edit| edit.parse()).collect::<Result<_, _>>()?;
    let spec = InspectSpec { prompt: PromptInput::Ids(ids.to_vec()), sites, edits };
    let (job, begun) = (JobId::next(), Instant::now());
    let outcome = session.run(job, Command::start(job, info.id, Work::Inspect(spec)), |_| Ok(()))?;
    let Outcome::Inspected(_) = outcome else { return Err(unexpected()) };
    Ok(ms(begun))
}
