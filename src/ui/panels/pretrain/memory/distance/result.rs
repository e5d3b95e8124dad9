//! What was asked of whom, and what they answered.

use super::form::Form;
use super::nets::Net;
use crate::types::{MemoryKind, MemoryReport};
use serde::{Deserialize, Serialize};

/// Networks beside each other. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// With what it was made.
    pub form: Form,
    pub contenders: Vec<Contender>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Contender {
    pub name: String,
    /// The kind, of a network that was trained for this.
    pub net: Option<Net>,
    pub parameters: Option<u64>,
    /// Steps it has learned, and in how many seconds.
    pub steps: usize,
    pub trained_s: f64,
    /// The last loss in nats.
    pub loss: Option<f64>,
    /// Share of right answers in sequences that are not learned from, last measured.
    pub held_out: Option<f64>,
    pub report: Option<MemoryReport>,
}

impl Comparison {
    pub fn of(&self) -> MemoryKind {
        self.form.of
    }

    /// Distances that anybody was asked at.
    pub fn distances(&self) -> Vec<usize> {
        let points = self.reports().flat_map(|(_, report)| report.points.iter());
        let mut distances: Vec<usize> = points.map(|point| point.distance).collect();
        distances.sort_unstable();
        distances.dedup();
        distances
    }

    /// Those that have answered, with their places.
    pub fn reports(&self) -> impl Iterator<Item = (usize, &MemoryReport)> {
        let reports = self.contenders.iter().enumerate().filter_map(|(place, of)| Some((place, of.report.as_ref()?)));
        reports.filter(|(_, report)| !report.points.is_empty())
    }

    /// How far each remembers, as a sentence.
    pub fn says(&self) -> Option<String> {
        const RIGHT: f64 = 0.9;
        let reach = |(place, report): (usize, &MemoryReport)| {
            let name = &self.contenders[place].name;
            match report.reach(RIGHT) {
                Some(distance) => format!("{name} up to {distance} tokens back"),
                None => format!("{name} at no distance"),
            }
        };
        let reaches: Vec<String> = self.reports().map(reach).collect();
        (!reaches.is_empty()).then(|| format!("Nine of ten answers are right: {}.", reaches.join("; ")))
    }

    /// The names of all.
    pub fn names(&self) -> String {
        self.contenders.iter().map(|of| of.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl Contender {
    /// The hue of its curve: the same for a kind of network always; those that were open come behind.
    pub fn hue(&self, place: usize) -> usize {
        let own = self.net.and_then(|net| Net::ALL.iter().position(|of| *of == net));
        own.unwrap_or(Net::ALL.len() + place % Net::ALL.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MemoryPoint;

    #[test]
    fn a_sentence_says_how_far_each_remembers() {
        let report = |right: [usize; 2]| MemoryReport {
            points: [2, 4]
                .into_iter()
                .zip(right)
                .map(|(distance, right)| MemoryPoint { distance, right, asked: 10 })
                .collect(),
            ..MemoryReport::default()
        };
        let contender = |name: &str, report| Contender { name: name.to_owned(), report, ..Contender::default() };
        let contenders = vec![
            contender("LSTM", Some(report([10, 9]))),
            contender("RNN", Some(report([4, 1]))),
            contender("Transformer", None),
        ];
        let comparison = Comparison { form: Form::default(), contenders };
        let says = comparison.says().unwrap();
        assert_eq!(says, "Nine of ten answers are right: LSTM up to 4 tokens back; RNN at no distance.");
        assert_eq!(comparison.distances(), [2, 4]);
    }
}
