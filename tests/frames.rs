//! How much CPU time a frame takes while the engine floods the window with events. A benchmark: run it by name, with
//! nothing else at work, by `cargo test --release --test frames -- --ignored --nocapture`.

#[path = "support/scripted_engine.rs"]
mod scripted_engine;

use egui::{Event as Input, Pos2, RawInput, Rect, Vec2, vec2};
use fovea::engine::{Command, Event, Outcome, Work};
use fovea::types::{
    Architecture, DigitNetwork, DigitTask, Glimpse, GlimpseToken, Guess, HeadValues, InspectReport, JobId, LayerStates,
    Layers, LrSchedule, ModelId, ModelInfo, Moved, Precision, PromptToken, RunSnapshot, Seen, Shape, Stack, StartFrom,
    StatePart, StatesReport, TrainPoint, TrainSpec, TrainSummary, TrainTask, TrainingCost,
};
use fovea::ui::{App, AppOptions};
use scripted_engine::{ScriptedEngine, info, pattern, token};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const FRAMES: usize = 400;

/// CPU time of this thread in milliseconds, where the platform tells; else the wall clock's.
fn cpu_ms(began: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns: Option<f64> = text.split_whitespace().next().and_then(|n| n.parse().ok());
    ns.map_or_else(|| began.elapsed().as_secs_f64() * 1e3, |ns| ns / 1e6)
}

struct FrameRig {
    ctx: egui::Context,
    app: App,
    engine: ScriptedEngine,
    began: Instant,
    frame: usize,
}

impl FrameRig {
    fn new() -> Self {
        Self::in_folder(None)
    }

    /// With what a folder holds of the session before.
    fn in_folder(state_dir: Option<PathBuf>) -> Self {
        let engine = ScriptedEngine::new();
        let ctx = egui::Context::default();
        let options = AppOptions { model: Some("models/sprout".into()), state_dir, ..AppOptions::default() };
        let app = App::new(&ctx, Box::new(engine.clone()), options);
        let mut bench = Self { ctx, app, engine, began: Instant::now(), frame: 0 };
        // Fonts and the first layout are paid for on start, not while something runs.
        for _ in 0..5 {
            bench.frame(Vec::new());
        }
        bench.engine.0.borrow_mut().answers = false;
        bench
    }

    /// One frame of a 1280×800 window: take in events, lay out, tessellate. Gives its CPU time in milliseconds.
    fn frame(&mut self, events: Vec<Input>) -> f64 {
        self.frame += 1;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1280.0, 800.0))),
            time: Some(self.frame as f64 / 60.0),
            events,
            ..RawInput::default()
        };
        let before = cpu_ms(self.began);
        let app = &mut self.app;
        let output = self.ctx.run_ui(input, |ui| {
            app.drain(ui.ctx());
            app.paint(ui);
        });
        let shapes = self.ctx.tessellate(output.shapes.clone(), output.pixels_per_point);
        let spent = cpu_ms(self.began) - before;
        assert!(!shapes.is_empty());
        output.drop_without_applying_deltas();
        spent
    }

    /// The pointer wanders over the stage, as it does while a person watches.
    fn wander(&self) -> Vec<Input> {
        let turn = self.frame as f32 * 0.05;
        vec![Input::PointerMoved(Pos2::new(700.0 + 180.0 * turn.sin(), 420.0 + 160.0 * (turn * 1.3).cos()))]
    }
}

fn report(name: &str, mut times: Vec<f64>) {
    let slowest = times.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(frame, _)| frame);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!(
        "{name:<44} mean {mean:>6.2} ms   p99 {:>6.2} ms   max {:>6.2} ms in frame {slowest} of {}",
        at(0.99),
        at(1.0),
        times.len()
    );
}

#[test]
#[ignore = "a benchmark; run it by name"]
fn frame_times_while_events_stream() {
    generating();
    opening();
    training();
    training_from_inside();
    learning_watched();
    looking_at_long_attention("map", 512, 12, 12);
    looking_at_long_attention("map", 1024, 12, 12);
    looking_at_long_attention("lines", 1024, 12, 12);
    // As many layers of a model like SmolLM2-135M as are kept at once.
    looking_at_long_attention("map", 2048, 3, 9);
    watching_states(1024, 2, 1024);
}

fn generating() {
    let mut bench = FrameRig::new();
    bench.app.show_panel(fovea::ui::PanelId::Prompt);
    // Started as a person does, so that the panel shows it.
    bench.frame(vec![key(egui::Key::Enter)]);
    let (job, _) = bench.engine.generations()[0].clone();
    let prompt = (0..64).map(|i| PromptToken { id: i, text: " word".into(), span: 0..0 }).collect();
    bench.engine.say(Event::Prompted { job, tokens: prompt });
    let times = (0..FRAMES).map(|frame| {
        (0..2).for_each(|i| bench.engine.say(Event::Token { job, token: token(2 * frame + i) }));
        let events = bench.wander();
        bench.frame(events)
    });
    report("120 tok/s into the prompt panel, to 800 tokens", times.collect());
}

fn opening() {
    let mut bench = FrameRig::new();
    let (job, model) = (JobId::next(), ModelId::next());
    bench.app.send(Command::start(job, model, Work::Open("models/large".into())));
    let times = (0..FRAMES).map(|frame| {
        for i in 0..50u64 {
            let done = (frame as u64 * 50 + i) * 100_000;
            let label = "Reading weights".to_owned();
            bench.engine.say(Event::Progress { job, label, done, total: 2_000_000_000, unit: "bytes" });
        }
        let events = bench.wander();
        bench.frame(events)
    });
    report("3,000 progress events/s while a model opens", times.collect());
}

fn training() {
    let mut bench = FrameRig::new();
    let (job, model) = (JobId::next(), ModelId::next());
    let task = DigitTask { data: "data".into(), network: DigitNetwork::Mlp, layers: None, augment: false };
    let spec = TrainSpec {
        task: TrainTask::Digits(task),
        start: StartFrom::Scratch,
        out: None,
        precision: Precision::F32,
        lora: None,
        groups: Vec::new(),
        learning_rate: 1e-3,
        schedule: LrSchedule::Constant,
        warmup_steps: 0,
        weight_decay: 0.0,
        clip_norm: 0.0,
        batch_size: 32,
        accumulate: 1,
        steps: 50_000,
        validation_share: 0.1,
        learn_from: 1.0,
        eval_every: 100,
        patience: 0,
        seed: 1,
        sample_prompts: Vec::new(),
        snapshots: None,
    };
    bench.app.send(Command::start(job, model, Work::Train(spec)));
    bench.app.show_panel(fovea::ui::PanelId::FineTune);
    let mut step = 0;
    let times = (0..FRAMES).map(|_| {
        let points = (0..100).map(|_| {
            step += 1;
            let noise = ((step * 7919) % 1000) as f64 / 4000.0;
            TrainPoint {
                step,
                elapsed_s: step as f64 * 1e-3,
                loss: 2.0 * (-(step as f64) / 4e3).exp() + 0.1 + noise,
                learning_rate: 1e-3,
                validation_loss: (step % 100 == 0).then_some(0.3),
                validation_accuracy: (step % 100 == 0).then_some(0.9),
                gradient_norm: Some(1.0),
                ..TrainPoint::default()
            }
        });
        bench.engine.say(Event::Trained { job, points: points.collect() });
        let events = bench.wander();
        bench.frame(events)
    });
    report("6,000 steps/s into the loss plot, to 40,000", times.collect());
}

/// A run of a text model from inside, with a snapshot of 30 layers every 20 frames. The arrow keys go through them.
fn training_from_inside() {
    let session = tempfile::tempdir().expect("a scratch folder");
    let panels = serde_json::json!({ "panels": { "fine_tune": { "view": { "inside": true } } } });
    std::fs::write(session.path().join("session.json"), panels.to_string()).expect("a scratch file");
    let mut bench = FrameRig::in_folder(Some(session.path().to_owned()));
    let (job, model) = (JobId::next(), ModelId::next());
    let text = "learning_rate = 1e-3\nbatch_size = 8\nsteps = 50000\nsnapshots = \"every 2000\"\nout = \"run\"\n\
                [task]\nkind = \"text\"\ndata = [\"verse.txt\"]\ncontext = 128\n";
    let spec: TrainSpec = toml::from_str(text).expect("a recipe");
    bench.app.send(Command::start(job, model, Work::Train(spec)));
    bench.app.show_panel(fovea::ui::PanelId::FineTune);
    let mut step = 0;
    let times = (0..FRAMES).map(|frame| {
        let points = (0..100).map(|_| {
            step += 1;
            let noise = ((step * 7919) % 1000) as f64 / 4000.0;
            let loss = 2.0 * (-(step as f64) / 4e3).exp() + 0.1 + noise;
            TrainPoint { step, elapsed_s: step as f64 * 1e-3, loss, ..TrainPoint::default() }
        });
        let points = points.collect();
        bench.engine.say(Event::Trained { job, points });
        if frame % 20 == 0 {
            let layers = |shift: usize| {
                (0..30).map(|l| (0..9).map(|h| Some(((l * h + shift) % 10) as f32 / 10.0)).collect()).collect()
            };
            let scores =
                ["induction_repeats", "previous_token", "duplicate_token"].map(|id| (id.to_owned(), layers(frame)));
            let moved = (0..30).flat_map(|layer| {
                ["norm_attn.gain", "qkv.weight", "attn_out.weight", "norm_mlp.gain", "gate_up.weight", "mlp_out.weight"]
                    .map(|name| Moved {
                        path: format!("blocks.{layer}.{name}"),
                        by: Some(frame as f64),
                        from: Some(1e3),
                    })
            });
            let snapshot = RunSnapshot {
                step,
                loss: Some(2.0),
                validation_loss: Some(2.0),
                heads: Some(HeadValues { seed: 1, half: 50, scores: scores.into() }),
                moved: moved.collect(),
                weights: Some(format!("run/snapshots/step-{step:06}").into()),
                ..RunSnapshot::default()
            };
            bench.engine.say(Event::Snapshot { job, snapshot: Box::new(snapshot) });
        }
        let mut events = bench.wander();
        if frame % 7 == 0 {
            events.push(plain_key(if frame % 3 == 0 { egui::Key::ArrowRight } else { egui::Key::ArrowLeft }));
        }
        bench.frame(events)
    });
    report("6,000 steps/s into a run seen from inside, to 20 snapshots of 30 layers", times.collect());
}

/// Four networks that learn from a text one after another, each 5,000 points long, with a new sequence to look at every frame.
fn learning_watched() {
    let session = tempfile::tempdir().expect("a scratch folder");
    let form = serde_json::json!({
        "nets": ["transformer", "lstm", "rnn", "feed_forward"], "source": "file", "file": "verse.txt", "keep": false
    });
    let panels = serde_json::json!({ "panels": { "pretrain": { "learning": { "form": form } } } });
    std::fs::write(session.path().join("session.json"), panels.to_string()).expect("a scratch file");
    let mut bench = FrameRig::in_folder(Some(session.path().to_owned()));
    bench.app.show_panel(fovea::ui::PanelId::Pretrain);
    bench.frame(vec![key(egui::Key::Enter)]);
    for place in 0..4 {
        bench.frame(Vec::new());
        bench.frame(Vec::new());
        let tried = bench.engine.started(|job, work| matches!(work, Work::TryTraining(_)).then_some(job));
        let cost = TrainingCost { step_s: 0.01, validation_s: 0.1, memory_bytes: None, parameters: 133_440 };
        bench.engine.say(Event::Done { job: tried[place], outcome: Outcome::Tried(cost) });
    }
    let guess = |place: usize| Guess {
        top: (0..5).map(|rank| (format!(" word{rank}"), 0.2 / (rank + 1) as f32)).collect(),
        is_right: place.is_multiple_of(3),
        loss: (place % 7) as f32,
    };
    let sequence = |step: usize| {
        let token = |place: usize| GlimpseToken {
            truth: format!(" w{}", (place * 31 + step) % 97),
            seen: Seen::Hidden,
            guess: (place > 0).then(|| guess(place + step)),
        };
        Box::new(Glimpse { step, tokens: (0..96).map(token).collect() })
    };
    let mut step = 0_usize;
    let times = (0..FRAMES).map(|frame| {
        let run = frame / (FRAMES / 4);
        if frame.is_multiple_of(FRAMES / 4) {
            step = 0;
            // What has ended is seen in one frame, what follows begins in the next.
            bench.frame(Vec::new());
            bench.frame(Vec::new());
        }
        let job = bench.engine.started(|job, work| matches!(work, Work::Train(_)).then_some(job))[run];
        let points = (0..50).map(|_| {
            step += 1;
            let loss = 4.0 * (-(step as f64) / 1e3).exp() + 2.0 + ((step * 7919) % 1000) as f64 / 2000.0;
            let validation_loss = step.is_multiple_of(50).then_some(loss);
            TrainPoint { step, elapsed_s: step as f64 * 1e-3, loss, validation_loss, ..TrainPoint::default() }
        });
        let points = points.collect();
        bench.engine.say(Event::Trained { job, points });
        bench.engine.say(Event::Glimpsed { job, glimpse: sequence(step) });
        if frame % (FRAMES / 4) == FRAMES / 4 - 1 {
            let summary = TrainSummary {
                steps: step,
                elapsed_s: 5.0,
                best: None,
                stopped_early: false,
                settled: None,
                examples: 1,
                saved_to: None,
            };
            bench.engine.say(Event::Done { job, outcome: Outcome::Trained(summary) });
        }
        let events = bench.wander();
        bench.frame(events)
    });
    report("four networks that learn, to 5,000 points each", times.collect());
}

/// The attention of one long sequence, in one of the ways to look at it. The pointer wanders, the wheel zooms in and out, and
/// every 20 frames another head is shown, or another layer.
fn looking_at_long_attention(way: &str, count: usize, layers: usize, heads: usize) {
    let session = tempfile::tempdir().expect("a scratch folder");
    let panels = serde_json::json!({ "panels": { "attention": { "way": way } } });
    std::fs::write(session.path().join("session.json"), panels.to_string()).expect("a scratch file");
    let mut bench = FrameRig::in_folder(Some(session.path().to_owned()));
    bench.engine.0.borrow_mut().answers = true;
    bench.frame(vec![key(egui::Key::Enter)]);
    bench.frame(Vec::new());
    bench.engine.0.borrow_mut().answers = false;
    bench.app.show_panel(fovea::ui::PanelId::Attention);
    bench.frame(Vec::new());
    bench.frame(Vec::new());
    let job = bench.engine.started(|job, work| match work {
        Work::Inspect(_) => Some(job),
        _ => None,
    });
    let tokens = (0..count).map(|i| PromptToken { id: i as u32, text: format!(" w{i}"), span: 0..0 }).collect();
    let captures = (0..layers).map(|layer| pattern(heads, count, layer)).collect();
    let report_ = InspectReport { tokens, captures, picture: None, left_out: None };
    bench.engine.say(Event::Done { job: job[0], outcome: Outcome::Inspected(Arc::new(report_)) });
    let times: Vec<f64> = (0..FRAMES)
        .map(|frame| {
            let mut events = bench.wander();
            if frame % 20 == 0 {
                events.push(plain_key(if frame / 20 % heads == heads - 1 {
                    egui::Key::ArrowDown
                } else {
                    egui::Key::ArrowRight
                }));
            }
            if frame % 10 == 5 {
                let delta = vec2(0.0, if frame % 100 < 50 { 40.0 } else { -40.0 });
                events.push(wheel(delta));
            }
            bench.frame(events)
        })
        .collect();
    report(&format!("attention, {way}, {count} tokens, {layers} × {heads} heads"), times);
}

/// The cells of a large recurrent model over a long text, from before the answer comes. The pointer wanders.
fn watching_states(count: usize, layers: usize, units: usize) {
    let session = tempfile::tempdir().expect("a scratch folder");
    let memory = serde_json::json!({ "look": "states", "states": { "part": "cell" } });
    let panels = serde_json::json!({ "panels": { "pretrain": { "part": "memory", "memory": memory } } });
    std::fs::write(session.path().join("session.json"), panels.to_string()).expect("a scratch file");
    let mut bench = FrameRig::in_folder(Some(session.path().to_owned()));
    let model = ModelId::next();
    let stack = Layers { layers, hidden: units, sees: None };
    let lstm = ModelInfo {
        architecture: Architecture::Lstm,
        shape: Shape::Decoder { blocks: Stack::Layers(stack), vocabulary: 257, context: count },
        ..info(model, Path::new("lstm"))
    };
    bench.engine.say(Event::Model { info: lstm, weights: Arc::default() });
    bench.app.show_panel(fovea::ui::PanelId::Pretrain);
    bench.frame(Vec::new());
    bench.frame(Vec::new());
    let job = bench.engine.started(|job, work| matches!(work, Work::WatchStates(_)).then_some(job));
    let tokens = (0..count).map(|i| PromptToken { id: i as u32, text: format!(" w{i}"), span: 0..0 }).collect();
    let values: Vec<f32> = (0..count * units).map(|at| (at as f32 * 0.37).sin() * 1.5).collect();
    let layer = || LayerStates { units, parts: vec![(StatePart::Cell, values.clone())] };
    let states = StatesReport { tokens, layers: (0..layers).map(|_| layer()).collect() };
    bench.engine.say(Event::Done { job: job[0], outcome: Outcome::StatesWatched(Arc::new(states)) });
    let times = (0..FRAMES).map(|_| {
        let events = bench.wander();
        bench.frame(events)
    });
    report(&format!("cells of {layers} × {units} units, {count} tokens"), times.collect());
}

fn wheel(delta: Vec2) -> Input {
    Input::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Unknown,
        modifiers: egui::Modifiers::NONE,
    }
}

fn key(key: egui::Key) -> Input {
    let modifiers = egui::Modifiers::COMMAND | egui::Modifiers::CTRL;
    Input::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
}

fn plain_key(key: egui::Key) -> Input {
    Input::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: egui::Modifiers::NONE }
}
