//! The left column: what is asked, and how tokens are drawn.

use super::plain::Plain;
use super::task::{Needs, Task};
use super::{Drawn, Mode, TextPrompt, chat, sampling, task};
use crate::types::{Ability, FewShotPrompt, JobId, Sampling};
use crate::ui::Cx;
use crate::ui::Intent;
use crate::ui::Themed;
use crate::ui::edits;
use crate::ui::panels::suggestion;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, TextArea, field};
use egui::{CollapsingHeader, RichText, TextEdit, Ui};
use lucide_icons::Icon;

/// What takes longer says so beforehand, in seconds.
const WORTH_SAYING_S: f64 = 2.0;

const INSTRUCTION_HELP: &str = "Said once, before the examples. Models that only continue text read it as more text.";
const TEMPLATE_HELP: &str =
    "How one example is written: {input} and {output} are replaced. The query uses the part before {output}.";
const SEPARATOR_HELP: &str = "Written between examples; \\n is a line break.";
const LAB_HELP: &str = "Takes this prompt to the few-shot lab, which compares the exact probabilities of answers without \
     examples, with one and with all.";

impl TextPrompt {
    pub fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        ui.add_space(space::S);
        let mut mode = self.mode;
        ui.horizontal(|ui| {
            if widgets::segmented(ui, &mut mode, &[(Mode::Prompt, "Plain prompt"), (Mode::Chat, "Chat")]) {
                self.switch(mode);
            }
            self.second.menu(ui, cx);
        });
        self.second.trouble(ui, cx);
        if self.is_chat() {
            chat::controls(&mut self.chat, &self.plain.prompt, ui, cx);
        } else {
            prompt(&mut self.plain, &mut self.drawn, ui, cx);
        }
        let tokens = if self.is_chat() { None } else { self.plain.preview.tokens(cx.state) };
        edits::section(Ability::Continue, tokens, ui, cx);
        let (drawn, count) = match self.mode {
            Mode::Chat => (&mut self.drawn_in_chat, None),
            Mode::Prompt => (&mut self.drawn, Some(&mut self.plain.samples.count)),
        };
        sampling::show(&mut self.drawing, drawn, count, ui, cx);
        if !self.is_chat() {
            self.plain.observe(cx.state.now_s);
        }
    }

    pub fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let wide = |ui: &mut Ui, add: &mut dyn FnMut(&mut Ui) -> bool| {
            ui.with_layout(egui::Layout::top_down_justified(egui::Align::Center), add).inner
        };
        let samples = self.plain.samples.running(cx.state).filter(|_| !self.is_chat());
        let running: Vec<JobId> = self.output().under_way(cx.state).chain(samples).collect();
        if !running.is_empty() {
            let stop =
                wide(ui, &mut |ui| widgets::danger_button(ui, Icon::Square, "Stop").on_hover_text("Esc").clicked());
            if stop {
                running.into_iter().for_each(|job| cx.cancel(job));
            }
            return;
        }
        if let Some(words) = cost(cx, &self.drawn().sampling) {
            widgets::caption(ui, words);
        }
        let name = if self.is_chat() { chat::default_words(&self.chat) } else { "Run" };
        let is_open = cx.state.active(Ability::Continue).is_some();
        let ready = is_open && (!self.is_chat() || self.chat.can_be_asked(cx));
        let why =
            if is_open { "The chat template gives no text: see under the turns." } else { "Open a text model first." };
        let run = wide(ui, &mut |ui| {
            ui.add_enabled_ui(ready, |ui| {
                let response = widgets::primary_button(ui, Icon::Play, name);
                response.on_hover_text("Ctrl+Enter").on_disabled_hover_text(why).clicked()
            })
            .inner
        });
        if run {
            self.run(cx);
        }
    }
}

/// What a run takes at most, by what the last one on this model took; nothing where that is no time to speak of, or not known.
fn cost(cx: &Cx<'_>, sampling: &Sampling) -> Option<String> {
    let model = cx.state.active(Ability::Continue)?.info.id;
    let last = cx.state.runs().rev().find(|run| run.model == model && run.tokens_per_s() > 0.0)?;
    let seconds = sampling.max_new_tokens as f64 / last.tokens_per_s();
    let rate = widgets::significant(last.tokens_per_s());
    (seconds > WORTH_SAYING_S)
        .then(|| format!("At most about {}, at {rate} tok/s as before.", widgets::seconds(seconds)))
}

fn prompt(plain: &mut Plain, drawn: &mut Drawn, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    ui.add_space(space::XS);
    let task = presets(&mut plain.prompt, drawn, ui);
    match task.map(|task| task.needs) {
        Some(Needs::LargeModel) => suggestion::for_large(ui, cx),
        Some(Needs::Examples) => suggestion::for_examples(ui, cx),
        Some(Needs::Nothing) | None => {}
    }
    if widgets::ghost_button(ui, Some(Icon::FlaskConical), "Open in the lab").on_hover_text(LAB_HELP).clicked() {
        cx.intend(Intent::Experiment(plain.prompt.clone()));
    }
    let prompt = &mut plain.prompt;
    ui.add_space(space::XS);
    field(ui, "Instruction", INSTRUCTION_HELP, |ui| {
        ui.add(TextArea::new(&mut prompt.instruction, 1).hint("None").can_be_large("Instruction"))
    });
    ui.add_space(space::XS);
    let had_shots = !prompt.shots.is_empty();
    plain.table.show(ui, &mut prompt.shots);
    if !had_shots && !prompt.shots.is_empty() && !prompt.template.contains("{output}") {
        // A template without a place for the answer cannot show one.
        "{input} -> {output}".clone_into(&mut prompt.template);
    }
    ui.add_space(space::XS);
    field(ui, "Query", "What the model is asked to go on from.", |ui| {
        ui.add(TextArea::new(&mut prompt.query, 3).hint("What should the model continue?").can_be_large("Query"))
    });
    CollapsingHeader::new(RichText::new("Template").font(Type::Body.bold())).show(ui, |ui| {
        field(ui, "One example", TEMPLATE_HELP, |ui| {
            ui.add(TextArea::new(&mut prompt.template, 1).mono().can_be_large("One example"))
        });
        let mut separator = prompt.separator.replace('\n', "\\n");
        let edited = field(ui, "Between examples", SEPARATOR_HELP, |ui| {
            ui.add(TextEdit::singleline(&mut separator).font(Type::Body.mono()).desired_width(f32::INFINITY))
        });
        if edited.changed() {
            prompt.separator = separator.replace("\\n", "\n");
        }
        if !prompt.template.contains("{input}") {
            let words = "The template has no {input}: examples and query are left out.";
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
        }
    });
}

/// The choice of ready-made prompts; the one that is as it was chosen.
fn presets(prompt: &mut FewShotPrompt, drawn: &mut Drawn, ui: &mut Ui) -> Option<&'static Task> {
    let current = task::all().iter().find(|t| t.prompt == *prompt);
    let title = current.map_or("Begin with an example", |t| t.title.as_str());
    let combo = egui::ComboBox::from_id_salt("task").selected_text(title).width(ui.available_width());
    let combo = combo.icon(|ui, rect, visuals, _is_open| {
        let icon = char::from(Icon::ChevronDown);
        let at = rect.center();
        let ink = visuals.fg_stroke.color;
        ui.painter().text(at, egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    });
    let width = ui.available_width();
    let response = combo.show_ui(ui, |ui| {
        ui.set_max_width(width);
        for task in task::all() {
            if ui.selectable_label(current.is_some_and(|c| c.id == task.id), &task.title).clicked() {
                task.begin(prompt, drawn);
            }
        }
        widgets::caption(ui, "Replaces the prompt, which Ctrl+Z brings back, and the sampling that suits it.");
    });
    let _ = response.response.accessible_name("Example prompts");
    task::all().iter().find(|task| task.prompt == *prompt)
}

/// A seed nobody chose: the clock's fast digits.
pub(super) fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_micros()) % 100_000
}
