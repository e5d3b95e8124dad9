//! What each way costs: a row a way, and what is taken for granted, which can be changed in place.

use super::View;
use super::controls::{help, short};
use super::legend::hue;
use crate::types::{AdaptPrice, AdaptReport, PriceAssumptions, Way, bytes_in_words, count_in_words};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, CONTROL_HEIGHT, Type, space};
use crate::ui::widgets::{caption, significant};
use egui::{Align2, DragValue, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

const ROW: f32 = 24.0;
const HEAD: f32 = 22.0;
/// Of the way's name, with its hue before it.
const NAME: f32 = 112.0;
/// Least width of a column of numbers.
const LEAST: f32 = 56.0;
const MOST: f32 = 120.0;

type Told = fn(&AdaptPrice) -> String;

/// Title, what it means, and the number in words.
const COLUMNS: [(&str, &str, Told); 9] = [
    (
        "Examples",
        "The largest number of examples that was measured; all else in the row is of it, a mean over seeds.",
        |price| price.size.to_string(),
    ),
    ("Learned", "Numbers that were learned.", |price| {
        if price.learned == 0 { "–".to_owned() } else { count_in_words(price.learned) }
    }),
    (
        "To adapt",
        "Seconds it took to learn, with the vectors of the examples where they are needed. A prompt takes none.",
        |price| {
            if price.adapt_s == 0.0 { "–".to_owned() } else { length(price.adapt_s) }
        },
    ),
    ("Peak", "The most memory that the program had while it adapted.", |price| {
        price.peak_bytes.map_or_else(|| "–".to_owned(), bytes_in_words)
    }),
    ("File", "Bytes to hand on: what was learned, in F32; of a prompt its text.", |price| bytes_in_words(price.bytes)),
    ("Query", "Milliseconds for a text or picture of the test.", |price| length(price.query_ms / 1e3)),
    (
        "Ops",
        "Operations a query: two for each parameter and token that is read (Kaplan et al. 2020), patches of a picture among them; of a digit \
         network two for each multiplication with a weight.",
        |price| count_in_words(price.operations as u64),
    ),
    ("Energy", "Joules to adapt and for all queries, if the computer draws the watts below all the while.", |price| {
        let joules = price.joules[0] + price.joules[1];
        if joules < 1000.0 { format!("{} J", significant(joules)) } else { format!("{} kJ", significant(joules / 1e3)) }
    }),
    (
        "Hosted",
        "What a hosted model would ask for the same queries, each with one token that it writes. Nothing where no tokens are read.",
        |price| price.hosted.map_or_else(|| "–".to_owned(), significant),
    ),
];

/// Shows the table; gives the way whose row was clicked.
pub(super) fn show(view: &View, report: &AdaptReport, ui: &mut Ui) -> Option<Way> {
    let prices = report.prices(&view.assumed);
    let column = ((ui.available_width() - NAME) / COLUMNS.len() as f32).clamp(LEAST, MOST);
    let width = NAME + column * COLUMNS.len() as f32;
    let mut clicked = None;
    ScrollArea::horizontal().id_salt("prices").auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.set_width(width);
        heading(ui, width, column);
        for price in &prices {
            if row(ui, price, width, column) {
                clicked = Some(price.way);
            }
        }
    });
    clicked
}

fn heading(ui: &mut Ui, width: f32, column: f32) {
    let theme = ui.theme();
    let (rect, _) = ui.allocate_exact_size(vec2(width, HEAD), Sense::hover());
    for (place, (title, help, _)) in COLUMNS.into_iter().enumerate() {
        let left = rect.left() + NAME + column * place as f32;
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(column, HEAD));
        let response = ui.interact(cell, ui.scope_id().with(("price heading", place)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::ColumnHeader, true, title));
        let at = pos2(cell.right(), cell.center().y);
        ui.painter().text(at, Align2::RIGHT_CENTER, title, Type::Caption.sans(), theme.caption());
        response.on_hover_text(help);
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme.hairline()));
}

fn row(ui: &mut Ui, price: &AdaptPrice, width: f32, column: f32) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
    let cells = COLUMNS.map(|(title, _, told)| (title, told(price)));
    response.widget_info(|| {
        let told: Vec<String> = cells.iter().map(|(title, words)| format!("{title} {words}")).collect();
        WidgetInfo::labeled(Role::Button, true, format!("What {} got wrong. {}", price.way.title(), told.join(", ")))
    });
    if ui.is_rect_visible(rect) {
        if response.hovered() {
            ui.painter().rect_filled(rect, CHIP_RADIUS, theme.hover());
        }
        if response.has_focus() {
            ui.painter().rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        let y = rect.center().y;
        let mark = Rect::from_center_size(pos2(rect.left() + 7.0, y), Vec2::splat(8.0));
        ui.painter().rect_filled(mark, 2.0, hue(theme, price.way));
        let at = pos2(rect.left() + space::L + 2.0, y);
        ui.painter().text(at, Align2::LEFT_CENTER, short(price.way), Type::Body.sans(), theme.body());
        for (place, (_, words)) in cells.iter().enumerate() {
            let at = pos2(rect.left() + NAME + column * (place + 1) as f32, y);
            ui.painter().text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), theme.body());
        }
    }
    let words = format!("{}. {} A click shows what it got wrong.", price.way.title(), help(price.way));
    response.on_hover_text(words).clicked()
}

/// A length of time, short enough for a column.
fn length(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} ms", significant(s * 1e3)),
        s if s < 1000.0 => format!("{} s", significant(s)),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// What is taken for granted. A change needs no new run.
pub(super) fn assumed(view: &mut View, ui: &mut Ui) {
    let PriceAssumptions { watts, read, written, queries } = &mut view.assumed;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let boxed = |ui: &mut Ui, drag: DragValue<'_>, name: &str, help: &str| {
            let _ = ui.add_sized([72.0, CONTROL_HEIGHT], drag).on_hover_text(help).accessible_name(name);
        };
        caption(ui, "Energy at");
        let help = "Watts that the computer draws while it works. An assumption: nothing here measures it.";
        boxed(ui, DragValue::new(watts).range(0.1..=100_000.0).speed(0.5).max_decimals(1).suffix(" W"), "Watts", help);
        caption(ui, "for");
        let drag = DragValue::new(queries).range(1..=1_000_000_000_u64).speed(10.0);
        boxed(ui, drag, "Queries", "Queries that are answered and paid for.");
        caption(ui, "queries; a hosted model at");
        let price = |value| DragValue::new(value).range(0.0..=100_000.0).speed(0.01).max_decimals(4);
        boxed(ui, price(read), "Price of reading", "What it asks for a million tokens that it reads, in any currency.");
        caption(ui, "a million tokens read,");
        boxed(ui, price(written), "Price of writing", "What it asks for a million tokens that it writes.");
        caption(ui, "written");
    });
}
