//! How rotary frequencies were stretched: said by name, or by a table of factors as Llama 3 files have it.
//!
//! A table holds what each frequency is divided by. Llama 3's are made of four numbers (Grattafiori et al. 2024), of which three
//! are independent: the factor of the lowest frequencies, and where on the scale of wavelengths the ramp between begins and ends.
//! They are found again from the table and held against all of it.

use super::config::Settings;
use super::header::GgufFile;
use super::names::ROPE_FREQUENCIES;
use crate::load::error::LoadError;
use crate::load::tensors::elements::Elements;
use serde_json::{Value as Json, json};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Base of the frequencies where a file names none.
pub(super) const THETA: f64 = 10_000.0;
/// What Llama 3.1 was published with.
const PUBLISHED: Ramp = Ramp { low: 1.0, high: 4.0, original: 8192.0 };
/// Factors are kept in F32; a table that is off by more was not made so.
const TOLERANCE: f64 = 1e-4;
/// Names that a table goes by where frequencies are scaled in yet another way.
const OTHER_TABLES: [&str; 2] = ["rope_factors_long.weight", "rope_factors_short.weight"];

/// The value of `rope_scaling` in config.json, if frequencies are stretched. `width` values of a head turn.
pub(super) fn scaling(
    settings: &Settings<'_>,
    files: &[Arc<GgufFile>],
    width: u64,
    theta: f64,
    context: Option<u64>,
) -> Result<Option<Json>, LoadError> {
    let metadata = settings.metadata;
    let tensor = |name: &str| {
        files.iter().find_map(|file| Some((file, file.header.tensors.iter().find(|tensor| tensor.name == name)?)))
    };
    if let Some(name) = OTHER_TABLES.into_iter().find(|name| tensor(name).is_some()) {
        return Err(metadata.unsupported("rope scaling", &name, "linear, and the tables of Llama 3"));
    }
    if let Some((file, table)) = tensor(ROPE_FREQUENCIES) {
        let factors = Elements::decode(table.kind.elements, &file.map[table.bytes.clone()]);
        let Some(factors) = factors.map(Elements::into_f32) else {
            let (path, name, found) = (file.path.clone(), table.name.clone(), table.kind.elements.to_string());
            return Err(LoadError::WrongDtype { path, name, found });
        };
        let expected = vec![width as usize / 2];
        if table.shape != expected {
            let (path, name, found) = (file.path.clone(), table.name.clone(), table.shape.clone());
            return Err(LoadError::WrongShape { path, name, expected, found });
        }
        if factors.iter().all(|factor| *factor == 1.0) {
            return Ok(None);
        }
        let original = metadata.number(&settings.key("rope.scaling.original_context_length"))?;
        let found = Table::new(&factors, theta).llama3(original, context);
        return match found {
            Some(json) => Ok(Some(json)),
            None => Err(metadata.unsupported(ROPE_FREQUENCIES, &"a table of its own", "factors as Llama 3 has them")),
        };
    }
    let key = settings.key("rope.scaling.type");
    let old = metadata.number(&settings.key("rope.scale_linear"))?;
    let factor = metadata.number(&settings.key("rope.scaling.factor"))?.or(old).filter(|factor| *factor > 0.0);
    // With a factor alone llama.cpp takes the linear way.
    match metadata.text(&key)?.unwrap_or("linear") {
        "none" => Ok(None),
        "linear" => match factor {
            None => Ok(None),
            Some(1.0) => Ok(None),
            Some(factor) => Ok(Some(json!({ "rope_type": "linear", "factor": factor }))),
        },
        other => Err(metadata.unsupported(&key, &other, "none, linear, and the tables of Llama 3")),
    }
}

/// Where the ramp of Llama 3 lies: between wavelengths of `original / high` and `original / low` tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ramp {
    low: f64,
    high: f64,
    original: f64,
}

impl Ramp {
    /// What a frequency is divided by, which turns `frequency` of a full turn every token.
    fn factor(self, frequency: f64, factor: f64) -> f64 {
        let turns = self.original * frequency / TAU;
        let keep = ((turns - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        1.0 / (keep + (1.0 - keep) / factor)
    }
}

/// Frequencies, and what each is divided by.
struct Table {
    rows: Vec<(f64, f64)>,
}

impl Table {
    fn new(factors: &[f32], theta: f64) -> Self {
        let width = 2.0 * factors.len() as f64;
        let frequency = |pair: usize| theta.powf(-2.0 * pair as f64 / width);
        Self { rows: factors.iter().enumerate().map(|(pair, x)| (frequency(pair), f64::from(*x))).collect() }
    }

    /// The four numbers of Llama 3 that give this table.
    fn llama3(&self, original: Option<f64>, context: Option<u64>) -> Option<Json> {
        // The lowest frequency is divided by the whole factor.
        let factor = self.rows.iter().map(|(_, factor)| *factor).fold(1.0, f64::max);
        let mut ramps = vec![Ramp { original: original.unwrap_or(PUBLISHED.original), ..PUBLISHED }, PUBLISHED];
        ramps.extend(context.map(|context| Ramp { original: context as f64, ..PUBLISHED }));
        ramps.extend(self.published_elsewhere(factor));
        ramps.extend(self.fitted(factor, original.unwrap_or(PUBLISHED.original)));
        let fits = |ramp: &Ramp| {
            self.rows.iter().all(|(frequency, stored)| {
                let expected = ramp.factor(*frequency, factor);
                (expected - stored).abs() <= TOLERANCE * stored.abs()
            })
        };
        let ramp = ramps.into_iter().find(fits)?;
        Some(json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": ramp.low,
            "high_freq_factor": ramp.high,
            "original_max_position_embeddings": ramp.original,
        }))
    }

    /// The published ramp, from the original context that the first factor between none and all of it tells.
    fn published_elsewhere(&self, factor: f64) -> Option<Ramp> {
        let (frequency, stored) = *self.between(factor).next()?;
        let turns = PUBLISHED.low + kept(stored, factor) * (PUBLISHED.high - PUBLISHED.low);
        // Contexts are whole numbers.
        Some(Ramp { original: (turns * TAU / frequency).round(), ..PUBLISHED })
    }

    fn between(&self, factor: f64) -> impl DoubleEndedIterator<Item = &(f64, f64)> {
        let is_between =
            move |(_, stored): &&(f64, f64)| *stored > 1.0 + TOLERANCE && *stored < factor * (1.0 - TOLERANCE);
        self.rows.iter().filter(is_between)
    }

    /// The ramp through the two outermost factors between none and all of it.
    fn fitted(&self, factor: f64, original: f64) -> Option<Ramp> {
        let mut between = self.between(factor);
        let (first, last) = (between.next()?, between.next_back()?);
        let turns = |frequency: f64| original * frequency / TAU;
        let slope = (kept(first.1, factor) - kept(last.1, factor)) / (turns(first.0) - turns(last.0));
        let width = 1.0 / slope;
        let low = turns(first.0) - kept(first.1, factor) * width;
        (width.is_finite() && width > 0.0 && low > 0.0).then_some(Ramp { low, high: low + width, original })
    }
}

/// How much of a frequency is kept where it is divided by so much: 1 for all of it, 0 where it is divided by the whole factor.
fn kept(stored: f64, factor: f64) -> f64 {
    (1.0 / stored - 1.0 / factor) / (1.0 - 1.0 / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ramp: Ramp, factor: f64, width: usize, theta: f64) -> Table {
        let plain = Table::new(&vec![1.0; width / 2], theta);
        let factors: Vec<f32> =
            plain.rows.iter().map(|(frequency, _)| ramp.factor(*frequency, factor) as f32).collect();
        Table::new(&factors, theta)
    }

    #[test]
    fn what_llama_3_was_published_with_is_found_again() {
        for (factor, width) in [(8.0, 128), (32.0, 64)] {
            let json = table(PUBLISHED, factor, width, 500_000.0).llama3(None, Some(131_072)).unwrap();
            let expected = json!({ "rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192.0 });
            assert_eq!(json, expected);
        }
    }

    #[test]
    fn other_ramps_are_fitted_and_what_is_none_is_refused() {
        let ramp = Ramp { low: 2.0, high: 7.0, original: 300.0 };
        let own = table(ramp, 4.0, 64, 10_000.0);
        let json = own.llama3(None, Some(1000)).unwrap();
        let number = |name: &str| json[name].as_f64().unwrap();
        let original = number("original_max_position_embeddings");
        let found = Ramp { low: number("low_freq_factor"), high: number("high_freq_factor"), original };
        for (frequency, factor) in &own.rows {
            assert!((found.factor(*frequency, 4.0) - factor).abs() < 1e-4 * factor, "{frequency}: {factor}");
        }
        let mut wrong = own.rows.iter().map(|(_, factor)| *factor as f32).collect::<Vec<_>>();
        wrong[10] *= 1.5;
        assert_eq!(Table::new(&wrong, 10_000.0).llama3(None, Some(1000)), None);
    }
}
