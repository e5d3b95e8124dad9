//! Ways to adapt a model to labelled pictures: vision transformers and digit networks, by the engine and by the real binary.

mod support;

use fovea::engine::{AdaptWork, Command, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{
    AdaptPoint, AdaptPrompt, AdaptReport, AdaptSpec, AdaptTraining, DeviceChoice, FeaturePooling, JobId, LabelNoise,
    LabelledKind, LabelledSource, LayerActivation, ModelId, Site, SiteFilter, UserError, Way,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::root;
use support::script::Script;

/// Pictures that are mostly red, green or blue, in a folder for each.
fn write_pictures(folder: &Path) -> PathBuf {
    let pictures = folder.join("colours");
    for (class, name) in ["red", "green", "blue"].into_iter().enumerate() {
        std::fs::create_dir_all(pictures.join(name)).unwrap();
        for i in 0..12 {
            let shade = |x: u32, y: u32| {
                let mut rgb = [(x * 9 + i * 5) as u8 % 90, (y * 7 + i * 3) as u8 % 90, ((x + y) * 5) as u8 % 90];
                rgb[class] += 60;
                image::Rgb(rgb)
            };
            let picture = image::RgbImage::from_fn(20 + i, 24, shade);
            picture.save(pictures.join(name).join(format!("{i}.png"))).unwrap();
        }
    }
    pictures
}

/// A folder in MNIST's format with bars: of class 2 upright, of class 5 lying, of class 7 both; each somewhere else.
fn write_bars(folder: &Path) -> PathBuf {
    let bars = folder.join("bars");
    std::fs::create_dir_all(&bars).unwrap();
    let idx = |axes: &[u32], elements: &[u8]| {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    };
    for (set, count) in [("train", 24_usize), ("t10k", 12)] {
        let labels: Vec<u8> = (0..count).map(|i| [2, 5, 7][i % 3]).collect();
        let image = |i: usize| {
            let (across, down) = (6 + i * 5 % 14, 6 + i * 3 % 14);
            (0..784).map(move |at: usize| {
                let (x, y) = (at % 28, at / 28);
                let upright = i % 3 != 1 && x.abs_diff(across) < 2 && (4..24).contains(&y);
                let lying = !i.is_multiple_of(3) && y.abs_diff(down) < 2 && (4..24).contains(&x);
                if upright || lying { 200 + (i % 8 * 5) as u8 } else { 0 }
            })
        };
        let pixels: Vec<u8> = (0..count).flat_map(image).collect();
        let file = |name: &str| bars.join(format!("{set}-{name}"));
        std::fs::write(file("images-idx3-ubyte"), idx(&[count as u32, 28, 28], &pixels)).unwrap();
        std::fs::write(file("labels-idx1-ubyte"), idx(&[count as u32], &labels)).unwrap();
    }
    bars
}

fn spec(data: &Path, ways: &[Way]) -> AdaptSpec {
    AdaptSpec {
        data: LabelledSource {
            data: data.to_owned(),
            validation: None,
            test: None,
            text: None,
            label: None,
            validation_share: 0.0,
            test_share: 0.34,
            seed: 3,
        },
        ways: ways.to_vec(),
        sizes: vec![3, 12],
        seeds: vec![1, 2],
        noises: vec![LabelNoise::True],
        test: 100,
        pooling: FeaturePooling::Mean,
        prompt: AdaptPrompt::default(),
        training: AdaptTraining { least_steps: 5, most_steps: 12, ..AdaptTraining::default() },
    }
}

fn compare(
    script: &mut Script,
    model: ModelId,
    spec: AdaptSpec,
    known: Vec<AdaptPoint>,
) -> Result<Arc<AdaptReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Adapt(Box::new(AdaptWork { spec, known }))));
    match script.end(job)? {
        Outcome::WaysCompared(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

/// That every point is whole, and that the same question again has the same answers.
fn check(script: &mut Script, model: ModelId, report: &AdaptReport, ways: &[Way]) {
    assert_eq!(report.kind, LabelledKind::Pictures);
    assert_eq!((report.points.len(), report.bits_per_byte), (ways.len() * 2 * 2, None));
    for point in &report.points {
        let right = point.said.iter().zip(&report.test).filter(|(said, (_, class))| **said == *class).count();
        assert_eq!((right, point.said.len()), (point.correct, report.test.len()));
        assert!(point.log_prob < 0.0 && point.log_prob.is_finite(), "{point:?}");
        assert!(ways.contains(&point.way) && point.learned > 0 && point.adapt_s > 0.0 && point.query_ms > 0.0);
        assert_eq!(point.used, point.size);
    }
    let again = compare(script, model, report.spec.clone(), report.points[..3].to_vec()).unwrap();
    for point in &again.points {
        let is_it = |first: &&AdaptPoint| first.is_of((point.way, point.noise, point.size, point.seed));
        let first = report.points.iter().find(is_it).unwrap();
        assert_eq!(point.said, first.said, "{:?}", point.way);
        assert!((point.log_prob - first.log_prob).abs() < 1e-9, "{:?}", point.way);
    }
}

/// That the nearest mean of these vectors, by hand, says what the way says. `vectors` stand for all examples, in the order of the data.
fn check_prototypes(report: &AdaptReport, vectors: &[Vec<f32>]) {
    let (_, all) = fovea::load::read_labelled(&report.spec.data).unwrap();
    for point in report.points.iter().filter(|point| point.way == Way::Prototypes) {
        let drawn = fovea::types::draw_examples(&all, point.size, point.seed, LabelNoise::True);
        let mean = |class: usize| -> Vec<f32> {
            let of: Vec<&Vec<f32>> =
                drawn.iter().filter(|(_, of)| *of == class).map(|(place, _)| &vectors[*place]).collect();
            (0..of[0].len()).map(|i| of.iter().map(|vector| vector[i]).sum::<f32>() / of.len() as f32).collect()
        };
        let means: Vec<Vec<f32>> = (0..all.labels.len()).map(mean).collect();
        for (said, (name, _)) in point.said.iter().zip(&report.test) {
            let place = all.examples.iter().position(|(of, _)| of == name).unwrap();
            let cosines: Vec<f32> = means.iter().map(|mean| fovea::types::cosine(mean, &vectors[place])).collect();
            let most = cosines.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(most - cosines[*said as usize] < 1e-5, "{name}: {said} of {cosines:?}");
        }
    }
}

#[test]
fn vision_transformers_are_told_by_the_vector_of_their_first_token() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_pictures(folder.path());
    let mut script = Script::start(DeviceChoice::Cpu);
    // Parameters of a head: of the two, DeiT's second special token is read by none.
    for name in ["vit", "deit"] {
        let model = script.open(&root().join("tests/golden").join(name));
        let (id, blocks) = (model.id, *model.shape.blocks().unwrap());
        let report = compare(&mut script, id, spec(&data, &Way::ALL), Vec::new()).unwrap();
        check(&mut script, id, &report, &Way::ALL[1..]);
        assert!(report.notes.iter().any(|note| note.contains("continues no text")), "{:?}", report.notes);
        assert_eq!(
            (report.examples, report.test.len(), report.labels.join(" ")),
            (24, 12, "blue green red".to_owned())
        );
        let of = |way: Way| report.points.iter().find(|point| point.way == way).unwrap();
        let d = blocks.hidden as u64;
        assert_eq!(
            [Way::Embeddings, Way::Prototypes, Way::Head].map(|way| of(way).learned),
            [3 * (d + 1), 3 * d, 3 * (d + 1)]
        );
        assert_eq!(of(Way::Full).learned, of(Way::Scratch).learned);
        assert!(of(Way::Lora).learned < of(Way::Full).learned && of(Way::Lora).learned > of(Way::Head).learned);
        // Patches and what stands before them.
        let tokens = model.shape.context().unwrap() as f64;
        assert!(report.points.iter().all(|point| point.tokens_a_query == tokens));
        assert_eq!(report.operations, None);

        // What the network's own sites say.
        let (_, all) = fovea::load::read_labelled(&report.spec.data).unwrap();
        let vectors: Vec<Vec<f32>> = all
            .examples
            .iter()
            .map(|(path, _)| {
                let job = JobId::next();
                let prompt = PromptInput::Picture(fovea::engine::read_picture(Path::new(path)).unwrap());
                let sites = "ln_final".parse::<SiteFilter>().unwrap();
                script.send(Command::start(job, id, Work::Inspect(InspectSpec { prompt, sites, edits: Vec::new() })));
                let Ok(Outcome::Inspected(report)) = script.end(job) else { panic!() };
                let capture = report.captures.iter().find(|capture| capture.site == Site::LnFinal).unwrap();
                capture.values.to_vec()[..blocks.hidden].to_vec()
            })
            .collect();
        check_prototypes(&report, &vectors);
    }
}

#[test]
fn digit_networks_are_told_by_their_last_hidden_layer() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_bars(folder.path());
    let ways = [Way::Embeddings, Way::Prototypes, Way::Head, Way::Full, Way::Scratch];
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, width, operations) in [
        ("digits-mlp", 16_u64, 2.0 * f64::from(784 * 16 + 16 * 16 + 16 * 3)),
        ("digits-cnn", 96, 2.0 * f64::from(16 * 9 * 784 + 32 * 16 * 9 * 196 + 64 * 32 * 9 * 49 + 576 * 96 + 96 * 3)),
    ] {
        let id = script.open(&root().join("models").join(name)).id;
        let report = compare(&mut script, id, spec(&data, &Way::ALL), Vec::new()).unwrap();
        check(&mut script, id, &report, &ways);
        assert!(report.notes.iter().any(|note| note.contains("low-rank changes are learned")), "{:?}", report.notes);
        // Images for the test are in a file of their own.
        assert_eq!((report.examples, report.test.len(), report.labels.join(" ")), (24, 12, "2 5 7".to_owned()));
        assert!(report.test[4].0.ends_with("t10k-images-idx3-ubyte#4"), "{}", report.test[4].0);
        let of = |way: Way| report.points.iter().find(|point| point.way == way).unwrap();
        let learned = [Way::Embeddings, Way::Prototypes, Way::Head].map(|way| of(way).learned);
        assert_eq!(learned, [3 * (width + 1), 3 * width, 3 * (width + 1)]);
        assert_eq!(of(Way::Full).learned, of(Way::Scratch).learned);
        assert_eq!((report.operations, of(Way::Full).tokens_a_query), (Some(operations), 0.0));

        let (_, all) = fovea::load::read_labelled(&report.spec.data).unwrap();
        let vectors: Vec<Vec<f32>> = all
            .examples
            .iter()
            .map(|(image, _)| {
                let job = JobId::next();
                let image = fovea::engine::read_named_digit(image).unwrap();
                script.send(Command::start(job, id, Work::Classify(image)));
                let Ok(Outcome::Classified(answer)) = script.end(job) else { panic!() };
                match answer.layers.last().unwrap() {
                    LayerActivation::Units { values, .. } => values.to_vec(),
                    LayerActivation::Maps { .. } => panic!("the last hidden layer has neurons"),
                }
            })
            .collect();
        assert_eq!(vectors[0].len() as u64, width);
        check_prototypes(&report, &vectors);
    }
}

#[test]
fn each_reads_the_other_s_pictures_too() {
    let folder = tempfile::tempdir().unwrap();
    let [pictures, bars] = [write_pictures(folder.path()), write_bars(folder.path())];
    let mut script = Script::start(DeviceChoice::Cpu);
    let vit = script.open(&root().join("tests/golden/vit")).id;
    let digits = script.open(&root().join("models/digits-cnn")).id;
    for (model, data) in [(vit, &bars), (digits, &pictures)] {
        let asked = spec(data, &[Way::Embeddings, Way::Full]);
        let report = compare(&mut script, model, asked.clone(), Vec::new()).unwrap();
        check(&mut script, model, &report, &asked.ways);
    }
}

#[test]
fn what_cannot_be_compared_on_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let [pictures, bars] = [write_pictures(folder.path()), write_bars(folder.path())];
    let texts = folder.path().join("texts.csv");
    std::fs::write(&texts, "text,label\nfine,good\nawful,bad\nlovely,good\ndull,bad\n").unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    let vit = script.open(&root().join("tests/golden/vit")).id;
    let digits = script.open(&root().join("models/digits-mlp")).id;
    let seedling = script.open(&root().join("models/seedling")).id;
    let mut refused = |model, data: &Path| {
        let error = compare(&mut script, model, spec(data, &[Way::Embeddings, Way::Full]), Vec::new());
        error.unwrap_err().to_string()
    };
    for model in [vit, digits] {
        let why = refused(model, &texts);
        assert!(why.contains("reads no text") && why.contains("texts.csv"), "{why}");
    }
    for data in [&pictures, &bars] {
        let why = refused(seedling, data);
        assert!(why.contains("seedling reads no pictures"), "{why}");
    }
    std::fs::write(pictures.join("red/broken.png"), "no picture").unwrap();
    let why = refused(vit, &pictures);
    assert!(why.contains("broken.png"), "{why}");
    for class in ["green", "blue"] {
        std::fs::remove_dir_all(pictures.join(class)).unwrap();
    }
    let why = refused(vit, &pictures);
    assert!(why.contains("one label only: \"red\""), "{why}");
    std::fs::remove_dir_all(pictures.join("red")).unwrap();
    let why = refused(digits, &pictures);
    assert!(why.contains("one for each class") && why.contains("MNIST"), "{why}");
    std::fs::write(bars.join("train-images-idx3-ubyte"), "short").unwrap();
    let why = refused(digits, &bars);
    assert!(why.contains("train-images-idx3-ubyte"), "{why}");
}

#[test]
fn the_command_compares_on_pictures_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_bars(folder.path()).display().to_string();
    let kept = folder.path().join("ways.json").display().to_string();
    let fovea = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fovea"));
        command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
        command.arg("adapt").args(["--model", "digits-mlp", "--data", &data, "--seeds", "1", "--resume", &kept]);
        let output = command.args(arguments).args(["--device", "cpu"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let [text, notes] = fovea(&["--sizes", "3", "--ways", "examples,embeddings,lora"]);
    assert!(text.contains("3 classes, 24 examples, measured on 12 pictures, 1 seeds"), "{text}");
    assert!(!text.contains("hosted"), "nothing is read in tokens: {text}");
    assert!(notes.contains("digits-mlp continues no text") && notes.contains("low-rank"), "{notes}");
    let [json, notes] = fovea(&["--sizes", "3,6", "--ways", "embeddings", "--json"]);
    assert!(notes.contains("1 points were measured before"), "{notes}");
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((told["kind"].as_str(), told["points"].as_array().map(Vec::len)), (Some("pictures"), Some(2)));
    assert_eq!(told["prices"][0]["operations"], 2.0 * f64::from(784 * 16 + 16 * 16 + 16 * 3));
    assert!(told["prices"][0]["hosted"].is_null());
}
