//! What map, lines and strip show of a report: one head or several together, weights or lengths, of tokens or of units.

use super::Shown;
use crate::analysis::{self, HeadAtlas, Order, Sequence, Unit};
use crate::engine::{InspectSpec, Work, WritesSpec};
use crate::types::{
    BrokenReport, Grouping, HeadWrites, InspectReport, JobId, ModelId, NamedSpan, ScaleEnd, Site, SiteFilter,
    UserError, WeightScale,
};
use crate::ui::reader::Reader;
use crate::ui::{Answer, Ask, Cx};
use egui::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Cells up to which one head is summed up in the frame that asks; anything else has a thread.
const AT_ONCE: usize = 600 * 600;

/// Which heads are seen together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    /// The selected one.
    #[default]
    Head,
    /// All of its layer.
    Layer,
    /// Those that were picked in the grid.
    Picked,
    /// All there are.
    All,
    /// All layers after one another.
    Rollout,
}

/// What is seen of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measure {
    /// Attention weights.
    #[default]
    Weights,
    /// The lengths of what they bring along: ‖α v W_O‖.
    Lengths,
}

/// Everything but the head that decides what is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub over: Over,
    pub measure: Measure,
    pub grouping: Grouping,
    /// Counts the changes of picked heads and named spans.
    pub version: u32,
}

/// What a plane is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PlaneKey {
    pub job: JobId,
    pub layer: usize,
    pub head: usize,
    pub seen: Seen,
}

impl PlaneKey {
    /// One head as it is.
    pub fn of_head(job: JobId, layer: usize, head: usize) -> Self {
        Self { job, layer, head, seen: Seen::default() }
    }

    /// Layer and head count only where one is seen.
    fn of(job: JobId, (layer, head): (usize, usize), seen: Seen) -> Self {
        let (layer, head) = match seen.over {
            Over::Head => (layer, head),
            Over::Layer => (layer, 0),
            Over::Picked | Over::All | Over::Rollout => (0, 0),
        };
        Self { job, layer, head, seen }
    }
}

/// Values of units by units.
pub(super) struct Plane {
    pub key: PlaneKey,
    pub units: Vec<Unit>,
    values: Values,
    /// What each row and each column adds up to.
    pub rows: Vec<f32>,
    pub columns: Vec<f32>,
    pub largest: f32,
    /// What its head does most, where it is one head as it is.
    pub said: Option<String>,
}

enum Values {
    OfReport(Arc<InspectReport>),
    Own(Vec<f32>),
}

impl Plane {
    fn new(key: PlaneKey, units: Vec<Unit>, values: Values) -> Self {
        let mut plane = Self { key, units, values, rows: Vec::new(), columns: Vec::new(), largest: 0.0, said: None };
        let side = plane.side();
        let mut columns = vec![0.0; side];
        let mut rows = Vec::with_capacity(side);
        let mut largest = 0.0f32;
        for row in plane.values().chunks_exact(side.max(1)) {
            rows.push(row.iter().sum());
            for (sum, value) in columns.iter_mut().zip(row) {
                *sum += value;
                largest = largest.max(*value);
            }
        }
        (plane.rows, plane.columns, plane.largest) = (rows, columns, largest);
        plane
    }

    /// Units on a side.
    pub fn side(&self) -> usize {
        self.units.len()
    }

    /// `[side, side]` row-major, query by key.
    pub fn values(&self) -> &[f32] {
        match &self.values {
            Values::OfReport(report) => report.pattern(self.key.layer, self.key.head).unwrap_or_default(),
            Values::Own(values) => values,
        }
    }

    pub fn at(&self, query: usize, key: usize) -> f32 {
        self.values().get(query * self.side() + key).copied().unwrap_or_default()
    }

    /// What units look at together: the mean over their tokens.
    pub fn looks_at(&self, units: Range<usize>) -> Vec<f32> {
        let tokens: usize = units.clone().map(|unit| self.units[unit].tokens.len()).sum();
        let mut mean = vec![0.0; self.side()];
        for unit in units {
            let share = self.units[unit].tokens.len() as f32 / tokens as f32;
            let row = &self.values()[unit * self.side()..][..self.side()];
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += share * value);
        }
        mean
    }

    /// How much each unit looks at some units: the sum.
    pub fn looked_at_by(&self, units: Range<usize>) -> Vec<f32> {
        let rows = self.values().chunks_exact(self.side().max(1));
        rows.map(|row| row[units.clone()].iter().sum()).collect()
    }

    /// What some units are called together.
    pub fn name_of(&self, units: Range<usize>) -> String {
        crate::ui::widgets::visible_text(&self.text_of(units))
    }

    /// Their text.
    pub fn text_of(&self, units: Range<usize>) -> String {
        self.units[units].iter().map(|unit| unit.name.as_str()).collect()
    }

    /// The unit that holds a token.
    pub fn unit_of(&self, token: usize) -> Option<usize> {
        let place = self.units.partition_point(|unit| unit.tokens.end <= token);
        (place < self.units.len()).then_some(place)
    }

    /// What is seen, in a few words.
    pub fn title(&self) -> String {
        let what = title(self.key.seen.over, self.key.layer, self.key.head);
        match self.key.seen.measure {
            Measure::Weights => what,
            Measure::Lengths => format!("{what} · lengths"),
        }
    }

    /// The same for somebody who does not see it.
    pub fn words(&self) -> String {
        let units = match self.key.seen.grouping {
            Grouping::Tokens => "tokens",
            Grouping::Words => "words",
            Grouping::Sentences => "sentences",
            Grouping::Lines => "lines",
        };
        match self.key.seen {
            Seen { over: Over::Head, measure: Measure::Weights, .. } => {
                let (layer, head) = (self.key.layer, self.key.head);
                let said = self.said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
                format!("Attention pattern of layer {layer} head {head}, {} {units}{said}", self.side())
            }
            _ => format!("Attention pattern of {}, {} {units}", self.title(), self.side()),
        }
    }

    /// A value as it is written: weights to four places, lengths to three digits.
    pub fn number(&self, value: f32) -> String {
        match self.key.seen.measure {
            Measure::Weights => format!("{value:.4}"),
            Measure::Lengths => crate::ui::widgets::significant(f64::from(value)),
        }
    }

    /// The scale for its values: a length has no natural end, so its scale never ends at 1.
    pub fn scale(&self, scale: WeightScale) -> WeightScale {
        match (self.key.seen.measure, scale.end) {
            (Measure::Lengths, ScaleEnd::Whole) => WeightScale { end: ScaleEnd::Head, without_first: false, ..scale },
            _ => scale,
        }
    }

    /// True where a value is no number: colours would tell nothing.
    pub fn has_nan(&self) -> bool {
        self.rows.iter().any(|sum| !sum.is_finite())
    }
}

/// Which heads are seen, in a few words.
pub(super) fn title(over: Over, layer: usize, head: usize) -> String {
    match over {
        Over::Head => format!("layer {layer} · head {head}"),
        Over::Layer => format!("layer {layer} · its heads together"),
        Over::Picked => "the picked heads together".to_owned(),
        Over::All => "all heads together".to_owned(),
        Over::Rollout => "rollout of all layers".to_owned(),
    }
}

/// What there is to show.
pub(super) enum Planed {
    Ready(Arc<Plane>),
    /// On its way.
    Computing(&'static str),
    /// Cannot be shown; why, and what can.
    Missing(String),
}

/// What is chosen to be seen, and the last plane made of it.
#[derive(Default)]
pub(super) struct Planes {
    pub seen: Seen,
    /// Heads seen together, as layer and head.
    pub picked: BTreeSet<(usize, usize)>,
    pub named: Vec<NamedSpan>,
    ready: Option<Arc<Plane>>,
    reading: Reader<Made>,
    asked: Option<PlaneKey>,
    failed: Option<(PlaneKey, String)>,
    /// The lengths, of the prompt of an inspection.
    writes: Ask<JobId>,
    /// The patterns of one layer that did not fit beside the others, of the prompt of an inspection.
    layer: Ask<(JobId, usize)>,
    /// Where the values of an inspection stop being numbers.
    broken: Ask<JobId>,
}

type Made = (PlaneKey, Result<Plane, String>);

impl Planes {
    pub fn pick(&mut self, head: (usize, usize)) {
        if !self.picked.remove(&head) {
            self.picked.insert(head);
        }
        self.seen.version += 1;
    }

    pub fn name(&mut self, name: String, tokens: Range<usize>) {
        self.named.retain(|span| span.tokens.end <= tokens.start || span.tokens.start >= tokens.end);
        self.named.push(NamedSpan { name, tokens });
        self.seen.version += 1;
    }

    pub fn forget_names(&mut self) {
        if !self.named.is_empty() {
            self.named.clear();
            self.seen.version += 1;
        }
    }

    pub fn drop_name(&mut self, place: usize) {
        self.named.remove(place);
        self.seen.version += 1;
    }

    /// The jobs beside the inspection, while somebody wants what they bring.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        [self.writes.job(), self.layer.job(), self.broken.job()].into_iter().flatten()
    }

    /// The first site of the pass with a value that is no number, once it is known: asked for when it is first wanted.
    pub fn broken(&mut self, cx: &mut Cx<'_>, shown: &Shown) -> Option<Site> {
        let (model, spec) = asked(cx, shown).ok()?;
        self.broken.follow(shown.job, 0.0, cx, |_| (model, Work::FindBroken(spec)));
        match self.broken.answer::<BrokenReport>(cx.state) {
            Answer::New(report) => report.site,
            _ => None,
        }
    }

    /// The plane that was shown last.
    pub fn last(&self) -> Option<&Arc<Plane>> {
        self.ready.as_ref()
    }

    /// The plane of the selected head as it is, token by token, whatever is seen elsewhere.
    pub fn plain(&mut self, ctx: &Context, cx: &mut Cx<'_>, shown: &Shown) -> Option<Arc<Plane>> {
        let (seen, named) = (self.seen, std::mem::take(&mut self.named));
        self.seen = Seen { version: seen.version, ..Seen::default() };
        let planed = self.get(ctx, cx, shown);
        (self.seen, self.named) = (seen, named);
        match planed {
            Planed::Ready(plane) => Some(plane),
            Planed::Computing(_) | Planed::Missing(_) => None,
        }
    }

    /// The plane of the selected head, or of what is seen in its place.
    pub fn get(&mut self, ctx: &Context, cx: &mut Cx<'_>, shown: &Shown) -> Planed {
        let seen = self.seen;
        let key = PlaneKey::of(shown.job, (cx.selection.layer, cx.selection.head), seen);
        if let Some(plane) = self.ready.as_ref().filter(|plane| plane.key == key) {
            return Planed::Ready(Arc::clone(plane));
        }
        if let Some((_, why)) = self.failed.as_ref().filter(|(of, _)| *of == key) {
            return Planed::Missing(why.clone());
        }
        let writes = match seen.measure {
            Measure::Weights => None,
            Measure::Lengths => match self.lengths(cx, shown) {
                Ok(writes) => Some(writes),
                Err(planed) => return planed,
            },
        };
        let report = match seen.over {
            Over::Head | Over::Layer => match self.report_of(key.layer, cx, shown) {
                Ok(report) => report,
                Err(planed) => return planed,
            },
            Over::Picked | Over::All | Over::Rollout => Arc::clone(&shown.report),
        };
        let cells = report.tokens.len().pow(2);
        let is_plain = seen == (Seen { version: seen.version, ..Seen::default() }) && self.named.is_empty();
        if is_plain && report.pattern(key.layer, key.head).is_none() {
            return Planed::Missing(NOT_CAPTURED.to_owned());
        }
        let what = What {
            key,
            shape: (shown.layers, shown.heads),
            picked: self.picked.iter().copied().collect(),
            named: self.named.clone(),
            is_plain,
            order: cx.state.job(shown.job).and_then(|job| Order::of(&cx.state.models.get(&job.model?)?.info)),
        };
        if seen.over == Over::Head && cells <= AT_ONCE {
            let made = what.make(&report, writes.as_deref(), &|| true);
            return self.take((key, made));
        }
        if let Some(Ok(made)) = self.reading.poll()
            && made.0 == key
        {
            return self.take(made);
        }
        if self.asked != Some(key) || !self.reading.is_busy() {
            let ctx = ctx.clone();
            let make = move |wanted: &dyn Fn() -> bool| Ok((key, what.make(&report, writes.as_deref(), wanted)));
            self.asked = Some(key);
            if let Err(error) = self.reading.start(make, move || ctx.request_repaint()) {
                return Planed::Missing(words(&error));
            }
        }
        // Another head of the same sequence takes a moment: until then the one before stays.
        if let Some(before) = self.ready.as_ref().filter(|ready| ready.key.job == key.job && ready.key.seen == seen) {
            return Planed::Ready(Arc::clone(before));
        }
        Planed::Computing(match seen.over {
            Over::Rollout => "Multiplying the layers…",
            Over::Head => "Adding up…",
            _ => "Adding the heads up…",
        })
    }

    fn set(&mut self, plane: Plane) -> Planed {
        let plane = Arc::new(plane);
        self.ready = Some(Arc::clone(&plane));
        Planed::Ready(plane)
    }

    fn take(&mut self, (key, made): Made) -> Planed {
        match made {
            Ok(plane) => self.set(plane),
            Err(why) => {
                self.failed = Some((key, why.clone()));
                Planed::Missing(why)
            }
        }
    }

    /// The report that holds a layer. Where all patterns of a long sequence do not fit into memory, one layer still does: the
    /// prompt is read once more for the layer that is looked at.
    fn report_of(&mut self, layer: usize, cx: &mut Cx<'_>, shown: &Shown) -> Result<Arc<InspectReport>, Planed> {
        let is_there = shown.report.pattern(layer, 0).is_some();
        if is_there || layer >= shown.layers || shown.report.left_out.is_none() {
            return Ok(Arc::clone(&shown.report));
        }
        let (model, spec) = asked(cx, shown)?;
        let Ok(sites) = format!("blocks.{layer}.attn.pattern").parse::<SiteFilter>();
        let spec = InspectSpec { sites, ..spec };
        self.layer.follow((shown.job, layer), 0.0, cx, |_| (model, Work::Inspect(spec)));
        match self.layer.answer(cx.state) {
            Answer::New(report) => Ok(Arc::clone(report)),
            Answer::Failed(error) => Err(Planed::Missing(words(error))),
            _ => Err(Planed::Computing("Reading the text once more for this layer: not all of them fit into memory…")),
        }
    }

    /// What the heads write for the tokens of the report, asked for when it is first wanted.
    fn lengths(&mut self, cx: &mut Cx<'_>, shown: &Shown) -> Result<Arc<HeadWrites>, Planed> {
        let (model, spec) = asked(cx, shown)?;
        let spec = WritesSpec { prompt: spec.prompt, edits: spec.edits };
        self.writes.follow(shown.job, 0.0, cx, |_| (model, Work::MeasureWrites(spec)));
        match self.writes.answer(cx.state) {
            Answer::New(writes) => Ok(Arc::clone(writes)),
            Answer::Failed(error) => Err(Planed::Missing(words(error))),
            _ => Err(Planed::Computing("Measuring what heads write…")),
        }
    }
}

const NOT_CAPTURED: &str = "This head was not captured: all heads of this sequence do not fit into memory.";
const SEVERAL_LAYERS: &str = "Lengths are of one layer: heads of several layers write at different places of the stream. See \
     the head or its layer, or see weights.";

/// The model that made a report, and of what.
fn asked(cx: &Cx<'_>, shown: &Shown) -> Result<(ModelId, InspectSpec), Planed> {
    let gone = || Planed::Missing("The model that read this is not open any more.".to_owned());
    let job = cx.state.job(shown.job).ok_or_else(gone)?;
    let model = job.model.filter(|model| cx.state.models.contains_key(model)).ok_or_else(gone)?;
    match &*job.work {
        Work::Inspect(spec) => Ok((model, spec.clone())),
        _ => Err(gone()),
    }
}

fn words(error: &UserError) -> String {
    format!("{} {} {}", error.what, error.why, error.next)
}

/// All that a plane is made of.
struct What {
    key: PlaneKey,
    /// Layers and heads.
    shape: (usize, usize),
    picked: Vec<(usize, usize)>,
    named: Vec<NamedSpan>,
    /// One head's weights, token by token: they are in the report as they are.
    is_plain: bool,
    /// How the model reads, if it is known.
    order: Option<Order>,
}

impl What {
    fn make(
        &self,
        report: &Arc<InspectReport>,
        writes: Option<&HeadWrites>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Plane, String> {
        if self.is_plain {
            let units = analysis::units(&report.tokens, Grouping::Tokens, &[]);
            let mut plane = Plane::new(self.key, units, Values::OfReport(Arc::clone(report)));
            let sequence = self.order.map(|order| Sequence::of_report(report, order));
            let place = (self.key.layer, self.key.head);
            let scored = sequence.and_then(|sequence| HeadAtlas::one(&sequence, place, plane.values()));
            plane.said = scored.map(|head| analysis::head_words(&head));
            return Ok(plane);
        }
        let (units, values) = self.values(report, writes, wanted)?;
        Ok(Plane::new(self.key, units, Values::Own(values)))
    }

    fn values(
        &self,
        report: &InspectReport,
        writes: Option<&HeadWrites>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<(Vec<Unit>, Vec<f32>), String> {
        let ended = || "It was not wanted any more.".to_owned();
        let (layers, heads) = self.shape;
        let seen = self.key.seen;
        let of_heads: Vec<(usize, usize)> = match seen.over {
            Over::Head => vec![(self.key.layer, self.key.head)],
            Over::Layer => (0..heads).map(|head| (self.key.layer, head)).collect(),
            Over::Picked if self.picked.is_empty() => {
                return Err("No heads are picked yet: click them in the grid with Ctrl held down.".to_owned());
            }
            Over::Picked => self.picked.iter().copied().filter(|(l, h)| *l < layers && *h < heads).collect(),
            Over::All => (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head))).collect(),
            Over::Rollout => Vec::new(),
        };
        let values = match (seen.over, writes) {
            (Over::Rollout, Some(_)) => return Err("Rollout is of weights. See weights.".to_owned()),
            (Over::Rollout, None) => {
                let map = analysis::rollout_map(report, layers, heads, wanted);
                map.ok_or_else(|| if wanted() { NOT_CAPTURED.to_owned() } else { ended() })?
            }
            (_, Some(writes)) => {
                let layer = of_heads.first().map(|(layer, _)| *layer).ok_or_else(ended)?;
                if of_heads.iter().any(|(of, _)| *of != layer) {
                    return Err(SEVERAL_LAYERS.to_owned());
                }
                let patterns: Option<Vec<(usize, &[f32])>> =
                    of_heads.iter().map(|(_, head)| Some((*head, report.pattern(layer, *head)?))).collect();
                let patterns = patterns.ok_or_else(|| NOT_CAPTURED.to_owned())?;
                writes.weighed_together(layer, &patterns).ok_or_else(|| NOT_CAPTURED.to_owned())?
            }
            (_, None) => {
                let mut sum = vec![0.0f32; report.tokens.len().pow(2)];
                let share = 1.0 / of_heads.len().max(1) as f32;
                for (layer, head) in &of_heads {
                    if !wanted() {
                        return Err(ended());
                    }
                    let pattern = report.pattern(*layer, *head).ok_or_else(|| NOT_CAPTURED.to_owned())?;
                    sum.iter_mut().zip(pattern).for_each(|(sum, weight)| *sum += share * weight);
                }
                sum
            }
        };
        let units = analysis::units(&report.tokens, seen.grouping, &self.named);
        let values = if units.len() == report.tokens.len() { values } else { analysis::over_units(&values, &units) };
        Ok((units, values))
    }
}
