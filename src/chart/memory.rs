//! What models remember against how long ago it was, as a figure and as a table.

use super::kshot::{ByExamples, Curve, KShotBand, Look};
use super::sheet::picture;
use super::table::Rows;
use super::{ChartError, Format};
use crate::types::MemoryReport;

/// What one model remembers.
#[derive(Clone, Copy, Debug)]
pub struct MemoryCurve<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it answered.
    pub report: &'a MemoryReport,
}

/// Draws the share of right answers with 95 % intervals (Wilson 1927) and the chance of somebody who remembers nothing, or writes every
/// point. All reports are of one kind of question.
///
/// # Errors
/// [`ChartError::Empty`] when nothing was asked, and the encoders' own.
pub fn memory_figure(models: &[MemoryCurve<'_>], format: Format) -> Result<Vec<u8>, ChartError> {
    let Some(first) = models.iter().map(|model| model.report).find(|report| !report.points.is_empty()) else {
        return Err(ChartError::Empty("nothing was asked yet"));
    };
    if format == Format::Csv {
        return table(models);
    }
    let mut curves = Vec::new();
    for (hue, model) in models.iter().enumerate() {
        let bands = model.report.points.iter().filter(|point| point.asked > 0).map(|point| {
            let [low, high] = point.interval();
            KShotBand { k: point.distance, mean: point.accuracy(), low, high }
        });
        let bands: Vec<KShotBand> = bands.collect();
        if !bands.is_empty() {
            curves.push(Curve { name: model.name, hue, bands });
        }
    }
    let asked = first.points.iter().map(|point| point.asked).max().unwrap_or(0);
    let title = format!("{}: what is remembered, {asked} questions a distance, 95 % intervals", first.of.name());
    let look = Look {
        title: &title,
        metric: "right answers",
        is_share: true,
        axis: "distance in tokens (log scale)",
        base: Some((first.chance, "chance")),
    };
    picture(&ByExamples::new(look, curves), format)
}

fn table(models: &[MemoryCurve<'_>]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["model", "task", "distance", "right", "asked", "accuracy", "chance"].map(str::to_owned))?;
    for model in models {
        for point in &model.report.points {
            rows.write([
                model.name.to_owned(),
                model.report.of.name().to_owned(),
                point.distance.to_string(),
                point.right.to_string(),
                point.asked.to_string(),
                point.accuracy().to_string(),
                model.report.chance.to_string(),
            ])?;
        }
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{MemoryKind, MemoryPoint};

    #[test]
    fn figure_and_table_have_every_point() {
        let point = |distance, right| MemoryPoint { distance, right, asked: 50 };
        let report = MemoryReport {
            of: MemoryKind::Recall,
            points: vec![point(3, 50), point(31, 20)],
            chance: 0.125,
            ..MemoryReport::default()
        };
        let models = [MemoryCurve { name: "lstm", report: &report }];
        let csv = String::from_utf8(memory_figure(&models, Format::Csv).unwrap()).unwrap();
        assert!(csv.contains("lstm,recall,31,20,50,0.4,0.125"), "{csv}");
        let svg = String::from_utf8(memory_figure(&models, Format::Svg).unwrap()).unwrap();
        assert!(svg.contains("lstm") && svg.contains("chance") && svg.contains("distance in tokens"));
        assert!(matches!(memory_figure(&[], Format::Svg), Err(ChartError::Empty(_))));
    }
}
