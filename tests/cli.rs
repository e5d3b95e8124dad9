//! The real binary, command by command: what it prints, what it writes, and how it ends.

mod support;

use safetensors::SafeTensors;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::data::{digit_image, one_digit_folder, write_lines, write_shape};
use support::{root, shared};

fn fovea() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command
}

fn run(arguments: &[&str]) -> Output {
    fovea().args(arguments).output().unwrap()
}

/// What a command that succeeds writes to standard output.
fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Each line that a command writes, as JSON.
fn json(arguments: &[&str]) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text(arguments).lines().map(parse).collect()
}

/// The message of a command that must fail: exit code 2, nothing on standard output, one error on the other.
fn failure(arguments: &[&str]) -> String {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote {:?}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(message.matches("error: ").count(), 1, "{arguments:?}: {message}");
    assert!(message.contains("\n  why: ") && message.contains("\n  next: "), "{arguments:?}: {message}");
    assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    message
}

fn golden(name: &str) -> String {
    root().join("tests/golden").join(name).display().to_string()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A copy of a golden model folder, to damage.
fn copy(name: &str, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"] {
        fs::copy(Path::new(&golden(name)).join(file), to.join(file)).unwrap();
    }
    to.to_owned()
}

#[test]
fn generate_streams_text_and_the_same_as_json() {
    let model = golden("gpt2");
    let common = ["generate", "--device", "cpu", "--model", &model, "--prompt", "abc", "--max-new-tokens", "5"];
    let plain = text(&common);
    let lines = json(&[&common[..], &["--json"]].concat());
    let (done, tokens) = lines.split_last().unwrap();
    let joined: String = tokens.iter().map(|token| token["text"].as_str().unwrap()).collect();
    assert_eq!(plain, format!("{joined}\n"));
    assert_eq!(tokens.len(), 5);
    for token in tokens {
        let top = token["top"].as_array().unwrap();
        assert_eq!(top[0]["id"], token["id"], "greedy");
        let probability = top[0]["prob"].as_f64().unwrap();
        assert!((probability.ln() - token["logprob"].as_f64().unwrap()).abs() < 1e-4);
        assert!(top.windows(2).all(|pair| pair[0]["prob"].as_f64() >= pair[1]["prob"].as_f64()));
    }
    let done = &done["done"];
    assert_eq!((done["prompt_tokens"].as_u64(), done["new_tokens"].as_u64()), (Some(3), Some(5)));
    assert_eq!(done["stop"], "max_new_tokens");
    assert!(done["ttft_ms"].as_f64().unwrap() > 0.0 && done["tokens_per_s"].as_f64().unwrap() > 0.0);
}

#[test]
fn samples_are_told_with_how_far_they_agree() {
    let model = golden("gpt2");
    let asked = [
        "generate",
        "--device",
        "cpu",
        "--model",
        &model,
        "--prompt",
        "abc",
        "--max-new-tokens",
        "5",
        "--samples",
        "3",
    ];
    let lines = json(&[&asked[..], &["--temperature", "1", "--seed", "4", "--json"]].concat());
    let (last, samples) = lines.split_last().unwrap();
    assert_eq!(samples.iter().map(|sample| sample["seed"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 5, 6]);
    assert!(samples.iter().all(|sample| sample["tokens"][0]["rank"].as_u64().is_some()));
    let (agreed, distinct) = (&last["agreement"], last["agreement"]["distinct"].as_u64().unwrap());
    assert!(distinct > 1 && agreed["parts_at"].is_u64() && agreed["samples"] == 3, "{agreed}");
    let plain = text(&asked);
    assert_eq!(plain.matches("seed ").count(), 3, "{plain}");
}

#[test]
fn the_surprise_of_a_text_is_told_token_by_token() {
    let model = golden("gpt2");
    let asked = ["surprise", "--device", "cpu", "--model", &model, "--text", "red is rot", "--text", "ab"];
    let lines = json(&[&asked[..], &["--json"]].concat());
    let sum: f64 = lines[0]["tokens"].as_array().unwrap().iter().filter_map(|token| token["log_prob"].as_f64()).sum();
    assert!((lines[0]["nats"].as_f64().unwrap() + sum).abs() < 1e-9 && lines[0]["tokens"][0]["log_prob"].is_null());
    assert_eq!((lines.len(), lines[1]["bytes"].as_u64()), (2, Some(1)));
    let plain = text(&asked);
    assert!(plain.contains("nats in 1 token;") && plain.contains("bits a byte"), "{plain}");
}

#[test]
fn generate_gives_the_reference_ids_of_a_published_model() {
    let Some(model) = shared("generate_gives_the_reference_ids_of_a_published_model", "models/tinystories-656k") else {
        return;
    };
    let reference: Value =
        serde_json::from_str(&fs::read_to_string(model.join("numpy-reference.json")).unwrap()).unwrap();
    let ids = |list: &Value| list.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect::<Vec<_>>();
    let prompt = ids(&reference["prompt_ids"]);
    let mut expected = ids(&reference["greedy_ids"]);
    if expected.starts_with(&prompt) {
        expected.drain(..prompt.len());
    }
    let count = expected.len().to_string();
    let prompt = reference["prompt"].as_str().unwrap();
    let lines = json(&[
        "generate",
        "--model",
        &shown(&model),
        "--device",
        "cpu",
        "--prompt",
        prompt,
        "--json",
        "--max-new-tokens",
        &count,
    ]);
    let got: Vec<_> = lines.iter().filter_map(|line| line["id"].as_u64()).collect();
    assert_eq!(got, expected);
}

#[test]
fn generate_stops_at_a_stop_string_and_cuts_it_off() {
    let model = golden("gpt2");
    let common = ["generate", "--device", "cpu", "--model", &model, "--prompt", "abc", "--max-new-tokens", "12"];
    let whole = text(&common);
    let whole = whole.trim_end_matches('\n');
    let stop: String = whole.chars().skip(3).take(2).collect();
    let cut = text(&[&common[..], &["--stop", &stop]].concat());
    assert_eq!(cut.trim_end_matches('\n'), &whole[..whole.find(&stop).unwrap()]);
    let lines = json(&[&common[..], &["--stop", &stop, "--json"]].concat());
    assert_eq!(lines.last().unwrap()["done"]["stop"]["stop_string"], stop.as_str());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let model = golden("gpt2");
    let arguments =
        ["generate", "--device", "cpu", "--model", &model, "--prompt", "abc", "--json", "--max-new-tokens", "28"];
    let mut child = fovea().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn inspect_writes_each_site_under_its_name_with_the_ids() {
    let scratch = tempfile::tempdir().unwrap();
    let out = shown(&scratch.path().join("sites.safetensors"));
    let sites = "blocks.*.attn.pattern,blocks.0.attn.k,logits";
    let model = golden("llama");
    assert_eq!(
        text(&["inspect", "--device", "cpu", "--model", &model, "--ids", "5,7,9,11", "--sites", sites, "--out", &out]),
        ""
    );
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["blocks.0.attn.k", "blocks.0.attn.pattern", "blocks.1.attn.pattern", "ids", "logits"]);
    let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("blocks.1.attn.pattern"), [4, 4, 4], "heads, tokens, tokens");
    assert_eq!(shape("blocks.0.attn.k"), [2, 4, 8], "key-value heads, tokens, head width");
    assert_eq!(shape("logits"), [4, 64], "tokens, vocabulary");
    let ids: Vec<i64> =
        file.tensor("ids").unwrap().data().chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(ids, [5, 7, 9, 11]);
    let pattern = file.tensor("blocks.0.attn.pattern").unwrap();
    let values: Vec<f32> = pattern.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    for row in values.chunks(4) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "a row of attention sums to 1: {row:?}");
    }
    assert_eq!(&values[1..4], [0.0; 3], "the first token sees itself only");
}

/// Every causal family, by its golden model and the number of sites it has.
const CAUSAL: [(&str, usize); 10] = [
    ("gpt2", 30),
    ("gpt-neox", 28),
    ("gpt-neox-sequential", 30),
    ("llama", 30),
    ("llama-tied", 30),
    ("llama3", 30),
    ("mistral", 30),
    ("qwen2", 30),
    ("qwen3", 30),
    ("gemma2", 34),
];

#[test]
fn every_causal_family_generates_and_is_inspected_and_measured() {
    let scratch = tempfile::tempdir().unwrap();
    let out = shown(&scratch.path().join("sites.safetensors"));
    for (name, sites) in CAUSAL {
        let model = golden(name);
        let prompt = ["--device", "cpu", "--model", &model, "--prompt", "abc"];
        let lines = json(&[&["generate", "--json", "--max-new-tokens", "20"], &prompt[..]].concat());
        assert_eq!(lines.len(), 21, "{name}: twenty tokens and an end");
        let ids = ["inspect", "--device", "cpu", "--model", &model, "--ids", "5,7,9,11,2,3,4,8", "--sites"];
        assert_eq!(text(&[&ids[..], &["*", "--out", &out]].concat()), "");
        let bytes = fs::read(&out).unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().names().len(), sites + 1, "{name}: sites and the ids");
        let sizes = ["bench", "--prompt-tokens", "6", "--new-tokens", "4", "--repeats", "1", "--json"];
        let report = json(&[&sizes[..], &["--device", "cpu", "--model", &model]].concat());
        assert!(report[0]["decode_tokens_per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{name}: {report:?}");
    }
    let model = golden("gpt-neox");
    let mid = failure(&[
        "inspect",
        "--device",
        "cpu",
        "--model",
        &model,
        "--ids",
        "1",
        "--sites",
        "blocks.*.resid_mid",
        "--out",
        &out,
    ]);
    assert!(mid.contains("blocks.*.resid_mid") && mid.contains("GPTNeoXForCausalLM"), "{mid}");
}

#[test]
fn figure_draws_in_the_format_of_its_name() {
    let scratch = tempfile::tempdir().unwrap();
    let model = golden("gpt2");
    let draw = |name: &str| {
        let out = shown(&scratch.path().join(name));
        text(&[
            "figure",
            "attention",
            "--device",
            "cpu",
            "--model",
            &model,
            "--prompt",
            "abcd",
            "--layer",
            "1",
            "--head",
            "0",
            "--out",
            &out,
        ]);
        fs::read(out).unwrap()
    };
    assert!(String::from_utf8(draw("a.svg")).unwrap().contains("<svg"));
    assert!(image::load_from_memory(&draw("a.png")).unwrap().width() > 100);
    let table = String::from_utf8(draw("a.csv")).unwrap();
    assert!(table.lines().count() >= 5, "four rows of four tokens: {table}");
    let place = |layer: &str, head: &str, out: &str| {
        failure(&[
            "figure",
            "attention",
            "--device",
            "cpu",
            "--model",
            &model,
            "--prompt",
            "a",
            "--layer",
            layer,
            "--head",
            head,
            "--out",
            out,
        ])
    };
    assert!(place("9", "0", "x.svg").contains("no layer 9"));
    assert!(place("0", "99", "x.svg").contains("no head 99"));
    assert!(place("0", "0", "x.gif").contains("x.gif"));
}

#[test]
fn bench_measures_a_model_and_a_bare_shape() {
    let scratch = tempfile::tempdir().unwrap();
    write_shape(scratch.path());
    let bare = shown(scratch.path());
    for (model, more) in [(golden("llama"), &[][..]), (bare, &["--random-weights"][..])] {
        let sizes = ["--prompt-tokens", "8", "--new-tokens", "6", "--repeats", "2", "--json"];
        let training = ["--train-batch", "2", "--train-context", "8", "--train-steps", "2"];
        let lines = json(&[&["bench", "--device", "cpu", "--model", &model], &sizes[..], &training, more].concat());
        let [report] = lines.as_slice() else { panic!("one line: {lines:?}") };
        for field in [
            "prefill_ms",
            "decode_tokens_per_s",
            "train_tokens_per_s",
            "load_ms",
            "bytes_per_token",
            "bandwidth_bytes_per_s",
            "bandwidth_share",
        ] {
            assert!(report[field].as_f64().is_some_and(|value| value > 0.0), "{field}: {report}");
        }
        if cfg!(target_os = "linux") {
            assert!(report["peak_rss_mb"].as_f64().is_some_and(|mb| mb > 5.0), "{report}");
        }
    }
}

#[test]
fn train_evaluate_and_classify_work_together() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, out) = (scratch.path().join("data"), scratch.path().join("net"));
    fs::create_dir(&data).unwrap();
    one_digit_folder(&data);
    let recipe = write_recipe(scratch.path(), &data, 150);
    let said = text(&["train", &shown(&recipe), "--out", &shown(&out), "--device", "cpu", "--precision", "f16"]);
    let weights = fs::read(out.join("model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&weights).unwrap();
    assert!(weights.tensors().iter().all(|(_, tensor)| tensor.dtype() == safetensors::Dtype::F16));
    assert!(said.contains("150 steps") && said.contains(&shown(&out)), "{said}");
    let lines = json(&["evaluate", "--device", "cpu", "--model", &shown(&out), "--data", &shown(&data), "--json"]);
    assert!(lines[0]["accuracy"].as_f64().unwrap() > 0.99, "ten bars are easy: {}", lines[0]);
    assert_eq!(lines[0]["images"], 50);
    let picture = scratch.path().join("seven.png");
    let pixels: Vec<u8> = digit_image(4).0.iter().map(|value| (value * 255.0) as u8).collect();
    image::GrayImage::from_raw(28, 28, pixels).unwrap().save(&picture).unwrap();
    let lines = json(&["classify", "--device", "cpu", "--model", &shown(&out), &shown(&picture), "--json"]);
    let probabilities: Vec<f64> =
        lines[0]["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
    assert_eq!(probabilities.len(), 10);
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-4);
    let best = (0..10).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap();
    assert_eq!(lines[0]["digit"], best);
    let plain = text(&["classify", "--device", "cpu", "--model", &shown(&out), &shown(&picture)]);
    assert!(plain.starts_with(&best.to_string()) && plain.lines().count() == 10, "{plain}");
}

fn write_recipe(folder: &Path, data: &Path, steps: usize) -> PathBuf {
    let recipe = folder.join("bars.toml");
    let text = format!(
        "learning_rate = 0.02\nbatch_size = 20\nsteps = {steps}\neval_every = 25\nvalidation_share = 0.2\n\n\
         [task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"\n",
        shown(data)
    );
    fs::write(&recipe, text).unwrap();
    recipe
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_the_same_command_goes_on() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, out) = (scratch.path().join("data"), scratch.path().join("net"));
    fs::create_dir(&data).unwrap();
    one_digit_folder(&data);
    let recipe = write_recipe(scratch.path(), &data, 4000);
    let (recipe, out) = (shown(&recipe), shown(&out));
    let train = ["train", recipe.as_str(), "--out", out.as_str(), "--device", "cpu"];
    let mut child = fovea().args(train).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("validation loss"), "{first}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let begun = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let stopped = rest.last().unwrap();
    let step: usize = stopped.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(stopped.contains("goes on from there") && step < 4000, "{stopped}");
    let output = run(&train);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let mut lines = said.lines();
    assert!(lines.next().is_some_and(|line| line.contains(&format!("step {step} is done"))), "{said}");
    let next = lines.next().unwrap();
    let next_step: usize = next.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(next_step > step, "it went on after step {step}: {next}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("4000 steps"));
}

#[test]
fn evaluate_measures_a_text() {
    let scratch = tempfile::tempdir().unwrap();
    let file = write_lines(scratch.path());
    let lines = json(&["evaluate", "--device", "cpu", "--model", &golden("llama"), "--data", &shown(&file), "--json"]);
    let number = |field: &str| lines[0][field].as_f64().unwrap();
    assert_eq!(number("bytes"), 4000.0);
    assert!((number("perplexity").ln() - number("loss")).abs() < 1e-3, "{}", lines[0]);
    let bits = number("loss") * number("tokens") / number("bytes") / std::f64::consts::LN_2;
    assert!((bits - number("bits_per_byte")).abs() < 1e-3 * bits, "{}", lines[0]);
}

#[test]
fn the_shipped_models_read_drawn_digits_and_tell_stories() {
    let scratch = tempfile::tempdir().unwrap();
    let picture = |name: &str, ink: &dyn Fn(f32, f32) -> bool| {
        let paper = image::GrayImage::from_fn(140, 140, |x, y| {
            image::Luma([if ink(x as f32 - 70.0, y as f32 - 70.0) { 0 } else { 255 }])
        });
        let path = scratch.path().join(name);
        paper.save(&path).unwrap();
        shown(&path)
    };
    let one = picture("one.png", &|x, y| (x + y * 0.1).abs() < 6.0 && y.abs() < 50.0);
    let zero = picture("zero.png", &|x, y| ((x / 36.0).hypot(y / 50.0) - 1.0).abs() < 0.2);
    for model in ["digits-mlp", "digits-cnn"] {
        for (digit, image) in [(1, &one), (0, &zero)] {
            let lines = json(&["classify", "--device", "cpu", "--model", model, image, "--json"]);
            assert_eq!(lines[0]["digit"], digit, "{model}: {}", lines[0]);
        }
    }
    let story = text(&[
        "generate",
        "--device",
        "cpu",
        "--model",
        "sprout",
        "--prompt",
        "Once upon a time",
        "--max-new-tokens",
        "40",
    ]);
    assert!(story.split_whitespace().count() > 15, "{story}");
}

#[test]
fn a_shipped_model_is_found_by_its_name() {
    let scratch = tempfile::tempdir().unwrap();
    copy("gpt2", &scratch.path().join("tiny"));
    let arguments = ["generate", "--device", "cpu", "--model", "tiny", "--prompt", "abc", "--max-new-tokens", "2"];
    let output = fovea().env("FOVEA_MODELS", scratch.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(failure(&arguments).contains("tiny"));
}

#[test]
fn every_broken_model_folder_is_told_with_file_and_field() {
    let scratch = tempfile::tempdir().unwrap();
    let damaged = |name: &str, damage: &dyn Fn(&Path)| {
        let folder = copy("llama", &scratch.path().join(name));
        damage(&folder);
        failure(&["generate", "--device", "cpu", "--model", &shown(&folder), "--prompt", "abc"])
    };
    let says = |message: &str, words: &[&str]| {
        for word in words {
            assert!(message.contains(word), "{word:?} is missing: {message}");
        }
    };
    let no_config = damaged("no-config", &|folder| fs::remove_file(folder.join("config.json")).unwrap());
    says(&no_config, &["no-config", "config.json"]);
    let unknown = damaged("unknown", &|folder| edit(&folder.join("config.json"), "\"llama\"", "\"mamba\""));
    says(&unknown, &["config.json", "mamba"]);
    let not_json = damaged("not-json", &|folder| fs::write(folder.join("config.json"), "{").unwrap());
    says(&not_json, &["config.json"]);
    let misshapen =
        damaged("misshapen", &|folder| edit(&folder.join("config.json"), "\"vocab_size\": 64", "\"vocab_size\": 65"));
    says(&misshapen, &["model.safetensors", "[65, 32]", "[64, 32]"]);
    let missing = damaged("missing", &|folder| {
        edit(&folder.join("config.json"), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    });
    says(&missing, &["model.safetensors", "model.layers.2."]);
    let weights = |folder: &Path| folder.join("model.safetensors");
    let cut = damaged("cut", &|folder| {
        let bytes = fs::read(weights(folder)).unwrap();
        fs::write(weights(folder), &bytes[..bytes.len() - 100]).unwrap();
    });
    says(&cut, &["model.safetensors"]);
    let garbage = damaged("garbage", &|folder| fs::write(weights(folder), [0xff; 300]).unwrap());
    says(&garbage, &["model.safetensors"]);
    let nan = damaged("nan", &|folder| {
        let mut bytes = fs::read(weights(folder)).unwrap();
        let at = bytes.len() - 2;
        bytes[at..].copy_from_slice(&0x7e00u16.to_le_bytes()); // NaN in half precision
        fs::write(weights(folder), bytes).unwrap();
    });
    says(&nan, &["model.safetensors", "NaN"]);
    let tokenizer = damaged("tokenizer", &|folder| fs::write(folder.join("tokenizer.json"), "{\"model\": 3}").unwrap());
    says(&tokenizer, &["tokenizer.json"]);
    let no_tokenizer = damaged("no-tokenizer", &|folder| fs::remove_file(folder.join("tokenizer.json")).unwrap());
    says(&no_tokenizer, &["tokenizer.json"]);
    let nowhere = failure(&["generate", "--device", "cpu", "--model", "no/such/folder", "--prompt", "abc"]);
    says(&nowhere, &["no/such/folder"]);
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} does not hold {from}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn every_mistake_of_a_person_is_told_in_plain_words() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| shown(&scratch.path().join(name));
    let model = golden("llama");
    let cpu = ["--device", "cpu"];
    let says = |arguments: &[&str], words: &[&str]| {
        let message = failure(&[arguments, &cpu[..]].concat());
        for word in words {
            assert!(message.contains(word), "{word:?} is missing: {message}");
        }
    };
    let long = "a".repeat(40);
    says(&["generate", "--model", &model, "--prompt", &long], &["40 tokens", "at most 32"]);
    says(&["generate", "--model", &model, "--prompt", ""], &["empty"]);
    says(&["generate", "--model", &model, "--prompt", "a", "--temperature=-1"], &["temperature"]);
    says(&["generate", "--model", &model, "--prompt", "a", "--top-p", "0"], &["Top-p"]);
    says(&["generate", "--model", &model, "--prompt", "a", "--min-p", "2"], &["Min-p is 2"]);
    says(&["generate", "--model", &model, "--prompt", "a", "--repetition-penalty", "0"], &["repetition penalty is 0"]);
    says(
        &["generate", "--model", &model, "--prompt", "a", "--logit-bias", "the = 2"],
        &["Line 1", "the = 2", "262 = -5"],
    );
    says(&["generate", "--model", &model, "--prompt", "a", "--own-sampling"], &["generation_config.json"]);
    let out = path("x.safetensors");
    says(&["inspect", "--model", &model, "--ids", "64", "--out", &out], &["64"]);
    says(
        &["inspect", "--model", &model, "--ids", "1", "--sites", "blocks.9.mlp.post", "--out", &out],
        &["blocks.9.mlp.post"],
    );
    says(&["inspect", "--model", &model, "--ids", "1", "--out", "no/such/folder/x"], &["no/such/folder/x"]);
    fs::write(scratch.path().join("no.png"), "not a picture").unwrap();
    says(&["classify", "--model", &model, &path("no.png")], &["no.png"]);
    says(&["classify", "--model", &model, &path("none.png")], &["none.png"]);
    fs::write(scratch.path().join("empty.txt"), "").unwrap();
    says(&["evaluate", "--model", &model, "--data", &path("empty.txt")], &["empty.txt"]);
    says(&["evaluate", "--model", &model, "--data", &path("none.txt")], &["none.txt"]);
    fs::create_dir(scratch.path().join("bare")).unwrap();
    let recipe = write_recipe(scratch.path(), &scratch.path().join("bare"), 5);
    says(&["train", &shown(&recipe), "--out", &path("net")], &["bare"]);
    edit(&recipe, "learning_rate", "learning_rat");
    says(&["train", &shown(&recipe), "--out", &path("net")], &["bars.toml", "learning_rat", "line 1"]);
    says(&["train", "--preset", "digits-mlp", "--data", "no/such/data"], &["no/such/data", "--data"]);
    says(&["train", "--preset", "gpt-5"], &["gpt-5", "digits-mlp"]);
    says(&["train", &path("none.toml")], &["none.toml"]);
    says(&["bench", "--model", &model, "--repeats", "0"], &["--repeats"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    fs::create_dir(&data).unwrap();
    one_digit_folder(&data);
    let recipe = write_recipe(scratch.path(), &data, 5);
    // A file where the folder should be: fails for everybody, the superuser included.
    let taken = scratch.path().join("taken");
    fs::write(&taken, "").unwrap();
    let message = failure(&["train", &shown(&recipe), "--out", &shown(&taken), "--device", "cpu"]);
    assert!(message.contains("taken"), "{message}");
}

#[test]
fn a_command_line_that_cannot_be_read_ends_with_two() {
    for arguments in [&["generate"][..], &["inspect", "--model", "m", "--out", "f"], &["frobnicate"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    assert!(text(&["--help"]).contains("figure"));
}
