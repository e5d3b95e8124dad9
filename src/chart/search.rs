//! What was found by changing: a sweep over the parts of a model, and a map of patching, as figures, tables and arrays.

use super::layer_map::{LayerMapCell, LayerMapFigure, layer_map};
use super::table::Rows;
use super::{Array, ArrayFormat, ArrayValues, ChartError, Format, arrays_file, number};
use crate::types::{
    Effect, LensTarget, Part, PatchAlong, PatchCell, PatchReport, Removal, SweepReport, excerpt, printable,
};

/// Draws a sweep, layer by head with the MLPs in the last column, or writes it as a table: a row a part.
///
/// # Errors
/// [`ChartError::Empty`] before anything was tried, and the encoders' own.
pub fn sweep_figure(model: &str, report: &SweepReport, format: Format) -> Result<Vec<u8>, ChartError> {
    if report.effects().next().is_none() {
        return Err(ChartError::Empty("nothing was tried yet"));
    }
    if format == Format::Csv {
        let mut rows = Rows::new();
        rows.write(["part", "layer", "head", "log_prob_change", "kl_nats"].map(str::to_owned))?;
        for (part, effect) in report.effects() {
            let [kind, layer, head] = match part {
                Part::Head { layer, head } => ["head".to_owned(), layer.to_string(), head.to_string()],
                Part::Mlp(layer) => ["mlp".to_owned(), layer.to_string(), String::new()],
            };
            rows.write([kind, layer, head, effect.log_prob.to_string(), effect.divergence.to_string()])?;
        }
        return rows.finish();
    }
    layer_map(&sweep_map(model, report), format)
}

/// The same as a map.
#[must_use]
pub fn sweep_map(model: &str, report: &SweepReport) -> LayerMapFigure {
    let cell = |effect: &Option<Effect>| LayerMapCell { value: effect.map(|e| e.log_prob), ..LayerMapCell::default() };
    let layers =
        report.heads.iter().zip(&report.mlps).map(|(heads, mlp)| heads.iter().chain([mlp]).map(cell).collect());
    let heads = report.heads.first().map_or(0, Vec::len);
    LayerMapFigure {
        title: format!("{model}, each part removed by itself"),
        captions: sweep_words(report),
        columns: (0..heads).map(|head| head.to_string()).chain(["MLP".to_owned()]).collect(),
        layers: layers.collect(),
        most: scale_of_heads(report),
        unit: "change of the log-probability, nats".to_owned(),
    }
}

/// The largest change by a head: beside an MLP without which nothing works, heads would all look alike. Where they change nothing, that
/// of all parts.
fn scale_of_heads(report: &SweepReport) -> f64 {
    let heads = report.effects().filter(|(part, _)| matches!(part, Part::Head { .. }));
    let most = heads.fold(0.0f64, |most, (_, effect)| most.max(effect.log_prob.abs()));
    if most > 0.0 { most } else { report.largest().max(f64::MIN_POSITIVE) }
}

/// What a sweep says, in sentences.
#[must_use]
pub fn sweep_words(report: &SweepReport) -> Vec<String> {
    let name = quoted(&report.target);
    let how = match report.removal {
        Removal::Zero => "writes nothing",
        Removal::Mean => "writes its mean over the prompt",
    };
    let mut words = vec![format!(
        "{}; {name} has {} % as the model is. Each head, and each MLP, {how} in one pass.",
        excerpt(&report.tokens),
        number(100.0 * report.log_prob.exp())
    )];
    let named: Vec<String> = report
        .ranked()
        .into_iter()
        .take(3)
        .map(|(part, effect)| {
            let after = (report.log_prob + effect.log_prob).exp();
            format!("{part} ({} nats, to {} %)", signed(effect.log_prob), number(100.0 * after))
        })
        .collect();
    if !named.is_empty() {
        words.push(format!("It changes most without {}.", named.join(", ")));
    }
    words
}

/// An answer in quotes; of a text of several tokens, that it is the first.
fn quoted(answer: &LensTarget) -> String {
    let name = printable(&answer.text);
    if answer.of > 1 { format!("‘{name}’ (the first of {} tokens)", answer.of) } else { format!("‘{name}’") }
}

/// A number with its sign.
fn signed(value: f64) -> String {
    if value < 0.0 { format!("−{}", number(-value)) } else { format!("+{}", number(value)) }
}

/// A sweep as arrays: `heads_log_prob` and `heads_kl` of `[layers, heads]`, `mlps_log_prob` and `mlps_kl` of `[layers]`, NaN where nothing
/// was tried, and the `ids` that were read.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn sweep_arrays(
    report: &SweepReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let of = |effects: &mut dyn Iterator<Item = &Option<Effect>>, value: &dyn Fn(Effect) -> f64| {
        effects.map(|effect| effect.map_or(f32::NAN, |effect| value(effect) as f32)).collect::<Vec<f32>>()
    };
    let (log_prob, kl) = (|effect: Effect| effect.log_prob, |effect: Effect| effect.divergence);
    let heads = |value: &dyn Fn(Effect) -> f64| of(&mut report.heads.iter().flatten(), value);
    let mlps = |value: &dyn Fn(Effect) -> f64| of(&mut report.mlps.iter(), value);
    let of_heads = [report.heads.len(), report.heads.first().map_or(0, Vec::len)];
    let (head_log, head_kl, mlp_log, mlp_kl) = (heads(&log_prob), heads(&kl), mlps(&log_prob), mlps(&kl));
    let ids = ids(&report.tokens);
    let arrays = [
        array("heads_log_prob", &of_heads, ArrayValues::Floats(&head_log)),
        array("heads_kl", &of_heads, ArrayValues::Floats(&head_kl)),
        array("mlps_log_prob", &of_heads[..1], ArrayValues::Floats(&mlp_log)),
        array("mlps_kl", &of_heads[..1], ArrayValues::Floats(&mlp_kl)),
        array("ids", &[ids.len()], ArrayValues::Integers(&ids)),
    ];
    arrays_file(&arrays, about, format)
}

/// Draws a map of patching, layer by token or by head, or writes it as a table: a row a cell.
///
/// # Errors
/// [`ChartError::Empty`] without cells, and the encoders' own.
pub fn patch_figure(model: &str, report: &PatchReport, format: Format) -> Result<Vec<u8>, ChartError> {
    if format == Format::Csv {
        let mut rows = Rows::new();
        let column = if report.along == PatchAlong::Heads { "head" } else { "position" };
        rows.write(["layer", column, "name", "measured", "estimated", "idle"].map(str::to_owned))?;
        let names = patch_columns(report);
        for (layer, cells) in report.cells.iter().enumerate() {
            for ((at, cell), name) in cells.iter().enumerate().zip(&names) {
                let [measured, estimated] =
                    [cell.measured, cell.estimated].map(|value| value.map_or_else(String::new, |v| v.to_string()));
                let idle = cell.is_idle.to_string();
                rows.write([layer.to_string(), at.to_string(), name.clone(), measured, estimated, idle])?;
            }
        }
        return rows.finish();
    }
    layer_map(&patch_map(model, report), format)
}

/// The same as a map.
#[must_use]
pub fn patch_map(model: &str, report: &PatchReport) -> LayerMapFigure {
    let cell = |cell: &PatchCell| LayerMapCell {
        value: cell.value(),
        is_estimated: cell.measured.is_none() && cell.estimated.is_some(),
        is_idle: cell.is_idle,
    };
    LayerMapFigure {
        title: format!("{model}, {} of one prompt in another", report.site),
        captions: patch_words(report),
        columns: patch_columns(report),
        layers: report.cells.iter().map(|cells| cells.iter().map(cell).collect()).collect(),
        most: report.largest(),
        unit: "0 is the destination, 1 the source".to_owned(),
    }
}

/// The names of the columns: numbers of heads, or the token of the destination and, where it is another, the one of the source.
#[must_use]
pub fn patch_columns(report: &PatchReport) -> Vec<String> {
    if report.along == PatchAlong::Heads {
        return (0..report.cells.first().map_or(0, Vec::len)).map(|head| head.to_string()).collect();
    }
    let pairs = report.destination.iter().zip(&report.source);
    pairs
        .map(|(to, from)| match to.id == from.id {
            true => to.text.clone(),
            false => format!("{} ← {}", to.text.trim(), from.text.trim()),
        })
        .collect()
}

/// What a map of patching says, in sentences.
#[must_use]
pub fn patch_words(report: &PatchReport) -> Vec<String> {
    let [first, second] = report.answers.each_ref().map(quoted);
    let [to, from] = report.ends.map(signed);
    let mut words = vec![
        format!("Values of {} in the pass over {}.", excerpt(&report.source), excerpt(&report.destination)),
        format!(
            "The score of {first} is {to} above that of {second} in the destination (0) and {from} in the source (1)."
        ),
    ];
    if (report.ends[1] - report.ends[0]).abs() < PatchReport::SMALL_DIFFERENCE {
        words.push("Both ends are near each other, so the values between them are uncertain.".to_owned());
    }
    let (measured, all) = report.progress();
    let estimated = report.cells.iter().flatten().any(|cell| cell.estimated.is_some());
    if measured < all && estimated {
        words.push(format!(
            "Attribution patching: estimated from one gradient; {measured} of {all} cells were measured."
        ));
    }
    if let Some((correlation, count)) = report.correlation() {
        words.push(format!("Over {count} cells that were measured, the estimate correlates with {correlation:.3}."));
    }
    words
}

/// A map of patching as arrays of `[layers, columns]`: `measured` and `estimated`, NaN where not known, and `idle`, 1 where nothing can
/// happen; `ends` of destination and source, and both prompts' ids.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn patch_arrays(
    report: &PatchReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let cells = || report.cells.iter().flatten();
    let known = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
    let measured: Vec<f32> = cells().map(|cell| known(cell.measured)).collect();
    let estimated: Vec<f32> = cells().map(|cell| known(cell.estimated)).collect();
    let idle: Vec<i64> = cells().map(|cell| i64::from(cell.is_idle)).collect();
    let shape = [report.cells.len(), report.cells.first().map_or(0, Vec::len)];
    let ends = report.ends.map(|end| end as f32);
    let (source, destination) = (ids(&report.source), ids(&report.destination));
    let arrays = [
        array("measured", &shape, ArrayValues::Floats(&measured)),
        array("estimated", &shape, ArrayValues::Floats(&estimated)),
        array("idle", &shape, ArrayValues::Integers(&idle)),
        array("ends", &[2], ArrayValues::Floats(&ends)),
        array("source_ids", &[source.len()], ArrayValues::Integers(&source)),
        array("destination_ids", &[destination.len()], ArrayValues::Integers(&destination)),
    ];
    arrays_file(&arrays, about, format)
}

fn ids(tokens: &[crate::types::PromptToken]) -> Vec<i64> {
    tokens.iter().map(|token| i64::from(token.id)).collect()
}

fn array<'a>(name: &str, shape: &[usize], values: ArrayValues<'a>) -> Array<'a> {
    Array { name: name.to_owned(), shape: shape.to_vec(), values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PatchSite, PromptToken};

    fn token(id: u32, text: &str) -> PromptToken {
        PromptToken { id, text: text.into(), span: 0..0 }
    }

    fn target(text: &str) -> LensTarget {
        LensTarget { id: 7, text: text.into(), of: 1 }
    }

    fn sweep() -> SweepReport {
        let effect = |log_prob: f64| Some(Effect { log_prob, divergence: 0.25 });
        SweepReport {
            tokens: vec![token(1, "The"), token(2, " cat")],
            position: 1,
            target: target(" sat"),
            log_prob: 0.5f64.ln(),
            removal: Removal::Zero,
            heads: vec![vec![effect(0.125), effect(-2.0)], vec![None, effect(0.0)]],
            mlps: vec![effect(-0.5), None],
        }
    }

    fn patch() -> PatchReport {
        let cell = |measured, estimated, is_idle| PatchCell { measured, estimated, is_idle };
        PatchReport {
            source: vec![token(1, "Rome"), token(2, " is")],
            destination: vec![token(3, "Oslo"), token(2, " is")],
            position: 1,
            answers: [target(" Italy"), target(" Norway")],
            ends: [-3.0, 4.0],
            site: PatchSite::ResidPre,
            along: PatchAlong::Positions,
            cells: vec![
                vec![cell(Some(1.0), Some(0.75), false), cell(Some(0.0), Some(0.0), true)],
                vec![cell(None, Some(0.5), false); 2],
            ],
        }
    }

    #[test]
    fn a_sweep_names_what_changes_the_answer_most_and_lists_what_was_tried() {
        let svg = String::from_utf8(sweep_figure("tiny", &sweep(), Format::Svg).unwrap()).unwrap();
        for words in [
            "tiny, each part removed by itself",
            "‘ sat’ has 50 %",
            "head 0.1 (−2 nats, to 6.77 %)",
            "\nlayer 1\n",
            "\nMLP\n",
        ] {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        let csv = String::from_utf8(sweep_figure("tiny", &sweep(), Format::Csv).unwrap()).unwrap();
        assert_eq!(
            csv,
            "part,layer,head,log_prob_change,kl_nats\nhead,0,0,0.125,0.25\nhead,0,1,-2,0.25\nmlp,0,,-0.5,0.25\nhead,1,1,0,0.25\n"
        );
        let bytes = sweep_arrays(&sweep(), &[], ArrayFormat::Safetensors).unwrap();
        let arrays = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(arrays.tensor("heads_log_prob").unwrap().shape(), [2, 2]);
        assert_eq!(arrays.tensor("mlps_kl").unwrap().shape(), [2]);
        let several = SweepReport { target: LensTarget { of: 3, ..target(" sat") }, ..sweep() };
        assert!(sweep_words(&several)[0].contains("‘ sat’ (the first of 3 tokens) has 50 %"));
        let nothing = SweepReport { heads: vec![vec![None]], mlps: vec![None], ..sweep() };
        assert!(matches!(sweep_figure("tiny", &nothing, Format::Svg), Err(ChartError::Empty(_))));
    }

    #[test]
    fn a_map_of_patching_prints_both_ends_and_says_what_was_only_estimated() {
        let svg = String::from_utf8(patch_figure("tiny", &patch(), Format::Svg).unwrap()).unwrap();
        for words in
            ["−3 above that of ‘ Norway’ in the destination (0) and +4", "1 of 3 cells were measured", "Oslo·←·Rome"]
        {
            assert!(svg.contains(words), "{words}: {svg}");
        }
        let csv = String::from_utf8(patch_figure("tiny", &patch(), Format::Csv).unwrap()).unwrap();
        assert!(
            csv.starts_with("layer,position,name,measured,estimated,idle\n0,0,Oslo ← Rome,1,0.75,false\n"),
            "{csv}"
        );
        assert!(csv.ends_with("1,1, is,,0.5,false\n"), "{csv}");
        let png = image::load_from_memory(&patch_figure("tiny", &patch(), Format::Png).unwrap()).unwrap();
        assert!(png.width() >= 2 * 560);
        let bytes = patch_arrays(&patch(), &[], ArrayFormat::Safetensors).unwrap();
        let arrays = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(arrays.tensor("measured").unwrap().shape(), [2, 2]);
        let near = PatchReport { ends: [0.0, 0.1], ..patch() };
        assert!(patch_words(&near).iter().any(|words| words.contains("uncertain")));
    }
}
