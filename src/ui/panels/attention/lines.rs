//! Two columns of tokens with a line from each that looks to what it looks at (as in the head view of BertViz, Vig 2019).
//! What would make a long sequence a tangle is left out: small weights, and while a token is in focus, everybody else's.

use super::look::{Colours, Direction, Look};
use super::plane::{Plane, PlaneKey};
use super::tokens::TokensView;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, click_modifiers, one_line, visible_text};
use egui::{Align2, Color32, Rect, Role, ScrollArea, Sense, Slider, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use std::ops::Range;
use std::rc::Rc;

const ROW: f32 = 19.0;
/// Lines in sight that are drawn, at most: the heaviest.
const MOST_LINES: usize = 2_000;
/// Width of the room between the columns, in shares of the whole.
const BETWEEN: f32 = 0.34;

/// One line: query, key and value.
type Edge = (u32, u32, f32);

/// Of which plane edges are, and from which share on.
type EdgesOf = (PlaneKey, f32);

/// Which lines are drawn.
pub(super) struct Lines {
    /// The least share of the largest value that a line needs.
    pub least: f32,
    /// Draws the lines of the token in focus alone.
    pub only_focus: bool,
    /// The lines of a plane from a share on, by query.
    found: Option<(EdgesOf, Rc<[Edge]>)>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { least: 0.1, only_focus: false, found: None }
    }
}

impl Lines {
    /// Values of at least a share of the largest there is.
    fn edges(&mut self, plane: &Plane) -> Rc<[Edge]> {
        let of = (plane.key, self.least);
        match &self.found {
            Some((found, edges)) if *found == of => Rc::clone(edges),
            _ => {
                let least = (self.least * plane.largest.max(f32::MIN_POSITIVE)).max(f32::MIN_POSITIVE);
                let side = plane.side().max(1);
                let cells = plane.values().iter().enumerate().filter(|(_, value)| **value >= least);
                let edges: Rc<[Edge]> =
                    cells.map(|(cell, value)| ((cell / side) as u32, (cell % side) as u32, *value)).collect();
                self.found = Some((of, Rc::clone(&edges)));
                edges
            }
        }
    }
}

/// The lines that are drawn of a plane, whatever part of it is in sight.
pub(super) fn shown(view: &TokensView, plane: &Plane, selected: Option<usize>) -> Vec<(usize, usize, f32)> {
    let least = (view.lines.least * plane.largest).max(f32::MIN_POSITIVE);
    let side = plane.side().max(1);
    let chosen = view.chosen(plane, selected);
    let is_wanted = |query: usize, key: usize| match (&chosen, view.direction) {
        (None, _) => !view.lines.only_focus,
        (Some(focus), Direction::LooksAt) => focus.contains(&query),
        (Some(focus), Direction::LookedAtBy) => focus.contains(&key),
    };
    let cells = plane.values().iter().enumerate().filter(|(_, value)| **value >= least);
    let lines = cells.map(|(cell, value)| (cell / side, cell % side, *value));
    lines.filter(|(query, key, _)| is_wanted(*query, *key)).collect()
}

/// Shows the columns; gives the unit under the pointer.
pub(super) fn show(
    view: &mut TokensView,
    colours: &mut Colours,
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    plane: &Plane,
) -> Option<usize> {
    ui.horizontal_wrapped(|ui| {
        caption(ui, "Lines from");
        let slider = Slider::new(&mut view.lines.least, 0.01..=1.0).fixed_decimals(2).step_by(0.01);
        let help = "A line is drawn from this share of the largest value on.";
        let _ = ui.add(slider).on_hover_text(help).accessible_name("Least share that has a line");
        ui.checkbox(&mut view.lines.only_focus, "Only of the chosen token");
    });
    ui.add_space(space::XS);
    let look = colours.look(ui.theme());
    let edges = view.lines.edges(plane);
    let focus = view.focus(plane, cx.selection.token);
    let mut hovered = None;
    let selected = cx.selection.token.and_then(|token| plane.unit_of(token));
    let mut scroll = ScrollArea::vertical().id_salt("attention lines").auto_shrink([false, false]);
    if let Some(unit) = selected.filter(|_| view.strip_at != selected) {
        // A token chosen elsewhere is brought into sight once.
        scroll = scroll.vertical_scroll_offset((ROW * unit as f32 - ui.available_height() / 2.0).max(0.0));
    }
    view.strip_at = selected;
    scroll.show_rows(ui, ROW - ui.spacing().item_spacing.y, plane.side(), |ui, rows| {
        let columns = Columns::new(ui, &rows);
        let drawn = Drawn { plane, rows: &rows, columns: &columns, look, direction: view.direction };
        if !view.lines.only_focus || focus.is_some() {
            drawn.lines(ui, &edges, focus.as_ref());
        }
        for unit in rows.clone() {
            for is_left in [true, false] {
                let rect = columns.row(unit, is_left);
                let response = ui.interact(rect, ui.scope_id().with((unit, is_left)), Sense::CLICK);
                let name = visible_text(&plane.units[unit].name);
                let side = if is_left { "looks" } else { "is looked at" };
                let is_chosen = focus.as_ref().is_some_and(|focus| focus.contains(&unit));
                response.widget_info(|| {
                    WidgetInfo::selected(Role::ListItem, true, is_chosen, format!("{name} {side}, unit {unit}"))
                });
                drawn.name(ui, rect, &name, unit, is_left, is_chosen);
                if response.hovered() {
                    hovered = Some(unit);
                }
                if response.clicked() {
                    let shift = click_modifiers(ui).shift;
                    view.direction = if is_left { Direction::LooksAt } else { Direction::LookedAtBy };
                    view.choose(plane, unit, shift, &mut cx.selection.token);
                }
            }
        }
    });
    cx.selection.words = plane.title();
    // The small pictures of all heads wait until the stage is there.
    view.painted = Some((plane.key.job, look));
    hovered
}

/// Where the two columns of the rows in sight are.
struct Columns {
    area: Rect,
    first: usize,
    height: f32,
    left: f32,
    right: f32,
}

impl Columns {
    fn new(ui: &mut Ui, rows: &Range<usize>) -> Self {
        let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW * rows.len() as f32), Sense::hover());
        let half = area.width() * BETWEEN / 2.0;
        let (left, right) = (area.center().x - half, area.center().x + half);
        Self { area, first: rows.start, height: ROW, left, right }
    }

    fn middle(&self, unit: usize) -> f32 {
        self.area.top() + self.height * (unit as f32 - self.first as f32 + 0.5)
    }

    fn row(&self, unit: usize, is_left: bool) -> Rect {
        let (from, to) =
            if is_left { (self.area.left(), self.left - 6.0) } else { (self.right + 6.0, self.area.right()) };
        Rect::from_x_y_ranges(from..=to, self.middle(unit) - self.height / 2.0..=self.middle(unit) + self.height / 2.0)
    }
}

/// What the rows in sight are drawn with.
struct Drawn<'a> {
    plane: &'a Plane,
    rows: &'a Range<usize>,
    columns: &'a Columns,
    look: Look,
    direction: Direction,
}

impl Drawn<'_> {
    /// Lines with an end in sight; while something is in focus, its own alone.
    fn lines(&self, ui: &Ui, edges: &[Edge], focus: Option<&Range<usize>>) {
        let is_of_focus = |(query, key, _): &Edge| {
            focus.is_some_and(|focus| match self.direction {
                Direction::LooksAt => focus.contains(&(*query as usize)),
                Direction::LookedAtBy => focus.contains(&(*key as usize)),
            })
        };
        let in_sight = |(query, key, _): &&Edge| {
            let ends = [*query as usize, *key as usize];
            ends.iter().any(|end| self.rows.contains(end))
        };
        let mut seen: Vec<&Edge> =
            edges.iter().filter(in_sight).filter(|e| focus.is_none() || is_of_focus(e)).collect();
        if seen.len() > MOST_LINES {
            seen.select_nth_unstable_by(MOST_LINES, |a, b| b.2.total_cmp(&a.2));
            seen.truncate(MOST_LINES);
        }
        let painter = ui.painter().with_clip_rect(ui.clip_rect());
        let ground = ui.theme().ground();
        for (query, key, value) in seen {
            let share = value / self.plane.largest.max(f32::MIN_POSITIVE);
            let ink = self.look.colour(share, ground).gamma_multiply(0.35 + 0.65 * share);
            let ends = [
                pos2(self.columns.left, self.columns.middle(*query as usize)),
                pos2(self.columns.right, self.columns.middle(*key as usize)),
            ];
            painter.line_segment(ends, Stroke::new(1.0 + 2.5 * share, ink));
        }
    }

    fn name(&self, ui: &Ui, rect: Rect, name: &str, unit: usize, is_left: bool, is_chosen: bool) {
        let theme = ui.theme();
        if is_chosen {
            ui.painter().rect_filled(rect.shrink2(Vec2::new(0.0, 1.0)), 3, theme.hover());
        }
        let ink: Color32 = if is_chosen { theme.accent_text() } else { theme.body() };
        let galley = one_line(ui.painter(), name, Type::Body.mono(), ink, rect.width() - 48.0);
        let (at, align) = if is_left {
            (rect.right_center() - vec2(2.0, 0.0), Align2::RIGHT_CENTER)
        } else {
            (rect.left_center() + vec2(2.0, 0.0), Align2::LEFT_CENTER)
        };
        let place = align.anchor_size(at, galley.size());
        ui.painter().galley(place.min, galley, ink);
        let (at, align) = if is_left {
            (rect.left_center() + vec2(2.0, 0.0), Align2::LEFT_CENTER)
        } else {
            (rect.right_center() - vec2(2.0, 0.0), Align2::RIGHT_CENTER)
        };
        ui.painter().text(at, align, unit, Type::Caption.mono(), theme.neutral(6));
    }
}
