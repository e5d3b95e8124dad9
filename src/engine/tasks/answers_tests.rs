//! Answers of whole batches against each query by itself.

use super::super::continuations::tests::{alone, golden};
use super::*;
use crate::load::open_text_model;
use crate::types::{Random, Shot};
use burn::tensor::Device;
use std::path::Path;

/// Words of letters the golden tokenizers know: one token a letter.
fn word(random: &mut Random) -> String {
    let length = 1 + random.below(4);
    (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
}

fn prompt(shots: usize, random: &mut Random) -> FewShotPrompt {
    let shots = (0..shots).map(|_| Shot { input: word(random), output: word(random), on: true }).collect();
    FewShotPrompt {
        instruction: "Say it".into(),
        shots,
        query: String::new(),
        template: "{input} is {output}".into(),
        separator: ", ".into(),
    }
}

fn ask(model: &TextModel, spec: &BatchSpec) -> (Vec<Answer>, usize) {
    let mut asking = Asking::new(model, spec.clone()).unwrap();
    while !asking.step(model).unwrap() {}
    let cut = asking.cut();
    (asking.into_answers(), cut)
}

/// The scores of one answer to one query, uncached, with nothing shared.
fn one_by_one(model: &TextModel, prompt: &FewShotPrompt, query: &str, answer: &str) -> (Sequence, Scored) {
    let text = FewShotPrompt { query: query.to_owned(), ..prompt.clone() }.render().text;
    let ids = model.tokenizer.ids(&text).unwrap();
    let answer = model.tokenizer.continuation_ids(&format!(" {answer},")).unwrap();
    let sequence = Sequence::new(&ids, &answer);
    let scored = alone(model, &sequence);
    (sequence, scored)
}

#[test]
fn batched_cached_and_one_by_one_agree() {
    let mut random = Random::new(4, 0);
    for (name, shots) in [("gpt2", 2), ("gemma2", 5), ("gpt-neox", 4), ("llama", 0)] {
        let model = golden(name);
        for calibrate in [false, true] {
            let prompt = prompt(shots, &mut random);
            let labels: Vec<String> = (0..3).map(|i| format!("{i}{}", word(&mut random))).collect();
            let mut query = |i: usize| [word(&mut random), labels[i % 3].clone()];
            let queries: Vec<_> = (0..20).map(&mut query).collect();
            let spec = BatchSpec { prompt, queries, labels: labels.clone(), calibrate, edits: Vec::new() };
            let of_labels = |query: &str| {
                let scored = |label| one_by_one(&model, &spec.prompt, query, label).1.sum();
                labels.iter().map(|label| scored(label)).collect::<Vec<f64>>()
            };
            let compared = |log_probs: &[f64]| shares(log_probs.iter().copied());
            let prior = mean(&CONTENT_FREE.map(|query| compared(&of_labels(query))));
            let (answers, cut) = ask(&model, &spec);
            assert_eq!((answers.len(), cut), (20, 0), "{name}");
            for (answer, [input, expected]) in answers.iter().zip(&spec.queries) {
                let log_probs = of_labels(input);
                let shares = compared(&log_probs);
                let shares = if calibrate { calibrated(&shares, &prior) } else { shares };
                let right = labels.iter().position(|label| label == expected).unwrap();
                assert_eq!((&answer.input, &answer.expected), (input, expected));
                assert!((answer.log_prob - log_probs[right]).abs() < 1e-4, "{name}: {answer:?}");
                // Sums of up to five tokens of at most 10⁻⁴ each; calibration divides by small shares.
                let worst = answer.shares.iter().zip(&shares).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-3, "{name}: {:?} is not {shares:?}", answer.shares);
                assert_eq!(answer.predicted, labels[likeliest(&shares)]);
                assert_eq!(answer.correct, answer.predicted == *expected);
            }
        }
    }
}

#[test]
fn without_labels_an_answer_is_right_when_greedy_decoding_writes_it_and_its_end() {
    let mut random = Random::new(9, 0);
    let (mut right, mut wrong) = (0, 0);
    for name in ["gpt2", "gemma2", "mistral"] {
        let model = golden(name);
        let prompt =
            FewShotPrompt { separator: String::new(), template: "{input}{output}".into(), ..prompt(2, &mut random) };
        let mut query = |i: usize| {
            let input = word(&mut random);
            let text = FewShotPrompt { query: input.clone(), ..prompt.clone() }.render().text;
            // What greedy decoding writes, and every second time something else at the end.
            let mut ids = model.tokenizer.ids(&text).unwrap();
            let start = ids.len();
            for _ in 0..3 {
                ids.push(alone(&model, &Sequence::new(&ids, &[0])).best[0]);
            }
            if i % 2 == 1 {
                ids[start + 2] = (ids[start + 2] + 1) % 52;
            }
            [input, model.tokenizer.decode(&ids[start..])]
        };
        let queries: Vec<_> = (0..8).map(&mut query).filter(|[_, answer]| answer.trim() == answer).collect();
        let spec =
            BatchSpec { prompt: prompt.clone(), queries, labels: Vec::new(), calibrate: false, edits: Vec::new() };
        for (i, answer) in ask(&model, &spec).0.iter().enumerate() {
            let ids = model.tokenizer.continuation_ids(&answer.expected).unwrap();
            let text = FewShotPrompt { query: answer.input.clone(), ..prompt.clone() }.render().text;
            let scored = alone(&model, &Sequence::new(&model.tokenizer.ids(&text).unwrap(), &ids));
            assert_eq!(answer.correct, scored.best == ids, "{name}, {i}: {answer:?}");
            assert!((answer.log_prob - scored.sum()).abs() < 1e-4, "{name}: {answer:?}");
            assert_eq!(answer.correct, answer.predicted == answer.expected);
            if answer.correct { right += 1 } else { wrong += 1 }
        }
    }
    assert!(right > 4 && wrong > 4, "{right} right, {wrong} wrong");
}

/// A text model with merges, the tokenizer of which joins letters over the border between template and query.
fn sprout() -> TextModel {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/sprout");
    open_text_model(&dir, &Device::flex(), &mut |_, _| {}).unwrap()
}

#[test]
fn prompts_are_tokenized_whole_wherever_the_query_begins() {
    let model = sprout();
    let shot = |input: &str, output: &str| Shot { input: input.into(), output: output.into(), on: true };
    for template in ["{input} = {output}", "un{input}->{output}", "Q:{input}\nA: {output}"] {
        let prompt = FewShotPrompt {
            template: template.into(),
            shots: vec![shot("happy", "sad"), shot("big", "small")],
            ..FewShotPrompt::default()
        };
        let queries: Vec<_> = ["der", "able to", " x", "happy"].map(|q| [q.to_owned(), "day".to_owned()]).into();
        let asked = Asked {
            model: &model,
            content_free: &[],
            queries: &queries,
            labels: &[],
            ending: ending(&model, &prompt).unwrap(),
        };
        let sequences = asked.sequences(&prompt, 0).unwrap();
        for (sequence, [query, _]) in sequences.iter().zip(&queries) {
            let text = FewShotPrompt { query: query.clone(), ..prompt.clone() }.render().text;
            let whole = model.tokenizer.ids(&format!("{text}{}day\n", prompt.gap())).unwrap();
            assert_eq!(sequence.ids, whole, "{template:?} with {query:?}");
        }
        let (answers, _) =
            ask(&model, &BatchSpec { prompt, queries, labels: Vec::new(), calibrate: false, edits: Vec::new() });
        for (answer, sequence) in answers.iter().zip(&sequences) {
            let scored = alone(&model, sequence);
            assert!((answer.log_prob - scored.sum()).abs() < 1e-3, "{template:?}: {answer:?} is not {}", scored.sum());
        }
    }
}

#[test]
fn the_fewest_examples_are_left_out_at_the_front() {
    let mut random = Random::new(3, 0);
    let (model, labels) = (golden("llama"), vec!["yes".to_owned(), "no".to_owned()]);
    let context = model.lm.context();
    let prompt = prompt(9, &mut random);
    let queries = vec![["abcd".to_owned(), "yes".to_owned()], ["a".to_owned(), "no".to_owned()]];
    let spec = BatchSpec { prompt: prompt.clone(), queries, labels, calibrate: true, edits: Vec::new() };
    let (answers, cut) = ask(&model, &spec);
    let longest = |cut: usize| {
        let shots = prompt.shots[cut..].to_vec();
        one_by_one_length(&model, &FewShotPrompt { shots, ..prompt.clone() }, "abcd", "yes")
    };
    assert!(cut > 0 && cut < 9 && longest(cut) <= context && longest(cut - 1) > context, "{cut} left out");
    let shorter = FewShotPrompt { shots: prompt.shots[cut..].to_vec(), ..prompt.clone() };
    let (same, none) = ask(&model, &BatchSpec { prompt: shorter, ..spec.clone() });
    assert_eq!((same, none), (answers, 0));

    let endless = vec![["a".repeat(60), "yes".to_owned()]];
    let error = Asking::new(&model, BatchSpec { queries: endless, ..spec }).err().unwrap();
    // Instruction, line break, query, " is", " yes,".
    let read = 6 + 60 + 3 + 4;
    assert!(error.why.contains(&format!("{} tokens more than the {context}", read - context)), "{error}");
}

fn one_by_one_length(model: &TextModel, prompt: &FewShotPrompt, query: &str, answer: &str) -> usize {
    let text = FewShotPrompt { query: query.to_owned(), ..prompt.clone() }.render().text;
    model.tokenizer.ids(&format!("{text} {answer},")).unwrap().len() - 1
}

#[test]
fn an_answer_that_is_no_label_is_scored_and_never_right() {
    let model = golden("gpt2");
    let prompt = prompt(1, &mut Random::new(2, 0));
    let labels = vec!["yes".to_owned(), "no".to_owned()];
    let queries = vec![["abc".to_owned(), "perhaps".to_owned()], ["abc".to_owned(), "no".to_owned()]];
    let (answers, _) =
        ask(&model, &BatchSpec { prompt: prompt.clone(), queries, labels, calibrate: false, edits: Vec::new() });
    let (_, expected) = one_by_one(&model, &prompt, "abc", "perhaps");
    assert!(!answers[0].correct && (answers[0].log_prob - expected.sum()).abs() < 1e-4, "{answers:?}");
    let sum: f64 = answers[0].shares.iter().sum();
    assert!(answers[0].shares == answers[1].shares && (sum - 1.0).abs() < 1e-9);
}

#[test]
fn answers_without_tokens_and_empty_tables_are_errors() {
    let model = golden("gpt2");
    let spec = |queries: Vec<[String; 2]>| BatchSpec {
        prompt: prompt(1, &mut Random::new(2, 0)),
        queries,
        ..BatchSpec::default()
    };
    assert!(Asking::new(&model, spec(Vec::new())).err().unwrap().what.contains("no query"));
    // The golden tokenizer has no token for this character.
    let error = Asking::new(&model, spec(vec![["a".into(), "=".into()]])).err().unwrap();
    assert!(error.what.contains("\"=\""), "{error}");
}
