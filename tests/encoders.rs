//! Encoders and vision transformers through the engine and the command line: what they do, and what is said when they
//! cannot.

mod support;

use fovea::engine::{Command, FillSpec, GenerateSpec, InspectSpec, Outcome, PromptInput, Work, read_picture};
use fovea::types::{DeviceChoice, JobId, ModelId, ModelInfo, ModelKind, Picture, SiteFilter, UserError};
use serde_json::Value;
use std::path::PathBuf;
use support::root;
use support::script::Script;

fn golden(name: &str) -> PathBuf {
    root().join("tests/golden").join(name)
}

fn with_model(name: &str) -> (Script, ModelInfo) {
    let mut engine = Script::start(DeviceChoice::Cpu);
    let info = engine.open(&golden(name));
    (engine, info)
}

fn ask(engine: &mut Script, command: impl FnOnce(JobId) -> Command) -> Result<Outcome, UserError> {
    let job = JobId::next();
    engine.send(command(job));
    engine.end(job)
}

fn inspect(
    engine: &mut Script,
    model: ModelId,
    prompt: PromptInput,
    sites: &str,
) -> Result<std::sync::Arc<fovea::types::InspectReport>, UserError> {
    let sites: SiteFilter = sites.parse().unwrap();
    match ask(engine, |job| {
        Command::start(job, model, Work::Inspect(InspectSpec { prompt, sites, edits: Vec::new() }))
    })? {
        Outcome::Inspected(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_mask_is_filled_with_its_likeliest_tokens() {
    let (mut engine, info) = with_model("bert");
    assert_eq!(info.kind(), ModelKind::TextEncoder);
    assert_eq!(info.shape.encoder().unwrap().mask.as_deref(), Some("[MASK]"));
    let text = "the [MASK] is blue [MASK]".to_owned();
    let outcome = ask(&mut engine, |job| Command::start(job, info.id, Work::Fill(FillSpec { text, top: 3 }))).unwrap();
    let Outcome::Filled(report) = outcome else { panic!("{outcome:?}") };
    let places: Vec<usize> = report.masks.iter().map(|mask| mask.position).collect();
    assert_eq!(places, [2, 5]);

    // The same from the logits of an inspection.
    let sites = "logits";
    let inspected = inspect(&mut engine, info.id, PromptInput::Text(report.text.clone()), sites).unwrap();
    let texts: Vec<&str> = inspected.tokens.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(texts, ["[CLS]", "the", "[MASK]", "is", "blue", "[MASK]", "[SEP]"]);
    let logits = &inspected.captures[0];
    let width = logits.shape[1];
    for mask in &report.masks {
        let row = &logits.values[mask.position * width..(mask.position + 1) * width];
        let best = (0..width).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        let sum: f64 = row.iter().map(|&x| f64::from(x - row[best]).exp()).sum();
        let first = &mask.candidates[0];
        assert_eq!(first.id as usize, best);
        assert!((f64::from(first.probability) - 1.0 / sum).abs() < 1e-5);
        assert_eq!(mask.candidates.len(), 3);
        assert!(mask.candidates.is_sorted_by(|a, b| a.probability >= b.probability));
    }
    assert!(!report.filled.contains("[MASK]") && !report.filled.contains("[CLS]"), "{}", report.filled);
}

#[test]
fn a_batch_of_texts_gives_what_each_gives_alone() {
    let (mut engine, info) = with_model("roberta");
    let mut embed = |texts: &[&str]| {
        let texts = texts.iter().map(|&t| t.to_owned()).collect();
        match ask(&mut engine, |job| Command::start(job, info.id, Work::Embed(texts))).unwrap() {
            Outcome::Embedded(report) => report,
            other => panic!("{other:?}"),
        }
    };
    let texts = ["hello", "the cat is blue and old", "", &"x".repeat(50)];
    let together = embed(&texts);
    for (text, batched) in texts.iter().zip(&together.embeddings) {
        let alone = &embed(&[text]).embeddings[0];
        let worst = alone.vector.iter().zip(&batched.vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{text:?} differs by {worst}");
        assert_eq!(alone.tokens, batched.tokens);
    }
    // 40 places, of which the padding token and those before it have none to give.
    assert_eq!((together.embeddings[3].tokens, together.embeddings[3].left_out), (38, 14));
    // More than are sorted together, and more tokens than one step reads.
    let many: Vec<&str> = (0..1_500).map(|i| texts[i * 7 % 4]).collect();
    for (i, embedding) in embed(&many).embeddings.iter().enumerate() {
        let first = &together.embeddings[i * 7 % 4].vector;
        let worst = first.iter().zip(&embedding.vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "text {i} differs by {worst}");
    }
}

#[test]
fn a_vision_transformer_is_looked_into_patch_by_patch() {
    let (mut engine, info) = with_model("deit");
    let picture = read_picture(&golden("deit").join("picture-0.png")).unwrap();
    let command = |job| Command::start(job, info.id, Work::ClassifyPicture(picture.clone()));
    let Outcome::PictureClassified(answer) = ask(&mut engine, command).unwrap() else { panic!() };
    assert_eq!(answer.classes.len(), 5);
    assert!((answer.classes.iter().map(|c| c.probability).sum::<f32>() - 1.0).abs() < 1e-5);
    let report = inspect(&mut engine, info.id, PromptInput::Picture(picture), "blocks.*.attn.pattern,logits").unwrap();
    let seen = report.picture.as_ref().unwrap();
    assert_eq!((seen.grid, seen.special_tokens, seen.seen.width), ([4, 4], 2, 16));
    // What nobody looks into is computed in fewer passes, whose sums have another order.
    for (seen, answered) in seen.classes.iter().zip(&answer.classes) {
        assert_eq!((seen.class, &seen.label), (answered.class, &answered.label));
        assert!((seen.probability - answered.probability).abs() < 1e-6, "{seen:?} is not {answered:?}");
    }
    assert_eq!(seen.classes.len(), answer.classes.len());
    assert_eq!(report.tokens.len(), 18);
    assert_eq!(report.tokens[2].text, "row 0 column 0");
    assert_eq!(report.pattern(1, 3).unwrap().len(), 18 * 18);
}

#[test]
fn who_asks_the_wrong_kind_of_model_is_told_what_to_do() {
    let mut engine = Script::start(DeviceChoice::Cpu);
    let [bert, bare, vit, gpt2] = ["bert", "bert-bare", "vit", "gpt2"].map(|name| engine.open(&golden(name)).id);
    let digits = engine.open(&root().join("models/digits-mlp")).id;
    let text = || PromptInput::Text("the cat".into());
    let picture = || Picture::gray(2, &[0.0, 1.0, 0.5, 0.25]);
    let generate = |model| {
        move |job| {
            Command::start(
                job,
                model,
                Work::Generate(GenerateSpec { prompt: text(), sampling: Default::default(), edits: Vec::new() }),
            )
        }
    };
    let embed = |model| move |job| Command::start(job, model, Work::Embed(vec!["a".into()]));
    let fill = |model, text: &'static str| {
        move |job| Command::start(job, model, Work::Fill(FillSpec { text: text.into(), top: 1 }))
    };
    let classify = |model| move |job| Command::start(job, model, Work::ClassifyPicture(picture()));
    let look = |model, prompt| {
        move |job| {
            Command::start(
                job,
                model,
                Work::Inspect(InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() }),
            )
        }
    };
    let mut check = |command: Box<dyn FnOnce(JobId) -> Command>, words: &[&str]| {
        let error = ask(&mut engine, command).expect_err("it cannot");
        for word in words {
            assert!(error.to_string().contains(word), "{word:?} is not in:\n{error}");
        }
    };
    check(Box::new(generate(bert)), &["bert cannot continue a text", "fovea fill"]);
    check(Box::new(generate(vit)), &["vit cannot read text", "LlamaForCausalLM"]);
    check(Box::new(embed(gpt2)), &["gpt2", "BertModel"]);
    check(Box::new(embed(digits)), &["cannot read text"]);
    check(Box::new(fill(bare, "the [MASK]")), &["bert-bare cannot fill masks", "BertForMaskedLM", "fovea embed"]);
    check(Box::new(fill(bert, "the cat")), &["no mask", "[MASK]"]);
    check(Box::new(classify(bert)), &["bert cannot read images", "ViTForImageClassification"]);
    check(Box::new(classify(digits)), &["digits-mlp reads digits only"]);
    check(Box::new(look(vit, text())), &["vit reads pictures", "--image"]);
    check(Box::new(look(bert, PromptInput::Picture(picture()))), &["bert cannot read a picture"]);
    check(Box::new(look(bert, PromptInput::Ids(vec![2, 400]))), &["400"]);
    check(Box::new(look(bert, PromptInput::Ids(vec![5; 41]))), &["41 tokens", "at most 40"]);
}

fn fovea(arguments: &[&str]) -> (bool, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"))
        .args(arguments)
        .args(["--device", "cpu"])
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn json(arguments: &[&str]) -> Value {
    let (ok, out, err) = fovea(arguments);
    assert!(ok, "{err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

#[test]
fn the_command_line_embeds_fills_and_classifies() {
    let folder = |name: &str| golden(name).to_string_lossy().into_owned();
    let (bert, bare, vit) = (folder("bert"), folder("bert-bare"), folder("vit"));
    let answer = json(&["embed", "--model", &bare, "--text", "the cat", "--text", "the dog", "--json"]);
    assert_eq!(answer["embeddings"][1]["text"], "the dog");
    assert_eq!(answer["embeddings"][0]["vector"].as_array().unwrap().len(), 24);
    assert_eq!(answer["similarities"][0][0].as_f64().map(f64::round), Some(1.0));
    assert_eq!(answer["pooling"], "mean");
    let (_, table, notes) = fovea(&["embed", "--model", &bare, "--text", &"the ".repeat(60)]);
    assert!(table.contains("24 dimensions") && !table.contains("similarity"), "{table}");
    assert!(notes.contains("cut off behind 40 tokens; 22 more"), "{notes}");

    let answer = json(&["fill", "--model", &bert, "--prompt", "the [MASK] is", "--top", "2", "--json"]);
    assert_eq!(answer["masks"][0]["position"], 2);
    assert_eq!(answer["masks"][0]["candidates"].as_array().unwrap().len(), 2);
    assert!(answer["masks"][0]["candidates"][0]["prob"].is_f64());
    let (ok, _, error) = fovea(&["fill", "--model", &bert, "--prompt", "no mask"]);
    assert!(!ok && error.contains("Write [MASK]"), "{error}");

    let picture = golden("vit").join("picture-0.png").to_string_lossy().into_owned();
    let answer = json(&["classify", "--model", &vit, &picture, "--json"]);
    assert_eq!(answer["label"], answer["classes"][0]["label"]);
    assert_eq!(answer["classes"].as_array().unwrap().len(), 5);
    let (ok, lines, _) = fovea(&["classify", "--model", &vit, &picture]);
    assert!(ok && lines.lines().count() == 5 && lines.contains('%'), "{lines}");

    let scratch = tempfile::tempdir().unwrap();
    for (model, input) in [(&vit, ["--image", &picture]), (&bert, ["--prompt", "the cat"]), (&bare, ["--ids", "2,9,3"])]
    {
        let out = scratch.path().join("sites.safetensors");
        let file = out.to_string_lossy().into_owned();
        let (ok, _, error) = fovea(&["inspect", "--model", model, input[0], input[1], "--out", &file]);
        assert!(ok, "{error}");
        let bytes = std::fs::read(&out).unwrap();
        let sites = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert!(sites.tensor("blocks.1.attn.pattern").is_ok(), "{:?}", sites.names());
    }
}

/// The numbers of an NPY file, and its rows and columns.
fn npy(path: &std::path::Path) -> (Vec<f32>, [usize; 2]) {
    let bytes = std::fs::read(path).unwrap();
    let header = String::from_utf8(bytes[10..128].to_vec()).unwrap();
    let shape = header.split('(').nth(1).unwrap().split(',');
    let sizes: Vec<usize> = shape.filter_map(|size| size.trim().parse().ok()).collect();
    (bytes[128..].as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect(), [sizes[0], sizes[1]])
}

#[test]
fn a_file_of_texts_gives_a_vector_for_each_in_its_order() {
    let (dir, bare) = (tempfile::tempdir().unwrap(), golden("bert-bare").to_string_lossy().into_owned());
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (words, count) = (["the", "cat", "is", "blue", "old", "dog"], 1_100);
    let text = |i: usize| (0..1 + i * 7 % 11).map(|j| words[(i + j * j) % 6]).collect::<Vec<_>>().join(" ");
    let table: String = (0..count).map(|i| format!("{i},\"{}\",x\n", text(i))).collect();
    std::fs::write(path("texts.csv"), format!("id,sentence,note\n{table}")).unwrap();

    let (ok, lines, error) = fovea(&["embed", "--model", &bare, "--data", &path("texts.csv"), "--json"]);
    assert!(ok && error.contains("modules.json"), "{error}");
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), count);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!((&row["line"], row["text"].as_str()), (&Value::from(i + 2), Some(text(i).as_str())));
    }
    let alone = json(&["embed", "--model", &bare, "--text", &text(700), "--json"]);
    let values = |row: &Value| -> Vec<f32> {
        row["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
    };
    let worst = values(&alone["embeddings"][0]).into_iter().zip(values(&rows[700])).map(|(a, b)| (a - b).abs());
    assert!(worst.fold(0.0, f32::max) < 1e-5);

    // The same in every file, and from a pipe.
    let (ok, _, error) =
        fovea(&["embed", "--model", &bare, "--data", &path("texts.csv"), "--column", "2", "--out", &path("a.npy")]);
    assert!(ok && error.contains(&format!("wrote {} vectors", count + 1)), "the line of names is a text: {error}");
    let (numbers, shape) = npy(&dir.path().join("a.npy"));
    assert_eq!(shape, [count + 1, 24]);
    assert!((0..count).all(|i| numbers[(i + 1) * 24..(i + 2) * 24] == values(&rows[i])[..]));
    std::fs::write(path("a.safetensors"), "an old file").unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"))
        .args(["embed", "--model", &bare, "--data", "-", "--out", &path("a.safetensors"), "--device", "cpu"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let all: Vec<String> = (0..count).map(text).collect();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), all.join("\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let bytes = std::fs::read(path("a.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor("embeddings").unwrap();
    assert_eq!(tensor.shape(), [count, 24]);
    assert_eq!(tensor.data(), numbers[24..].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
}

#[test]
fn what_was_embedded_before_an_error_stays_whole() {
    let (dir, bare) = (tempfile::tempdir().unwrap(), golden("bert-bare").to_string_lossy().into_owned());
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let lines = "{\"text\": \"the cat\"}\n".repeat(600) + "{\"body\": \"the dog\"}\n";
    std::fs::write(path("texts.jsonl"), lines).unwrap();
    let embed = |more: &[&str]| fovea(&[&["embed", "--model", &bare, "--data", &path("texts.jsonl")], more].concat());
    let (ok, _, error) = embed(&["--out", &path("a.npy"), "--column", "text"]);
    assert!(
        !ok && error.contains("Line 601 has no field \"text\"") && error.contains("512 texts were embedded"),
        "{error}"
    );
    assert_eq!(npy(&dir.path().join("a.npy")).1, [512, 24]);
    let (ok, _, error) = embed(&["--out", &path("a.txt")]);
    assert!(!ok && error.contains("npy, safetensors, csv and jsonl"), "{error}");
    let (ok, _, error) = embed(&["--out", &path("none/a.npy")]);
    assert!(!ok && error.contains("could not be written"), "{error}");
    std::fs::write(path("blank.csv"), "text,b\n,1\n,2\n").unwrap();
    let (ok, _, error) = fovea(&["embed", "--model", &bare, "--data", &path("blank.csv"), "--out", &path("b.npy")]);
    assert!(!ok && error.contains("There is no text in") && !dir.path().join("b.npy").exists(), "{error}");
    let gpt2 = golden("gpt2").to_string_lossy().into_owned();
    let (ok, _, error) = fovea(&["embed", "--model", &gpt2, "--data", &path("texts.jsonl")]);
    assert!(!ok && error.contains("gpt2"), "{error}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_vectors_that_are_done_in_a_whole_file() {
    use std::io::{BufRead, Write};
    let (dir, bare) = (tempfile::tempdir().unwrap(), golden("bert-bare").to_string_lossy().into_owned());
    let out = dir.path().join("a.npy");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"))
        .args(["embed", "--model", &bare, "--data", "-", "--out", &out.to_string_lossy(), "--device", "cpu"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A text that is cut off is told of when its portion is written. The pipe stays open, so more could come.
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(("the ".repeat(50) + "\n").repeat(700).as_bytes()).unwrap();
    pipe.flush().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("text 512 was cut off")));
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said = lines.last().unwrap();
    assert!(said.contains("512 texts were embedded"), "{said}");
    assert_eq!(npy(&out).1, [512, 24]);
    drop(pipe);
}
