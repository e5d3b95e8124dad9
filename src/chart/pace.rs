//! How many tokens a second networks read and learn, as a figure and as a table.

use super::ink::{AXIS, GRID, MUTED, TEXT, hue};
use super::page::{CAPTION, MARGIN, TITLE, begin};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::table::Rows;
use super::text::{shortened, width};
use super::ticks::{log_ticks, number};
use super::{ChartError, Format};
use crate::types::{PacePass, PacePoint, PaceProcessor, PaceReport};
use plotters::prelude::DrawingBackend;

const SIZE: (f64, f64) = (960.0, 720.0);
/// Between the plots: room for the numbers of the axes and what they count.
const BETWEEN: (f64, f64) = (76.0, 68.0);
const LEGEND: f64 = 26.0;
/// Characters of a network's name.
const NAME: usize = 24;

/// Draws tokens a second on logarithmic axes, reading above and learning below, against the length of one sequence at the left and against
/// the number of sequences at the right: a hue a network, a stroke a processor. Or writes every point.
///
/// # Errors
/// [`ChartError::Empty`] when nothing was measured, and the encoders' own.
pub fn pace_figure(report: &PaceReport, format: Format) -> Result<Vec<u8>, ChartError> {
    if report.points.is_empty() {
        return Err(ChartError::Empty("nothing was measured yet"));
    }
    if format == Format::Csv {
        return table(report);
    }
    picture(&PacePicture::new(report), format)
}

fn table(report: &PaceReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let head = [
        "network",
        "architecture",
        "parameters",
        "pass",
        "processor",
        "threads",
        "batch",
        "length",
        "tokens_per_second",
        "seconds_a_pass",
        "passes",
    ];
    rows.write(head.map(str::to_owned))?;
    for point in &report.points {
        let Some(network) = report.networks.get(point.network) else { continue };
        let threads = match point.processor {
            PaceProcessor::OneCore => "1".to_owned(),
            PaceProcessor::AllCores => report.threads.to_string(),
            PaceProcessor::Gpu => String::new(),
        };
        rows.write([
            network.name.clone(),
            network.architecture.clone(),
            network.parameters.to_string(),
            point.pass.name().to_owned(),
            point.processor.name().to_owned(),
            threads,
            point.batch.to_string(),
            point.length.to_string(),
            point.tokens_per_second().to_string(),
            point.seconds.to_string(),
            point.passes.to_string(),
        ])?;
    }
    rows.finish()
}

/// What a plot counts on its horizontal axis.
#[derive(Clone, Copy, PartialEq)]
enum Against {
    Length,
    Batch,
}

/// A line: its points are counts and tokens a second.
struct Line {
    network: usize,
    processor: PaceProcessor,
    points: Vec<(usize, f64)>,
}

/// One of the four plots.
struct Plot {
    pass: PacePass,
    against: Against,
    lines: Vec<Line>,
    /// Left, right, bottom and top on the page.
    page: [f64; 4],
}

struct PacePicture<'a> {
    report: &'a PaceReport,
    plots: Vec<Plot>,
    /// Tokens a second at bottom and top: of all plots, so that they compare.
    values: [f64; 2],
}

impl<'a> PacePicture<'a> {
    fn new(report: &'a PaceReport) -> Self {
        let mut plots = Vec::new();
        for pass in PacePass::ALL {
            for against in [Against::Length, Against::Batch] {
                let lines = lines(report, pass, against);
                if !lines.is_empty() {
                    plots.push(Plot { pass, against, lines, page: [0.0; 4] });
                }
            }
        }
        let columns = columns(&plots);
        let rows: Vec<PacePass> =
            PacePass::ALL.into_iter().filter(|pass| plots.iter().any(|plot| plot.pass == *pass)).collect();
        let part = |all: f64, between: f64, count: usize| (all - between * (count - 1) as f64) / count as f64;
        let (left, top) = (MARGIN + 58.0, MARGIN + TITLE + 26.0);
        let wide = part(SIZE.0 - left - MARGIN, BETWEEN.0, columns.len());
        let high = part(SIZE.1 - top - 46.0 - LEGEND - MARGIN, BETWEEN.1, rows.len());
        for plot in &mut plots {
            let column = columns.iter().position(|against| *against == plot.against).unwrap_or(0) as f64;
            let row = rows.iter().position(|pass| *pass == plot.pass).unwrap_or(0) as f64;
            let (x, y) = (left + column * (wide + BETWEEN.0), top + row * (high + BETWEEN.1));
            plot.page = [x, x + wide, y + high, y];
        }
        let all = || report.points.iter().map(PacePoint::tokens_per_second);
        let low = all().fold(f64::INFINITY, f64::min);
        let high = all().fold(f64::NEG_INFINITY, f64::max);
        Self { report, plots, values: [low / 1.4, high * 1.4] }
    }
}

fn columns(plots: &[Plot]) -> Vec<Against> {
    let has = |against: &Against| plots.iter().any(|plot| plot.against == *against);
    [Against::Length, Against::Batch].into_iter().filter(has).collect()
}

/// The lines of a plot; against the number of sequences there are none where only one sequence was measured.
fn lines(report: &PaceReport, pass: PacePass, against: Against) -> Vec<Line> {
    let mut found = Vec::new();
    for network in 0..report.networks.len() {
        for processor in report.processors() {
            let points = match against {
                Against::Length => report.by_length(network, pass, processor),
                Against::Batch => report.by_batch(network, pass, processor),
            };
            if points.len() > usize::from(against == Against::Batch) {
                found.push(Line { network, processor, points });
            }
        }
    }
    found
}

impl PacePicture<'_> {
    fn x(plot: &Plot, count: usize) -> f64 {
        let all = || plot.lines.iter().flat_map(|line| &line.points).map(|(count, _)| (*count as f64).log2());
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let share = if high > low { ((count as f64).log2() - low) / (high - low) } else { 0.5 };
        let [left, right, ..] = plot.page;
        left + 12.0 + share * (right - left - 24.0)
    }

    fn y(&self, plot: &Plot, value: f64) -> f64 {
        let ([_, _, bottom, top], [low, high]) = (plot.page, self.values);
        bottom + (value / low).ln() / (high / low).ln() * (top - bottom)
    }

    fn plot_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>, plot: &Plot) -> Result<(), ChartError> {
        let [left, right, bottom, top] = plot.page;
        let look = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::End, upward: false };
        for tick in log_ticks(self.values[0], self.values[1], 5) {
            let y = self.y(plot, tick.value);
            sheet.line(&[[left, y], [right, y]], 0.8, GRID, 1.0)?;
            sheet.text(&tick.label, left - 7.0, y, look)?;
        }
        sheet.line(&[[left, bottom], [right, bottom]], 1.0, AXIS, 1.0)?;
        let middle = TextLook { align: Align::Middle, ..look };
        let mut counts: Vec<usize> = plot.lines.iter().flat_map(|line| &line.points).map(|(count, _)| *count).collect();
        counts.sort_unstable();
        counts.dedup();
        let mut written_to = f64::NEG_INFINITY;
        for count in counts {
            let (x, label) = (Self::x(plot, count), count.to_string());
            sheet.line(&[[x, bottom], [x, bottom + 4.0]], 0.8, AXIS, 1.0)?;
            let half = width(&label, CAPTION, false) / 2.0;
            if x - half > written_to + 4.0 {
                sheet.text(&label, x, bottom + 8.0 + CAPTION / 2.0, middle)?;
                written_to = x + half;
            }
        }
        let words = match plot.against {
            Against::Length => "tokens of one sequence".to_owned(),
            Against::Batch => format!("sequences of {} tokens", self.report.batch_length),
        };
        sheet.text(&words, f64::midpoint(left, right), bottom + 26.0 + CAPTION / 2.0, middle)?;
        let title = match plot.pass {
            PacePass::Read => "read: forward",
            PacePass::Learn => "learn: forward and backward",
        };
        let bold = TextLook { bold: true, color: TEXT, align: Align::Start, ..look };
        sheet.text(title, left, top - 10.0, bold)?;
        for line in &plot.lines {
            let path: Vec<[f64; 2]> =
                line.points.iter().map(|(count, value)| [Self::x(plot, *count), self.y(plot, *value)]).collect();
            stroke(sheet, &path, line.processor, line.network)?;
            for [x, y] in path {
                sheet.dot(x, y, 2.5, hue(line.network))?;
            }
        }
        Ok(())
    }

    fn legend_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (mut x, y) = (MARGIN, SIZE.1 - MARGIN - CAPTION / 2.0);
        let look = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::Start, upward: false };
        for (number, network) in self.report.networks.iter().enumerate() {
            let name = shortened(&network.name, NAME);
            sheet.dot(x + 4.0, y, 4.0, hue(number))?;
            sheet.text(&name, x + 13.0, y, look)?;
            x += 13.0 + width(&name, CAPTION, false) + 18.0;
        }
        for processor in self.report.processors() {
            let words = self.processor(processor);
            for dash in strokes(&[[x, y], [x + 26.0, y]], processor) {
                sheet.line(&dash.0, dash.1, MUTED, 1.0)?;
            }
            sheet.text(&words, x + 32.0, y, look)?;
            x += 32.0 + width(&words, CAPTION, false) + 18.0;
        }
        Ok(())
    }

    fn processor(&self, processor: PaceProcessor) -> String {
        match processor {
            PaceProcessor::AllCores => format!("{} cores", self.report.threads),
            PaceProcessor::OneCore | PaceProcessor::Gpu => processor.words().to_owned(),
        }
    }
}

/// A processor's stroke through a path: pieces and their widths.
fn strokes(path: &[[f64; 2]], processor: PaceProcessor) -> Vec<(Vec<[f64; 2]>, f64)> {
    match processor {
        PaceProcessor::OneCore => super::sheet::dashes(path, 5.0, 3.5).into_iter().map(|dash| (dash, 1.4)).collect(),
        PaceProcessor::AllCores => vec![(path.to_vec(), 1.8)],
        PaceProcessor::Gpu => vec![(path.to_vec(), 3.4)],
    }
}

fn stroke<B: DrawingBackend>(
    sheet: &mut Sheet<'_, B>,
    path: &[[f64; 2]],
    processor: PaceProcessor,
    network: usize,
) -> Result<(), ChartError> {
    strokes(path, processor).into_iter().try_for_each(|(piece, width)| sheet.line(&piece, width, hue(network), 1.0))
}

impl Draw for PacePicture<'_> {
    fn size(&self) -> (u32, u32) {
        (SIZE.0 as u32, SIZE.1 as u32)
    }

    fn description(&self) -> (String, String) {
        let mut words = Vec::new();
        for plot in &self.plots {
            for line in &plot.lines {
                let name = self.report.networks.get(line.network).map_or("", |network| network.name.as_str());
                let unit = if plot.against == Against::Length { "tokens" } else { "sequences" };
                let points = line.points.iter().map(|(count, value)| format!("{} at {count} {unit}", number(*value)));
                words.push(format!(
                    "{name}, {}, {}: {}",
                    plot.pass.name(),
                    self.processor(line.processor),
                    points.collect::<Vec<_>>().join(", ")
                ));
            }
        }
        ("Tokens a second".to_owned(), words.join("; "))
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        begin(sheet, SIZE, "Tokens a second (log scale)")?;
        self.plots.iter().try_for_each(|plot| self.plot_on(sheet, plot))?;
        self.legend_on(sheet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::PacedNetwork;

    fn report() -> PaceReport {
        let point = |network, processor, batch, length, seconds| PacePoint {
            network,
            pass: PacePass::Read,
            processor,
            batch,
            length,
            seconds,
            passes: 3,
        };
        let network = |name: &str| PacedNetwork {
            name: name.to_owned(),
            architecture: "LSTM".to_owned(),
            parameters: 12,
            context: 512,
        };
        PaceReport {
            networks: vec![network("lstm"), network("llama")],
            points: vec![
                point(0, PaceProcessor::OneCore, 1, 16, 0.5),
                point(0, PaceProcessor::AllCores, 1, 64, 0.5),
                point(1, PaceProcessor::AllCores, 1, 64, 0.25),
                point(1, PaceProcessor::AllCores, 8, 64, 0.5),
            ],
            threads: 2,
            batch_length: 64,
            planned: 4,
        }
    }

    #[test]
    fn figure_and_table_have_every_point() {
        let csv = String::from_utf8(pace_figure(&report(), Format::Csv).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), 5);
        assert!(csv.contains("llama,LSTM,12,read,all_cores,2,8,64,1024,0.5,3"), "{csv}");
        let svg = String::from_utf8(pace_figure(&report(), Format::Svg).unwrap()).unwrap();
        for words in ["read: forward", "one core", "2 cores", "sequences of 64 tokens", "llama", "1,024 at 8 sequences"]
        {
            assert!(svg.contains(words), "{words}");
        }
        assert!(!svg.contains("learn"), "what was not measured has no plot");
        assert!(matches!(pace_figure(&PaceReport::default(), Format::Svg), Err(ChartError::Empty(_))));
    }

    #[test]
    fn plots_share_an_axis_and_stay_on_their_page() {
        let report = report();
        let picture = PacePicture::new(&report);
        assert_eq!(picture.plots.len(), 2);
        for plot in &picture.plots {
            let [left, right, bottom, top] = plot.page;
            assert!(left < right && top < bottom && right <= SIZE.0 && bottom < SIZE.1);
            for (count, value) in plot.lines.iter().flat_map(|line| &line.points) {
                let (x, y) = (PacePicture::x(plot, *count), picture.y(plot, *value));
                assert!((left..=right).contains(&x) && (top..=bottom).contains(&y), "{x} {y}");
            }
        }
        let [first, second] = [0, 1].map(|plot| picture.y(&picture.plots[plot], 256.0));
        assert_eq!(first, second);
    }
}
