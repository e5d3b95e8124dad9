//! Adding an edit: what is changed, where, and what it becomes, with numbers that cannot leave the model; or any line.

use super::words::words;
use crate::types::{Architecture, Edit, EditChange, ModelInfo, ModelKind, Picks, PromptSet, PromptToken, UserError};
use crate::ui::Themed;
use crate::ui::theme::{CONTROL_HEIGHT, Type, space};
use crate::ui::widgets::{
    TextArea, caption, error_card, field, hint, primary_button, row, secondary_button, segmented, visible_text,
};
use egui::{DragValue, RichText, ScrollArea, TextEdit, Ui, vec2};
use lucide_icons::Icon;

const WIDTH: f32 = 336.0;
/// What stays free above and below, in points.
const AROUND: f32 = 96.0;

const OTHER_HELP: &str = "The values that this prompt has there, position for position. It must have as many tokens as the prompt that is \
     read, unless a position is named.";
const SET_HELP: &str =
    "A prompt a line. Their values are averaged over all their tokens, as the model reads them without edits.";
const LINE_HELP: &str = "SITE[HEADS]@POSITIONS = CHANGE, as on the command line. CHANGE is zero, mean, mean over [\"a prompt\"], scale X, from \
     \"a prompt\", hide, swap or skip.";

/// What is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Head,
    Mlp,
    Block,
    Stream,
    Token,
    Positions,
}

/// What values become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Becomes {
    #[default]
    Zero,
    Mean,
    Scale,
    MeanOver,
    From,
}

/// What was chosen in the form.
pub(super) struct Form {
    kind: Kind,
    layer: usize,
    head: usize,
    /// True for all heads of the layer, or in all heads.
    all_heads: bool,
    token: usize,
    /// The other of two positions.
    second: usize,
    swaps: bool,
    /// True where only one position is meant.
    at_token: bool,
    becomes: Becomes,
    factor: f64,
    /// Another prompt.
    other: String,
    /// Prompts, a line each, and what they are called.
    set: String,
    set_name: String,
    line: String,
    /// The architecture, as of the last look: it tells how positions are made.
    learned_positions: bool,
    /// True while the form is on screen.
    pub is_open: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            layer: 0,
            head: 0,
            all_heads: false,
            token: 0,
            second: 1,
            swaps: false,
            at_token: false,
            becomes: Becomes::default(),
            factor: 0.5,
            other: String::new(),
            set: String::new(),
            set_name: String::new(),
            line: String::new(),
            learned_positions: false,
            is_open: false,
        }
    }
}

impl Form {
    /// What would be added now, where the form is open and whole.
    pub fn candidate(&self) -> Option<Edit> {
        self.edit().filter(|_| self.is_open)
    }

    /// Where it begins when it is opened next.
    pub fn begin_at(&mut self, layer: usize, head: usize) {
        (self.layer, self.head) = (layer, head);
    }

    fn edit(&self) -> Option<Edit> {
        let (layer, all) = (self.layer, Picks::default());
        let one = |number: usize| Picks::of([(number as i64, number as i64)]);
        let heads = if self.all_heads { Picks::default() } else { one(self.head) };
        let at = if self.at_token { one(self.token) } else { Picks::default() };
        let edit = |site: String, heads, positions, keys, change| Edit { site, heads, positions, keys, change };
        Some(match self.kind {
            Kind::Head => edit(format!("blocks.{layer}.attn.z"), heads, at, all, self.change()?),
            Kind::Mlp => edit(format!("blocks.{layer}.mlp_out"), all.clone(), at, all, self.change()?),
            Kind::Block => edit(format!("blocks.{layer}"), all.clone(), at, all, EditChange::Skip),
            Kind::Stream => edit(format!("blocks.{layer}.resid_pre"), all.clone(), at, all, self.change()?),
            Kind::Token => {
                let site = if self.all_heads { "blocks.*".to_owned() } else { format!("blocks.{layer}") };
                edit(format!("{site}.attn.scores"), heads, all, one(self.token), EditChange::Hide)
            }
            Kind::Positions => {
                let site = if self.learned_positions { "pos_embed" } else { "rotary" }.to_owned();
                let two = [self.token, self.second].map(|at| (at as i64, at as i64));
                match self.swaps {
                    true if self.token == self.second => return None,
                    true => edit(site, all.clone(), Picks::of(two), all, EditChange::Swap),
                    false => edit(site, all.clone(), all.clone(), all, EditChange::Zero),
                }
            }
        })
    }

    fn change(&self) -> Option<EditChange> {
        Some(match self.becomes {
            Becomes::Zero => EditChange::Zero,
            Becomes::Mean => EditChange::Mean,
            Becomes::Scale => EditChange::Scale(self.factor),
            Becomes::From => EditChange::From(Some(self.other.clone()).filter(|text| !text.trim().is_empty())?),
            Becomes::MeanOver => {
                let texts = self.set.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
                let texts = Some(texts.collect::<Vec<_>>()).filter(|texts| !texts.is_empty())?;
                EditChange::MeanOver(PromptSet { name: self.set_name.trim().to_owned(), texts })
            }
        })
    }

    /// The form. Gives an edit that is to be added.
    pub fn show<'a>(
        &mut self,
        info: Option<&ModelInfo>,
        tokens: Option<&[PromptToken]>,
        fault: &dyn Fn(&Edit) -> Option<&'a UserError>,
        ui: &mut Ui,
    ) -> Option<Edit> {
        self.is_open = true;
        ui.set_width(WIDTH);
        // In a small window it is longer than what is free beside the button.
        let most = (ui.ctx().content_rect().height() - AROUND).max(240.0);
        // It grows with what is chosen: the height of before says nothing.
        let area = ScrollArea::vertical().id_salt("an edit").max_height(most).min_scrolled_height(most);
        area.show(ui, |ui| self.content(info, tokens, fault, ui)).inner
    }

    fn content<'a>(
        &mut self,
        info: Option<&ModelInfo>,
        tokens: Option<&[PromptToken]>,
        fault: &dyn Fn(&Edit) -> Option<&'a UserError>,
        ui: &mut Ui,
    ) -> Option<Edit> {
        ui.set_width(WIDTH - space::S);
        ui.spacing_mut().item_spacing.y = space::S;
        let mut added = None;
        match info.and_then(|info| Some((info, *info.shape.blocks()?))) {
            None => drop(caption(
                ui,
                match info {
                    Some(info) => format!(
                        "{} has no heads and blocks to choose from. Write a line: what can be changed in it are embed, blocks.N.resid_post \
                     (what a layer hands on) and logits.",
                        info.name
                    ),
                    None => "Open a transformer to choose what is changed.".to_owned(),
                },
            )),
            Some((info, blocks)) => {
                self.learned_positions =
                    info.architecture.kind() != ModelKind::CausalLm || info.architecture == Architecture::Gpt2;
                self.layer = self.layer.min(blocks.layers.saturating_sub(1));
                self.head = self.head.min(blocks.heads.saturating_sub(1));
                let most = tokens.map_or(info.shape.context().unwrap_or(1), <[PromptToken]>::len).max(1) - 1;
                (self.token, self.second) = (self.token.min(most), self.second.min(most));
                self.choices([blocks.layers, blocks.heads, most + 1], tokens, ui);
                added = self.offer(fault, ui);
            }
        }
        ui.separator();
        self.line(ui).or(added)
    }

    fn choices(&mut self, [layers, heads, positions]: [usize; 3], tokens: Option<&[PromptToken]>, ui: &mut Ui) {
        let before = self.kind;
        segmented(ui, &mut self.kind, &[(Kind::Head, "Head"), (Kind::Mlp, "MLP"), (Kind::Block, "Block")]);
        segmented(
            ui,
            &mut self.kind,
            &[(Kind::Stream, "Residual"), (Kind::Token, "Token hidden"), (Kind::Positions, "Positions")],
        );
        if self.kind != before {
            // A token is hidden from all unless told otherwise, a head is one of many.
            self.all_heads = self.kind == Kind::Token;
            self.at_token = self.kind == Kind::Stream;
        }
        match self.kind {
            Kind::Head => {
                ui.checkbox(&mut self.all_heads, "All heads of the layer");
                row(ui, 2, |columns| {
                    number(&mut columns[0], "Layer", &mut self.layer, layers);
                    columns[1].add_enabled_ui(!self.all_heads, |ui| number(ui, "Head", &mut self.head, heads));
                });
            }
            Kind::Mlp | Kind::Block | Kind::Stream => row(ui, 2, |columns| {
                number(&mut columns[0], "Layer", &mut self.layer, layers);
            }),
            Kind::Token => {
                position(ui, "Token", &mut self.token, positions, tokens);
                ui.radio_value(&mut self.all_heads, true, "from all other tokens, in every head");
                ui.radio_value(&mut self.all_heads, false, "from one head");
                if !self.all_heads {
                    row(ui, 2, |columns| {
                        number(&mut columns[0], "Layer", &mut self.layer, layers);
                        number(&mut columns[1], "Head", &mut self.head, heads);
                    });
                }
            }
            Kind::Positions => {
                ui.radio_value(&mut self.swaps, false, "off: no token has one");
                ui.radio_value(&mut self.swaps, true, "swapped between two tokens");
                if self.swaps {
                    row(ui, 2, |columns| {
                        position(&mut columns[0], "Token", &mut self.token, positions, tokens);
                        position(&mut columns[1], "and token", &mut self.second, positions, tokens);
                    });
                }
            }
        }
        if matches!(self.kind, Kind::Head | Kind::Mlp | Kind::Block | Kind::Stream) {
            ui.horizontal(|ui| {
                ui.checkbox(&mut self.at_token, "At one token only");
                if self.at_token {
                    position_value(ui, "Token", &mut self.token, positions, tokens);
                }
            });
        }
        if matches!(self.kind, Kind::Head | Kind::Mlp | Kind::Stream) {
            self.becomes(ui);
        }
    }

    fn becomes(&mut self, ui: &mut Ui) {
        let (first, second) = (
            [(Becomes::Zero, "Zero"), (Becomes::Mean, "Mean"), (Becomes::Scale, "Scale")],
            [(Becomes::MeanOver, "Mean over prompts"), (Becomes::From, "From another prompt")],
        );
        segmented(ui, &mut self.becomes, &first);
        segmented(ui, &mut self.becomes, &second);
        match self.becomes {
            Becomes::Zero => drop(caption(ui, "The values become 0.")),
            Becomes::Mean => drop(caption(ui, "The values become their mean over the prompt's tokens.")),
            Becomes::Scale => {
                ui.horizontal(|ui| {
                    caption(ui, "Multiplied with");
                    let drag = DragValue::new(&mut self.factor).range(-10.0..=10.0).speed(0.01).max_decimals(2);
                    let _ = ui.add_sized(vec2(72.0, CONTROL_HEIGHT), drag).accessible_name("Factor");
                });
            }
            Becomes::From => {
                field(ui, "Another prompt", OTHER_HELP, |ui| {
                    ui.add(TextArea::new(&mut self.other, 2).hint("A prompt of as many tokens"))
                });
            }
            Becomes::MeanOver => {
                field(ui, "Prompts", SET_HELP, |ui| ui.add(TextArea::new(&mut self.set, 3).hint("A prompt a line")));
                let edit = TextEdit::singleline(&mut self.set_name).hint_text(hint("A name for them"));
                let _ = ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Name of the prompts");
            }
        }
    }

    /// What would be added, and the button that adds it.
    fn offer<'a>(&self, fault: &dyn Fn(&Edit) -> Option<&'a UserError>, ui: &mut Ui) -> Option<Edit> {
        let theme = ui.theme();
        let edit = self.edit();
        match &edit {
            Some(edit) => {
                ui.label(RichText::new(words(edit)).font(Type::Strong.bold()).color(theme.body()));
                let line = RichText::new(edit.to_string()).font(Type::Caption.mono()).color(theme.caption());
                ui.add(egui::Label::new(line).truncate()).on_hover_text(edit.to_string());
            }
            None if self.kind == Kind::Positions => drop(caption(ui, "Choose two different tokens.")),
            None => drop(caption(ui, "Type a prompt first.")),
        }
        let wrong = edit.as_ref().and_then(fault);
        if let Some(wrong) = wrong {
            error_card(ui, wrong);
        }
        let can_be = edit.is_some() && wrong.is_none();
        let pressed = ui.add_enabled_ui(can_be, |ui| primary_button(ui, Icon::Plus, "Add the edit").clicked()).inner;
        edit.filter(|_| pressed)
    }

    /// Any line, with what is wrong with it.
    fn line(&mut self, ui: &mut Ui) -> Option<Edit> {
        let theme = ui.theme();
        let mut entered = false;
        field(ui, "Or any edit, as a line", LINE_HELP, |ui| {
            let edit = TextEdit::singleline(&mut self.line).font(Type::Body.mono());
            let response = ui.add(edit.hint_text(hint("blocks.1.attn.z[0] = zero")).desired_width(f32::INFINITY));
            entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            response
        });
        if self.line.trim().is_empty() {
            return None;
        }
        match self.line.parse::<Edit>() {
            Err(error) => {
                let words = RichText::new(format!("{} {}", error.why, error.next)).font(Type::Caption.sans());
                ui.label(words.color(theme.danger()));
                None
            }
            Ok(edit) => {
                caption(ui, words(&edit));
                let pressed = secondary_button(ui, Some(Icon::Plus), "Add the line").clicked();
                if !(pressed || entered) {
                    return None;
                }
                self.line.clear();
                Some(edit)
            }
        }
    }
}

/// A number from 0 to one below `count`.
fn number(ui: &mut Ui, name: &str, value: &mut usize, count: usize) {
    let last = count.saturating_sub(1);
    field(ui, &format!("{name}, 0 to {last}"), "", |ui| {
        let size = vec2(ui.available_width(), CONTROL_HEIGHT);
        ui.add_sized(size, DragValue::new(value).range(0..=last).speed(0.1))
    });
}

fn position(ui: &mut Ui, name: &str, value: &mut usize, count: usize, tokens: Option<&[PromptToken]>) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        caption(ui, format!("{name}, 0 to {}", count.saturating_sub(1)));
        ui.horizontal(|ui| position_value(ui, name, value, count, tokens));
    });
}

/// The number of a token, and what it is where that is known.
fn position_value(ui: &mut Ui, name: &str, value: &mut usize, count: usize, tokens: Option<&[PromptToken]>) {
    let drag = DragValue::new(value).range(0..=count.saturating_sub(1)).speed(0.1);
    let _ = ui.add_sized(vec2(56.0, CONTROL_HEIGHT), drag).accessible_name(name);
    if let Some(token) = tokens.and_then(|tokens| tokens.get(*value)) {
        let text = RichText::new(visible_text(&token.text)).font(Type::Body.mono()).color(ui.theme().body());
        ui.add(egui::Label::new(text).truncate());
    }
}
