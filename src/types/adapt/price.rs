//! What each way costs, and what the figures say.

use super::point::{AdaptMetric, AdaptPoint, AdaptReport, adapt_curve};
use super::spec::LabelNoise;
use super::way::Way;
use crate::types::count_in_words;
use serde::{Deserialize, Serialize};

/// What is taken for granted, and can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceAssumptions {
    /// Watts that the computer draws while it works.
    pub watts: f64,
    /// What a hosted model asks for a million tokens that it reads.
    pub read: f64,
    /// What it asks for a million tokens that it writes.
    pub written: f64,
    /// Queries.
    pub queries: u64,
}

impl Default for PriceAssumptions {
    fn default() -> Self {
        Self { watts: 30.0, read: 0.5, written: 1.5, queries: 1000 }
    }
}

/// What a way costs at its largest number of examples, as means over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptPrice {
    /// The way.
    pub way: Way,
    /// Examples.
    pub size: usize,
    /// Numbers that were learned.
    pub learned: u64,
    /// Seconds to adapt.
    pub adapt_s: f64,
    /// The most memory while it adapted, in bytes.
    pub peak_bytes: Option<u64>,
    /// Bytes to hand on.
    pub bytes: u64,
    /// Milliseconds a query.
    pub query_ms: f64,
    /// Operations a query: two for each parameter and token that is read (Kaplan et al. 2020), or what the report says of one.
    pub operations: f64,
    /// Joules to adapt and for all queries, at so many watts all the while.
    pub joules: [f64; 2],
    /// What a hosted model would ask for the same queries, each with one token that is written. `None` where no tokens are read.
    pub hosted: Option<f64>,
}

impl AdaptReport {
    /// What each way costs.
    #[must_use]
    pub fn prices(&self, assumed: &PriceAssumptions) -> Vec<AdaptPrice> {
        Way::ALL.into_iter().filter_map(|way| self.price(way, assumed)).collect()
    }

    fn price(&self, way: Way, assumed: &PriceAssumptions) -> Option<AdaptPrice> {
        let size = self.points.iter().filter(|point| point.way == way).map(|point| point.size).max()?;
        let points: Vec<&AdaptPoint> =
            self.points.iter().filter(|point| point.way == way && point.size == size).collect();
        let mean = |of: fn(&AdaptPoint) -> f64| points.iter().map(|point| of(point)).sum::<f64>() / points.len() as f64;
        let (adapt_s, query_ms, tokens) =
            (mean(|point| point.adapt_s), mean(|point| point.query_ms), mean(|point| point.tokens_a_query));
        let queries = assumed.queries as f64;
        Some(AdaptPrice {
            way,
            size,
            learned: points[0].learned,
            adapt_s,
            peak_bytes: points.iter().filter_map(|point| point.peak_bytes).max(),
            bytes: mean(|point| point.bytes as f64).round() as u64,
            query_ms,
            operations: self.operations.unwrap_or(2.0 * self.parameters as f64 * tokens),
            joules: [adapt_s * assumed.watts, query_ms / 1e3 * queries * assumed.watts],
            hosted: self.operations.is_none().then(|| queries * (tokens * assumed.read + assumed.written) / 1e6),
        })
    }

    /// What the figures say, in sentences made of them; nothing before two ways have been measured at the same size.
    #[must_use]
    pub fn says(&self) -> Option<String> {
        let last = |way: Way| adapt_curve(&self.points, way, LabelNoise::True, AdaptMetric::Accuracy).last().copied();
        let cells: Vec<_> = Way::ALL.into_iter().filter_map(|way| Some((way, last(way)?))).collect();
        let size = cells.iter().map(|(_, cell)| cell.size).max()?;
        let mut cells: Vec<_> = cells.into_iter().filter(|(_, cell)| cell.size == size).collect();
        cells.sort_by(|(_, a), (_, b)| b.mean.total_cmp(&a.mean));
        let [(best, first), (next, second), ..] = cells[..] else { return None };
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let with = |half: Option<f64>| half.map_or_else(String::new, |half| format!(" ± {:.1}", half * 100.0));
        let examples =
            if size == 1 { "1 example".to_owned() } else { format!("{} examples", count_in_words(size as u64)) };
        let mut words = format!(
            "With {examples}, ‘{}’ is right most often, in {}{}; the class that is most common is right in {}.",
            best.title(),
            percent(first.mean),
            with(first.half),
            percent(self.base_rate)
        );
        let room = first.half.unwrap_or(0.0).hypot(second.half.unwrap_or(0.0));
        let ahead = (first.mean - second.mean) * 100.0;
        words += &match (first.half, second.half) {
            (Some(_), Some(_)) if first.mean - second.mean <= room => {
                format!(" ‘{}’ is {ahead:.1} points behind, which these seeds do not tell from chance.", next.title())
            }
            _ => format!(" ‘{}’ is {ahead:.1} points behind.", next.title()),
        };
        let cell = |way: Way| cells.iter().find(|(of, _)| *of == way).map(|(_, cell)| *cell);
        if let (Some(trained), Some(from_nothing)) = (cell(Way::Full), cell(Way::Scratch)) {
            let worth = (trained.mean - from_nothing.mean) * 100.0;
            words += &match (trained.half, from_nothing.half) {
                (Some(a), Some(b)) if worth.abs() <= a.hypot(b) * 100.0 => {
                    " What pre-training was worth, these seeds do not tell.".to_owned()
                }
                _ => format!(" Pre-training was worth {worth:.1} points."),
            };
        }
        let prices = self.prices(&PriceAssumptions::default());
        let price = |way: Way| prices.iter().find(|price| price.way == way && price.size == size);
        let quickest = cells.iter().filter_map(|(way, _)| price(*way)).filter(|price| price.way != Way::Examples);
        if let (Some(quick), Some(of_best)) = (quickest.min_by(|a, b| a.adapt_s.total_cmp(&b.adapt_s)), price(best))
            && quick.way != best
            && let Some(of_quick) = cell(quick.way)
        {
            words += &format!(
                " The quickest to adapt is ‘{}’, {} where ‘{}’ takes {}, at {}.",
                quick.way.title(),
                seconds(quick.adapt_s),
                best.title(),
                if best == Way::Examples { "none".to_owned() } else { seconds(of_best.adapt_s) },
                percent(of_quick.mean)
            );
        }
        Some(words)
    }
}

/// A length of time.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{:.0} ms", (s * 1e3).max(1.0)),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
