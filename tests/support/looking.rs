//! A window on the attention panel, with a text that a decoder of two layers of two heads has read.

use crate::window::Window;
use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::Queryable;
use fovea::engine::{Event, Outcome, Work};
use fovea::types::{Capture, InspectReport, PromptToken, Site};
use fovea::ui::AppOptions;
use std::sync::Arc;

/// Special tokens stand for no part of the text.
pub fn tokens(texts: &[&str]) -> Vec<PromptToken> {
    let mut end = 0;
    let token = |(id, text): (usize, &&str)| {
        let span = end..end + if ["[CLS]", "[SEP]", "<s>"].contains(text) { 0 } else { text.len() };
        end = span.end;
        PromptToken { id: 10 + id as u32, text: (*text).into(), span }
    };
    texts.iter().enumerate().map(token).collect()
}

/// Every head looks at its own token.
pub fn inspected(texts: &[&str]) -> InspectReport {
    let side = texts.len();
    let values = (0..2 * side * side).map(|cell| f32::from(u8::from(cell % side == cell / side % side)));
    let values: fovea::types::Values = values.collect();
    let capture = |layer| Capture { site: Site::Pattern(layer), shape: vec![2, side, side], values: values.clone() };
    InspectReport { tokens: tokens(texts), captures: vec![capture(0), capture(1)], picture: None, left_out: None }
}

/// A window on one way of looking at such a text. What that asks is not answered.
pub fn looking_at(way: &str, size: Vec2, scale: f32, options: AppOptions, texts: &[&str]) -> Window<'static> {
    let mut window = Window::open(size, scale, options);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    let report = inspected(texts);
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome: Outcome::Inspected(Arc::new(report)) });
    window.settle();
    window.harness.get_by_role_and_label(Role::RadioButton, way).click();
    window.harness.run_steps(4);
    window
}
