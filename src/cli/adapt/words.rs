//! A comparison in words and rows.

use crate::types::{
    AdaptCell, AdaptMetric, AdaptPrice, AdaptReport, LabelNoise, PriceAssumptions, Way, adapt_curve, bytes_in_words,
    count_in_words, printable,
};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub report: &'a AdaptReport,
    pub assumed: PriceAssumptions,
    pub prices: Vec<AdaptPrice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// Accuracy by way and number of examples, what each way costs, and what that says.
pub(super) fn describe(model: &str, report: &AdaptReport, assumed: &PriceAssumptions) -> String {
    let (seeds, classes) = (report.spec.seeds.len(), report.labels.len());
    let path = report.spec.data.data.display().to_string();
    let data = printable(&path);
    let mut text = format!(
        "{model} on {data}: {classes} classes, {} examples, measured on {} {}, {seeds} seeds\n",
        report.examples,
        report.test.len(),
        report.kind.plural()
    );
    text += &format!("the class that is most common is right in {}", percent(report.base_rate));
    if let Some(bits) = report.bits_per_byte {
        text += &format!("; the model needs {bits:.2} bits for a byte of these texts");
    }
    text += "\n";
    for noise in &report.spec.noises {
        text += &accuracies(report, *noise);
    }
    text += &costs(report, assumed);
    if let Some(says) = report.says() {
        text += &format!("\n{says}\n");
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn accuracies(report: &AdaptReport, noise: LabelNoise) -> String {
    let curve = |way: Way| adapt_curve(&report.points, way, noise, AdaptMetric::Accuracy);
    let rows: Vec<(Way, Vec<AdaptCell>)> =
        Way::ALL.into_iter().map(|way| (way, curve(way))).filter(|(_, cells)| !cells.is_empty()).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut sizes: Vec<usize> = rows.iter().flat_map(|(_, cells)| cells.iter().map(|cell| cell.size)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let head = if noise == LabelNoise::True { "right answers".to_owned() } else { format!("right, {}", noise.name()) };
    let mut text = format!("\n{head:<34}");
    for size in &sizes {
        text += &format!("{size:>16}");
    }
    for (way, cells) in &rows {
        text += &format!("\n{:<34}", way.title());
        for size in &sizes {
            let cell = cells.iter().find(|cell| cell.size == *size);
            let words = cell.map_or_else(
                || "–".to_owned(),
                |cell| match cell.half {
                    Some(half) => format!("{} ± {:.1}", percent(cell.mean), half * 100.0),
                    None => percent(cell.mean),
                },
            );
            text += &format!("{words:>16}");
        }
    }
    text + "\n"
}

fn costs(report: &AdaptReport, assumed: &PriceAssumptions) -> String {
    let prices = report.prices(assumed);
    if prices.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{:<34}{:>10}{:>12}{:>10}{:>11}{:>11}{:>12}{:>12}{:>12}\n",
        "what it costs", "examples", "learned", "adapting", "peak", "to hand on", "a query", "operations", "energy"
    );
    for price in &prices {
        let peak = price.peak_bytes.map_or_else(|| "–".to_owned(), bytes_in_words);
        let learned = if price.learned == 0 { "–".to_owned() } else { count_in_words(price.learned) };
        text += &format!(
            "{:<34}{:>10}{learned:>12}{:>10}{peak:>11}{:>11}{:>12}{:>12}{:>12}\n",
            price.way.title(),
            price.size,
            if price.adapt_s == 0.0 { "–".to_owned() } else { format!("{:.2} s", price.adapt_s) },
            bytes_in_words(price.bytes),
            format!("{:.2} ms", price.query_ms),
            count_in_words(price.operations as u64),
            format!("{} J", count_in_words((price.joules[0] + price.joules[1]).round() as u64)),
        );
    }
    text += &format!(
        "energy: adapting and {} queries, if the computer draws {} W all the while\n",
        assumed.queries, assumed.watts
    );
    let asks = |price: &AdaptPrice| Some(format!("{} {:.4}", price.way.name(), price.hosted?));
    let asks: Vec<String> = prices.iter().filter_map(asks).collect();
    if !asks.is_empty() {
        text += &format!(
            "the same queries of a hosted model, at {} and {} for a million tokens that it reads and writes: {}\n",
            assumed.read,
            assumed.written,
            asks.join(", ")
        );
    }
    text
}
