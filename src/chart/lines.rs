//! From training points to the lines of a plot: which there are, how they are smoothed, where their labels stand.

use crate::types::TrainPoint;

/// What the vertical axis shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Cross-entropy in nats.
    #[default]
    Loss,
    /// The same in bits, of a byte of the text: points are given so.
    BitsPerByte,
    /// Share classified rightly.
    Accuracy,
    /// How far a step moves the weights.
    LearningRate,
    /// Length of the gradient before it is clipped. It spans powers of ten, so its axis is logarithmic always.
    GradientNorm,
}

impl Metric {
    /// What its axis says.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Loss => "cross-entropy loss in nats",
            Self::BitsPerByte => "bits per byte",
            Self::Accuracy => "share classified rightly",
            Self::LearningRate => "learning rate",
            Self::GradientNorm => "gradient norm",
        }
    }
}

/// What the horizontal axis shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeAxis {
    /// Optimiser steps.
    #[default]
    Steps,
    /// Seconds of training, pauses not counted.
    Seconds,
    /// Tokens or images that were learned from.
    Examples,
    /// Additions and multiplications, six for each weight and token (Kaplan et al. 2020).
    Operations,
}

impl TimeAxis {
    /// What the axis says.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Steps => "step",
            Self::Seconds => "seconds of training",
            Self::Examples => "tokens or images seen",
            Self::Operations => "operations (6 for each weight and token)",
        }
    }
}

/// How much a step of a run is, for axes other than steps; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepSize {
    /// Tokens or images.
    pub examples: Option<f64>,
    /// Additions and multiplications.
    pub operations: Option<f64>,
}

/// Steps of a run with a mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunMarks {
    /// Of the best validation.
    pub best: Option<usize>,
    /// Where it ended because validations had not become better.
    pub settled: Option<usize>,
    /// Where the loss was no number.
    pub broken: Option<usize>,
}

/// One run to draw.
#[derive(Clone, Copy, Debug)]
pub struct RunCurve<'a> {
    /// Name in labels.
    pub name: &'a str,
    /// Its hue: the same run keeps it when others are hidden.
    pub hue: usize,
    /// Its points, in order.
    pub points: &'a [TrainPoint],
    /// How much a step is.
    pub step: StepSize,
    /// What is marked.
    pub marks: RunMarks,
}

impl RunCurve<'_> {
    /// Where a point lies on the horizontal axis; NaN where that is not known.
    #[must_use]
    pub fn x(&self, time: TimeAxis, point: &TrainPoint) -> f64 {
        let times = |size: Option<f64>| size.map_or(f64::NAN, |size| size * point.step as f64);
        match time {
            TimeAxis::Steps => point.step as f64,
            TimeAxis::Seconds => point.elapsed_s,
            TimeAxis::Examples => times(self.step.examples),
            TimeAxis::Operations => times(self.step.operations),
        }
    }
}

/// Learning curves as they are to be drawn.
#[derive(Clone, Debug)]
pub struct CurveFigure<'a> {
    /// Written above the figure.
    pub title: String,
    /// The runs.
    pub runs: Vec<RunCurve<'a>>,
    /// Vertical axis.
    pub metric: Metric,
    /// Horizontal axis.
    pub time: TimeAxis,
    /// Logarithmic horizontal axis.
    pub log_x: bool,
    /// Logarithmic vertical axis.
    pub log_y: bool,
    /// Weight of the past in the exponential moving average, in `0..1`; 0 draws the raw line only.
    pub smoothing: f64,
    /// What else is drawn, each on a low axis of its own below.
    pub below: Vec<Metric>,
    /// What the curves are held against.
    pub levels: Vec<CurveLevel>,
}

/// A value that does not learn, such as what counting reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveLevel {
    /// Its name.
    pub name: String,
    /// In the unit of the vertical axis.
    pub value: f64,
}

impl CurveFigure<'_> {
    /// The same runs on the same horizontal axis with another vertical one.
    #[must_use]
    pub fn of(&self, metric: Metric) -> Self {
        let log_y = metric == Metric::GradientNorm;
        Self { metric, log_y, smoothing: 0.0, below: Vec::new(), levels: Vec::new(), ..self.clone() }
    }
}

/// What a line of a learning curve is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Every measured training value, drawn faintly where a smoothed line lies over it.
    Raw,
    /// Training values under the moving average.
    Smoothed,
    /// Values on held-out data.
    Validation,
    /// Values on what is held out of one data set of several.
    ValidationSet,
}

impl LineKind {
    /// Whether its values are of data that nothing is learned from: measured now and then.
    #[must_use]
    pub fn is_held_out(self) -> bool {
        matches!(self, Self::Validation | Self::ValidationSet)
    }
}

/// One line of a learning curve, in data units.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveLine {
    /// Which run.
    pub run: usize,
    /// Which of the categorical hues.
    pub hue: usize,
    /// What it is.
    pub kind: LineKind,
    /// The name to write at its end; empty for a raw line under a smoothed one.
    pub label: String,
    /// Points sorted by x.
    pub points: Vec<[f64; 2]>,
}

/// The lines that show `figure`, back to front. Values a logarithmic axis has no place for are left out.
#[must_use]
pub fn curve_lines(figure: &CurveFigure<'_>) -> Vec<CurveLine> {
    let single = figure.runs.len() == 1;
    let mut lines = Vec::new();
    for (run, curve) in figure.runs.iter().enumerate() {
        let label = |what: &str| if single { what.to_owned() } else { format!("{} {what}", curve.name) };
        let mut push = |kind, hue, label, points: Vec<[f64; 2]>| {
            if !points.is_empty() {
                lines.push(CurveLine { run, hue, kind, label, points });
            }
        };
        let hue = curve.hue;
        let validation_hue = if single { hue + 1 } else { hue };
        match figure.metric {
            Metric::Loss | Metric::BitsPerByte => {
                let raw = collect(figure, curve, |p| Some(p.loss));
                if figure.smoothing > 0.0 {
                    let values: Vec<f64> = raw.iter().map(|p| p[1]).collect();
                    let smoothed = raw.iter().zip(smooth(&values, figure.smoothing)).map(|(p, y)| [p[0], y]).collect();
                    push(LineKind::Raw, hue, String::new(), raw);
                    push(LineKind::Smoothed, hue, label("training"), smoothed);
                } else {
                    push(LineKind::Raw, hue, label("training"), raw);
                }
                let validation = collect(figure, curve, |p| p.validation_loss);
                push(LineKind::Validation, validation_hue, label("validation"), validation);
                for (place, set) in data_sets(curve.points).into_iter().enumerate() {
                    let of_set = |p: &TrainPoint| p.validation_sets.iter().find(|s| s.set == set).map(|s| s.loss);
                    let hue = if single { validation_hue + 1 + place } else { hue };
                    push(LineKind::ValidationSet, hue, label(set), collect(figure, curve, of_set));
                }
            }
            Metric::Accuracy => {
                let accuracy = collect(figure, curve, |p| p.validation_accuracy);
                push(LineKind::Validation, validation_hue, label("validation"), accuracy);
            }
            // Low axes have no room for names; the hue tells the run.
            Metric::LearningRate => {
                let rates = collect(figure, curve, |p| Some(p.learning_rate));
                push(LineKind::Raw, hue, String::new(), rates);
            }
            Metric::GradientNorm => {
                push(LineKind::Raw, hue, String::new(), collect(figure, curve, |p| p.gradient_norm));
            }
        }
    }
    // Raw lines first: they lie under everything.
    lines.sort_by_key(|line| line.kind != LineKind::Raw);
    lines
}

/// The data sets that a run tells of by themselves, in the order of their first points.
pub(super) fn data_sets(points: &[TrainPoint]) -> Vec<&str> {
    let mut sets: Vec<&str> = Vec::new();
    for of_set in points.iter().flat_map(|point| &point.validation_sets) {
        if !sets.contains(&of_set.set.as_str()) {
            sets.push(&of_set.set);
        }
    }
    sets
}

fn collect(figure: &CurveFigure<'_>, run: &RunCurve<'_>, y: impl Fn(&TrainPoint) -> Option<f64>) -> Vec<[f64; 2]> {
    let place = |point: &TrainPoint| {
        let (x, y) = (run.x(figure.time, point), y(point)?);
        let shown = x.is_finite() && y.is_finite() && (!figure.log_x || x > 0.0) && (!figure.log_y || y > 0.0);
        shown.then_some([x, y])
    };
    run.points.iter().filter_map(place).collect()
}

/// Exponential moving average with the bias correction of Adam (Kingma and Ba 2015, section 3): without it the first
/// values would be drawn towards zero. `weight` is the weight of the past, in `0..1`.
#[must_use]
pub fn smooth(values: &[f64], weight: f64) -> Vec<f64> {
    let mut mean = 0.0;
    let mut kept = 1.0;
    values
        .iter()
        .map(|value| {
            mean = weight * mean + (1.0 - weight) * value;
            kept *= weight;
            mean / (1.0 - kept)
        })
        .collect()
}

/// Moves label positions (pixels down the page) apart until neighbours have `gap` between them and all lie within
/// `lo..=hi` where there is room, each as near to its wish as that allows. Returns them in the order given.
#[must_use]
pub fn spread_labels(wishes: &[f64], gap: f64, lo: f64, hi: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]));
    let mut placed = wishes.to_vec();
    let mut floor = lo;
    for &i in &order {
        placed[i] = placed[i].max(floor);
        floor = placed[i] + gap;
    }
    let mut ceiling = hi;
    for &i in order.iter().rev() {
        placed[i] = placed[i].min(ceiling);
        ceiling = placed[i] - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SetLoss;

    fn run() -> Vec<TrainPoint> {
        (1..=4)
            .map(|step| TrainPoint {
                step,
                elapsed_s: step as f64 / 10.0,
                loss: 4.0 / step as f64,
                validation_loss: (step % 2 == 0).then_some(2.0),
                validation_accuracy: (step == 4).then_some(0.5),
                ..TrainPoint::default()
            })
            .collect()
    }

    fn figure(points: &[TrainPoint]) -> CurveFigure<'_> {
        CurveFigure {
            title: String::new(),
            runs: vec![curve("a", 0, points)],
            metric: Metric::Loss,
            time: TimeAxis::Steps,
            log_x: false,
            log_y: false,
            smoothing: 0.5,
            below: Vec::new(),
            levels: Vec::new(),
        }
    }

    fn curve<'a>(name: &'a str, hue: usize, points: &'a [TrainPoint]) -> RunCurve<'a> {
        let step = StepSize { examples: Some(8.0), operations: None };
        RunCurve { name, hue, points, step, marks: RunMarks::default() }
    }

    #[test]
    fn smoothing_is_the_bias_corrected_moving_average() {
        assert_eq!(smooth(&[3.0, 3.0, 3.0], 0.9).iter().map(|v| (v * 1e9).round() / 1e9).collect::<Vec<_>>(), [3.0; 3]);
        // By hand for weight 1/2: (1), (1/2·1/2 + 1/2·0)/(3/4), (1/8 + 0 + 1/2·4)/(7/8).
        let out = smooth(&[1.0, 0.0, 4.0], 0.5);
        for (value, expected) in out.iter().zip([1.0, 1.0 / 3.0, 17.0 / 7.0]) {
            assert!((value - expected).abs() < 1e-12, "{out:?}");
        }
        assert_eq!(smooth(&[1.0, 5.0], 0.0), [1.0, 5.0]);
    }

    #[test]
    fn raw_line_stays_under_the_smoothed_one() {
        let points = run();
        let lines = curve_lines(&figure(&points));
        let kinds: Vec<_> = lines.iter().map(|l| (l.kind, l.label.as_str(), l.points.len())).collect();
        assert_eq!(
            kinds,
            [(LineKind::Raw, "", 4), (LineKind::Smoothed, "training", 4), (LineKind::Validation, "validation", 2)]
        );
    }

    #[test]
    fn data_sets_have_lines_of_their_own() {
        let mut points = run();
        let of_set = |set: &str, loss| SetLoss { set: set.to_owned(), loss };
        points[1].validation_sets = vec![of_set("plays", 3.0), of_set("stories", 1.0)];
        points[3].validation_sets = vec![of_set("stories", 0.5), of_set("plays", 2.5)];
        let mut figure = figure(&points);
        figure.smoothing = 0.0;
        let told = |figure: &CurveFigure<'_>| {
            let lines = curve_lines(figure).into_iter().filter(|line| line.kind == LineKind::ValidationSet);
            lines.map(|line| (line.label, line.hue, line.points)).collect::<Vec<_>>()
        };
        let (plays, stories) = (vec![[2.0, 3.0], [4.0, 2.5]], vec![[2.0, 1.0], [4.0, 0.5]]);
        assert_eq!(told(&figure), [("plays".to_owned(), 2, plays.clone()), ("stories".to_owned(), 3, stories)]);
        figure.runs.push(curve("b", 1, &[]));
        assert_eq!(told(&figure)[0], ("a plays".to_owned(), 0, plays), "the hue tells runs apart");
        figure.metric = Metric::Accuracy;
        assert!(told(&figure).is_empty());
    }

    #[test]
    fn seconds_accuracy_and_several_runs() {
        let points = run();
        let mut figure = figure(&points);
        figure.runs.push(curve("b", 1, &points));
        figure.metric = Metric::Accuracy;
        figure.time = TimeAxis::Seconds;
        let lines = curve_lines(&figure);
        assert_eq!(lines.iter().map(|l| l.label.as_str()).collect::<Vec<_>>(), ["a validation", "b validation"]);
        assert_eq!(lines[1].points, [[0.4, 0.5]]);
        assert_ne!(lines[0].hue, lines[1].hue);
    }

    #[test]
    fn a_log_axis_leaves_out_what_it_cannot_place() {
        let mut points = run();
        points[0].loss = 0.0;
        points[1].loss = f64::NAN;
        let mut figure = figure(&points);
        figure.log_y = true;
        assert_eq!(curve_lines(&figure)[0].points.len(), 2);
    }

    #[test]
    fn axes_that_a_run_cannot_tell_show_nothing_of_it() {
        let points = run();
        let mut figure = figure(&points);
        figure.time = TimeAxis::Examples;
        assert_eq!(curve_lines(&figure)[0].points[1][0], 16.0);
        figure.time = TimeAxis::Operations;
        assert!(curve_lines(&figure).is_empty());
    }

    #[test]
    fn labels_are_spread_and_keep_their_order() {
        let placed = spread_labels(&[50.0, 52.0, 10.0], 14.0, 0.0, 100.0);
        assert_eq!(placed, [50.0, 64.0, 10.0]);
        let low = spread_labels(&[99.0, 98.0], 14.0, 0.0, 100.0);
        assert_eq!(low, [100.0, 86.0]);
    }
}
