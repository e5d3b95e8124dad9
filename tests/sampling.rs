//! What tokens are drawn from is what transformers draws from, how surprising a text is what its numbers say, and samples that are
//! drawn together are those drawn alone.
//!
//! `tests/golden/make_sampling.py` and `make_surprise.py` wrote the numbers.

mod support;

use fovea::engine::{Command, Event, GenerateSpec, Outcome, SamplesSpec, SurpriseSpec, Work};
use fovea::types::{
    BiasReport, DeviceChoice, GeneratedToken, JobId, ModelId, SamplesReport, Sampling, ScoreRequest, StopReason,
    SurpriseReport,
};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::{Script, ids, many};

/// Probabilities agree within what logits do, 10⁻⁶ of 20; a token more or less in a cut changes 10⁻³ and more.
const SHARE: f64 = 2e-5;
/// Logits of these models reach 20 and agree within 10⁻⁶ of that.
const LOG: f64 = 1e-4;

fn golden(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden").join(name)).unwrap()).unwrap()
}

fn tokens_of(script: &Script, of: JobId) -> Vec<GeneratedToken> {
    let token = |event: &Event| match event {
        Event::Token { job, token } if *job == of => Some(token.clone()),
        _ => None,
    };
    script.seen.iter().filter_map(token).collect()
}

fn settings(case: &Value) -> Sampling {
    let number = |key: &str, usual: f64| case[key].as_f64().unwrap_or(usual) as f32;
    let bias = case["bias"].as_object().into_iter().flatten();
    Sampling {
        temperature: number("temperature", 1.0),
        top_k: case["top_k"].as_u64().unwrap_or(0) as usize,
        top_p: number("top_p", 1.0),
        min_p: number("min_p", 0.0),
        repetition_penalty: number("repetition_penalty", 1.0),
        bias: bias.map(|(id, value)| format!("{id} = {value}")).collect::<Vec<_>>().join("\n"),
        candidates: 64,
        ..Sampling::default()
    }
}

#[test]
fn tokens_are_drawn_from_what_transformers_processors_leave() {
    let all = golden("sampling.json");
    let prompt: Vec<u32> = serde_json::from_value(all["prompt"].clone()).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut worst = 0.0_f64;
    for name in ["gpt2", "llama"] {
        let model = script.open(&root().join("tests/golden").join(name)).id;
        for (place, case) in all[name].as_array().unwrap().iter().enumerate() {
            let of = format!("{name}, case {place}");
            let expected: Vec<(u32, f64)> = serde_json::from_value(case["drawn"].clone()).unwrap();
            let job = script.generate(model, ids(prompt.clone()), Sampling { max_new_tokens: 1, ..settings(case) });
            script.end(job).unwrap();
            let token = tokens_of(&script, job).remove(0);
            let expected: Vec<(u32, f64)> = expected.into_iter().filter(|(_, share)| *share > SHARE).collect();
            let ours: Vec<_> = token.drawn.iter().filter(|c| f64::from(c.probability) > SHARE).collect();
            assert_eq!(ours.len(), expected.len(), "{of}: {ours:?}");
            for (ours, (id, share)) in ours.iter().zip(expected) {
                let difference = (f64::from(ours.probability) - share).abs();
                worst = worst.max(difference);
                assert!(ours.id == id && difference < SHARE, "{of}: {ours:?} instead of {id} with {share}");
            }
            // The likeliest continuation, up to a token that ends a text here.
            let greedy: Vec<u32> = serde_json::from_value(case["greedy"].clone()).unwrap();
            let sampling = Sampling { temperature: 0.0, max_new_tokens: greedy.len(), ..settings(case) };
            let job = script.generate(model, ids(prompt.clone()), sampling);
            let Outcome::Generated(done) = script.end(job).unwrap() else { panic!("not generated") };
            let written = script.ids_of(job);
            assert_eq!(written, greedy[..written.len()], "{of}");
            assert!(written.len() == greedy.len() || done.stop == StopReason::EndOfSequence, "{of}: {done:?}");
        }
    }
    println!("probabilities differ by at most {worst:.1e}");
}

#[test]
fn the_rank_of_a_token_counts_all_that_are_likelier() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    let sampling = Sampling { temperature: 3.0, seed: 5, ..many(12) };
    let job = script.generate(model, ids([1, 2, 3]), sampling.clone());
    script.end(job).unwrap();
    let tokens = tokens_of(&script, job);
    let job = script.generate(model, ids([1, 2, 3]), Sampling { candidates: 64, ..sampling });
    script.end(job).unwrap();
    let mut beyond = 0;
    for (token, all) in tokens.iter().zip(tokens_of(&script, job)) {
        let place = all.top.iter().position(|candidate| candidate.id == token.id).unwrap();
        assert_eq!((token.id, token.rank), (all.id, Some(place as u32 + 1)));
        beyond += usize::from(place >= token.top.len());
    }
    assert!(beyond > 0, "no token stood behind the ten likeliest");
}

fn samples(script: &mut Script, model: ModelId, sampling: Sampling, count: usize) -> Arc<SamplesReport> {
    let generate = GenerateSpec { prompt: ids([1, 2, 3, 4, 5]), sampling, edits: Vec::new() };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Samples(SamplesSpec { generate, count })));
    let Outcome::Sampled(report) = script.end(job).unwrap() else { panic!("no samples") };
    report
}

#[test]
fn samples_drawn_together_are_those_drawn_alone() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "gemma2"] {
        let model = script.open(&root().join("tests/golden").join(name)).id;
        let sampling = Sampling { temperature: 1.0, presence_penalty: 0.4, seed: 3, ..many(10) };
        let report = samples(&mut script, model, sampling.clone(), 4);
        assert_eq!(report.prompt.len(), 5);
        for (place, sample) in report.samples.iter().enumerate() {
            let seed = 3 + place as u64;
            let job = script.generate(model, ids([1, 2, 3, 4, 5]), Sampling { seed, ..sampling.clone() });
            script.end(job).unwrap();
            assert_eq!((sample.seed, &sample.tokens), (seed, &tokens_of(&script, job)), "{name}");
            assert_eq!(sample.text, sample.tokens.iter().map(|token| token.text.as_str()).collect::<String>());
        }
        assert!(report.agreement().unwrap().distinct > 1);
        let sure = samples(&mut script, model, many(6), 3).agreement().unwrap();
        assert_eq!((sure.count, sure.samples, sure.parts_at), (3, 3, None), "the likeliest is always the same");
    }
}

#[test]
fn a_number_of_samples_that_makes_no_sense_is_refused() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/gpt2")).id;
    let generate = GenerateSpec { prompt: ids([1]), sampling: many(2), edits: Vec::new() };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Samples(SamplesSpec { generate, count: 0 })));
    assert!(script.end(job).unwrap_err().what.contains("0 samples"));
}

#[test]
fn bias_names_tokens_by_their_text_and_a_wrong_line_by_its_number() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let read = |script: &mut Script, lines: &str| -> Arc<BiasReport> {
        let job = JobId::next();
        script.send(Command::start(job, model, Work::ReadBias(lines.to_owned())));
        let Outcome::BiasRead(report) = script.end(job).unwrap() else { panic!("not read") };
        report
    };
    let report = read(&mut script, "\" the\" = -inf\n5 = 1");
    assert!(report.error.is_none() && report.hits[0].text == " the" && report.hits[1].id == 5, "{report:?}");
    let prompt = || "Once upon a time, there was a little girl named Lily. She went to".into();
    let free = script.generate(model, prompt(), many(1));
    script.end(free).unwrap();
    assert_eq!(tokens_of(&script, free)[0].text, " the");
    let bias = "\" the\" = -inf".to_owned();
    let banned = script.generate(model, prompt(), Sampling { bias, ..many(1) });
    script.end(banned).unwrap();
    let token = tokens_of(&script, banned).remove(0);
    assert!(token.text != " the" && token.top[0].text == " the" && token.rank == Some(2), "{token:?}");
    let bias = "5 = 1\n\"no single token\" = 2".to_owned();
    let job = script.generate(model, prompt(), Sampling { bias, ..many(1) });
    let error = script.end(job).unwrap_err();
    assert!(error.what.contains("Line 2"), "{error}");
}

fn surprise(script: &mut Script, model: ModelId, text: &str) -> Arc<SurpriseReport> {
    let job = JobId::next();
    let spec = SurpriseSpec { prompt: text.into(), edits: Vec::new() };
    script.send(Command::start(job, model, Work::Surprise(spec)));
    let Outcome::Surprised(report) = script.end(job).unwrap() else { panic!("no surprise") };
    report
}

#[test]
fn every_token_of_a_text_is_as_surprising_as_transformers_finds_it() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, cases) in golden("surprise.json").as_object().unwrap() {
        let folder = if name == "seedling" { "models" } else { "tests/golden" };
        let model = script.open(&root().join(folder).join(name)).id;
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let report = surprise(&mut script, model, text);
            let of = format!("{name}, {text:?}");
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            assert_eq!(report.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), expected, "{of}");
            let log_probs: Vec<f64> = serde_json::from_value(case["log_probs"].clone()).unwrap();
            let ranks: Vec<u32> = serde_json::from_value(case["ranks"].clone()).unwrap();
            assert_eq!(report.tokens[0].log_prob, None, "{of}: nothing stands before the first token");
            for (token, (log_prob, rank)) in report.tokens[1..].iter().zip(log_probs.iter().zip(ranks)) {
                let difference = (token.log_prob.unwrap() - log_prob).abs();
                assert!(difference < LOG && token.rank == Some(rank), "{of}: {token:?}, {log_prob}, {rank}");
            }
            let nats = -log_probs.iter().sum::<f64>();
            let bytes = text.len() - report.tokens[0].span.end;
            let bits = nats / std::f64::consts::LN_2 / bytes as f64;
            assert!((report.nats() - nats).abs() < LOG * log_probs.len() as f64, "{of}");
            assert!((report.bits_per_byte().unwrap() - bits).abs() < LOG, "{of}");
        }
    }
}

#[test]
fn a_long_text_is_read_in_stretches_as_in_one() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let text = "Once upon a time, there was a little girl named Lily. ".repeat(12);
    let long = surprise(&mut script, model, &text);
    assert!(long.tokens.len() > 150, "{}", long.tokens.len());
    let short = surprise(&mut script, model, &text[..text.len() / 12]);
    for (long, short) in long.tokens.iter().zip(&short.tokens[..short.tokens.len() - 1]) {
        assert!((long.log_prob.unwrap_or(0.0) - short.log_prob.unwrap_or(0.0)).abs() < LOG);
    }
    // The last tokens are as likely as they are behind the rest as a prompt.
    let request = ScoreRequest {
        prompt: text.trim_end().strip_suffix(" Lily.").unwrap().to_owned(),
        candidates: vec![" Lily.".into()],
        ..ScoreRequest::default()
    };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Score(request)));
    let Outcome::Scored(scored) = script.end(job).unwrap() else { panic!("not scored") };
    let tokens = &scored.candidates[0].tokens;
    let whole = surprise(&mut script, model, text.trim_end());
    for (token, expected) in whole.tokens.iter().rev().zip(tokens.iter().rev()) {
        assert!(token.id == expected.id && (token.log_prob.unwrap() - expected.log_prob).abs() < LOG, "{token:?}");
    }
}
