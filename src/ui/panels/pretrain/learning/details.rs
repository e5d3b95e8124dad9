//! The network that was chosen: its numbers, what it wrote, and what can be done with it.

use super::net::Net;
use super::race::Runner;
use crate::chart::{number, number_grouped};
use crate::types::{RunSample, Way, best_validation};
use crate::ui::theme::{RADIUS, Type, space};
use crate::ui::widgets::{caption, secondary_button, seconds, section};
use crate::ui::{Cx, Intent, PanelId, Themed};
use egui::{Frame, RichText, Ui};
use lucide_icons::Icon;

/// Samples shown, newest first.
const SAMPLES: usize = 40;

pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, runner: &Runner) {
    let theme = ui.theme();
    ui.label(RichText::new(&runner.name).font(Type::Strong.bold()).color(theme.category(runner.hue)));
    caption(ui, runner.net.help());
    facts(ui, cx, runner);
    let is_open = cx.state.models.contains_key(&runner.model) && runner.training(cx.state).is_some();
    if is_open {
        section(ui, "Use it", |ui| use_it(ui, cx, runner));
    }
    let folder = runner.spec.as_ref().and_then(|spec| spec.out.as_ref());
    match folder {
        Some(folder) => {
            caption(ui, format!("Kept in {}.", folder.display()));
            let is_there = !is_open && folder.join("config.json").is_file();
            if is_there && secondary_button(ui, Some(Icon::FolderOpen), "Open the model").clicked() {
                cx.open_model(folder.clone());
            }
        }
        None if is_open => {
            caption(ui, "It lives in memory only. Fine-tune, where it is listed, saves it as a folder.");
        }
        None => {}
    }
    let samples = runner.training(cx.state).map_or(&[][..], |training| &training.samples);
    if !samples.is_empty() {
        section(ui, "What it wrote", |ui| {
            for sample in samples.iter().rev().take(SAMPLES) {
                text(ui, sample);
            }
        });
    }
}

fn facts(ui: &mut Ui, cx: &Cx<'_>, runner: &Runner) {
    let Some(spec) = &runner.spec else { return };
    let points = runner.points(cx.state);
    let mut rows = Vec::new();
    if let Some(numbers) = runner.parameters() {
        rows.push(("Numbers", number_grouped(numbers)));
    }
    rows.push(("Steps", number_grouped(spec.steps as u64)));
    rows.push(("Tokens a step", number_grouped(spec.examples_per_step() as u64)));
    rows.push(("Learning rate", number(spec.learning_rate)));
    rows.push(("Seed", spec.seed.to_string()));
    if let Some(last) = points.last() {
        rows.push(("Time", seconds(last.elapsed_s)));
    }
    if let Some((step, loss)) = best_validation(points) {
        rows.push(("Best loss", format!("{loss:.3} at {}", number_grouped(step as u64))));
    }
    let grid = egui::Grid::new("of the network").num_columns(2).min_row_height(18.0).min_col_width(0.0);
    grid.spacing(egui::vec2(space::M, 2.0)).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        for (name, value) in rows {
            caption(ui, name);
            ui.label(RichText::new(value).font(Type::Caption.mono()).color(ui.theme().body()));
            ui.end_row();
        }
    });
}

fn use_it(ui: &mut Ui, cx: &mut Cx<'_>, runner: &Runner) {
    let words = if runner.net == Net::Encoder { "Fill blanks with it" } else { "Prompt it" };
    if secondary_button(ui, Some(Icon::ArrowRight), words).clicked() {
        cx.activate(runner.model);
        cx.go_to(PanelId::Prompt);
    }
    let help = "The same network with some labelled sentences: from random weights, and after what it has learned here without labels, in \
                one plot.";
    if secondary_button(ui, Some(Icon::Split), "What are labels worth?").on_hover_text(help).clicked() {
        cx.intend(Intent::Adapt(runner.model, vec![Way::Full, Way::Scratch]));
    }
}

fn text(ui: &mut Ui, sample: &RunSample) {
    let theme = ui.theme();
    caption(ui, format!("After step {}", number_grouped(sample.step as u64)));
    Frame::new().fill(theme.neutral(2)).corner_radius(RADIUS).inner_margin(egui::Margin::same(8)).show(ui, |ui| {
        ui.label(RichText::new(sample.text.trim()).font(Type::Body.sans()).color(theme.body()));
    });
}
