//! What the digits and fine-tune panels do when they are used: strokes reach the network as the image they are, a run is
//! started as it was filled in, and nothing drawn or typed is lost.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers, PointerButton, Pos2, Rect, pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Work};
use fovea::types::{
    DigitImage, DigitNetwork, DigitTask, Drawing, JobId, Precision, StartFrom, Stroke, TrainTask, UserError,
};
use fovea::ui::{AppOptions, ThemeChoice};
use window::{Window, plain};

/// What these panels are made of: strokes on a canvas, and the images that come of them.
trait Drawn {
    /// The digits panel with a network open.
    fn with_network() -> Self;
    fn canvas(&self) -> Rect;
    /// A stroke through places in canvas units.
    fn stroke(&mut self, points: &[[f32; 2]], button: PointerButton);
    fn images(&self) -> Vec<DigitImage>;
}

impl Drawn for Window<'_> {
    fn with_network() -> Self {
        let options = AppOptions { model: Some("models/digits-mlp".into()), ..plain(ThemeChoice::Dark) };
        Self::on("digits", options)
    }

    fn canvas(&self) -> Rect {
        self.harness.get_by_label("Drawing canvas").rect()
    }

    fn stroke(&mut self, points: &[[f32; 2]], button: PointerButton) {
        let canvas = self.canvas();
        let at = |p: &[f32; 2]| on_screen(canvas, *p);
        let press = |pos: Pos2, pressed| Input::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE };
        self.harness.event(Input::PointerMoved(at(&points[0])));
        self.harness.run();
        self.harness.event(press(at(&points[0]), true));
        self.harness.run();
        // All in one frame: a fast hand must not cut corners.
        for point in &points[1..] {
            self.harness.event(Input::PointerMoved(at(point)));
        }
        self.harness.run();
        self.harness.event(press(at(points.last().unwrap()), false));
        self.harness.run();
    }

    fn images(&self) -> Vec<DigitImage> {
        self.engine.started(|_, work| match work {
            Work::Classify(image) => Some(image.clone()),
            _ => None,
        })
    }
}

fn on_screen(canvas: Rect, at: [f32; 2]) -> Pos2 {
    pos2(canvas.left() + at[0] / 280.0 * canvas.width(), canvas.top() + at[1] / 280.0 * canvas.height())
}

fn largest_difference(a: &DigitImage, b: &DigitImage) -> f32 {
    a.0.iter().zip(b.0.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

const SEVEN: [[f32; 2]; 4] = [[80.0, 70.0], [200.0, 70.0], [160.0, 150.0], [130.0, 230.0]];

#[test]
fn strokes_reach_the_network_as_they_were_drawn() {
    let mut window = Window::with_network();
    assert!(window.images().is_empty(), "an empty sheet asks nothing");
    window.stroke(&SEVEN, PointerButton::Primary);
    let sent = window.images().pop().expect("drawing asks the network");
    let stroke = Stroke { points: SEVEN.to_vec(), width: 22.0, eraser: false };
    let expected = Drawing { strokes: vec![stroke] }.to_digit_image().unwrap();
    // Screen places are rounded to what a 32-bit float holds, no more.
    assert!(largest_difference(&sent, &expected) < 0.02, "{}", largest_difference(&sent, &expected));
    assert!(window.has("Digit 7: 91.0 %"), "the answer is shown");
}

#[test]
fn the_right_button_erases_and_undo_brings_the_ink_back() {
    let mut window = Window::with_network();
    window.stroke(&SEVEN, PointerButton::Primary);
    let whole = window.images().pop().unwrap();
    window.stroke(&[[60.0, 70.0], [220.0, 70.0]], PointerButton::Secondary);
    let without_bar = window.images().pop().unwrap();
    assert!(largest_difference(&whole, &without_bar) > 0.5, "the bar of the seven is gone");
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(window.images().pop().unwrap() == whole);
    window.press(Modifiers::COMMAND, Key::Y);
    assert!(window.images().pop().unwrap() == without_bar);
    window.click("Clear");
    assert!(window.has("Digit 7: –"), "no answer is left when the sheet is empty");
}

#[test]
fn one_can_draw_with_the_keyboard() {
    let mut window = Window::with_network();
    window.harness.get_by_label("Drawing canvas").focus();
    window.harness.run();
    for key in [Key::Space, Key::ArrowDown, Key::ArrowDown, Key::ArrowDown, Key::Space, Key::ArrowRight] {
        window.press(Modifiers::NONE, key);
    }
    let sent = window.images().pop().expect("drawing asks the network");
    let points = vec![[140.0, 140.0], [140.0, 146.0], [140.0, 152.0], [140.0, 158.0]];
    let expected = Drawing { strokes: vec![Stroke { points, width: 22.0, eraser: false }] }.to_digit_image().unwrap();
    assert_eq!(sent, expected, "lifting the pen ends the stroke, and moving on adds nothing");
}

#[test]
fn a_clicked_neuron_shows_its_weights_in_numbers() {
    let mut window = Window::with_network();
    window.click("Show an example");
    let neuron = window
        .harness
        .get_all_by_role(Role::Button)
        .find(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("fc2 neuron 3:")))
        .expect("every neuron has a name");
    neuron.click();
    window.harness.run();
    assert!(window.has("fc2 · neuron 3"));
    // Weight 0 of row 3 in the scripted network is sin(48 × 0.37) × 0.2.
    let weight = (48.0f32 * 0.37).sin() * 0.2;
    assert!(window.has(&format!("fc1 0: {weight:.4}")) || window.has(&format!("fc1 0: {weight:.3}")));
}

#[test]
fn one_question_at_a_time_and_the_last_drawing_wins() {
    let mut window = Window::with_network();
    window.engine.0.borrow_mut().answers = false;
    window.stroke(&SEVEN, PointerButton::Primary);
    let asked = window.images().len();
    assert_eq!(asked, 1, "while one question is open no other is asked");
    let job = window.engine.started(|job, work| matches!(work, Work::Classify(_)).then_some(job))[0];
    window.engine.say(Event::Done { job, outcome: fovea::engine::Outcome::Cancelled });
    window.harness.run();
    let last = window.images().pop().unwrap();
    let stroke = Stroke { points: SEVEN.to_vec(), width: 22.0, eraser: false };
    let expected = Drawing { strokes: vec![stroke] }.to_digit_image().unwrap();
    assert!(largest_difference(&last, &expected) < 0.02);
}

#[test]
fn a_drawing_survives_the_end_of_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions {
        state_dir: Some(dir.path().to_owned()),
        model: Some("models/digits-mlp".into()),
        ..plain(ThemeChoice::Dark)
    };
    let mut window = Window::on("digits", options());
    window.stroke(&SEVEN, PointerButton::Primary);
    let drawn = window.images().pop().unwrap();
    // The session is written on a thread of its own; then the app is dropped without a goodbye, as in a crash.
    let file = dir.path().join("session.json");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(&file).is_ok_and(|t| t.contains("\"points\"")) {
        assert!(std::time::Instant::now() < deadline, "the session was not written");
        std::thread::sleep(std::time::Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let again = Window::on("digits", options());
    assert!(again.images().pop() == Some(drawn), "the network is asked about the same drawing again");
}

#[test]
fn the_start_button_sends_what_was_filled_in() {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Convolutional");
    window.click("Shift, turn and scale at random");
    window.click("Start training");
    let specs = window.engine.started(|_, work| match work {
        Work::Train(spec) => Some(spec.clone()),
        _ => None,
    });
    assert_eq!(specs.len(), 1);
    let task = DigitTask { data: "data/mnist".into(), network: DigitNetwork::Cnn, layers: None, augment: true };
    assert_eq!(specs[0].task, TrainTask::Digits(task));
    assert_eq!(specs[0].start, StartFrom::Scratch);
    // The curve in words, and the run in the table.
    let words = "CNN 1: training loss fell from 2.44 to";
    let told = window.harness.get_all_by_role(Role::Label).any(|n| {
        n.accesskit_node().value().or_else(|| n.accesskit_node().label()).is_some_and(|l| l.starts_with(words))
    });
    assert!(told, "no text begins with {words:?}");
    assert!(window.has("CNN 1"));
}

/// A window with a training run under way.
fn in_training() -> (Window<'static>, JobId) {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/none");
    window.click("Try two steps");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let job: JobId = window.engine.started(|job, work| matches!(work, Work::Train(_)).then_some(job)).pop().unwrap();
    window.engine.say(Event::Progress { job, label: "Reading".into(), done: 0, total: 0, unit: "images" });
    window.harness.run();
    (window, job)
}

#[test]
fn escape_in_a_field_or_anywhere_ends_no_training() {
    let (mut window, _) = in_training();
    for panel in ["prompt", "fine_tune", "digits", "log"] {
        window.show(panel);
        if panel == "prompt" {
            window.type_into(Role::MultilineTextInput, "Query", "typed while it learns");
        }
        for _ in 0..3 {
            window.press(Modifiers::NONE, Key::Escape);
        }
    }
    let cancels = |window: &Window<'_>| window.engine.sent(|c| matches!(c, Command::Cancel { .. }).then_some(()));
    assert!(cancels(&window).is_empty());
    window.click("Stop");
    assert_eq!(cancels(&window).len(), 1, "its own button does");
}

#[test]
fn a_run_can_be_held_and_stopped_and_its_error_stands_beside_it() {
    let (mut window, job) = in_training();
    window.click("Pause");
    window.engine.say(Event::Paused { job, paused: true });
    window.harness.run();
    window.click("Resume");
    window.click("Stop");
    let said = window.engine.sent(|c| match c {
        Command::Pause { job } => Some(("pause", *job)),
        Command::Resume { job } => Some(("resume", *job)),
        Command::Cancel { job } => Some(("cancel", *job)),
        _ => None,
    });
    assert_eq!(said, [("pause", job), ("resume", job), ("cancel", job)]);
    let error = UserError::new("The data could not be read.", "There is no such folder.", "Choose another one.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.harness.run();
    assert!(window.has("There is no such folder."));
    assert!(window.has("Start training"), "one can try again");
}

#[test]
fn runs_can_be_compared_hidden_and_exported() {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Start training");
    window.click("Start training");
    assert!(window.has("MLP 1") && window.has("MLP 2"));
    window.click("Hide MLP 1");
    assert!(window.has("Show MLP 1"));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("curves.csv");
    window.click("Export");
    window.click("Export CSV");
    window.harness.get_by_role_and_label(Role::TextInput, "Path to write to").focus();
    window.harness.run();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(file.display().to_string()));
    window.harness.run();
    window.press(Modifiers::NONE, Key::Enter);
    // It is written on another thread: wait for all of it, the header and a line a step.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let text = loop {
        window.harness.step();
        match std::fs::read_to_string(&file) {
            Ok(text) if text.lines().count() == 101 && text.ends_with('\n') => break text,
            _ => assert!(std::time::Instant::now() < deadline, "the export was not written"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert!(text.contains("MLP 2,100,") && !text.contains("MLP 1"), "only what is shown is exported");
}

#[test]
fn a_result_is_saved_in_the_precision_that_was_chosen() {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Start training");
    let trained = window.engine.sent(|c| match c {
        Command::Start { model, work, .. } if matches!(**work, Work::Train(_)) => *model,
        _ => None,
    });
    let model = trained[0];
    let info = window::scripted_engine::info(model, std::path::Path::new("trained-mlp"));
    window.engine.say(Event::Model { info, weights: Default::default() });
    window.harness.run();
    let mut saved = Vec::new();
    for (choice, folder) in [("F16", "half"), ("F32", "full")] {
        window.harness.get_by_role_and_label(Role::RadioButton, choice).click();
        window.harness.run();
        window.click("Save as folder");
        window.harness.get_by_role_and_label(Role::TextInput, "Folder to write into").focus();
        window.harness.run();
        window.press(Modifiers::COMMAND, Key::A);
        window.harness.event(Input::Text(folder.into()));
        window.harness.run();
        window.press(Modifiers::NONE, Key::Enter);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while saved.len() < 1 + usize::from(folder == "full") {
            assert!(std::time::Instant::now() < deadline, "nothing was saved");
            std::thread::sleep(std::time::Duration::from_millis(10));
            window.harness.step();
            saved = window.engine.sent(|c| match c {
                Command::Start { model: Some(model), work, .. } => match &**work {
                    Work::Save(spec) => Some((*model, spec.path.display().to_string(), spec.precision)),
                    _ => None,
                },
                _ => None,
            });
        }
    }
    assert_eq!(saved, [(model, "half".to_owned(), Precision::F16), (model, "full".to_owned(), Precision::F32)]);
}
