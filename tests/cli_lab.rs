//! `fovea score` and `fovea kshot`: the real binary, what it prints, what it writes, and how it ends.

mod support;

use fovea::types::KShotReport;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::root;

fn fovea(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.args(arguments).args(["--device", "cpu"]).output().unwrap()
}

/// What a command that succeeds writes to standard output and to the other.
fn both(arguments: &[&str]) -> (String, String) {
    let output = fovea(arguments);
    let notes = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {notes}");
    (String::from_utf8(output.stdout).unwrap(), notes)
}

fn text(arguments: &[&str]) -> String {
    both(arguments).0
}

/// The message of a command that must fail: exit code 2, nothing on standard output, one error on the other.
fn failure(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty() && message.matches("error: ").count() == 1, "{arguments:?}: {message}");
    assert!(message.contains("\n  why: ") && message.contains("\n  next: "), "{arguments:?}: {message}");
    message
}

fn gpt2() -> String {
    root().join("tests/golden/gpt2").display().to_string()
}

/// A task in letters the golden model's tokenizer knows.
fn task(folder: &Path) -> String {
    let path = folder.join("letters.tsv");
    let mut text = "# title: Letters\n# template: {input} is {output}\n# separator: ,\ninput\toutput\n".to_owned();
    for i in 0..20u8 {
        text += &format!("{}\t{}\n", char::from(b'a' + i), ["yes", "no"][usize::from(i % 2)]);
    }
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn score_ranks_candidates_and_gives_their_tokens() {
    let model = gpt2();
    let common =
        ["score", "--model", &model, "--prompt", "red is rot, blue is", "--candidate", "blau", "--candidate", "rot"];
    let json: Value = serde_json::from_str(&text(&[&common[..], &["--ending", ",", "--json"]].concat())).unwrap();
    let candidates = json["candidates"].as_array().unwrap();
    assert_eq!((candidates[0]["text"].as_str(), candidates[1]["text"].as_str()), (Some("blau"), Some("rot")));
    assert_eq!(candidates[0]["tokens"].as_array().unwrap().len(), 6, "a space, four letters, the ending");
    let value = |i: usize, key: &str| candidates[i][key].as_f64().unwrap();
    assert!((value(0, "share") + value(1, "share") - 1.0).abs() < 1e-9 && candidates[0]["calibrated"].is_null());
    let ratio = (value(0, "log_prob") - value(1, "log_prob")).exp();
    assert!((value(0, "share") / value(1, "share") - ratio).abs() < 1e-6 * ratio);

    let plain = text(&common);
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(lines.len(), 4, "{plain}");
    assert!(lines[0].contains("share") && lines[3].starts_with("everything else"), "{plain}");
    let shares = lines[1..3].iter().map(|line| line.split_whitespace().next().unwrap().parse::<f64>().unwrap());
    assert!(shares.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b), "{plain}");

    let calibrated = text(&[&common[..], &["--calibrate", "blue"]].concat());
    assert!(calibrated.lines().next().unwrap().contains("calibrated"), "{calibrated}");
    let json: Value = serde_json::from_str(&text(&[&common[..], &["--calibrate", "blue", "--json"]].concat())).unwrap();
    let sum: f64 = json["candidates"].as_array().unwrap().iter().map(|c| c["calibrated"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
}

#[test]
fn each_prompt_of_a_file_is_scored_as_by_itself() {
    let (scratch, model) = (tempfile::tempdir().unwrap(), gpt2());
    let prompts: Vec<String> =
        (0..700).map(|i| format!("{} is", "red blue rot ".repeat(1 + i % 3).trim_end())).collect();
    let (lines, table) = (scratch.path().join("prompts.txt"), scratch.path().join("prompts.tsv"));
    fs::write(&lines, prompts.join("\n\n")).unwrap();
    fs::write(&table, format!("a\tquestion\n{}", prompts.iter().map(|p| format!("1\t{p}\n")).collect::<String>()))
        .unwrap();
    let answers = ["--candidate", "blau", "--candidate", "r", "--ending", ","];
    let score = |file: &Path, more: &[&str]| {
        let file = file.display().to_string();
        text(&[&["score", "--model", &model, "--data", &file][..], &answers, more].concat())
    };
    let scored = score(&lines, &["--json"]);
    let rows: Vec<Value> = scored.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), prompts.len());
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((row["line"].as_u64(), row["prompt"].as_str()), (Some(1 + 2 * i as u64), Some(&*prompts[i])));
    }
    for i in [0, 1, 2, 599] {
        let given = ["score", "--model", &model, "--prompt", &prompts[i], "--json"];
        let alone: Value = serde_json::from_str(&text(&[&given[..], &answers].concat())).unwrap();
        for (ours, expected) in
            rows[i]["candidates"].as_array().unwrap().iter().zip(alone["candidates"].as_array().unwrap())
        {
            assert_eq!(ours["text"], expected["text"]);
            let off = ours["log_prob"].as_f64().unwrap() - expected["log_prob"].as_f64().unwrap();
            assert!(off.abs() < 1e-4, "prompt {i}: {ours} is not {expected}");
        }
        assert_eq!(rows[i]["prompt_tokens"], alone["prompt_tokens"]);
    }
    let plain = score(&table, &["--column", "question"]);
    assert_eq!(plain.lines().count(), prompts.len(), "the line of names is no prompt");
    let first = rows[0]["answer"].as_str().unwrap();
    assert!(plain.lines().next().unwrap().contains(&format!("{first}  after red blue rot is")), "{plain}");

    let long = scratch.path().join("long.txt");
    fs::write(&long, format!("red is\n{}\n", "a".repeat(72))).unwrap();
    let file = long.display().to_string();
    let error = failure(&["score", "--model", &model, "--data", &file, "--candidate", "ab"]);
    assert!(error.contains("too long") && error.contains("begins with \"aaaa"), "{error}");
    let neither = fovea(&["score", "--model", &model, "--candidate", "ab"]);
    assert_eq!(neither.status.code(), Some(2), "neither a prompt nor a file");
}

#[test]
fn score_refuses_what_it_cannot_score() {
    let model = gpt2();
    let common = ["score", "--model", &model, "--prompt"];
    assert!(failure(&[&common[..], &["ab", "--candidate", ""]].concat()).contains("\"\""));
    let long = "a".repeat(72);
    assert!(failure(&[&common[..], &[&long, "--candidate", "ab"]].concat()).contains("2 tokens too long"));
    assert!(failure(&[&common[..], &["ab", "--candidate", "a", "--calibrate", "x"]].concat()).contains("\"x\""));
    let digits = failure(&["score", "--model", "digits-mlp", "--prompt", "a", "--candidate", "b"]);
    assert!(digits.contains("cannot read text"), "{digits}");
}

#[test]
fn kshot_prints_a_table_a_report_and_a_figure() {
    let scratch = tempfile::tempdir().unwrap();
    let (model, task) = (gpt2(), task(scratch.path()));
    let common = ["kshot", "--model", &model, "--task", &task, "--k", "2, 0", "--seeds", "3", "--queries", "5"];
    let plain = text(&common);
    assert!(plain.starts_with("Letters: gpt2, 3 seeds of 5 queries\n"), "{plain}");
    let rows: Vec<Vec<&str>> = plain.lines().skip(3).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ["0", "2"], "{plain}");

    let json = text(&[&common[..], &["--json"]].concat());
    let report: KShotReport = serde_json::from_str(&json).unwrap();
    assert_eq!((report.points.len(), report.answers.len(), report.spec.seeds.as_slice()), (6, 6, [1, 2, 3].as_slice()));
    assert_eq!(report.spec.table.labels, ["yes", "no"], "found in the file");
    for (row, band) in rows.iter().zip(KShotReport::band(&report.points)) {
        assert_eq!(row[1].parse::<f64>().unwrap(), (band.1 * 1000.0).round() / 10.0, "{plain}");
    }

    for name in ["curve.svg", "curve.png", "curve.csv"] {
        let out = scratch.path().join(name);
        text(&[&common[..], &["--out", &out.display().to_string()]].concat());
        let bytes = fs::read(&out).unwrap();
        match name {
            "curve.svg" => assert!(String::from_utf8(bytes).unwrap().contains("Letters")),
            "curve.png" => assert!(bytes.starts_with(b"\x89PNG")),
            _ => assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 7),
        }
    }
}

#[test]
fn kshot_compares_tasks_and_variants_change_what_they_should() {
    let scratch = tempfile::tempdir().unwrap();
    let (model, letters) = (gpt2(), task(scratch.path()));
    let other = scratch.path().join("other.csv");
    let rows: String = ('a'..='y').map(|c| format!("{c},{c}{c}\n")).collect();
    fs::write(&other, rows + "z,\n").unwrap();
    let common = [
        "kshot",
        "--model",
        &model,
        "--task",
        &letters,
        "--task",
        other.to_str().unwrap(),
        "--k",
        "0,2",
        "--seeds",
        "2",
        "--queries",
        "4",
    ];
    let (plain, notes) = both(&common);
    let rows: Vec<&str> = plain.lines().skip(2).collect();
    assert_eq!(rows.len(), 4, "names of columns, two tasks, the mean: {plain}");
    let last = |row: &str| row.rsplit_once(" %").unwrap().0.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
    assert!((last(rows[3]) - (last(rows[1]) + last(rows[2])) / 2.0).abs() < 0.11, "{plain}");
    assert!(notes.contains("other.csv: 1 rows without input or output"), "{notes}");

    let reports = text(&[&common[..], &["--json", "--labels", "shuffled", "--no-instruction", "--calibrate"]].concat());
    let reports: Vec<KShotReport> = reports.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), 2);
    let variant = &reports[0].spec.variant;
    assert!(
        variant.without_instruction && variant.calibrate && variant.labels == fovea::types::LabelTreatment::Shuffled
    );
    assert!(reports[1].notes.iter().any(|note| note.contains("Calibration")), "{:?}", reports[1].notes);
}

#[test]
fn kshot_refuses_what_it_cannot_measure() {
    let scratch = tempfile::tempdir().unwrap();
    let model = gpt2();
    let letters = task(scratch.path());
    let with = |task: &str, more: &[&str]| failure(&[&["kshot", "--model", &model, "--task", task][..], more].concat());
    assert!(with(&letters, &["--k", "1,x"]).contains("\"x\" is not a whole number"));
    assert!(with(&letters, &["--k", "-1"]).contains("\"-1\""));
    assert!(with(&letters, &["--k", "20"]).contains("20 rows, and 20 examples"));
    assert!(with(&letters, &["--seeds", "0"]).contains("no point"));
    assert!(with("sentimant", &[]).contains("Did you mean sentiment"));
    assert!(with(&letters, &["--out", "curve.gif"]).contains("curve.gif"));
    let page = scratch.path().join("page.tsv");
    fs::write(&page, "<html></html>").unwrap();
    let error = with(page.to_str().unwrap(), &[]);
    assert!(error.contains("page.tsv") && error.contains("web page"), "{error}");
    assert!(failure(&["kshot", "--model", "digits-mlp", "--task", &letters]).contains("cannot read text"));
}

#[test]
fn kshot_can_keep_to_the_pairs_a_model_has_seen() {
    let measured = |pairs: &str| -> KShotReport {
        let common =
            ["kshot", "--model", "seedling", "--task", "plurals", "--k", "2", "--seeds", "1", "--queries", "10"];
        serde_json::from_str(&text(
            &[&common[..], &["--pairs", pairs, "--template", "{input} -> {output}", "--json"]].concat(),
        ))
        .unwrap()
    };
    let (all, seen) = (measured("all").spec.table, measured("seen").spec.table);
    assert_eq!(seen.template, "{input} -> {output}");
    assert!(seen.rows.len() < all.rows.len() && seen.rows.len() > all.rows.len() * 3 / 4, "a tenth is left out");
    assert!(seen.rows.iter().all(|row| all.rows.contains(row)));

    let failure_of = |model: &str, task: &str| failure(&["kshot", "--model", model, "--task", task, "--pairs", "seen"]);
    assert!(failure_of("sprout", "plurals").contains("fewshot.json"));
    assert!(failure_of("seedling", "larger").contains("as a whole"));
    let template = ["kshot", "--model", "sprout", "--task", "plurals", "--template", "{input}"];
    assert!(failure(&template).contains("{output}"));
}
