//! The table as a file, and the plane as a figure.

use super::super::export::write;
use super::plane::PlaneView;
use crate::analysis::{AtlasHead, AtlasScore, HeadAtlas};
use crate::chart::{Format, HeadScores, ScatterFigure, ScatterPoint, head_scores_table, scatter_figure};
use crate::types::{InspectReport, JobId, UserError};
use crate::ui::Cx;
use crate::ui::files::FileRequest;
use std::rc::Rc;

/// Characters of a text that stand in a caption.
const QUOTED: usize = 60;

/// Scores that are on show.
pub(super) struct Scored<'a> {
    pub atlas: Rc<HeadAtlas>,
    /// On what, such as `on the probe`.
    pub measured: &'static str,
    /// Those there are, in the order of columns.
    pub scores: &'a [AtlasScore],
    /// Layer and head that are chosen.
    pub chosen: (usize, usize),
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Export {
    /// All scores of all heads.
    Table,
    /// The plane.
    Plane(Format),
}

impl Export {
    pub const ALL: [Self; 3] = [Self::Table, Self::Plane(Format::Svg), Self::Plane(Format::Png)];

    fn format(self) -> Format {
        match self {
            Self::Table => Format::Csv,
            Self::Plane(format) => format,
        }
    }

    /// What is written in this format.
    pub fn of(format: Format) -> Self {
        match format {
            Format::Csv => Self::Table,
            Format::Svg | Format::Png => Self::Plane(format),
        }
    }

    /// On its button.
    pub fn name(self) -> &'static str {
        self.format().name()
    }

    /// For those who do not see what it stands beside.
    pub fn words(self) -> String {
        match self {
            Self::Table => "Export the table as CSV".to_owned(),
            Self::Plane(format) => format!("Export the plane as {}", format.name()),
        }
    }
}

/// Asks where to, then draws and writes on the dialog's thread. A text, or a seed, is what heads were scored on.
pub(super) fn save(
    export: Export,
    scored: &Scored<'_>,
    plane: &mut PlaneView,
    (job, text, seed): (JobId, Option<&InspectReport>, Option<u64>),
    cx: &mut Cx<'_>,
) {
    let made = cx.state.job(job).and_then(|job| job.made.as_ref());
    let model = made.map_or("model", |made| made.model.as_str()).to_owned();
    let text: String = text.into_iter().flat_map(|report| &report.tokens).map(|token| token.text.as_str()).collect();
    let (format, of) = (export.format(), if seed.is_some() { "probe" } else { "text" });
    let file = format!("heads-{model}-{of}.{}", format.extension());
    let request = FileRequest::save(export.words(), file).filter(format.name(), &[format.extension()]);
    match export {
        Export::Table => {
            let columns: Vec<_> = scored.scores.iter().map(|score| (score.id(), score.formula())).collect();
            let values = |head: &AtlasHead| scored.scores.iter().map(|score| head.value(*score)).collect();
            let heads = scored.atlas.heads.iter().map(|head| (head.layer, head.head, values(head))).collect();
            cx.save_as(request, move |path| {
                let scores = HeadScores { model: &model, seed, text: &text, columns: &columns, heads };
                write(path, &head_scores_table(&scores).map_err(UserError::from)?)
            });
        }
        Export::Plane(format) => {
            let figure = figure(scored, plane.axes(scored.scores), &model, &on(seed, &text, scored.atlas.tokens));
            cx.save_as(request, move |path| write(path, &scatter_figure(&figure, format).map_err(UserError::from)?));
        }
    }
}

/// What heads were scored on, for a caption.
fn on(seed: Option<u64>, text: &str, tokens: usize) -> String {
    if let Some(seed) = seed {
        return format!("{tokens} random tokens, half of them said again, seed {seed}");
    }
    let quoted: String = text.chars().take(QUOTED).collect();
    let rest = if quoted.len() < text.len() { "…" } else { "" };
    format!("a text of {tokens} tokens, ‘{}{rest}’", quoted.trim())
}

fn figure(scored: &Scored<'_>, axes: [AtlasScore; 2], model: &str, on: &str) -> ScatterFigure {
    let deepest = scored.atlas.heads.iter().map(|head| head.layer).max().unwrap_or(0);
    let value = |head: &AtlasHead, score| head.value(score).map_or(f64::NAN, f64::from);
    let point = |head: &AtlasHead| ScatterPoint {
        name: format!("{}.{}", head.layer, head.head),
        x: value(head, axes[0]),
        y: value(head, axes[1]),
        // The brightest end of the map is hardly seen on paper.
        depth: 0.85 * head.layer as f32 / deepest.max(1) as f32,
        is_marked: (head.layer, head.head) == scored.chosen,
    };
    ScatterFigure {
        title: format!("{model}, all heads"),
        caption: format!("on {on}; colour: layer 0, dark, to {deepest}, bright"),
        axes: axes.map(|score| score.name().to_owned()),
        points: scored.atlas.heads.iter().map(point).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_quotes_the_beginning_of_a_text_or_names_the_seed() {
        assert_eq!(on(None, " a b", 2), "a text of 2 tokens, ‘a b’");
        let long = on(None, &"wörter ".repeat(20), 40);
        assert!(long.ends_with("…’") && long.chars().count() < QUOTED + 30, "{long}");
        assert_eq!(on(Some(4), "", 101), "101 random tokens, half of them said again, seed 4");
    }
}
