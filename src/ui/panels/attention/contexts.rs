//! One word in two texts: where in the model its context comes in.

use super::export::{Kind, save, slug};
use crate::analysis::contexts_words;
use crate::chart::{ContextsFigure, contexts_arrays, contexts_figure};
use crate::engine::{ContextsSpec, Work};
use crate::types::{Ability, ContextsReport, JobId, PromptToken};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, caption, explain, field, job_error, job_progress, primary_button, secondary_button, share_bar, visible_text,
};
use crate::ui::{Answer, Ask, Cx, Prompting, Themed};
use egui::{Align2, Rect, RichText, Role, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const WORD: &str = "bank";
/// For models that look both ways, and for those that read from left to right, where the word has to stand last.
const BOTH_WAYS: [&str; 2] = ["we sat on the bank of the river", "the bank raised its rates"];
const LEFT_TO_RIGHT: [&str; 2] = ["by the river we sat on the bank", "with his money he went to the bank"];

const COSINE_HELP: &str = "The cosine of the angle between the two vectors of the word: 1 where they point the same way, 0 at a right \
     angle. In most models all vectors share a direction, so what matters is where it falls.";
const TOKENS_HELP: &str = "The tokens of the vocabulary whose embeddings point most nearly the same way, with their cosines. In \
     the middle layers of a decoder none is near (cosines of 0.1): the stream has left the embeddings. What it would say there, \
     Layers tells.";
const POSITIONS_HELP: &str = "The positions of the other text whose vectors, in the same layer, are nearest.";

const ROW: f32 = 44.0;
/// Width from which two neighbours stand in a line.
const TWO_BESIDE: f32 = 150.0;

/// What is typed, and what was asked.
#[derive(Default)]
pub(super) struct Contexts {
    pub typed: Typed,
    ask: Ask<ContextsSpec>,
    /// True once examples were offered: what a person clears after that stays clear.
    is_offered: bool,
}

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub texts: [String; 2],
    pub word: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self { texts: [String::new(), String::new()], word: WORD.to_owned() }
    }
}

impl Contexts {
    /// The job of what is on show.
    pub fn job(&self) -> Option<JobId> {
        self.ask.job()
    }

    /// Asks about what is typed; the examples that suit the model where nothing is.
    pub fn run(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Attend).map(|open| open.info.id) else { return };
        self.fill(cx.state.prompting());
        let Typed { texts, word } = self.typed.clone();
        self.ask.ask(ContextsSpec { texts, word }, cx, |spec| (model, Work::CompareContexts(spec.clone())));
    }

    /// What is on show as a figure; `None` until the texts were compared.
    pub fn figure(&self, cx: &Cx<'_>) -> Option<ContextsFigure> {
        let Answer::New(report) = self.ask.answer::<ContextsReport>(cx.state) else { return None };
        let ContextsSpec { texts, word } = self.ask.question()?;
        let made = self.ask.job().and_then(|job| cx.state.job(job)?.made.as_ref());
        let model = made.map_or("model", |made| made.model.as_str());
        let text = |which: usize, name: &str| {
            let (place, of) = (report.places[which], report.texts[which].len());
            format!("{name}: “{}”, {of} tokens, the word at position {place}, counted from 0", texts[which].trim())
        };
        Some(ContextsFigure {
            title: format!("{model}: ‘{}’ in two texts", word.trim()),
            captions: [text(0, "First"), text(1, "Second")]
                .into_iter()
                .chain(limits(report, cx.state.prompting()))
                .collect(),
            words: contexts_words(report, word.trim()),
            report: Arc::clone(report),
        })
    }

    /// Asks where to, then draws or lists and writes on the dialog's thread.
    pub fn export(&self, cx: &mut Cx<'_>, kind: Kind) {
        let Some(figure) = self.figure(cx) else {
            cx.toast("Compare the texts first");
            return;
        };
        let word = self.ask.question().map_or("", |spec| spec.word.trim());
        let about = [("what", figure.title.clone()), ("texts", figure.captions.join("\n"))];
        let about = about.map(|(key, value)| (key.to_owned(), value));
        save(cx, kind, &format!("contexts-{}", slug(word)), move |kind| match kind {
            Kind::Figure(format) => contexts_figure(&figure, format),
            Kind::Arrays(format) => contexts_arrays(&figure.report, &about, format),
        });
    }

    fn fill(&mut self, prompting: Prompting) {
        if std::mem::replace(&mut self.is_offered, true) {
            return;
        }
        if self.typed.texts.iter().all(|text| text.trim().is_empty()) {
            let examples = if prompting == Prompting::Encodes { BOTH_WAYS } else { LEFT_TO_RIGHT };
            self.typed = Typed { texts: examples.map(str::to_owned), word: WORD.to_owned() };
        }
    }

    pub fn show(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.fill(cx.state.prompting());
        self.typing(ui, cx);
        ui.add_space(space::S);
        if let Some(job) = self.ask.job()
            && !job_error(ui, cx, job)
        {
            job_progress(ui, cx, job);
        }
        let (job, report) = match self.ask.answer::<ContextsReport>(cx.state) {
            Answer::New(report) | Answer::Old(report) => (self.ask.job(), report.clone()),
            _ => {
                caption(
                    ui,
                    "A word begins as the same vector in both texts. Compare them to see in which layers their contexts part them.",
                );
                return;
            }
        };
        let is_retyped =
            self.ask.question().is_some_and(|asked| asked.texts != self.typed.texts || asked.word != self.typed.word);
        let stamp = job.and_then(|job| Stamp::in_use(cx.state, job, Ability::Attend));
        let stamp = stamp.map(|stamp| stamp.old_where(is_retyped, "A text was changed since."));
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        let word = self.ask.question().map_or("", |spec| spec.word.trim());
        caption(ui, contexts_words(&report, word));
        Stamp::over(stamp.as_ref(), ui, |ui| table(&report, cx.state.prompting(), ui));
    }

    fn typing(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        for (which, name) in ["First text", "Second text"].into_iter().enumerate() {
            field(ui, name, "A text that holds the word.", |ui| {
                ui.add(TextEdit::singleline(&mut self.typed.texts[which]).desired_width(f32::INFINITY))
            });
        }
        ui.horizontal_wrapped(|ui| {
            caption(ui, "Word");
            let edit = ui.add(TextEdit::singleline(&mut self.typed.word).desired_width(120.0));
            let _ = edit.accessible_name("Word");
            if primary_button(ui, Icon::Play, "Compare").clicked() {
                self.run(cx);
            }
            let examples = [("River and money, word last", LEFT_TO_RIGHT), ("River and money, word first", BOTH_WAYS)];
            for (name, texts) in examples {
                if secondary_button(ui, None, name).clicked() {
                    self.typed = Typed { texts: texts.map(str::to_owned), word: WORD.to_owned() };
                    self.run(cx);
                }
            }
        });
    }
}

/// Why nothing, or not all, can change the word.
fn limits(report: &ContextsReport, prompting: Prompting) -> Option<String> {
    if prompting == Prompting::Encodes {
        return None;
    }
    let [first, second] = [0, 1].map(|which| {
        let before = &report.texts[which][..report.places[which]];
        before.iter().map(|token| token.text.as_str()).collect::<String>()
    });
    if report.is_read_alike() {
        return Some(format!(
            "This model reads from left to right, and before the word both texts say ‘{}’: nothing can change.",
            first.trim()
        ));
    }
    let stands_last = |which: usize| report.places[which] + 1 == report.texts[which].len();
    if stands_last(0) && stands_last(1) {
        return None;
    }
    Some(format!(
        "This model reads from left to right: what stands behind the word cannot change it, only ‘{}’ and ‘{}’ before it. Put the word last.",
        first.trim(),
        second.trim()
    ))
}

fn table(report: &ContextsReport, prompting: Prompting, ui: &mut Ui) {
    let theme = ui.theme();
    if let Some(words) = limits(report, prompting) {
        ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.warning()));
        ui.add_space(space::XS);
    }
    ui.horizontal(|ui| {
        let columns = Columns::of(ui.available_width());
        for (width, name, help) in [
            (columns.name, "State", "The residual stream before the first block, and behind each."),
            (columns.cosine, "Cosine", COSINE_HELP),
            (columns.near, "First: nearest tokens", TOKENS_HELP),
            (columns.near, "Second: nearest tokens", TOKENS_HELP),
            (columns.near, "Nearest in the other text", POSITIONS_HELP),
        ] {
            ui.allocate_ui(vec2(width - ui.spacing().item_spacing.x, 18.0), |ui| {
                ui.set_min_width(width - ui.spacing().item_spacing.x);
                explain(ui, name, help);
            });
        }
    });
    ScrollArea::vertical().id_salt("contexts").auto_shrink(false).show_rows(
        ui,
        ROW,
        report.layers.len(),
        |ui, rows| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for layer in rows {
                row(report, layer, ui);
            }
        },
    );
}

/// Widths of the columns.
struct Columns {
    name: f32,
    cosine: f32,
    near: f32,
}

impl Columns {
    fn of(width: f32) -> Self {
        let (name, cosine) = (84.0, (width * 0.2).clamp(90.0, 220.0));
        Self { name, cosine, near: ((width - name - cosine) / 3.0).max(60.0) }
    }
}

fn row(report: &ContextsReport, layer: usize, ui: &mut Ui) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::hover());
    let columns = Columns::of(rect.width());
    let values = &report.layers[layer];
    let name = if layer == 0 { "embedding".to_owned() } else { format!("block {}", layer - 1) };
    let near = |near: &[(PromptToken, f32)]| {
        let near = near.iter().map(|(token, cosine)| format!("{} {cosine:.2}", visible_text(&token.text)));
        near.collect::<Vec<_>>()
    };
    let [first, second] = [near(&values.tokens[0]), near(&values.tokens[1])];
    let others = |which: usize| {
        let texts = &report.texts[1 - which];
        let near = values.positions[which].iter().take(2);
        near.map(|(at, cosine)| format!("{} {cosine:.2}", visible_text(&texts[*at].text))).collect::<Vec<_>>()
    };
    let words = format!(
        "{name}: cosine {:.3}; first near {}; second near {}",
        values.cosine,
        first.first().map_or("nothing", String::as_str),
        second.first().map_or("nothing", String::as_str)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &words));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    painter.hline(rect.x_range(), rect.bottom(), egui::Stroke::new(1.0, theme.grid()));
    let middle = rect.center().y;
    painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, name, Type::Body.sans(), theme.body());
    let start = rect.left() + columns.name;
    let bar = Rect::from_min_max(pos2(start, middle - 5.0), pos2(start + columns.cosine - 64.0, middle + 5.0));
    share_bar(&painter, theme, bar, values.cosine.clamp(0.0, 1.0), theme.accent());
    let at = pos2(start + columns.cosine - 12.0, middle);
    painter.text(at, Align2::RIGHT_CENTER, format!("{:.3}", values.cosine), Type::Body.mono(), theme.body());
    let mut left = start + columns.cosine;
    let cells = [first, second, [others(0), others(1)].concat()];
    // In a narrow column half of a second one would only be cut off; all stand under the pointer.
    let beside = if columns.near < TWO_BESIDE { 1 } else { 2 };
    for (column, cell) in cells.iter().enumerate() {
        // The last column has those of both words, two each.
        let of_a_line = if column == 2 { 2 } else { beside };
        let clip = Rect::from_min_max(pos2(left, rect.top()), pos2(left + columns.near - 8.0, rect.bottom()));
        let painter = painter.with_clip_rect(painter.clip_rect().intersect(clip));
        let lines: Vec<_> = cell.chunks(of_a_line).take(2).map(|near| &near[..near.len().min(beside)]).collect();
        for (line, entries) in lines.iter().enumerate() {
            let at = pos2(left, middle + 18.0 * (line as f32 - (lines.len() - 1) as f32 / 2.0));
            painter.text(at, Align2::LEFT_CENTER, entries.join("  "), Type::Caption.mono(), theme.caption());
        }
        left += columns.near;
    }
    response.on_hover_ui(|ui| {
        for (title, cell) in
            ["First text", "Second text", "Other text, from the first and from the second"].iter().zip(&cells)
        {
            ui.label(RichText::new(*title).font(Type::Caption.bold()).color(theme.body()));
            caption(ui, cell.join("   "));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(texts: [&[&str]; 2], places: [usize; 2]) -> ContextsReport {
        let token = |text: &&str| PromptToken {
            id: text.len() as u32 * 7 + text.as_bytes()[0] as u32,
            text: (*text).into(),
            span: 0..0,
        };
        let texts = texts.map(|texts| texts.iter().map(token).collect());
        ContextsReport { texts, places, layers: Vec::new() }
    }

    #[test]
    fn a_model_that_reads_from_left_to_right_is_told_what_it_cannot_see() {
        let behind = report([&["on", " the", " bank", " of"], &["the", " bank", " raised"]], [2, 1]);
        let words = limits(&behind, Prompting::Continues).unwrap();
        assert!(words.contains("only ‘on the’ and ‘the’ before it"), "{words}");
        assert_eq!(limits(&behind, Prompting::Encodes), None, "an encoder sees all of it");
        let last = report([&["river", " bank"], &["money", " bank"]], [1, 1]);
        assert_eq!(limits(&last, Prompting::Continues), None);
        let alike = report([&["the", " bank", " of"], &["the", " bank", " is"]], [1, 1]);
        assert!(limits(&alike, Prompting::Continues).unwrap().contains("nothing can change"));
    }
}
