//! Edits that take values from other prompts, and blocks that are skipped, against what plain arithmetic makes of captured values.

use super::support::script::Script;
use super::{DECODERS, Difference, ENCODERS, FORWARD, LETTERS, PICTURES, Reference, assert_close, golden_dir};
use fovea::engine::{Command, EditedNextSpec, GenerateSpec, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{Capture, DeviceChoice, Edit, InspectReport, JobId, ModelId, Sampling, Site, UserError};
use std::sync::Arc;

/// Letters of different prompts: `a` and `b` have as many tokens, `c` has fewer.
const A: &str = "the quick brown fox";
const B: &str = "a lazy dog sleeps b";
const C: &str = "jumps over";

fn edits(lines: &[&str]) -> Vec<Edit> {
    lines.iter().map(|line| line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn inspect(
    script: &mut Script,
    model: ModelId,
    prompt: impl Into<PromptInput>,
    lines: &[&str],
) -> Result<Arc<InspectReport>, UserError> {
    let job = JobId::next();
    let sites = "*".parse().unwrap();
    let spec = InspectSpec { prompt: prompt.into(), sites, edits: edits(lines) };
    script.send(Command::start(job, model, Work::Inspect(spec)));
    script.end(job).map(|outcome| match outcome {
        Outcome::Inspected(report) => report,
        other => panic!("{other:?}"),
    })
}

fn at(report: &InspectReport, site: Site) -> &Capture {
    report.captures.iter().find(|capture| capture.site == site).unwrap_or_else(|| panic!("{site} was not captured"))
}

/// Rows `[K]` of one head of z `[H, T, K]`.
fn rows(z: &Capture, head: usize) -> Vec<&[f32]> {
    let [_, tokens, width] = z.shape[..] else { panic!("{:?}", z.shape) };
    z.values[head * tokens * width..(head + 1) * tokens * width].chunks_exact(width).collect()
}

#[test]
fn a_skipped_block_leaves_the_stream_as_it_came_to_the_last_bit() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = script.open(&golden_dir(name)).id;
        let clean = inspect(&mut script, model, A, &[]).unwrap();
        let skipped = inspect(&mut script, model, A, &["blocks.1 = skip"]).unwrap();
        let (before, after) = (at(&skipped, Site::ResidPre(1)), at(&skipped, Site::ResidPost(1)));
        assert_eq!(before.values, after.values, "{name}");
        assert_ne!(at(&clean, Site::ResidPost(1)).values, after.values, "{name}: the block adds something");
        // At one position alone, the others go on through the block.
        let one = inspect(&mut script, model, A, &["blocks.1@2 = skip"]).unwrap();
        let (before, after) = (at(&one, Site::ResidPre(1)), at(&one, Site::ResidPost(1)));
        let width = before.shape[1];
        let same = before.values.chunks(width).zip(after.values.chunks(width)).map(|(before, after)| before == after);
        assert_eq!(same.enumerate().filter(|(_, same)| *same).map(|(t, _)| t).collect::<Vec<_>>(), [2], "{name}");
        script.send(Command::Close { model });
    }
    for name in ENCODERS {
        let model = script.open(&golden_dir(name)).id;
        let ids = PromptInput::Ids(Reference::read(name).sequence(0));
        let error = inspect(&mut script, model, ids, &["blocks.1 = skip"]).unwrap_err();
        assert!(error.why.contains("normalises the stream after"), "{name}: {error}");
    }
}

#[test]
fn values_of_another_prompt_stand_where_they_stood_there() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = script.open(&golden_dir(name)).id;
        let [clean, other, short] = [A, B, C].map(|text| inspect(&mut script, model, text, &[]).unwrap());
        let line = format!("blocks.1.attn.z[1] = from {B:?}");
        let whole = inspect(&mut script, model, A, &[&line]).unwrap();
        let z = |report: &InspectReport, head| rows(at(report, Site::Z(1)), head).concat();
        // A pass that reads fewer sites adds up in another order.
        assert_close(&z(&whole, 1), &z(&other, 1), FORWARD, name);
        assert_close(&z(&whole, 0), &z(&clean, 0), FORWARD, name);
        assert!(Difference::beyond(&z(&other, 1), &z(&clean, 1), 1e-3).is_some(), "{name}");

        // A prompt of another length gives the positions that are named, counted in each from its own ends.
        let line = format!("blocks.1.resid_pre@0,-2..-1 = from {C:?}");
        let ends = inspect(&mut script, model, A, &[&line]).unwrap();
        let stream = |report: &InspectReport| {
            let capture = at(report, Site::ResidPre(1));
            capture.values.chunks(capture.shape[1]).map(<[f32]>::to_vec).collect::<Vec<_>>()
        };
        let (mut expected, theirs) = (stream(&clean), stream(&short));
        let (ours, last) = (expected.len(), theirs.len());
        expected[0].clone_from(&theirs[0]);
        expected[ours - 2].clone_from(&theirs[last - 2]);
        expected[ours - 1].clone_from(&theirs[last - 1]);
        assert_close(&stream(&ends).concat(), &expected.concat(), FORWARD, name);

        for (line, named) in [
            (format!("blocks.1.attn.z = from {C:?}"), "tokens"),
            (format!("blocks.1.attn.pattern@0 = from {C:?}"), "tokens"),
            (format!("blocks.1.resid_pre@{last} = from {C:?}"), "not the same in both"),
            (format!("blocks.1.resid_pre@1..-1 = from {C:?}"), "not the same in both"),
        ] {
            let error = inspect(&mut script, model, A, &[&line]).unwrap_err();
            assert!(error.why.contains(named), "{name}, {line}: {error}");
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn a_mean_over_prompts_is_that_of_all_their_tokens_and_holds_for_what_is_generated() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = script.open(&golden_dir(name)).id;
        let line = format!("blocks.0.attn.z[1] = mean over \"two\" [{B:?}, {C:?}]");
        let read = [B, C].map(|text| inspect(&mut script, model, text, &[]).unwrap());
        let tokens: Vec<&[f32]> = read.iter().flat_map(|report| rows(at(report, Site::Z(0)), 1)).collect();
        assert_eq!(tokens.len(), B.len() + C.len(), "{name}: a letter a token");
        let mean = |i: usize| tokens.iter().map(|row| f64::from(row[i])).sum::<f64>() / tokens.len() as f64;
        let mean: Vec<f64> = (0..tokens[0].len()).map(mean).collect();
        let edited = inspect(&mut script, model, A, &[&line]).unwrap();
        for row in rows(at(&edited, Site::Z(0)), 1) {
            let off = row.iter().zip(&mean).map(|(value, mean)| (f64::from(*value) - mean).abs()).fold(0.0, f64::max);
            assert!(off < 1e-5, "{name}: {off}");
        }

        // What is generated stands under the same values: a prompt with the answer in it says the same next.
        let sampling = Sampling { max_new_tokens: 3, ..Sampling::default() };
        let job = JobId::next();
        let spec = GenerateSpec { prompt: A.into(), sampling, edits: edits(&[&line]) };
        script.send(Command::start(job, model, Work::Generate(spec)));
        script.end(job).unwrap();
        let generated = script.ids_of(job);
        let letters: Vec<char> = LETTERS.chars().collect();
        let written: String = generated[..generated.len() - 1].iter().map(|id| letters[*id as usize]).collect();
        let spec = EditedNextSpec { prompt: format!("{A}{written}").into(), top: 4, edits: edits(&[&line]) };
        let job = JobId::next();
        script.send(Command::start(job, model, Work::CompareNext(spec)));
        let Outcome::NextCompared(next) = script.end(job).unwrap() else { panic!("not compared") };
        let best = next.likeliest.iter().max_by(|a, b| a.after.total_cmp(&b.after)).unwrap();
        assert_eq!(best.id, *generated.last().unwrap(), "{name}");
        assert!(next.divergence > 0.0 && next.divergence.is_finite(), "{name}: {}", next.divergence);
        script.send(Command::Close { model });
    }
}

#[test]
fn nothing_is_hidden_from_a_token_itself() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS.into_iter().chain(ENCODERS) {
        let model = script.open(&golden_dir(name)).id;
        let ids = PromptInput::Ids(Reference::read(name).sequence(0));
        let alone = inspect(&mut script, model, ids.clone(), &["blocks.0.attn.scores = hide"]).unwrap();
        let pattern = at(&alone, Site::Pattern(0));
        let t = pattern.shape[1];
        for (place, weight) in pattern.values.iter().enumerate() {
            assert_eq!(*weight, f32::from(place / t % t == place % t), "{name}");
        }
        // The first token is hidden from all others, and goes on as it was.
        let first = inspect(&mut script, model, ids, &["blocks.0.attn.scores@>0 = hide"]).unwrap();
        let pattern = at(&first, Site::Pattern(0));
        for (query, row) in pattern.values.chunks_exact(t).enumerate() {
            assert_eq!(row[0] == 0.0, query % t > 0, "{name}, query {}", query % t);
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn edits_are_checked_one_by_one_without_a_prompt() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut faults = |name: &str, lines: &[&str]| {
        let model = script.open(&golden_dir(name)).id;
        let job = JobId::next();
        script.send(Command::start(job, model, Work::CheckEdits(edits(lines))));
        let Outcome::EditsChecked(report) = script.end(job).unwrap() else { panic!("not checked") };
        report.faults.iter().map(|fault| fault.as_ref().map(|fault| fault.what.clone())).collect::<Vec<_>>()
    };
    let lines =
        ["blocks.0.attn.z[0] = zero", "blocks.9.mlp_out = zero", "rotary = zero", "blocks.0 = skip", "embed@3 = zero"];
    let of = |faults: Vec<Option<String>>| faults.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(of(faults("gpt2", &lines)), [false, true, true, false, false]);
    assert_eq!(of(faults("llama", &lines)), [false, true, false, false, false]);
    assert_eq!(of(faults("bert", &lines)), [false, true, true, true, false]);
    let others = ["blocks.0.attn.z = from \"any length\"", "blocks.0.attn.pattern = mean over [\"a\"]"];
    assert_eq!(of(faults("gpt2", &others)), [false, true]);
    assert_eq!(of(faults(PICTURES[0], &lines[..2])), [false, true]);
}

#[test]
fn the_next_token_before_and_after_is_what_is_generated() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&super::support::root().join("models/sprout")).id;
    let edits = edits(&["blocks.0.attn.z[0] = mean", "blocks.1.mlp_out = scale -1.5"]);
    // Longer than a stretch of reading.
    let prompt = "Once upon a time there was a fox. ".repeat(20);
    let spec = EditedNextSpec { prompt: prompt.as_str().into(), top: 3, edits: edits.clone() };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::CompareNext(spec)));
    let Outcome::NextCompared(next) = script.end(job).unwrap() else { panic!("not compared") };
    assert!(next.prompt_tokens > 128);
    for (edits, is_after) in [(Vec::new(), false), (edits, true)] {
        let job = JobId::next();
        let sampling = Sampling { max_new_tokens: 1, ..Sampling::default() };
        let spec = GenerateSpec { prompt: prompt.as_str().into(), sampling, edits };
        script.send(Command::start(job, model, Work::Generate(spec)));
        script.end(job).unwrap();
        let token = script.seen.iter().rev().find_map(|event| match event {
            fovea::engine::Event::Token { job: of, token } if *of == job => Some(token.clone()),
            _ => None,
        });
        for candidate in &token.unwrap().top[..3] {
            let told =
                next.likeliest.iter().find(|told| told.id == candidate.id).expect("the likeliest of both are told");
            let share = if is_after { told.after } else { told.before };
            assert!((share - f64::from(candidate.probability)).abs() < 1e-5, "{told:?} and {candidate:?}");
        }
    }
}

/// Probabilities come of scores that agree within a few units in the sixth place.
const SHARE: f64 = 2e-5;

#[test]
fn skipped_blocks_and_values_of_other_prompts_equal_pytorch() {
    let golden = Reference::open(&golden_dir("").join("others.safetensors"));
    let mut script = Script::start(DeviceChoice::Cpu);
    let lines = [
        ("skip", "blocks.1 = skip".to_owned()),
        ("over", format!("blocks.0.attn.z[1] = mean over [{B:?}, {C:?}]")),
        ("from", format!("blocks.0.attn.z[1] = from {B:?}")),
    ];
    for name in DECODERS {
        let model = script.open(&golden_dir(name)).id;
        for (kind, line) in &lines {
            let theirs = golden.values(&format!("{name}.{kind}"));
            let job = JobId::next();
            let spec = EditedNextSpec { prompt: A.into(), top: theirs.len(), edits: edits(&[line]) };
            script.send(Command::start(job, model, Work::CompareNext(spec)));
            let Outcome::NextCompared(next) = script.end(job).unwrap() else { panic!("not compared") };
            assert_eq!(next.likeliest.len(), theirs.len(), "{name}: every token of the vocabulary");
            for token in &next.likeliest {
                let off = (token.after - f64::from(theirs[token.id as usize])).abs();
                assert!(off < SHARE, "{name}, {line}, {:?}: {off}", token.text);
            }
            let moved = next.likeliest.iter().map(|token| (token.after - token.before).abs()).fold(0.0, f64::max);
            assert!(moved > 100.0 * SHARE, "{name}, {line} changes nothing");
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn a_head_that_is_removed_behind_the_projection_would_be_something_else() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = script.open(&golden_dir(name)).id;
        let clean = inspect(&mut script, model, A, &[]).unwrap();
        let removed = inspect(&mut script, model, A, &["blocks.0.attn.z[1] = zero"]).unwrap();
        let heads = at(&clean, Site::Z(0)).shape[0];
        let out = at(&clean, Site::AttnOut(0));
        let width = out.shape[1];
        // The mistake: the slice of what attention adds that stands where the head stood before the heads were mixed.
        let slice = width / heads..2 * width / heads;
        let mistaken: Vec<f32> = out
            .values
            .iter()
            .enumerate()
            .map(|(i, value)| if slice.contains(&(i % width)) { 0.0 } else { *value })
            .collect();
        let right = &at(&removed, Site::AttnOut(0)).values;
        assert!(Difference::beyond(&mistaken, right, 1e-2).is_some(), "{name}");
        script.send(Command::Close { model });
    }
}
