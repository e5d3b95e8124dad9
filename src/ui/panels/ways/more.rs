//! What is folded: the vector of a decoder, how examples are written, how networks learn.

use super::controls::short;
use super::form::Form;
use super::{TEST_FILE, TEST_FOLDER, WaysPanel};
use crate::types::{Ability, AdaptTraining, FeaturePooling, LabelledKind, Way};
use crate::ui::Cx;
use crate::ui::panels::labelled;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{TextArea, caption, field, hint, integer_field, path_field, segmented};
use egui::{Checkbox, CollapsingHeader, Margin, RichText, TextEdit, Ui};
use lucide_icons::Icon;

const CALIBRATE_HELP: &str =
    "How likely each word is after an example without content is divided out (Zhao et al. 2021).";
const WORDS_HELP: &str = "The word for each class in a prompt, in the order of the classes, with commas between them. Nothing: the \
     labels themselves.";

pub(super) fn show(form: &mut Form, ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.add_space(space::S);
    CollapsingHeader::new(RichText::new("More").font(Type::Body.bold())).id_salt("more of ways").show(ui, |ui| {
        match WaysPanel::kind(cx.state) {
            LabelledKind::Texts => {
                if path_field(ui, "A file of its own for the test", "none", Icon::FileText, &mut form.test_file) {
                    cx.pick(TEST_FILE, labelled::file());
                }
            }
            LabelledKind::Pictures => {
                if path_field(ui, "A folder of its own for the test", "none", Icon::Folder, &mut form.test_folder) {
                    cx.pick(TEST_FOLDER, labelled::folder());
                }
            }
        }
        let is_decoder = WaysPanel::model(cx.state).is_some_and(|open| open.info.can(Ability::Continue));
        if is_decoder {
            ui.add_space(space::S);
            caption(ui, "A decoder's vector of a text").on_hover_text(
                "Under the logistic regression and the nearest mean. An encoder has a pooling of its own.",
            );
            let poolings = [(FeaturePooling::Mean, "Mean of tokens"), (FeaturePooling::LastToken, "Last token")];
            segmented(ui, &mut form.pooling, &poolings);
            ui.add_space(space::S);
            prompt(form, ui);
        }
        ui.add_space(space::S);
        training(form, ui, cx);
    });
}

/// How examples are written.
fn prompt(form: &mut Form, ui: &mut Ui) {
    let margin = Margin::symmetric(8, 6);
    field(ui, "Instruction", "Said once, before the examples.", |ui| {
        ui.add(TextArea::new(&mut form.instruction, 1).hint("none").margin(margin))
    });
    field(ui, "An example", "How one is written, with {input} and {output} once each.", |ui| {
        ui.add(TextArea::new(&mut form.template, 2).mono().margin(margin))
    });
    field(ui, "Words for the classes", WORDS_HELP, |ui| {
        let edit = TextEdit::singleline(&mut form.words).hint_text(hint("the labels")).desired_width(f32::INFINITY);
        ui.add(edit.margin(margin))
    });
    ui.add(Checkbox::new(&mut form.calibrate, "Calibrated")).on_hover_text(CALIBRATE_HELP);
}

/// How networks learn.
fn training(form: &mut Form, ui: &mut Ui, cx: &Cx<'_>) {
    ui.columns_const(|[left, right]| {
        integer_field(left, "Epochs", "Passes over the examples.", &mut form.epochs, 1..=1000);
        integer_field(right, "Batch size", "Examples a step, at most.", &mut form.batch, 1..=1024);
    });
    ui.columns_const(|[left, right]| {
        let help = "Steps, however few the examples are.";
        integer_field(left, "Steps at least", help, &mut form.least_steps, 1..=100_000);
        let help = "Steps, however many the examples are.";
        integer_field(right, "Steps at most", help, &mut form.most_steps, 1..=1_000_000);
    });
    ui.columns_const(|[left, _]| {
        let help = "Rows of the low-rank changes: more can say more, and cost more.";
        integer_field(left, "Rank of LoRA", help, &mut form.rank, 1..=1024);
    });
    caption(ui, "Peak learning rates")
        .on_hover_text("AdamW's, after a tenth of warm-up, along a cosine. Nothing: the usual one.");
    let parameters = WaysPanel::model(cx.state).map_or(0, |open| open.info.parameters);
    let usual = AdaptTraining::default();
    let trained: Vec<Way> = Way::ALL.into_iter().filter(|way| way.trains()).collect();
    for pair in trained.chunks(2) {
        ui.columns(2, |columns| {
            for (ui, way) in columns.iter_mut().zip(pair) {
                let usual = format!("{:e}", usual.rate(*way, parameters));
                let text = form.rates.entry(*way).or_default();
                field(ui, &format!("{} rate", short(*way)), "", |ui| {
                    ui.add(TextEdit::singleline(text).hint_text(hint(&usual)).desired_width(f32::INFINITY))
                });
            }
        });
    }
    form.rates.retain(|_, text| !text.is_empty());
}
