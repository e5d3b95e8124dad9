//! What mattered when it was new, and a share of the data that is learned by heart.

use super::{Engine, bars, digits_spec, resumed_equals_uninterrupted, shaped, text_spec};
use fovea::types::{DigitLayers, DigitNetwork, ModelId, TextShape, TrainSpec, TrainTask};
use std::path::Path;

#[test]
fn a_resumed_digit_run_with_switches_equals_an_uninterrupted_one() {
    let data = bars(120);
    let spec = |out: Option<&Path>| {
        let mut spec = digits_spec(data.path(), out, "learn_from = 0.8");
        let TrainTask::Digits(task) = &mut spec.task else { panic!() };
        let layers = "hidden = [12, 12, 12]\nactivation = \"sigmoid\"\ndropout = 0.3\nnorm = true\nresidual = true";
        task.network = DigitNetwork::Mlp;
        task.layers = Some(toml::from_str(layers).unwrap());
        spec
    };
    resumed_equals_uninterrupted(|out| spec(Some(out)));

    let fails = |change: &dyn Fn(&mut DigitLayers, &mut DigitNetwork), word: &str| {
        let mut spec = spec(None);
        let TrainTask::Digits(task) = &mut spec.task else { panic!() };
        change(task.layers.as_mut().unwrap(), &mut task.network);
        let error = Engine::start().train(ModelId::next(), &spec, None).1.unwrap_err();
        assert!(error.what.contains("layers") && error.why.contains(word), "{error}");
    };
    fails(&|layers, _| layers.dropout = 1.0, "dropout (1)");
    fails(&|layers, _| layers.hidden[1] = 13, "residual");
    fails(&|layers, _| layers.hidden[1] = 0, "0 units");
    fails(&|_, network| *network = DigitNetwork::Cnn, "perceptron");
}

#[test]
fn a_hundredth_of_a_text_is_learned_by_heart_beside_the_same_held_out_text() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("letters.txt");
    // Letters that nothing foretells: what is learned of them holds nowhere else.
    let mut state = 7_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 61) as u8)
    };
    std::fs::write(&data, (0..30_000).map(|_| letter()).collect::<String>()).unwrap();
    let spec = |share: f64, steps: usize, rate: f64| {
        let shape = "architecture = \"feed_forward\"\nwindow = 6\nhidden = 48";
        let mut spec = shaped(text_spec(&data, None, &format!("learn_from = {share}")), shape);
        let TrainTask::Text(task) = &mut spec.task else { panic!() };
        let Some(TextShape::FeedForward(shape)) = &mut task.shape else { panic!() };
        shape.vocabulary = 257;
        (spec.steps, spec.eval_every, spec.learning_rate) = (steps, steps.min(40), rate);
        spec
    };
    let run = |spec: &TrainSpec| Engine::start().train(ModelId::next(), spec, None);
    let points = |spec: &TrainSpec| {
        let (run, summary) = run(spec);
        summary.unwrap();
        run.points
    };
    // Weights as they were drawn, so that what is measured differs only where the data does.
    let [little, all] = [0.01, 1.0].map(|share| points(&spec(share, 1, 1e-9)).pop().unwrap());
    let [held_out, of_all] = [little, all].map(|point| point.validation_loss.unwrap());
    assert!((held_out - of_all).abs() < 1e-5, "{held_out} and {of_all}");

    let points = points(&spec(0.01, 240, 0.01));
    let held_out: Vec<f64> = points.iter().filter_map(|point| point.validation_loss).collect();
    let (best, last) = (held_out.iter().copied().fold(f64::INFINITY, f64::min), *held_out.last().unwrap());
    let learned = points.last().unwrap().loss;
    // Of eight letters nobody can know more than ln 8 = 2.08 nats, unless by heart.
    assert!(learned < 1.8 && best > 2.05 && last > best + 0.3, "{learned} beside {held_out:?}");

    for (share, word) in [(0.0, "0 is not a share"), (1.5, "1.5 is not a share"), (f64::NAN, "NaN is not a share")] {
        let mut spec = spec(1.0, 1, 0.01);
        spec.learn_from = share;
        let error = run(&spec).1.unwrap_err();
        assert!(error.what.contains("learn_from") && error.why.contains(word), "{error}");
    }
    let error = run(&spec(0.00001, 1, 0.01)).1.unwrap_err();
    assert!(error.what.contains("too short") && error.next.contains("learn_from"), "{error}");
}
