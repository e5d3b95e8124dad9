//! What labelled data holds, as panels that learn from it show it.

use crate::chart::number_grouped;
use crate::types::{LabelledKind, LabelledReport, printable};
use crate::ui::Themed;
use crate::ui::files::FileRequest;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::caption;
use egui::{Grid, RichText, ScrollArea, Ui};

/// How long what is typed rests before the file is read.
pub(super) const REST_S: f64 = 0.5;
/// Classes that are listed.
const CLASSES: usize = 12;
/// Tallest that their list is.
const TALLEST: f32 = 190.0;
/// Of the three columns of counts beside a label.
const COUNTS_WIDTH: f32 = 190.0;

/// What a file holds: columns, an example, counts, and what is odd.
pub(super) fn told(ui: &mut Ui, report: &LabelledReport) {
    let theme = ui.theme();
    let [text, label] = &report.chosen;
    let columns = report.columns.join(", ");
    let words = match (report.kind, label.as_str()) {
        (LabelledKind::Pictures, "folder") => "The name of a folder is the label.".to_owned(),
        (LabelledKind::Pictures, _) => "Images in MNIST's format; the numbers beside them are the labels.".to_owned(),
        (LabelledKind::Texts, _) => format!("Texts in {}, labels in {}.", printable(text), printable(label)),
    };
    caption(ui, words).on_hover_text(columns);
    if let Some([text, label]) = report.preview.first() {
        let line = format!("{}: {}", printable(label), printable(text));
        ui.add(egui::Label::new(RichText::new(line).font(Type::Caption.sans()).color(theme.body())).truncate())
            .on_hover_ui(|ui| {
                for [text, label] in &report.preview {
                    caption(ui, format!("{}: {}", printable(label), printable(text)));
                }
            });
    }
    ui.add_space(space::XS);
    // A grid makes a cell that is cut off as narrow as its title.
    let room = (ui.available_width() - COUNTS_WIDTH).max(40.0);
    ScrollArea::vertical().id_salt("labels").max_height(TALLEST).show(ui, |ui| {
        Grid::new("label counts").striped(true).spacing([space::M, 2.0]).show(ui, |ui| {
            for name in ["Label", "Training", "Validation", "Test"] {
                caption(ui, name);
            }
            ui.end_row();
            for (label, counts) in report.labels.iter().zip(&report.counts).take(CLASSES) {
                let name = RichText::new(printable(label)).font(Type::Caption.sans()).color(theme.body());
                ui.scope(|ui| {
                    ui.set_width(room);
                    ui.add(egui::Label::new(name).truncate());
                });
                for count in counts {
                    let number = number_grouped(*count as u64);
                    ui.label(RichText::new(number).font(Type::Caption.mono()).color(theme.body()));
                }
                ui.end_row();
            }
        });
    });
    if report.labels.len() > CLASSES {
        caption(ui, format!("and {} more labels", report.labels.len() - CLASSES));
    }
    for words in report.warnings() {
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
}

/// Asks for a folder of labelled pictures.
pub(super) fn folder() -> FileRequest {
    FileRequest::folder("Choose a folder of pictures by class, or of MNIST files")
}

/// Asks for a file of labelled texts.
pub(super) fn file() -> FileRequest {
    FileRequest::open("Choose a file of labelled texts")
        .filter("Labelled texts", &["csv", "tsv", "jsonl", "json", "ndjson", "tab", "txt", "gz"])
}
