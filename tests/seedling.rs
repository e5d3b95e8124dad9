//! The shipped few-shot model infers tasks from examples; `tests/bench/seedling.sh` measures it in full.

mod support;

use fovea::engine::{Command, Event, Outcome, PromptInput, Work, shipped_tasks};
use fovea::types::{
    DeviceChoice, Draw, FewShotPrompt, GeneratedToken, JobId, KShotReport, KShotSpec, LabelTreatment, ModelInfo,
    Sampling, Shot, TaskTable, Variant,
};
use std::sync::Arc;
use support::root;
use support::script::Script;

fn open(script: &mut Script) -> ModelInfo {
    script.open(&root().join("models/seedling"))
}

/// A table without the pairs that training left out.
fn seen(info: &ModelInfo, id: &str) -> TaskTable {
    let left_out = info.held_out.as_ref().expect("fewshot.json says what was left out");
    let mut table = shipped_tasks().iter().find(|table| table.id == id).unwrap().clone();
    table.rows.retain(|[input, _]| !TaskTable::holds_out(id, input, left_out.held_out_pairs));
    table
}

/// A table of rules whose words stood in no rule.
fn unseen(script: &mut Script, id: &str) -> TaskTable {
    let (job, path) = (JobId::next(), root().join("assets/unseen-rules").join(id).with_extension("tsv"));
    script.send(Command::start(job, None, Work::ReadTable(path)));
    let Outcome::TableRead(read) = script.end(job).unwrap() else { panic!("no table") };
    let table = Arc::clone(&read.table);
    TaskTable::clone(&table)
}

fn measure(
    script: &mut Script,
    info: &ModelInfo,
    table: TaskTable,
    ks: &[usize],
    labels: LabelTreatment,
) -> Arc<KShotReport> {
    let variant = Variant { labels, without_instruction: true, ..Variant::default() };
    let spec = KShotSpec {
        table,
        ks: ks.to_vec(),
        seeds: vec![1, 2],
        queries: 20,
        variant,
        draw: Draw::Plain,
        edits: Vec::new(),
    };
    let job = JobId::next();
    script.send(Command::start(job, info.id, Work::KShot(spec)));
    let Outcome::KShot(report) = script.end(job).unwrap() else { panic!("no curve") };
    report
}

/// Mean accuracy at `k`.
fn accuracy(report: &KShotReport, k: usize) -> f64 {
    KShotReport::band(&report.points).into_iter().find(|band| band.0 == k).unwrap().1
}

#[test]
fn examples_tell_the_task() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = open(&mut script);
    let ids = ["plurals", "antonyms", "en-de-nouns", "en-fr-verbs", "country-capital", "past-tense"];
    let (mut means, mut shuffled) = ([0.0; 3], 0.0);
    for id in ids {
        let table = seen(&info, id);
        let report = measure(&mut script, &info, table.clone(), &[0, 2, 8], LabelTreatment::True);
        let of_task = [0, 2, 8].map(|k| accuracy(&report, k));
        means.iter_mut().zip(of_task).for_each(|(mean, of_task)| *mean += of_task / ids.len() as f64);
        let report = measure(&mut script, &info, table, &[8], LabelTreatment::Shuffled);
        shuffled += accuracy(&report, 8) / ids.len() as f64;
    }
    let [none, two, eight] = means;
    assert!(two > 0.6 && eight > 0.8, "k = 2: {two}, k = 8: {eight}");
    assert!(two > none + 0.4, "{none} without examples, {two} with two");
    assert!(eight > shuffled + 0.25, "{eight} behind right examples, {shuffled} behind wrong ones");
}

/// A ready-made prompt of the prompt panel, and how tokens are drawn for it.
fn ready_made(id: &str) -> (FewShotPrompt, Sampling) {
    let text = std::fs::read_to_string(root().join("assets/tasks").join(id).with_extension("toml")).unwrap();
    let task: toml::Table = text.parse().unwrap();
    let text = |name: &str| task.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let shots = task["shots"].as_array().unwrap().iter().map(|pair| Shot {
        input: pair[0].as_str().unwrap().to_owned(),
        output: pair[1].as_str().unwrap().to_owned(),
        on: true,
    });
    let prompt = FewShotPrompt {
        instruction: text("instruction"),
        shots: shots.collect(),
        query: text("query"),
        template: text("template"),
        separator: "\n".to_owned(),
    };
    let sampling = Sampling {
        temperature: task.get("temperature").and_then(toml::Value::as_float).unwrap_or_default() as f32,
        max_new_tokens: task["max_new_tokens"].as_integer().unwrap() as usize,
        stop: vec![text("stop").replace("\\n", "\n")],
        ..Sampling::default()
    };
    (prompt, sampling)
}

#[test]
fn the_first_prompts_a_person_tries_are_answered_and_end_there() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = open(&mut script);
    for (id, answer) in [("opposites", "cold"), ("plurals", "houses")] {
        let (prompt, sampling) = ready_made(id);
        let job = script.generate(info.id, PromptInput::Text(prompt.render().text), sampling);
        script.end(job).unwrap();
        let tokens: Vec<GeneratedToken> = script
            .seen
            .iter()
            .filter_map(|event| match event {
                Event::Token { job: of, token } if *of == job => Some(token.clone()),
                _ => None,
            })
            .collect();
        let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(text.trim(), answer, "{id}: {text:?}");
        // The line break that ended it is a token of its own, though it adds no text.
        let last = tokens.last().unwrap();
        assert_eq!((last.name(), last.text.as_str()), ("\n", ""), "{id}");
    }
}

#[test]
fn rules_hold_for_words_they_were_never_shown_on() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = open(&mut script);
    let ids = ["copy", "capitalise", "choose-first", "choose-middle", "choose-last"];
    let of_rules = ids.map(|id| {
        let table = unseen(&mut script, &format!("unseen-{id}"));
        accuracy(&measure(&mut script, &info, table, &[8], LabelTreatment::True), 8)
    });
    assert!(of_rules.iter().sum::<f64>() / ids.len() as f64 >= 0.9, "{of_rules:?} of {ids:?}");
}

#[test]
fn ways_of_writing_that_were_held_out_are_read() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let info = open(&mut script);
    let templates = info.held_out.clone().expect("fewshot.json says what was left out").held_out_templates;
    assert_eq!(templates.len(), 2);
    for template in templates {
        let table = TaskTable { template: template.clone(), ..seen(&info, "en-de-nouns") };
        let right = accuracy(&measure(&mut script, &info, table, &[8], LabelTreatment::True), 8);
        assert!(right > 0.7, "{right} of the answers written as {template:?} are right");
    }
}
