//! Networks without attention as models of text like any other: what they say, what they lack, what they remember.
//! `tests/golden/make_recurrent.py` and `make_forget.py` wrote what PyTorch makes of them.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use fovea::engine::Event;
use fovea::engine::{
    AttributeSpec, Command, ForgetSpec, InspectSpec, LensSpec, Outcome, PatchHow, PatchSpec, PromptInput, RandomModel,
    StepsSpec, SurpriseSpec, SweepSpec, WordOrderSpec, Work, WritesSpec,
};
use fovea::types::{
    Ability, Architecture, DeviceChoice, ForgetReport, JobId, MemoryKind, MemoryReport, MemorySpec, ModelId,
    PaceNetwork, PacePass, PacePoint, PaceProcessor, PaceSpec, PatchAlong, PatchSite, Precision, Removal, ScoreRequest,
    StatePart, TrainSpec, UserError,
};
use reference::{Difference, Reference, golden_dir};
use std::path::Path;
use std::process::Output;
use support::script::{Script, ids, many};

const NETWORKS: [(&str, Architecture); 7] = [
    ("lstm", Architecture::Lstm),
    ("lstm-tied", Architecture::Lstm),
    ("rnn", Architecture::Rnn),
    ("feed-forward", Architecture::FeedForward),
    ("feed-forward-tied", Architecture::FeedForward),
    ("feed-forward-deep", Architecture::FeedForward),
    ("feed-forward-sigmoid", Architecture::FeedForward),
];

fn run(script: &mut Script, model: ModelId, work: Work) -> Result<Outcome, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, work));
    script.end(job)
}

#[test]
fn they_write_score_and_are_surprised_like_any_model() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, architecture) in NETWORKS {
        let reference = Reference::read(name);
        let info = script.open(&golden_dir(name));
        assert_eq!(info.architecture, architecture);
        assert!(info.can(Ability::Continue) && info.can(Ability::Prompt) && !info.can(Ability::Attend), "{name}");
        assert_eq!(info.can(Ability::Remember), architecture != Architecture::FeedForward);

        let greedy = reference.ids("greedy");
        let job = script.generate(info.id, ids(&greedy[..4]), many(24));
        script.end(job).unwrap();
        assert_eq!(script.ids_of(job), greedy[4..28], "{name}");

        // What PyTorch says of each token, by the scores of the golden pass.
        let (sequence, (shape, logits)) = (reference.sequence(0), reference.tensor("site.logits"));
        let spec = SurpriseSpec { prompt: ids(sequence.clone()), edits: Vec::new() };
        let Outcome::Surprised(report) = run(&mut script, info.id, Work::Surprise(spec)).unwrap() else { panic!() };
        for (place, token) in report.tokens.iter().enumerate().skip(1) {
            let row = &logits[(place - 1) * shape[1]..place * shape[1]];
            let sum: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
            let expected = f64::from(row[sequence[place] as usize]) - sum.ln();
            assert!((token.log_prob.unwrap() - expected).abs() < 1e-4, "{name}: token {place}");
        }

        // Answers are read as a tree behind the prompt; each by itself must come to the same.
        let request = |candidates: &[&str]| ScoreRequest {
            prompt: "ab".into(),
            candidates: candidates.iter().map(|text| (*text).to_owned()).collect(),
            ending: String::new(),
            content_free: Vec::new(),
            edits: Vec::new(),
        };
        let mut score = |candidates: &[&str]| {
            let Outcome::Scored(report) = run(&mut script, info.id, Work::Score(request(candidates))).unwrap() else {
                panic!()
            };
            report.candidates.iter().map(|candidate| candidate.log_prob).collect::<Vec<f64>>()
        };
        let together = score(&["cd", "cef", "d"]);
        let alone: Vec<f64> = ["cd", "cef", "d"].iter().map(|text| score(&[text])[0]).collect();
        assert!(together.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-4), "{name}: {together:?} and {alone:?}");
    }
}

#[test]
fn what_they_lack_is_said_and_what_they_have_is_shown() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, _) in [("lstm", ()), ("feed-forward", ()), ("feed-forward-deep", ())] {
        let model = script.open(&golden_dir(name)).id;
        let prompt = || ids([1, 2, 3, 4]);
        let edits = Vec::new;
        let works = [
            Work::Lens(LensSpec { prompt: prompt(), target: None, fitted: None, edits: edits() }),
            Work::MeasureWrites(WritesSpec { prompt: prompt(), edits: edits() }),
            Work::Steps(StepsSpec { prompt: prompt(), layer: 0, head: 0, query: 1, key: 0 }),
            Work::Attribute(AttributeSpec {
                prompt: prompt(),
                position: None,
                target: None,
                against: None,
                edits: edits(),
                removed: None,
            }),
            Work::Sweep(SweepSpec {
                prompt: prompt(),
                position: None,
                target: None,
                removal: Removal::Zero,
                edits: edits(),
            }),
            Work::Patch(PatchSpec {
                source: prompt(),
                destination: ids([4, 3, 2, 1]),
                position: None,
                answers: [None, None],
                site: PatchSite::ResidPre,
                along: PatchAlong::Positions,
                how: PatchHow::Measure,
                edits: edits(),
            }),
            Work::ChangeOrder(WordOrderSpec { prompt: prompt(), token: 1, swap: None, order: vec![1, 0, 2, 3] }),
        ];
        for work in works {
            let doing = work.facts().name;
            let error = run(&mut script, model, work).unwrap_err();
            assert!(
                error.what.contains("has no attention") && error.why.contains("no transformer"),
                "{doing}: {error}"
            );
        }
        let inspect = |sites: &str| {
            let Ok(sites) = sites.parse();
            Work::Inspect(InspectSpec { prompt: ids(Reference::read(name).sequence(0)), sites, edits: Vec::new() })
        };
        let error = run(&mut script, model, inspect("blocks.*.attn.pattern")).unwrap_err();
        assert!(error.why.contains("has no attention") && error.why.contains("resid_post"), "{error}");
        let Outcome::Inspected(report) = run(&mut script, model, inspect("blocks.*.resid_post")).unwrap() else {
            panic!()
        };
        for capture in &report.captures {
            let theirs = Reference::read(name).site(capture.site).1.to_vec();
            assert!(Difference::beyond(&capture.values, &theirs, 1e-5).is_none(), "{name}: {}", capture.site);
        }
    }
    let model = script.open(&golden_dir("feed-forward")).id;
    let error = run(&mut script, model, Work::WatchStates(ids([1, 2]))).unwrap_err();
    assert!(error.what.contains("keeps no state"), "{error}");
}

#[test]
fn states_over_time_are_those_of_pytorch() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, parts) in [("lstm", 6), ("rnn", 1)] {
        let reference = Reference::read(name);
        let model = script.open(&golden_dir(name)).id;
        let Outcome::StatesWatched(report) =
            run(&mut script, model, Work::WatchStates(ids(reference.sequence(0)))).unwrap()
        else {
            panic!()
        };
        assert_eq!(report.layers.len(), 2);
        for (number, layer) in report.layers.iter().enumerate() {
            assert_eq!(layer.parts.len(), parts, "{name}");
            let part =
                |wanted: StatePart| layer.parts.iter().find(|(part, _)| *part == wanted).map(|(_, values)| values);
            for (wanted, letter) in [(StatePart::Hidden, "h"), (StatePart::Cell, "c")] {
                let Some(values) = part(wanted) else { continue };
                let theirs = reference.values(&format!("state.{number}.{letter}"));
                if let Some(difference) = Difference::beyond(values, theirs, 1e-5) {
                    panic!("{name}: {letter} of layer {number}: {difference}");
                }
            }
            if let (Some(c), Some(f), Some(i), Some(g)) = (
                part(StatePart::Cell),
                part(StatePart::ForgetGate),
                part(StatePart::InputGate),
                part(StatePart::Candidate),
            ) {
                // c′ = f·c + i·g, from the second token on.
                for at in layer.units..c.len() {
                    assert!((c[at] - (f[at] * c[at - layer.units] + i[at] * g[at])).abs() < 1e-5);
                }
            }
        }
    }
}

#[test]
fn gradients_to_earlier_tokens_are_those_of_pytorch() {
    let text = std::fs::read_to_string(golden_dir("forget.json")).unwrap();
    let golden: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    assert_eq!(golden.len(), 5);
    for (name, expected) in golden {
        let numbers = |key: &str| -> Vec<f64> { serde_json::from_value(expected[key].clone()).unwrap() };
        let tokens: Vec<u32> = numbers("ids").into_iter().map(|id| id as u32).collect();
        let model = script.open(&golden_dir(&name)).id;
        let mut look_back = |prompt: PromptInput| -> Result<ForgetReport, UserError> {
            let outcome = run(&mut script, model, Work::Forget(ForgetSpec { prompt, edits: Vec::new() }))?;
            let Outcome::Forgotten(report) = outcome else { panic!("{outcome:?}") };
            Ok((*report).clone())
        };
        let report = look_back(ids(tokens)).unwrap();
        assert!((report.loss - expected["loss"].as_f64().unwrap()).abs() < 1e-4, "{name}: {}", report.loss);
        let theirs = numbers("norms");
        let largest = theirs.iter().copied().fold(0.0, f64::max);
        assert_eq!(report.norms.len(), theirs.len());
        for (place, (ours, theirs)) in report.norms.iter().zip(&theirs).enumerate() {
            assert!((ours - theirs).abs() < 2e-5 * largest, "{name}: token {place}: {ours} instead of {theirs}");
        }
        let error = look_back(ids([1])).unwrap_err();
        assert!(error.what.contains("too short"), "{error}");
    }
}

/// A copy of a golden folder with other settings or without a tensor.
fn changed(name: &str, change: impl FnOnce(&mut serde_json::Value), without: Option<&str>) -> tempfile::TempDir {
    let (from, dir) = (golden_dir(name), tempfile::tempdir().unwrap());
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(from.join("config.json")).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(from.join("tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
    let bytes = std::fs::read(from.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let kept = tensors.iter().filter(|(tensor, _)| Some(*tensor) != without);
    let written = safetensors::serialize(kept, None).unwrap();
    std::fs::write(dir.path().join("model.safetensors"), written).unwrap();
    dir
}

#[test]
fn folders_that_misfit_are_refused_by_the_name_of_what_does() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let refused = |script: &mut Script, dir: &Path| {
        run(script, ModelId::next(), Work::Open(dir.to_owned())).unwrap_err().to_string()
    };
    for tensor in ["rnn.weight_hh_l1", "rnn.bias_ih_l0", "embedding.weight", "head.weight"] {
        let error = refused(&mut script, changed("lstm", |_| {}, Some(tensor)).path());
        assert!(error.contains(tensor), "{error}");
    }
    let with = |name: &str, field: &str, value: serde_json::Value| {
        let field = field.to_owned();
        changed(name, move |config| config[&field] = value, None)
    };
    let mut names = |name: &str, field: &str, value: serde_json::Value, word: &str| {
        let error = refused(&mut script, with(name, field, value).path());
        assert!(error.contains(word), "{field}: {error}");
    };
    // Another width than that of the tensors, and sizes that are none.
    names("lstm", "hidden_size", 21.into(), "head.weight");
    names("lstm", "num_hidden_layers", 3.into(), "rnn.weight_ih_l2");
    names("lstm", "num_hidden_layers", 1.into(), "rnn.weight_ih_l1");
    names("rnn", "vocab_size", 65.into(), "embedding.weight");
    names("lstm", "hidden_size", 0.into(), "hidden_size");
    names("lstm", "hidden_size", (1u64 << 60).into(), "hidden_size");
    names("lstm", "num_hidden_layers", (1u64 << 40).into(), "num_hidden_layers");
    names("lstm", "max_position_embeddings", 0.into(), "max_position_embeddings");
    names("feed-forward", "window", 0.into(), "window");
    names("feed-forward", "window", (1u64 << 50).into(), "window");
    names("feed-forward", "window", 5.into(), "hidden.weight");
    names("feed-forward", "hidden_act", "gelu".into(), "gelu");
    names("feed-forward", "hidden_dropout_prob", 1.0.into(), "hidden_dropout_prob");
    names("feed-forward", "layer_norm", true.into(), "norm.weight");
    names("feed-forward-deep", "num_hidden_layers", 5.into(), "layers.4.hidden.weight");
    names("feed-forward-deep", "num_hidden_layers", 1.into(), "hidden.weight");
    names("feed-forward-deep", "layer_norm", false.into(), "layers.0.norm");
    names("lstm", "tie_word_embeddings", true.into(), "embedding_size");
    names("rnn", "model_type", "fovea_gru".into(), "fovea_gru");
    // An LSTM's gates are four times as many rows.
    names("rnn", "model_type", "fovea_lstm".into(), "rnn.weight_ih_l0");
    // Random weights of a shape that no memory holds.
    let folder = with("lstm", "hidden_size", (1u64 << 22).into());
    let random = RandomModel { path: folder.path().to_owned(), seed: 1, precision: Precision::F32 };
    let error = run(&mut script, ModelId::next(), Work::OpenRandom(random)).unwrap_err();
    assert!(error.to_string().contains("4194304"), "{error}");
}

#[test]
fn a_transformer_that_begins_with_induction_heads_learns_to_recall() {
    let mut script = Script::start(DeviceChoice::Cpu);
    // The recipe of the preset, shorter.
    let spec: TrainSpec = toml::from_str(
        "learning_rate = 3e-3\nschedule = \"cosine\"\nwarmup_steps = 20\nclip_norm = 1.0\nbatch_size = 32\nsteps = 100\n\
         eval_every = 50\nseed = 1\n[task]\nkind = \"memory\"\nof = \"recall\"\nlongest = 16\ncontext = 48\n\
         [task.shape]\nhidden = 64\nlayers = 2\nheads = 4\nkv_heads = 4\nintermediate = 128\nmax_positions = 64\ninit = \"look_back\"\n",
    )
    .unwrap();
    let (job, model) = (JobId::next(), ModelId::next());
    script.send(Command::start(job, model, Work::Train(spec)));
    script.end(job).unwrap();
    let spec = MemorySpec { of: MemoryKind::Recall, distances: vec![3, 9, 15], questions: 64, seed: 7 };
    let Outcome::Remembered(report) = run(&mut script, model, Work::Remember(spec)).unwrap() else { panic!() };
    assert!(report.points.iter().all(|point| point.accuracy() > 0.8), "{report:?}");
    assert_eq!(report.reach(0.8), Some(15));
}

#[test]
fn a_network_that_learned_to_copy_remembers_and_one_that_did_not_guesses() {
    let dir = tempfile::tempdir().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let spec = |of: &str, shape: &str, steps: usize| -> TrainSpec {
        toml::from_str(&format!(
            "learning_rate = 0.01\nbatch_size = 32\nsteps = {steps}\nvalidation_share = 0.1\neval_every = {steps}\nseed = 1\n\
             clip_norm = 1.0\nout = {:?}\n[task]\nkind = \"memory\"\nof = \"{of}\"\nlongest = 4\ncontext = 24\n\
             [task.shape]\n{shape}\nmax_positions = 64\n",
            dir.path().join(format!("{of}-{steps}")).to_str().unwrap()
        ))
        .unwrap()
    };
    let lstm = "architecture = \"lstm\"\nlayers = 1\nhidden = 48";
    let trained = |script: &mut Script, spec: TrainSpec| {
        let (job, model) = (JobId::next(), ModelId::next());
        script.send(Command::start(job, model, Work::Train(spec)));
        script.end(job).map(|_| model)
    };
    let ask = |script: &mut Script, model: ModelId, distances: &[usize]| -> Result<MemoryReport, UserError> {
        let spec = MemorySpec { of: MemoryKind::Copy, distances: distances.to_vec(), questions: 64, seed: 7 };
        run(script, model, Work::Remember(spec)).map(|outcome| match outcome {
            Outcome::Remembered(report) => (*report).clone(),
            other => panic!("{other:?}"),
        })
    };
    let model = trained(&mut script, spec("copy", lstm, 250)).unwrap();
    let report = ask(&mut script, model, &[2, 3, 4, 60]).unwrap();
    assert_eq!((report.chance, report.too_far.as_slice()), (0.125, &[60][..]), "64 tokens are read at once");
    assert!(report.points.iter().all(|point| point.asked == 64 && point.accuracy() > 0.8), "{report:?}");
    assert_eq!(report, ask(&mut script, model, &[4, 3, 2, 60]).unwrap(), "the same questions again");
    let novice = trained(&mut script, spec("copy", lstm, 1)).unwrap();
    let report = ask(&mut script, novice, &[2, 3, 4]).unwrap();
    assert!(report.points.iter().all(|point| point.accuracy() < 0.4), "{report:?}");

    let error = ask(&mut script, model, &[1]).unwrap_err();
    assert!(error.what.contains("distance of 1"), "{error}");
    let mut fails = |of: &str, shape: &str, change: &str, word: &str| {
        let text = toml::to_string(&spec(of, shape, 2)).unwrap();
        let (from, to) = change.split_once(" -> ").unwrap();
        assert!(text.contains(from), "{text}");
        let error = trained(&mut script, toml::from_str(&text.replace(from, to)).unwrap()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    };
    fails("copy", lstm, "longest = 4 -> longest = 0", "longest (0)");
    fails("recall", lstm, "longest = 4 -> longest = 24", "needs a context");
    fails("copy", lstm, "vocabulary = 257 -> vocabulary = 300", "one token a byte");
    fails("copy", lstm, "max_positions = 64 -> max_positions = 8", "max_positions (8)");
}

#[test]
fn the_pace_of_networks_is_measured_point_by_point() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let open = script.open(&golden_dir("rnn")).id;
    let shape = "architecture = \"lstm\"\nlayers = 1\nhidden = 8\nmax_positions = 8\nvocabulary = 300\n";
    let drawn = PaceNetwork::Drawn { name: "small".to_owned(), shape: toml::from_str(shape).unwrap() };
    let spec = PaceSpec {
        networks: vec![drawn, PaceNetwork::Open(open)],
        lengths: vec![4, 16],
        batches: vec![1, 3],
        batch_length: 4,
        seconds: 0.001,
        seed: 1,
    };
    let pace = |spec: &PaceSpec| Work::Pace(Box::new(spec.clone()));
    let job = JobId::next();
    script.send(Command::start(job, None, pace(&spec)));
    let Outcome::Paced(report) = script.end(job).unwrap() else { panic!() };
    let names: Vec<&str> = report.networks.iter().map(|network| network.name.as_str()).collect();
    assert_eq!((names.as_slice(), report.networks[0].context), (["small", "rnn"].as_slice(), 8));
    // Sixteen tokens are more than the small one reads, and four of one sequence are measured once.
    let sizes = |network: usize| {
        let points = report.points.iter().filter(|point| point.network == network && point.pass == PacePass::Learn);
        let on = |processor| move |point: &&PacePoint| point.processor == processor;
        points.filter(on(PaceProcessor::OneCore)).map(|point| [point.batch, point.length]).collect::<Vec<_>>()
    };
    assert_eq!(sizes(0), [[1, 4], [3, 4]]);
    assert_eq!(sizes(1), [[1, 4], [1, 16], [3, 4]]);
    assert!(report.points.iter().all(|point| point.seconds > 0.0 && point.passes >= 3), "{report:?}");
    assert_eq!((report.points.len(), report.planned), (5 * 2 * report.processors().len(), report.points.len()));
    let so_far = script.seen.iter().filter_map(|event| match event {
        Event::SoFar { job: of, outcome: Outcome::Paced(report) } if *of == job => Some(report.points.len()),
        _ => None,
    });
    assert_eq!(so_far.collect::<Vec<_>>(), (1..=report.points.len()).collect::<Vec<_>>());

    // A run that is stopped keeps what it has.
    let job = JobId::next();
    script.send(Command::start(job, None, pace(&PaceSpec { seconds: 0.1, ..spec.clone() })));
    script.until("a point", |event| matches!(event, Event::SoFar { job: of, .. } if *of == job).then_some(()));
    script.send(Command::Cancel { job });
    let Outcome::Paced(part) = script.end(job).unwrap() else { panic!() };
    assert!(!part.points.is_empty() && part.points.len() < part.planned);

    let mut fails = |spec: PaceSpec, word: &str| {
        let job = JobId::next();
        script.send(Command::start(job, None, pace(&spec)));
        let error = script.end(job).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    fails(PaceSpec { networks: Vec::new(), ..spec.clone() }, "No network is named");
    fails(PaceSpec { lengths: vec![0], ..spec.clone() }, "at least 1");
    fails(PaceSpec { batches: vec![usize::MAX], ..spec.clone() }, "tokens at once");
    fails(PaceSpec { seconds: f64::NAN, ..spec.clone() }, "NaN");
    fails(PaceSpec { networks: vec![PaceNetwork::Open(ModelId::next())], ..spec.clone() }, "The model is not open");
    let far = PaceSpec { lengths: vec![512], batches: Vec::new(), ..spec };
    fails(far, "fewer tokens");
}

fn fovea(arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(support::root()).env_remove("RUST_LOG").args(arguments).args(["--device", "cpu"]);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_command_line_tells_what_is_forgotten_and_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (file, gguf) = (dir.path().join("states.safetensors"), dir.path().join("lstm.gguf"));
    let lstm = "tests/golden/lstm";

    let output = fovea(&["forget", "--model", lstm, "--text", "abcde", "--json"]);
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!((told["tokens"].as_array().unwrap().len(), told["norms"].as_array().unwrap().len()), (5, 4));
    let shares: Vec<f64> = serde_json::from_value(told["shares"].clone()).unwrap();
    assert!(shares.contains(&1.0) && shares.iter().all(|share| (0.0..=1.0).contains(share)));
    let text = String::from_utf8(fovea(&["forget", "--model", lstm, "--text", "abcde"]).stdout).unwrap();
    assert!(text.contains('█') && text.contains("of −ln P(\"e\")"), "{text}");
    // With the first token's embedding set to nothing, the end still depends on it, but not the same.
    let edited = fovea(&["forget", "--model", lstm, "--text", "abcde", "--edit", "embed@0 = zero", "--json"]);
    let edited: serde_json::Value = serde_json::from_slice(&edited.stdout).unwrap();
    assert_ne!(edited["norms"], told["norms"]);

    let path = file.to_str().unwrap();
    let output = fovea(&["states", "--model", lstm, "--text", "abcde", "--out", path]);
    assert!(output.status.success(), "{}", said(&output));
    let bytes = std::fs::read(&file).unwrap();
    let arrays = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for part in ["i", "f", "g", "o", "c", "h"] {
        assert_eq!(arrays.tensor(&format!("layers.1.{part}")).unwrap().shape(), [5, 20]);
    }

    let curves = dir.path().join("pace.csv");
    let small = ["--lengths", "4", "--batches", "2", "--batch-length", "4", "--seconds", "0.001"];
    let output = fovea(&[&["pace", "--model", lstm, "--json", "--out", curves.to_str().unwrap()], &small[..]].concat());
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!(told["networks"][0]["name"], "lstm");
    let rows = std::fs::read_to_string(&curves).unwrap();
    assert_eq!(rows.lines().count(), 1 + told["points"].as_array().unwrap().len());
    assert!(rows.contains("lstm,LSTM,") && rows.contains(",learn,one_core,1,2,4,"), "{rows}");
    let usual = ["pace", "--hidden", "16", "--layers", "1"];
    let text = String::from_utf8(fovea(&[&usual[..], &small[..]].concat()).stdout).unwrap();
    for words in ["transformer", "LSTM", "RNN", "feed-forward", "one core", "1 × 4", "2 × 4"] {
        assert!(text.contains(words), "{words}: {text}");
    }

    for (arguments, words) in [
        (["states", "--model", "tests/golden/llama", "--text", "ab", "--json"].as_slice(), "keeps no state"),
        (&["lens", "--model", lstm, "--prompt", "ab"], "has no attention"),
        (&["heads", "--model", lstm], "has no heads"),
        (&["forget", "--model", "tests/golden/bert", "--text", "ab"], "cannot continue a text"),
        (&["memory", "--model", lstm], "cannot be asked what it remembers"),
        (&["memory", "--model", lstm, "--distances", "0"], "distance of 0"),
        (&["memory", "--model", lstm, "--questions", "0"], "Nothing is asked"),
        (&["pace", "--model", "tests/golden/bert"], "cannot continue a text"),
        (&["pace", "--model", lstm, "--lengths", "512", "--batches", "0"], "No pace can be measured"),
        (&["pace", "--recipe", "assets/presets/digits-mlp.toml"], "builds no model of text"),
        (&["pace", "--out", "pace.gif"], "pace.gif"),
        (&["convert", lstm, gguf.to_str().unwrap()], "fovea_lstm"),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"));
        let output = command.current_dir(support::root()).env_remove("RUST_LOG").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}
