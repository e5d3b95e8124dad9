//! The real program in a real window: typed into, drawn on, killed, started again, photographed.

mod support;

use image::RgbImage;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::{root, skipped};

/// What the window's places are at its first size of 1280×800.
const QUERY: (i32, i32) = (235, 450);
const OUTPUT: (u32, u32, u32, u32) = (424, 245, 540, 400);
const CANVAS: (u32, u32, u32, u32) = (420, 112, 284, 284);
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, ended when the test ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(state: &Path) -> Program {
    let child = Command::new(env!("CARGO_BIN_EXE_fovea"))
        .env("FOVEA_STATE_DIR", state)
        .env("FOVEA_MODELS", root().join("models"))
        .env_remove("WAYLAND_DISPLAY")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    Program(child)
}

fn xdotool(arguments: &[&str]) -> Option<String> {
    let output = Command::new("xdotool").args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Waits for the window of this program and gives it the keyboard.
fn focus(program: &Program) {
    let pid = program.0.id().to_string();
    let begun = Instant::now();
    let window = loop {
        let found = xdotool(&["search", "--onlyvisible", "--pid", &pid]).filter(|ids| !ids.is_empty());
        if let Some(id) = found.and_then(|ids| ids.lines().last().map(str::to_owned)) {
            break id;
        }
        assert!(begun.elapsed() < PATIENCE, "no window came up");
        pause(200);
    };
    xdotool(&["windowmove", &window, "0", "0"]);
    xdotool(&["windowfocus", &window]).expect("the window takes the keyboard");
    pause(1500);
}

fn click(x: i32, y: i32) {
    xdotool(&["mousemove", &x.to_string(), &y.to_string()]);
    pause(100);
    xdotool(&["click", "1"]);
    pause(200);
}

fn photograph(folder: &Path) -> RgbImage {
    let path = folder.join("screen.png");
    let done = Command::new("import").args(["-window", "root"]).arg(&path).status().expect("import runs");
    assert!(done.success(), "no photograph could be taken");
    image::open(&path).expect("the photograph opens").into_rgb8()
}

/// Pixels in a rectangle that are much brighter than the rectangle's most common brightness.
fn marks(picture: &RgbImage, (x, y, width, height): (u32, u32, u32, u32)) -> usize {
    let brightness = |p: &image::Rgb<u8>| p.0.iter().map(|c| i32::from(*c)).sum::<i32>() / 3;
    let values: Vec<i32> = (y..y + height)
        .flat_map(|y| (x..x + width).map(move |x| (x, y)))
        .map(|(x, y)| brightness(picture.get_pixel(x, y)))
        .collect();
    let mut histogram = [0usize; 256];
    values.iter().for_each(|v| histogram[*v as usize] += 1);
    let ground = histogram.iter().enumerate().max_by_key(|(_, n)| **n).map_or(0, |(v, _)| v as i32);
    values.iter().filter(|v| (**v - ground).abs() > 60).count()
}

/// Waits until the condition holds for a photograph.
fn until(folder: &Path, what: &str, mut holds: impl FnMut(&RgbImage) -> bool) {
    let begun = Instant::now();
    loop {
        if holds(&photograph(folder)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        pause(500);
    }
}

fn session_holds(state: &Path, words: &str) -> bool {
    std::fs::read_to_string(state.join("session.json")).is_ok_and(|text| text.contains(words))
}

/// The display, which one window at a time has the keyboard of.
fn the_display() -> MutexGuard<'static, ()> {
    static DISPLAY: Mutex<()> = Mutex::new(());
    DISPLAY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_person_types_runs_draws_and_comes_back_after_a_crash() {
    let test = "a_person_types_runs_draws_and_comes_back_after_a_crash";
    let _alone = the_display();
    if std::env::var_os("DISPLAY").is_none() {
        return skipped(test, "no display (DISPLAY is not set)");
    }
    if xdotool(&["version"]).is_none() || Command::new("import").arg("-version").output().is_err() {
        return skipped(test, "xdotool or ImageMagick is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let (state, photos) = (scratch.path().join("state"), scratch.path().to_owned());

    let program = start(&state);
    focus(&program);
    xdotool(&["key", "ctrl+1"]);
    until(&photos, "the prompt panel shows its controls", |p| marks(p, (92, 60, 280, 60)) > 100);

    click(QUERY.0, QUERY.1);
    xdotool(&["key", "ctrl+a"]);
    xdotool(&["type", "--delay", "30", "The little dog"]);
    let begun = Instant::now();
    while !session_holds(&state, "The little dog") {
        assert!(begun.elapsed() < PATIENCE, "what was typed was not kept");
        pause(200);
    }

    let before = marks(&photograph(&photos), OUTPUT);
    xdotool(&["key", "ctrl+Return"]);
    until(&photos, "tokens appear in the output", |p| marks(p, OUTPUT) > before + 1500);

    xdotool(&["key", "ctrl+4"]);
    pause(1500);
    xdotool(&["mousemove", "500", "160"]);
    xdotool(&["mousedown", "1"]);
    for step in 0..=20 {
        xdotool(&["mousemove", &(500 + 5 * step).to_string(), "160"]);
        pause(15);
    }
    for step in 0..=20 {
        xdotool(&["mousemove", &(600 - 2 * step).to_string(), &(160 + 9 * step).to_string()]);
        pause(15);
    }
    xdotool(&["mouseup", "1"]);
    until(&photos, "the stroke is seen", |p| marks(p, CANVAS) > 2000);
    let begun = Instant::now();
    while !session_holds(&state, "\"points\":[[") {
        assert!(begun.elapsed() < PATIENCE, "what was drawn was not kept");
        pause(200);
    }

    // `kill` is what a crash looks like from outside: nothing is written on the way out.
    drop(program);
    let program = start(&state);
    focus(&program);
    until(&photos, "the stroke is there again after the crash", |p| marks(p, CANVAS) > 2000);
    assert!(session_holds(&state, "The little dog"));
    drop(program);
}

/// A window that trains a perceptron on these images, in its first panel.
fn about_to_train(state: &Path, data: &Path) {
    let form = serde_json::json!({ "digit_data": data, "digits": { "steps": 3000, "eval_every": 50 } });
    let session =
        serde_json::json!({ "panel": "fine_tune", "device": "cpu", "panels": { "fine_tune": { "form": form } } });
    std::fs::create_dir_all(state).unwrap();
    std::fs::write(state.join("session.json"), session.to_string()).unwrap();
}

/// The record of the only run, once it holds.
fn record(state: &Path, what: &str, holds: impl Fn(&Path, &serde_json::Value) -> bool) -> PathBuf {
    let begun = Instant::now();
    loop {
        let runs = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
        for folder in runs.map(|entry| entry.path()) {
            let text = std::fs::read(folder.join("run.json")).unwrap_or_default();
            if serde_json::from_slice(&text).is_ok_and(|record| holds(&folder, &record)) {
                return folder;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        pause(20);
    }
}

#[test]
fn a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been() {
    let test = "a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been";
    let _alone = the_display();
    if std::env::var_os("DISPLAY").is_none() || xdotool(&["version"]).is_none() {
        return skipped(test, "no display (DISPLAY is not set), or xdotool is not installed");
    }
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("images");
    bars(&data);
    let weights = |killed: bool| {
        let state = scratch.path().join(if killed { "killed" } else { "whole" });
        about_to_train(&state, &data);
        let mut program = start(&state);
        focus(&program);
        xdotool(&["key", "ctrl+Return"]);
        if killed {
            let run = record(&state, "a checkpoint", |run, _| run.join("checkpoint/run.json").exists());
            drop(program);
            let text = std::fs::read_to_string(run.join("run.json")).unwrap();
            assert!(text.contains("\"running\""), "it was killed in its midst: {text}");
            program = start(&state);
            focus(&program);
            xdotool(&["key", "ctrl+k"]);
            pause(700);
            xdotool(&["type", "--delay", "20", "go on training"]);
            pause(700);
            xdotool(&["key", "Return"]);
        }
        let run = record(&state, "the end of the run", |_, record| record["state"] == "done");
        let weights = std::fs::read(run.join("model.safetensors")).unwrap();
        drop(program);
        weights
    };
    assert!(weights(true) == weights(false), "the killed run ended with other weights");
}

/// 600 images of which each class has a bar in a row of its own.
fn bars(folder: &Path) {
    let idx = |axes: &[u32], elements: Vec<u8>| {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        bytes.extend(axes.iter().flat_map(|n| n.to_be_bytes()));
        bytes.extend(elements);
        bytes
    };
    std::fs::create_dir_all(folder).unwrap();
    let pixel = |i: usize| if (i % 784 / 28 + 1) / 3 == i / 784 % 10 { 230 } else { (i * 31 % 23) as u8 };
    let images = idx(&[600, 28, 28], (0..600 * 784).map(pixel).collect());
    std::fs::write(folder.join("train-images-idx3-ubyte"), images).unwrap();
    let labels = idx(&[600], (0..600).map(|i| (i % 10) as u8).collect());
    std::fs::write(folder.join("train-labels-idx1-ubyte"), labels).unwrap();
}
