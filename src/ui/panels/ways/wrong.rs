//! What the ways got wrong: the texts or pictures of the test with their class and what each way says, those that most ways miss first.

use super::WaysPanel;
use super::controls::{short, short_noise};
use super::thumbnails::{Thumbnails, short_name};
use crate::engine::{Command, InspectSpec, PromptInput, Work};
use crate::types::{AdaptPoint, AdaptReport, JobId, LabelNoise, LabelledKind, ModelId, SiteFilter, Way};
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::menu;
use crate::ui::widgets::unit_picture::paint;
use crate::ui::widgets::{caption, icon_button, one_line, stage_header};
use crate::ui::{Cx, Intent, Themed};
use egui::{Align2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;
use std::sync::Arc;

/// Heights of a row with a text and with a picture, and the side of the picture in it.
const ROW: f32 = 26.0;
const TALL_ROW: f32 = 52.0;
const PICTURE: f32 = 46.0;
/// Side of the picture that the pointer shows.
const LARGE: f32 = 168.0;
const HEAD: f32 = 38.0;
/// Least width of the texts, and widths of a column of classes.
const TEXT: f32 = 160.0;
const LEAST: f32 = 56.0;
const MOST: f32 = 130.0;
const MARK: f32 = 16.0;
/// About how wide a letter is, and what the name of a way takes.
const LETTER: f32 = 7.0;
const HEADING: f32 = 84.0;

/// What is looked at.
pub(super) struct Wrong {
    noise: LabelNoise,
    size: usize,
    seed: u64,
    /// Whose errors are listed; nothing for those of any way.
    way: Option<Way>,
    rows: Option<Rows>,
}

/// The rows as they are listed, found once.
struct Rows {
    report: Arc<AdaptReport>,
    key: (LabelNoise, usize, u64, Option<Way>, bool),
    /// Places of the test's texts.
    places: Vec<usize>,
    /// Of each way its point.
    points: Vec<usize>,
}

impl Wrong {
    /// At these examples, or the most that the way was measured with.
    pub fn open(report: &AdaptReport, way: Option<Way>, size: Option<usize>, noise: LabelNoise) -> Option<Self> {
        let is_of =
            |point: &&AdaptPoint| way.is_none_or(|way| point.way == way) && size.is_none_or(|size| point.size == size);
        let of_noise = report.points.iter().filter(is_of).filter(|point| point.noise == noise);
        let point = of_noise.max_by_key(|point| (point.size, std::cmp::Reverse(point.seed)))?;
        Some(Self { noise, size: point.size, seed: point.seed, way, rows: None })
    }

    fn find(&mut self, report: &Arc<AdaptReport>, only_wrong: bool) -> &Rows {
        let key = (self.noise, self.size, self.seed, self.way, only_wrong);
        let is_known = |rows: &Rows| Arc::ptr_eq(&rows.report, report) && rows.key == key;
        if !self.rows.as_ref().is_some_and(is_known) {
            self.rows = None;
        }
        self.rows.get_or_insert_with(|| {
            let points = points(report, (self.noise, self.size, self.seed));
            let places = listed(report, &points, self.way, only_wrong);
            Rows { report: Arc::clone(report), key, places, points }
        })
    }
}

/// Of each way its point, in the order of the ways.
fn points(report: &AdaptReport, (noise, size, seed): (LabelNoise, usize, u64)) -> Vec<usize> {
    let of = |way| report.points.iter().position(|point| point.is_of((way, noise, size, seed)));
    Way::ALL.into_iter().filter_map(of).collect()
}

/// Places of the texts: those that most ways miss first, then in the order of the test.
fn listed(report: &AdaptReport, points: &[usize], way: Option<Way>, only_wrong: bool) -> Vec<usize> {
    let is_wrong = |point: usize, place: usize| report.points[point].said[place] != report.test[place].1;
    let misses = |place: usize| points.iter().filter(|point| is_wrong(**point, place)).count();
    let fits = |place: &usize| {
        let mut asked = points.iter().filter(|point| way.is_none_or(|way| report.points[**point].way == way));
        !only_wrong || asked.any(|point| is_wrong(*point, *place))
    };
    let mut places: Vec<usize> = (0..report.test.len()).filter(fits).collect();
    places.sort_by_key(|place| std::cmp::Reverse(misses(*place)));
    places
}

/// Where columns stand.
struct Columns {
    text: f32,
    class: f32,
}

impl Columns {
    /// A column of classes is as wide as their names need it, and leaves the texts theirs.
    fn new(width: f32, ways: usize, labels: &[String]) -> Self {
        let count = ways as f32 + 1.0;
        let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
        let wanted = (longest as f32 * LETTER + MARK + space::L).max(HEADING);
        let class = wanted.min((width - TEXT) / count).clamp(LEAST, MOST);
        Self { text: (width - class * count).max(TEXT), class }
    }

    fn width(&self, ways: usize) -> f32 {
        self.text + self.class * (ways as f32 + 1.0)
    }

    /// Where the column of a class begins: 0 is what is right.
    fn left(&self, rect: Rect, column: usize) -> f32 {
        rect.left() + self.text + self.class * column as f32
    }
}

impl WaysPanel {
    /// The middle of the window while this is looked at.
    pub(super) fn show_wrong(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let (Some(shown), Some(wrong)) = (&self.shown, &self.wrong) else { return };
        let report = Arc::clone(&shown.report);
        let mut close = false;
        ui.horizontal(|ui| {
            close = icon_button(ui, Icon::ArrowLeft, "Back to the curves").clicked();
            let title =
                wrong.way.map_or("What they got wrong".to_owned(), |way| format!("What ‘{}’ got wrong", short(way)));
            stage_header(ui, &title, "", |_| {});
        });
        if let Some(stamp) = self.stamp(cx.state) {
            stamp.show(ui);
        }
        let Some(wrong) = &mut self.wrong else { return };
        choices(ui, wrong, &report, &mut self.view.only_wrong);
        ui.add_space(space::XS);
        let job = self.shown.as_ref().and_then(|shown| shown.job);
        let clicked = table(ui, wrong, &report, self.view.only_wrong, &mut self.thumbnails);
        if let Some(place) = clicked {
            let name = &report.test[place].0;
            match report.kind {
                LabelledKind::Texts => look_at(name, job, cx),
                LabelledKind::Pictures => self.thumbnails.open(ui.ctx(), name.clone(), job, cx),
            }
        }
        if close {
            self.wrong = None;
        }
    }
}

/// Which examples, which seed, which labels; and what is listed.
fn choices(ui: &mut Ui, wrong: &mut Wrong, report: &AdaptReport, only_wrong: &mut bool) {
    let mut sizes: Vec<usize> = report.points.iter().map(|point| point.size).collect();
    let mut seeds: Vec<u64> = report.points.iter().map(|point| point.seed).collect();
    sizes.sort_unstable();
    sizes.dedup();
    seeds.sort_unstable();
    seeds.dedup();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let examples = |size: usize| if size == 1 { "1 example".to_owned() } else { format!("{size} examples") };
        let response = menu(ui, "wrong size", &examples(wrong.size), 130.0, |ui| {
            for size in sizes {
                ui.selectable_value(&mut wrong.size, size, examples(size));
            }
        });
        let _ = response.accessible_name(format!("Measured with: {}", examples(wrong.size)));
        let response = menu(ui, "wrong seed", &format!("seed {}", wrong.seed), 90.0, |ui| {
            for seed in seeds {
                ui.selectable_value(&mut wrong.seed, seed, format!("seed {seed}"));
            }
        });
        let _ = response.accessible_name(format!("Drawn with: seed {}", wrong.seed));
        if report.spec.noises.len() > 1 {
            let response = menu(ui, "wrong labels", short_noise(wrong.noise), 110.0, |ui| {
                for noise in &report.spec.noises {
                    ui.selectable_value(&mut wrong.noise, *noise, short_noise(*noise));
                }
            });
            let _ = response.accessible_name(format!("Labels: {}", short_noise(wrong.noise)));
        }
        let help = "Only what the way in the title misses, or any way where none is chosen. A click on a way's name chooses it.";
        ui.checkbox(only_wrong, "Wrong only").on_hover_text(help);
    });
}

/// The table; gives the place of what was clicked.
fn table(
    ui: &mut Ui,
    wrong: &mut Wrong,
    report: &Arc<AdaptReport>,
    only_wrong: bool,
    thumbnails: &mut Thumbnails,
) -> Option<usize> {
    let chosen = wrong.way;
    let rows = wrong.find(report, only_wrong);
    let points: Vec<&AdaptPoint> = rows.points.iter().map(|point| &report.points[*point]).collect();
    if points.is_empty() {
        caption(ui, "No way was measured at this number of examples and seed.");
        return None;
    }
    let columns = Columns::new(ui.available_width(), points.len(), &report.labels);
    let width = columns.width(points.len());
    let (mut clicked, mut heading) = (None, None);
    ScrollArea::horizontal().id_salt("wrong columns").auto_shrink(false).show(ui, |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 0.0;
        heading = headings(ui, &columns, &points, (chosen, report.kind));
        if rows.places.is_empty() {
            ui.add_space(space::S);
            caption(ui, "Nothing is wrong here. Untick ‘Wrong only’ to see all.");
            return;
        }
        let area = ScrollArea::vertical().id_salt("wrong rows").auto_shrink(false);
        let height = if report.kind == LabelledKind::Pictures { TALL_ROW } else { ROW };
        area.show_rows(ui, height, rows.places.len(), |ui, range| {
            let places = &rows.places[range];
            if report.kind == LabelledKind::Pictures {
                thumbnails.want(ui.ctx(), report, places);
            }
            for place in places {
                if row(ui, &columns, report, &points, (*place, thumbnails)) {
                    clicked = Some(*place);
                }
            }
        });
    });
    if let Some(way) = heading {
        wrong.way = if chosen == Some(way) { None } else { Some(way) };
    }
    clicked
}

/// The heads of the columns; gives the way that was clicked.
fn headings(
    ui: &mut Ui,
    columns: &Columns,
    points: &[&AdaptPoint],
    (chosen, kind): (Option<Way>, LabelledKind),
) -> Option<Way> {
    let theme = ui.theme();
    let (rect, _) = ui.allocate_exact_size(vec2(columns.width(points.len()), HEAD), Sense::hover());
    let (first, second) = (rect.top() + 11.0, rect.top() + 27.0);
    let ink = theme.caption();
    let name = match kind {
        LabelledKind::Texts => "Text",
        LabelledKind::Pictures => "Picture",
    };
    ui.painter().text(pos2(rect.left() + space::S, second), Align2::LEFT_CENTER, name, Type::Caption.sans(), ink);
    let right = columns.left(rect, 0) + space::S;
    ui.painter().text(pos2(right, second), Align2::LEFT_CENTER, "Right", Type::Caption.sans(), ink);
    let mut clicked = None;
    for (place, point) in points.iter().enumerate() {
        let left = columns.left(rect, place + 1);
        let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(columns.class, HEAD));
        let response = ui.interact(cell, ui.scope_id().with(("wrong heading", point.way)), Sense::click());
        let on = chosen == Some(point.way);
        let count = point.said.len() - point.correct;
        response.widget_info(|| {
            WidgetInfo::selected(Role::Button, true, on, format!("Errors of {}: {count}", short(point.way)))
        });
        let ink = if on || response.hovered() { theme.body() } else { theme.caption() };
        let font = if on { Type::Caption.bold() } else { Type::Caption.sans() };
        let name = one_line(ui.painter(), short(point.way), font, ink, columns.class - space::S - 2.0);
        ui.painter().galley(pos2(left + space::S, first - name.size().y / 2.0), name, ink);
        let words = format!("{count} wrong");
        ui.painter().text(
            pos2(left + space::S, second),
            Align2::LEFT_CENTER,
            words,
            Type::Caption.sans(),
            theme.caption(),
        );
        if response.has_focus() {
            ui.painter().rect_stroke(cell, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        if response.on_hover_text(point.way.title()).clicked() {
            clicked = Some(point.way);
        }
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme.hairline()));
    clicked
}

fn row(
    ui: &mut Ui,
    columns: &Columns,
    report: &AdaptReport,
    points: &[&AdaptPoint],
    (place, thumbnails): (usize, &Thumbnails),
) -> bool {
    let theme = ui.theme();
    let (name, class) = &report.test[place];
    let is_picture = report.kind == LabelledKind::Pictures;
    let (text, height) = if is_picture { (short_name(name), TALL_ROW) } else { (name.clone(), ROW) };
    let picture = if is_picture { thumbnails.get(place) } else { None };
    let label = |class: u32| report.labels.get(class as usize).map_or("?", String::as_str);
    let missing: Vec<&&AdaptPoint> = points.iter().filter(|point| point.said[place] != *class).collect();
    let (rect, response) = ui.allocate_exact_size(vec2(columns.width(points.len()), height), Sense::click());
    let words = || {
        let said: Vec<String> =
            missing.iter().map(|point| format!("{} says {}", short(point.way), label(point.said[place]))).collect();
        let said = if said.is_empty() { "every way is right".to_owned() } else { said.join(", ") };
        format!("{text} Right is {}; {said}", label(*class))
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, words()));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        if response.hovered() {
            painter.rect_filled(rect, CHIP_RADIUS, theme.hover());
        }
        if response.has_focus() {
            painter.rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        let y = rect.center().y;
        let line = |left: f32, text: &str, font, ink, width: f32| {
            let galley = one_line(painter, text, font, ink, width);
            painter.galley(pos2(left, y - galley.size().y / 2.0), galley, ink);
        };
        let mut left = rect.left() + space::S;
        if is_picture {
            let frame = Rect::from_center_size(pos2(left + PICTURE / 2.0, y), Vec2::splat(PICTURE));
            if let Some((texture, size)) = picture {
                let size = *size * (PICTURE / size.max_elem());
                paint(painter, texture.id(), Rect::from_center_size(frame.center(), size), None);
            }
            left += PICTURE + space::S;
        }
        line(left, &text, Type::Body.sans(), theme.body(), columns.text - (left - rect.left()) - space::S);
        let room = columns.class - space::S - 2.0;
        line(columns.left(rect, 0) + space::S, label(*class), Type::Body.sans(), theme.body(), room);
        for (column, point) in points.iter().enumerate() {
            let left = columns.left(rect, column + 1) + space::S;
            let said = label(point.said[place]);
            if point.said[place] == *class {
                line(left + MARK, said, Type::Caption.sans(), theme.caption(), room - MARK);
                continue;
            }
            painter.text(pos2(left, y), Align2::LEFT_CENTER, char::from(Icon::X), Type::Caption.icon(), theme.danger());
            line(left + MARK, said, Type::Body.sans(), theme.danger(), room - MARK);
        }
    }
    let response = response.on_hover_ui(|ui| {
        ui.set_max_width(420.0);
        if let Some((texture, size)) = picture {
            // What is small is enlarged by whole pixels, so that all are alike.
            let size = *size * (LARGE / size.max_elem()).floor().max(1.0);
            ui.image((texture.id(), size));
        }
        caption(ui, name.clone());
        caption(ui, words()[text.len()..].trim().to_owned());
        caption(ui, if is_picture { "A click opens it." } else { "A click opens it in the attention panel." });
    });
    response.clicked()
}

/// Has the text read by the model that the comparison is of, else by the one in use, and shows where its tokens look.
fn look_at(text: &str, job: Option<JobId>, cx: &mut Cx<'_>) {
    let of_job = job.and_then(|job| cx.state.job(job)?.model).filter(|model| cx.state.models.contains_key(model));
    let in_use = || WaysPanel::model(cx.state).map(|open| open.info.id);
    let Some(model): Option<ModelId> = of_job.or_else(in_use) else {
        cx.toast("Open a model first.");
        return;
    };
    let job = JobId::next();
    let prompt = PromptInput::Text(text.to_owned());
    let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
    cx.send(Command::start(job, model, Work::Inspect(spec)));
    cx.activate(model);
    cx.intend(Intent::Inspect(job));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AdaptPrompt, AdaptSpec, AdaptTraining, FeaturePooling, LabelledKind, LabelledSource};

    fn report() -> AdaptReport {
        let spec = AdaptSpec {
            data: LabelledSource {
                data: "films.csv".into(),
                validation: None,
                test: None,
                text: None,
                label: None,
                validation_share: 0.0,
                test_share: 0.3,
                seed: 0,
            },
            ways: vec![Way::Embeddings, Way::Head],
            sizes: vec![4],
            seeds: vec![1],
            noises: vec![LabelNoise::True],
            test: 10,
            pooling: FeaturePooling::Mean,
            prompt: AdaptPrompt::default(),
            training: AdaptTraining::default(),
        };
        let point = |way, said: [u32; 4]| AdaptPoint {
            way,
            noise: LabelNoise::True,
            size: 4,
            seed: 1,
            used: 4,
            correct: said.iter().filter(|said| **said == 0).count(),
            said: said.to_vec(),
            macro_f1: 0.5,
            log_prob: -1.0,
            adapt_s: 1.0,
            query_ms: 1.0,
            tokens_a_query: 5.0,
            learned: 10,
            bytes: 40,
            peak_bytes: None,
        };
        AdaptReport {
            spec,
            kind: LabelledKind::Texts,
            labels: vec!["good".into(), "bad".into()],
            parameters: 100,
            operations: None,
            examples: 8,
            test: ["a", "b", "c", "d"].map(|text| (text.to_owned(), 0)).to_vec(),
            base_rate: 0.5,
            bits_per_byte: None,
            points: vec![point(Way::Embeddings, [0, 1, 1, 0]), point(Way::Head, [0, 0, 1, 1])],
            notes: Vec::new(),
            elapsed_s: 1.0,
        }
    }

    #[test]
    fn texts_that_most_ways_miss_come_first_and_right_ones_are_left_out() {
        let report = report();
        let points = points(&report, (LabelNoise::True, 4, 1));
        assert_eq!(points, [0, 1]);
        assert_eq!(listed(&report, &points, None, false), [2, 1, 3, 0]);
        assert_eq!(listed(&report, &points, None, true), [2, 1, 3]);
        assert_eq!(listed(&report, &points, Some(Way::Head), true), [2, 3]);
        assert!(super::points(&report, (LabelNoise::True, 4, 2)).is_empty());
    }

    #[test]
    fn it_opens_where_the_way_was_measured_with_most_examples() {
        let mut report = report();
        let larger = AdaptPoint { size: 16, ..report.points[1].clone() };
        report.points.extend([AdaptPoint { seed: 2, ..larger.clone() }, larger]);
        let opened = |way, size| Wrong::open(&report, way, size, LabelNoise::True).map(|w| (w.size, w.seed));
        assert_eq!(opened(Some(Way::Head), None), Some((16, 1)));
        assert_eq!(opened(Some(Way::Embeddings), None), Some((4, 1)));
        assert_eq!(opened(Some(Way::Embeddings), Some(16)), None);
        assert_eq!(opened(None, None), Some((16, 1)));
    }
}
