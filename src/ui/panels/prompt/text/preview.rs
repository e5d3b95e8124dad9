//! What the model receives, token by token, kept up to date while the person types.

use super::compare::Comparing;
use super::surprise::{self, Reading, Tint};
use crate::engine::Work;
use crate::types::{
    Ability, FewShotPrompt, JobId, ModelId, PromptToken, RenderedPrompt, SegmentKind, SurpriseReport, TokenizeReport,
};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, mix, space};
use crate::ui::widgets::{self, Chip, token_strip, visible_text};
use crate::ui::{Answer, Ask, Cx, State};
use egui::{Align2, Color32, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;
use std::collections::BTreeSet;
use std::ops::Range;

/// Side of a colour in the legend.
const SWATCH: f32 = 10.0;

/// The rendered prompt and its tokens.
#[derive(Default)]
pub(super) struct Preview {
    pub rendered: RenderedPrompt,
    tokens: Ask<(ModelId, String)>,
    /// Prompt the rendering belongs to.
    source: Option<FewShotPrompt>,
    /// What the colours tell.
    tint: Tint,
    surprise: Reading,
    pub comparing: Comparing,
    /// The text in pieces that flow like words, with what each is part of: shown until there are tokens.
    pieces: Vec<(Range<usize>, SegmentKind)>,
}

/// Letters of a piece at most.
const PIECE: usize = 24;

/// A text in pieces: words with the white space before them, long ones cut.
fn pieces(rendered: &RenderedPrompt) -> Vec<(Range<usize>, SegmentKind)> {
    let mut pieces = Vec::new();
    for segment in &rendered.segments {
        let (mut start, mut letters, mut in_word) = (segment.span.start, 0, false);
        for (at, letter) in rendered.text[segment.span.clone()].char_indices() {
            let at = segment.span.start + at;
            let ends = in_word && letter.is_whitespace() && letter != '\n' || rendered.text[start..at].ends_with('\n');
            if at > start && (ends || letters == PIECE) {
                pieces.push((start..at, segment.kind));
                (start, letters, in_word) = (at, 0, false);
            }
            letters += 1;
            in_word |= !letter.is_whitespace();
        }
        if start < segment.span.end {
            pieces.push((start..segment.span.end, segment.kind));
        }
    }
    pieces
}

impl Preview {
    /// Renders again, and asks for tokens again, when prompt or model changed.
    pub(super) fn update(&mut self, prompt: &FewShotPrompt, cx: &mut Cx<'_>) {
        if self.source.as_ref() != Some(prompt) {
            self.rendered = prompt.render();
            self.pieces = pieces(&self.rendered);
            self.source = Some(prompt.clone());
        }
        let Some(model) = cx.state.active(Ability::Continue).map(|m| m.info.id) else { return };
        let question = (model, self.rendered.text.clone());
        self.tokens.follow(question, 0.0, cx, |(model, text)| (*model, Work::Tokenize(text.clone().into())));
        if self.tint == Tint::Surprise && !self.rendered.text.is_empty() {
            self.surprise.follow(model, &self.rendered.text, cx);
            self.comparing.follow(model, cx);
        }
    }

    /// What the colours tell, as a choice, and what belongs to it: which colour stands for what, or the sums of the text.
    pub(super) fn head(&mut self, ui: &mut Ui, cx: &Cx<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(space::M, space::XS);
            widgets::segmented(ui, &mut self.tint, &[(Tint::Parts, "Parts"), (Tint::Surprise, "Surprise")]);
            match self.tint {
                Tint::Parts => {
                    self.comparing.is_open = false;
                    self.legend(ui);
                }
                Tint::Surprise if self.rendered.text.is_empty() => {}
                Tint::Surprise => {
                    let name = if self.comparing.is_open { "Back to the output" } else { "Compare with a text" };
                    if widgets::ghost_button(ui, Some(Icon::Columns2), name).clicked() {
                        self.comparing.is_open = !self.comparing.is_open;
                    }
                }
            }
        });
        if self.tint == Tint::Surprise && !self.rendered.text.is_empty() && !self.comparing.is_open {
            self.surprise.sums(&self.rendered.text, ui, cx);
        }
    }

    /// The card of the prompt beside another text.
    pub(super) fn compare(&mut self, ui: &mut Ui, cx: &Cx<'_>) {
        self.comparing.show((&self.rendered.text, &self.surprise), ui, cx);
    }

    /// How surprising each token is, while that is what the colours tell.
    fn surprise<'a>(&self, state: &'a State) -> Option<&'a SurpriseReport> {
        let report = self.surprise.report(&self.rendered.text, state).filter(|_| self.tint == Tint::Surprise)?;
        Some(report)
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.tokens.shows(shown);
        self.surprise.shows(shown);
        self.comparing.shows(shown);
    }

    /// The tokens of the text as it is now; `None` until they have come.
    pub(super) fn tokens<'a>(&self, state: &'a State) -> Option<&'a [PromptToken]> {
        let (_, text) = self.tokens.question()?;
        match self.tokens.answer::<TokenizeReport>(state) {
            Answer::New(report) if *text == self.rendered.text => Some(&report.tokens),
            _ => None,
        }
    }

    /// What a token is part of. Its first letter tells: the space before a word often comes from the template.
    fn kind_of(&self, token: &PromptToken) -> Option<SegmentKind> {
        let text = self.rendered.text.get(token.span.clone()).filter(|text| !text.is_empty())?;
        let space = text.len() - text.trim_start().len();
        self.rendered.kind_at(token.span.start + if space < text.len() { space } else { 0 })
    }

    /// The strip. Without a model, or until the tokens have come, pieces of the text stand in for them.
    pub(super) fn show(&self, ui: &mut Ui, cx: &Cx<'_>) {
        let theme = ui.theme();
        let paper = theme.surface();
        let surprise = self.surprise(cx.state);
        match self.tokens(cx.state) {
            Some(tokens) => {
                let told = |i: usize| surprise.and_then(|report| report.tokens.get(i));
                let chip = |i: usize| {
                    let token: &PromptToken = &tokens[i];
                    let kind = self.kind_of(token);
                    let text = if token.text.is_empty() { "∅" } else { token.text.as_str() };
                    let parts = kind_fill(theme, kind, paper);
                    let fill = told(i).map_or(parts, |token| surprise::fill(theme, token, paper));
                    Chip { text, fill, selected: false, underline: None }
                };
                token_strip(ui, "Prompt tokens", tokens.len(), chip, |ui, i| {
                    let token = &tokens[i];
                    let kind = self.kind_of(token);
                    tip(ui, i, token, kind);
                    if let Some(token) = told(i) {
                        surprise::tip(ui, token);
                    }
                });
            }
            None => {
                let chip = |i: usize| {
                    let (span, kind) = &self.pieces[i];
                    let fill = kind_fill(theme, Some(*kind), paper);
                    Chip { text: &self.rendered.text[span.clone()], fill, selected: false, underline: None }
                };
                token_strip(ui, "Prompt text", self.pieces.len(), chip, |ui, i| {
                    widgets::caption(ui, kind_words(Some(self.pieces[i].1)));
                });
            }
        }
    }

    /// Which colour stands for what; only kinds that occur.
    fn legend(&self, ui: &mut Ui) {
        let theme = ui.theme();
        let mut seen = Vec::new();
        for segment in &self.rendered.segments {
            let hue = hue(segment.kind);
            if seen.contains(&hue) {
                continue;
            }
            seen.push(hue);
            let words = match segment.kind {
                SegmentKind::ShotInput(_) => "Example input".to_owned(),
                SegmentKind::ShotOutput(_) => "Example output".to_owned(),
                kind => kind_words(Some(kind)),
            };
            entry(ui, kind_fill(theme, Some(segment.kind), theme.surface()), &words);
        }
    }
}

/// A colour and its words, in one piece: a row inside a row that wraps would not wrap.
fn entry(ui: &mut Ui, fill: Color32, words: &str) {
    let theme = ui.theme();
    let galley = ui.painter().layout_no_wrap(words.to_owned(), Type::Caption.sans(), theme.caption());
    let size = Vec2::new(SWATCH + space::XS + galley.size().x, galley.size().y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let swatch = Align2::LEFT_CENTER.align_size_within_rect(Vec2::splat(SWATCH), rect);
    ui.painter().rect(swatch, 2, fill, Stroke::new(1.0, theme.line()), StrokeKind::Inside);
    ui.painter().galley(Align2::RIGHT_CENTER.align_size_within_rect(galley.size(), rect).min, galley, theme.caption());
}

fn tip(ui: &mut Ui, index: usize, token: &PromptToken, kind: Option<SegmentKind>) {
    let theme = ui.theme();
    ui.label(egui::RichText::new(visible_text(&token.text)).font(Type::Strong.mono()).color(theme.body()));
    widgets::caption(ui, format!("id {} · position {index}", token.id));
    widgets::caption(ui, kind_words(kind));
}

fn hue(kind: SegmentKind) -> usize {
    match kind {
        SegmentKind::Instruction => 6,
        SegmentKind::Template => 7,
        SegmentKind::ShotInput(_) => 3,
        SegmentKind::ShotOutput(_) => 2,
        SegmentKind::Query => 0,
    }
}

fn kind_fill(theme: &Theme, kind: Option<SegmentKind>, paper: Color32) -> Color32 {
    let Some(kind) = kind else { return mix(paper, theme.neutral(6), 0.5) };
    let share = if kind == SegmentKind::Template { 0.14 } else { 0.3 };
    mix(paper, theme.category(hue(kind)), share)
}

fn kind_words(kind: Option<SegmentKind>) -> String {
    match kind {
        None => "Added by the tokenizer".to_owned(),
        Some(SegmentKind::Instruction) => "Instruction".to_owned(),
        Some(SegmentKind::Template) => "Template".to_owned(),
        Some(SegmentKind::ShotInput(row)) => format!("Input of example {}", row + 1),
        Some(SegmentKind::ShotOutput(row)) => format!("Output of example {}", row + 1),
        Some(SegmentKind::Query) => "Query".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_text_are_all_of_it_in_order_and_short() {
        let query = format!("Once upon\n\n  a time {}", "x".repeat(100));
        let prompt = FewShotPrompt { instruction: "Say it, é.".into(), query, ..FewShotPrompt::default() };
        let rendered = prompt.render();
        let pieces = pieces(&rendered);
        let text: String = pieces.iter().map(|(span, _)| &rendered.text[span.clone()]).collect();
        assert_eq!(text, rendered.text);
        assert!(pieces.iter().all(|(span, _)| rendered.text[span.clone()].chars().count() <= PIECE));
        assert!(pieces.iter().any(|(span, _)| &rendered.text[span.clone()] == " upon\n"), "{pieces:?}");
    }
}
