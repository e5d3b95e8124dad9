//! The turns, one under another, each edited where it stands.

use super::Chat;
use super::conversation::{Ask, Edit};
use super::receives::role_colour;
use crate::types::{ChatRole, ChatTurn};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Type, space};
use crate::ui::widgets::{self, TextArea, icon_button};
use egui::style::ScrollAnimation;
use egui::{Align, Frame, Id, Layout, Rect, RichText, Ui, UiBuilder, Vec2};
use lucide_icons::Icon;

const HEADER: f32 = 24.0;
const BUTTON: f32 = 24.0;
const GAP: f32 = 2.0;
/// Up to six buttons at the right of a header.
const TOOLS: f32 = 6.0 * (BUTTON + GAP);

/// What was done in this frame.
#[derive(Default)]
pub(super) struct Done {
    pub edit: Option<Edit>,
    pub ask: Option<Ask>,
    /// Another way to go at a turn.
    pub way: Option<(usize, usize)>,
}

/// The turns. `writing` is the one that the model writes at the moment; `note` tells of the latest answer.
pub(super) fn show(chat: &mut Chat, ui: &mut Ui, writing: Option<usize>, note: impl Fn(&mut Ui)) -> Done {
    let theme = ui.theme();
    let mut done = Done::default();
    let count = chat.conversation.turns.len();
    let base = ui.scope_id().with("turns");
    let noted = chat.answered();
    for place in 0..count {
        let is_written = writing == Some(place);
        let (way, ways) = chat.branches.at(&chat.conversation.turns, place);
        let turn = &mut chat.conversation.turns[place];
        let frame = Frame::new().fill(theme.surface()).corner_radius(RADIUS).inner_margin(space::S);
        let shown = frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::XS;
            let (header, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), HEADER), egui::Sense::hover());
            if let Some(role) = role_menu(ui, header, place, turn.role, is_written) {
                done.edit = Some(Edit::SetRole(place, role));
            }
            text(ui, base.with(place), turn, place, is_written);
            if noted == Some(place) {
                note(ui);
            }
            tools(ui, header, place, count, turn, is_written, &mut done);
            if !is_written && let Some(to) = other_ways(ui, header, way, ways) {
                done.way = Some((place, to));
            }
        });
        let bar = Rect::from_min_size(shown.response.rect.min, Vec2::new(3.0, shown.response.rect.height()));
        ui.painter().rect_filled(bar, 1, role_colour(theme, chat.conversation.turns[place].role));
        if chat.scroll_to == Some(place) && place + 1 < count {
            chat.scroll_to = None;
            shown.response.scroll_to_me(Some(Align::Max));
        }
        if chat.focus == Some(place) {
            chat.focus = None;
            ui.memory_mut(|memory| memory.request_focus(base.with(place)));
        }
        ui.add_space(space::XS);
    }
    if count == 0 {
        widgets::caption(ui, "Nothing was said yet. Write below, or add a turn.");
    }
    let role = count.checked_sub(1).map_or(ChatRole::User, |last| chat.conversation.role_after(last));
    if widgets::ghost_button(ui, Some(Icon::Plus), "Add a turn").clicked() {
        done.edit = Some(Edit::Insert { at: count, role });
    }
    let height = ui.min_rect().height();
    let has_grown = std::mem::replace(&mut chat.height, height) < height;
    if chat.scroll_to.take().is_some() || (chat.follows_end && has_grown) {
        ui.scroll_to_cursor_animation(Some(Align::Max), ScrollAnimation::none());
    }
    // Until the answer is whole, or the person looks elsewhere.
    let looks_elsewhere = ui.input(|i| i.smooth_scroll_delta().y != 0.0);
    chat.follows_end &= writing.is_some() && !looks_elsewhere;
    done
}

fn name(role: ChatRole) -> &'static str {
    match role {
        ChatRole::System => "System",
        ChatRole::User => "User",
        ChatRole::Assistant => "Assistant",
    }
}

/// Who speaks, as a menu.
fn role_menu(ui: &mut Ui, header: Rect, place: usize, role: ChatRole, fixed: bool) -> Option<ChatRole> {
    let theme = ui.theme();
    let mut chosen = None;
    let left = Rect::from_min_size(header.min, Vec2::new(header.width() - TOOLS, HEADER));
    ui.scope_builder(UiBuilder::new().max_rect(left).layout(Layout::left_to_right(Align::Center)), |ui| {
        ui.spacing_mut().button_padding = Vec2::new(space::XS, 2.0);
        let words = RichText::new(name(role)).font(Type::Body.bold()).color(theme.body());
        let mark = RichText::new(char::from(Icon::ChevronDown)).font(Type::Caption.icon()).color(theme.caption());
        let button = ui.add_enabled(!fixed, egui::Button::new((words, mark)).frame_when_inactive(false));
        let label = format!("Role of turn {}: {}", place + 1, name(role));
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, !fixed, &label));
        egui::Popup::menu(&button).show(|ui| {
            for other in ChatRole::ALL {
                if ui.add(egui::Button::selectable(other == role, name(other))).clicked() && other != role {
                    chosen = Some(other);
                }
            }
        });
    });
    chosen
}

/// Which way the conversation goes on from here, and the way to the others.
fn other_ways(ui: &mut Ui, header: Rect, way: usize, ways: usize) -> Option<usize> {
    if ways < 2 {
        return None;
    }
    let room = Rect::from_min_max(header.min, egui::pos2(header.right() - TOOLS, header.bottom()));
    let layout = Layout::right_to_left(Align::Center);
    ui.scope_builder(UiBuilder::new().max_rect(room).layout(layout), |ui| widgets::stepper(ui, way, ways, "answer"))
        .inner
}

fn text(ui: &mut Ui, id: Id, turn: &mut ChatTurn, place: usize, is_written: bool) {
    let hint = match turn.role {
        ChatRole::System => "How the assistant should behave",
        ChatRole::User => "What the user says",
        ChatRole::Assistant => "What the assistant says; empty, the model writes it",
    };
    let area = TextArea::new(&mut turn.text, 1).id(id).hint(hint).read_only(is_written).unlimited();
    let area = area.margin(egui::Margin::symmetric(8, 6));
    let _ = ui.add(area).accessible_name(format!("Turn {}, {}", place + 1, name(turn.role).to_lowercase()));
}

/// What can be done to a turn. Reached behind its text by the Tab key, though it stands above.
#[allow(clippy::too_many_arguments, reason = "one place calls it")]
fn tools(ui: &mut Ui, header: Rect, place: usize, count: usize, turn: &ChatTurn, is_written: bool, done: &mut Done) {
    let number = place + 1;
    let is_answer = turn.role == ChatRole::Assistant;
    let free = !is_written;
    let go_on = (Icon::StepForward, format!("Continue turn {number}"), free && !turn.text.is_empty());
    let anew = (Icon::RefreshCw, format!("Write turn {number} anew"), free);
    let answer = (Icon::CornerDownRight, format!("Answer turn {number}"), true);
    let insert = if is_answer { ChatRole::User } else { ChatRole::Assistant };
    let mut buttons = if is_answer { vec![go_on, anew] } else { vec![answer] };
    buttons.extend([
        (Icon::ChevronUp, format!("Move turn {number} up"), place > 0),
        (Icon::ChevronDown, format!("Move turn {number} down"), place + 1 < count),
        (Icon::Plus, format!("Insert a turn after turn {number}"), true),
        (Icon::Trash2, format!("Delete turn {number}"), free),
    ]);
    let width = buttons.len() as f32 * (BUTTON + GAP);
    let right = Rect::from_min_max(egui::pos2(header.right() - width, header.top()), header.max);
    ui.scope_builder(UiBuilder::new().max_rect(right).layout(Layout::left_to_right(Align::Center)), |ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        for (icon, words, enabled) in buttons {
            let clicked = ui.add_enabled_ui(enabled, |ui| icon_button(ui, icon, &words).clicked()).inner;
            match (clicked, icon) {
                (false, _) => {}
                (_, Icon::StepForward) => done.ask = Some(Ask::Continue(place)),
                (_, Icon::RefreshCw) => done.ask = Some(Ask::Answer(place)),
                (_, Icon::CornerDownRight) => done.ask = Some(Ask::Answer(place + 1)),
                (_, Icon::ChevronUp) => done.edit = Some(Edit::Move { from: place, to: place - 1 }),
                (_, Icon::ChevronDown) => done.edit = Some(Edit::Move { from: place, to: place + 1 }),
                (_, Icon::Plus) => done.edit = Some(Edit::Insert { at: place + 1, role: insert }),
                _ => done.edit = Some(Edit::Delete(place)),
            }
        }
    });
}
