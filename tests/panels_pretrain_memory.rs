//! What the window does with memory: networks that learn one after another and are asked, what a text's end depends on, and what a recurrent
//! model keeps.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, PromptInput, Work};
use fovea::types::{
    Architecture, ForgetReport, JobId, LayerStates, Layers, MemoryKind, MemoryPoint, MemoryReport, MemorySpec, ModelId,
    ModelInfo, Shape, Stack, StartFrom, StatePart, StatesReport, TrainPoint, TrainSpec, TrainSummary, TrainTask,
    TrainingCost, UserError,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use window::scripted_engine::{info, tokens_of};
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

/// High enough for all of the left column, since only what is in sight can be clicked.
const TALL: Vec2 = Vec2::new(1440.0, 1600.0);

/// The part, with nothing answered by itself.
fn opened<'a>(size: Vec2, scale: f32, options: AppOptions) -> Window<'a> {
    let mut window = Window::open(size, scale, options);
    window.engine.0.borrow_mut().answers = false;
    window.show("pretrain");
    window.click("Memory");
    window
}

fn trained(window: &Window<'_>) -> Vec<(JobId, ModelId, TrainSpec)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match &**work {
            Work::Train(spec) => Some((*job, *model, spec.clone())),
            _ => None,
        },
        _ => None,
    })
}

fn asked(window: &Window<'_>) -> Vec<(JobId, ModelId, MemorySpec)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match &**work {
            Work::Remember(spec) => Some((*job, *model, spec.clone())),
            _ => None,
        },
        _ => None,
    })
}

fn tried(window: &Window<'_>) -> Vec<(JobId, TrainSpec)> {
    window.engine.started(|job, work| match work {
        Work::TryTraining(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

/// Tells of each network that is ticked what two steps took.
fn measured(window: &mut Window<'_>) {
    let cost = TrainingCost { step_s: 0.05, validation_s: 0.1, memory_bytes: None, parameters: 98_688 };
    let mut told = 0;
    while tried(window).len() > told {
        told = tried(window).len();
        let job = tried(window)[told - 1].0;
        window.engine.say(Event::Done { job, outcome: Outcome::Tried(cost) });
        window.settle();
    }
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

fn plot(window: &Window<'_>) -> String {
    let all = window.harness.query_all_by_role(Role::Image);
    let labels = all.filter_map(|node| node.accesskit_node().label());
    labels.into_iter().find(|label| label.starts_with("Right answers by distance")).expect("the curves")
}

/// A model without attention, small and made here.
fn recurrent(id: ModelId, name: &str) -> ModelInfo {
    let layers = Layers { layers: 1, hidden: 96, sees: None };
    ModelInfo {
        name: name.to_owned(),
        architecture: Architecture::Lstm,
        parameters: 98_784,
        shape: Shape::Decoder { blocks: Stack::Layers(layers), vocabulary: 257, context: 256 },
        modified: true,
        trained_steps: 600,
        ..info(id, Path::new("made-here"))
    }
}

fn tell_step(window: &mut Window<'_>, job: JobId, step: usize) {
    let point = TrainPoint {
        step,
        elapsed_s: step as f64 * 0.04,
        loss: 1.25,
        learning_rate: 3e-3,
        validation_loss: Some(1.5),
        validation_accuracy: Some(0.42),
        ..TrainPoint::default()
    };
    window.engine.say(Event::Trained { job, points: vec![point] });
    window.settle();
}

/// Ends a run.
fn end_training(window: &mut Window<'_>, (job, model, spec): &(JobId, ModelId, TrainSpec)) {
    tell_step(window, *job, spec.steps);
    let made = match &spec.task {
        TrainTask::Memory(task) if matches!(task.shape, Some(fovea::types::TextShape::Llama(_))) => {
            ModelInfo { parameters: 98_688, ..info(*model, Path::new("copy-transformer")) }
        }
        _ => recurrent(*model, "copy-lstm"),
    };
    window.engine.say(Event::Model { info: made, weights: Arc::default() });
    let summary = TrainSummary {
        steps: spec.steps,
        elapsed_s: 24.0,
        best: Some((spec.steps, 1.5)),
        stopped_early: false,
        settled: None,
        examples: 1000,
        saved_to: None,
    };
    window.engine.say(Event::Done { job: *job, outcome: Outcome::Trained(summary) });
    window.settle();
}

/// Answers that are right up to `reach`, and fall to chance behind it.
fn report(spec: &MemorySpec, reach: usize, count: usize) -> Arc<MemoryReport> {
    let point = |distance: usize| {
        let beyond = (distance as f64 / reach as f64).log2().max(0.0);
        let right = (spec.questions as f64 * (0.125 + 0.87 * (-beyond * 2.0).exp())) as usize;
        MemoryPoint { distance, right, asked: spec.questions }
    };
    Arc::new(MemoryReport {
        of: spec.of,
        points: spec.distances.iter().copied().take(count).map(point).collect(),
        chance: MemoryKind::chance(),
        too_far: Vec::new(),
        example: Some(("dabe>h?".to_owned(), 'h')),
    })
}

/// All that are ticked learn and are asked; the first reaches farther than the next.
fn raced(window: &mut Window<'_>) {
    window.press(Modifiers::COMMAND, Key::Enter);
    for reach in [64, 24] {
        let run = trained(window).pop().expect("a network learns");
        end_training(window, &run);
        let (job, model, spec) = asked(window).pop().expect("it is asked");
        assert_eq!(model, run.1);
        window.engine.say(Event::Done { job, outcome: Outcome::Remembered(report(&spec, reach, usize::MAX)) });
        window.settle();
    }
}

#[test]
fn networks_of_one_size_learn_one_after_another_and_each_is_asked() {
    let mut window = opened(TALL, 1.0, plain(ThemeChoice::Dark));
    assert_eq!(tried(&window).len(), 1, "the time is measured before anything begins, a network at a time");
    measured(&mut window);
    let networks: Vec<_> = tried(&window).into_iter().map(|(_, spec)| spec.learning_rate).collect();
    assert_eq!(networks, [5e-3, 3e-3], "each by its own recipe");
    // 600 steps and 8 validations of each.
    assert!(says(&window, "2 networks learn 600 steps · about 1 min 2 s"));

    window.press(Modifiers::COMMAND, Key::Enter);
    let runs = trained(&window);
    assert_eq!(runs.len(), 1, "the second waits for the first");
    let (job, model, spec) = runs[0].clone();
    assert_eq!((spec.start.clone(), spec.out.clone(), spec.steps, spec.seed), (StartFrom::Scratch, None, 600, 1));
    let TrainTask::Memory(task) = &spec.task else { panic!("{spec:?}") };
    assert_eq!((task.of, task.longest), (MemoryKind::Copy, 32));
    assert!(window.has("learns") && window.has("waits"));
    tell_step(&mut window, job, 120);
    assert!(says(&window, "LSTM learns · loss 1.25 · 42.0 % right on new questions"));
    assert!(asked(&window).is_empty());

    end_training(&mut window, &(job, model, spec));
    let (job, of, questions) = asked(&window).pop().unwrap();
    assert_eq!((of, questions.of, questions.questions), (model, MemoryKind::Copy, 200));
    assert_eq!((questions.distances.first(), questions.distances.last()), (Some(&2), Some(&128)));
    assert!(window.has("is asked"));
    // Points come as they are asked.
    window.engine.say(Event::SoFar { job, outcome: Outcome::Remembered(report(&questions, 64, 3)) });
    window.settle();
    assert!(plot(&window).ends_with("LSTM: 99.5 % at 2, 99.5 % at 3, 99.5 % at 4."));
    assert_eq!(trained(&window).len(), 1);
    window.engine.say(Event::Done { job, outcome: Outcome::Remembered(report(&questions, 64, usize::MAX)) });
    window.settle();
    assert_eq!(trained(&window).len(), 2, "now the transformer");
    let run = trained(&window).pop().unwrap();
    assert!(run.1 != model);
    end_training(&mut window, &run);
    let (job, _, questions) = asked(&window).pop().unwrap();
    window.engine.say(Event::Done { job, outcome: Outcome::Remembered(report(&questions, 24, usize::MAX)) });
    window.settle();
    assert!(says(
        &window,
        "Nine of ten answers are right: LSTM up to 64 tokens back; Transformer up to 24 tokens back."
    ));
    assert!(window.has("98,784") && window.has("98,688") && window.has("128 back"));
    assert!(says(&window, "LSTM, Transformer · copy · 600 steps"));
    assert!(window.has("Start"), "nothing is under way any more");
}

#[test]
fn stop_ends_what_is_under_way_and_keeps_what_was_answered() {
    let mut window = opened(TALL, 1.0, plain(ThemeChoice::Dark));
    window.click("RNN");
    window.press(Modifiers::COMMAND, Key::Enter);
    let run = trained(&window).pop().unwrap();
    end_training(&mut window, &run);
    let (job, _, spec) = asked(&window).pop().unwrap();
    window.click("Stop");
    let cancelled = window.engine.sent(|c| matches!(c, Command::Cancel { job: of } if *of == job).then_some(()));
    assert_eq!(cancelled.len(), 1);
    window.engine.say(Event::Done { job, outcome: Outcome::Remembered(report(&spec, 64, 5)) });
    window.settle();
    assert_eq!(trained(&window).len(), 1, "nobody comes after it");
    assert!(plot(&window).ends_with("99.5 % at 8."));
    assert!(window.has("not asked") && window.has("Start"));
}

#[test]
fn a_network_that_fails_is_told_and_the_next_one_goes_on() {
    let mut window = opened(TALL, 1.0, plain(ThemeChoice::Dark));
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, ..) = trained(&window).pop().unwrap();
    let error = UserError::new("The loss is no number any more.", "The rate is too high.", "Lower it.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.has("The loss is no number any more.") && trained(&window).len() == 2);
}

#[test]
fn an_open_model_is_asked_as_it_is_and_one_without_letters_is_told_so() {
    let mut window = opened(TALL, 1.0, with_text_model());
    for tick in ["LSTM", "Transformer"] {
        window.click(tick);
    }
    assert!(says(&window, "Tick a network or an open model."));
    window.click("sprout");
    window.click("Recall");
    assert!(says(&window, "Nobody learns; open models are asked."));
    window.click("Start");
    assert!(trained(&window).is_empty());
    let (job, _, spec) = asked(&window).pop().unwrap();
    assert_eq!((spec.of, spec.distances.clone()), (MemoryKind::Recall, vec![3, 5, 7, 11, 15, 23, 31, 47, 63, 95, 127]));
    let error = UserError::new(
        "sprout cannot be asked what it remembers.",
        "Questions have one token a character.",
        "Choose another.",
    );
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.has("sprout cannot be asked what it remembers."));
}

#[test]
fn form_and_curves_outlive_a_restart_and_leave_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(folder.path().to_owned()), ..plain(ThemeChoice::Dark) };
    let mut window = opened(TALL, 1.0, options());
    raced(&mut window);
    let before = plot(&window);
    let csv = String::from_utf8(window.export("remembered csv", &folder.path().join("memory.csv"))).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 13);
    assert!(csv.contains("LSTM,copy,2,199,200"), "{csv}");
    let svg = String::from_utf8(window.export("remembered svg", &folder.path().join("memory.svg"))).unwrap();
    assert!(svg.contains("Transformer") && svg.contains("chance"));
    window.click("Recall");
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_written = |text: String| text.contains("Transformer") && text.contains("recall");
    while !std::fs::read_to_string(folder.path().join("session.json")).is_ok_and(is_written) {
        assert!(Instant::now() < deadline, "the session was not written");
        std::thread::sleep(Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let mut window = Window::open(TALL, 1.0, options());
    window.show("pretrain");
    assert_eq!(plot(&window), before);
    assert!(window.has("made before the last change"), "recall is filled in now");
}

/// Gradients that fall off with the distance from the end, slowly or fast.
fn forgotten(text: &str, fall: f64) -> Arc<ForgetReport> {
    let tokens = tokens_of(text);
    let last = tokens.len() - 1;
    let norms =
        (0..last).map(|at| 0.8 * (-((last - at) as f64) / fall).exp() * (1.0 + 0.3 * (at as f64).sin())).collect();
    Arc::new(ForgetReport { tokens, norms, loss: 2.31 })
}

fn looks_back(window: &Window<'_>) -> Vec<(JobId, ModelId, PromptInput)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match &**work {
            Work::Forget(spec) => Some((*job, *model, spec.prompt.clone())),
            _ => None,
        },
        _ => None,
    })
}

const TEXT: &str = "My watch is lost, so I asked her what time is it";

/// A recurrent model and a transformer side by side, both answered.
fn both_forget(window: &mut Window<'_>) {
    let id = ModelId::next();
    window.engine.say(Event::Model { info: recurrent(id, "stories-lstm"), weights: Arc::default() });
    window.settle();
    window.click("What it forgets");
    let mut newest = looks_back(window);
    let newest: Vec<_> = newest.split_off(newest.len() - 2);
    for (job, model, _) in newest {
        let outcome = Outcome::Forgotten(forgotten(TEXT, if model == id { 1.4 } else { 30.0 }));
        window.engine.say(Event::Done { job, outcome });
    }
    window.settle();
}

#[test]
fn what_is_forgotten_of_a_text_is_asked_of_two_models_and_again_when_it_changes() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    both_forget(&mut window);
    let sent = looks_back(&window);
    assert!(sent.iter().all(|(.., prompt)| *prompt == PromptInput::Text(TEXT.to_owned())), "{sent:?}");
    assert!(window.has("stories-lstm (changed, 600 steps)") && window.has("sprout"));
    assert!(says(&window, "−ln P(·it) = 2.31 nats"));
    assert!(says(&window, "Gradient at each token, sprout: \"My\""));
    window.click("Logarithmic");
    window.type_into(Role::MultilineTextInput, "What is read", " now");
    window.wait("the new text was not read", |window| looks_back(window).len() >= sent.len() + 2);
    let (job, _, prompt) = looks_back(&window).pop().unwrap();
    assert_eq!(prompt, PromptInput::Text(format!("{TEXT} now")));
    let error = UserError::new("There is nothing to look back at.", "The text is one token.", "Give two.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.has("There is nothing to look back at."));
}

#[test]
fn a_model_that_learns_is_asked_once_and_again_when_it_has_ended() {
    let mut window = opened(LAPTOP, 1.0, plain(ThemeChoice::Dark));
    measured(&mut window);
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, model, spec) = trained(&window).pop().unwrap();
    let version = |steps: u64| ModelInfo { trained_steps: steps, ..recurrent(model, "copy-lstm") };
    window.engine.say(Event::Model { info: version(1), weights: Arc::default() });
    window.settle();
    window.click("What it forgets");
    for steps in 2..6 {
        window.engine.say(Event::Model { info: version(steps), weights: Arc::default() });
        window.settle();
    }
    assert_eq!(looks_back(&window).len(), 1);
    end_training(&mut window, &(job, model, spec));
    window.wait("it was not asked again", |window| looks_back(window).len() == 2);
}

/// States of an LSTM that swing, each unit in its own way.
fn states(text: &str, layers: usize, units: usize) -> Arc<StatesReport> {
    let tokens = tokens_of(text);
    let part = |layer: usize, part: StatePart| {
        let value = |t: usize, u: usize| {
            let wave = ((t as f32) * (0.2 + 0.07 * u as f32) + (u + layer) as f32).sin();
            match part {
                InputGate | ForgetGate | OutputGate => 0.5 + 0.5 * wave,
                Cell => 2.4 * wave,
                Candidate | Hidden => wave,
            }
        };
        let values = (0..tokens.len()).flat_map(|t| (0..units).map(move |u| value(t, u))).collect();
        (part, values)
    };
    use StatePart::{Candidate, Cell, ForgetGate, Hidden, InputGate, OutputGate};
    let all = [InputGate, ForgetGate, Candidate, OutputGate, Cell, Hidden];
    let layer = |number| LayerStates { units, parts: all.map(|of| part(number, of)).to_vec() };
    Arc::new(StatesReport { layers: (0..layers).map(layer).collect(), tokens })
}

fn watched(window: &Window<'_>) -> Vec<(JobId, PromptInput)> {
    window.engine.started(|job, work| match work {
        Work::WatchStates(prompt) => Some((job, prompt.clone())),
        _ => None,
    })
}

fn with_states(window: &mut Window<'_>, report: Arc<StatesReport>) {
    let id = ModelId::next();
    window.engine.say(Event::Model { info: recurrent(id, "stories-lstm"), weights: Arc::default() });
    window.settle();
    window.click("Hidden states");
    let (job, _) = watched(window).pop().expect("a text is read");
    window.engine.say(Event::Done { job, outcome: Outcome::StatesWatched(report) });
    window.settle();
}

#[test]
fn states_are_shown_part_by_part_and_nobody_without_them_is_asked() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    window.click("Hidden states");
    assert!(watched(&window).is_empty() && says(&window, "None is open"));
    window.click("Train networks");
    assert!(window.has("How far back does a network remember?"));
    with_states(&mut window, states("what time is it", 2, 24));
    assert_eq!(watched(&window).pop().unwrap().1, PromptInput::Text("what time is it".to_owned()));
    assert!(says(&window, "Hidden h of stories-lstm (changed, 600 steps): 2 layers, 4 tokens"));
    assert!(window.has("Colour scale: −1.00, 0, 1.00"));
    window.click("Cell c");
    let scales =
        window.harness.query_all_by_label_contains("Colour scale").filter_map(|node| node.accesskit_node().label());
    let scales: Vec<String> = scales.collect();
    assert_eq!(scales, ["Colour scale: −2.40, 0, 2.40"], "a cell is not bounded");
    window.click("Forget f");
    assert!(window.has("Colour scale: 0, 0.5, 1") && says(&window, "1 keeps everything"));
}

#[test]
fn a_tanh_network_has_a_hidden_state_alone_and_large_pictures_are_made_aside() {
    let mut window = opened(LAPTOP, 1.0, plain(ThemeChoice::Dark));
    let whole = states(&"a b c d ".repeat(100), 2, 256);
    let hidden = |layer: &LayerStates| LayerStates { units: layer.units, parts: vec![layer.parts[5].clone()] };
    let report = StatesReport { tokens: whole.tokens.clone(), layers: whole.layers.iter().map(hidden).collect() };
    with_states(&mut window, Arc::new(report));
    assert!(says(&window, "Hidden h of stories-lstm") && !window.has("Cell c"));
}

#[test]
fn pictures_of_memory_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_memory_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for view in ["distance", "forget", "states"] {
            let app = AppOptions { theme: Some(theme), ..with_text_model() };
            let mut window = opened(SMALL, 1.0, app);
            measured(&mut window);
            match view {
                "distance" => raced(&mut window),
                "forget" => both_forget(&mut window),
                _ => with_states(&mut window, states("what time is it", 2, 48)),
            }
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let whole = egui::pos2(SMALL.x, SMALL.y);
            window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
            window.harness.snapshot_options(format!("pretrain-memory-{view}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
