//! The attention over the picture as a file.

use super::{MapKey, PictureView, Source, name_of};
use crate::chart::{Format, OverlayFigure, overlay_figure};
use crate::types::UserError;
use crate::ui::Cx;
use crate::ui::files::FileRequest;
use crate::ui::panels::attention::look::Look;
use crate::ui::panels::attention::{Shown, export};
use crate::ui::widgets;

/// Asks where to, then draws and writes on the dialog's thread.
pub(in super::super) fn export(view: &mut PictureView, look: Look, cx: &mut Cx<'_>, shown: &Shown, format: Format) {
    let Some(report) = shown.report.picture.clone() else { return };
    let (layer, head) = (cx.selection.layer, cx.selection.head);
    let query = cx.selection.token.filter(|t| *t < shown.report.tokens.len()).unwrap_or(0);
    let source = view.source;
    let key = MapKey { job: shown.job, source, layer, head, query, look };
    let Some(weights) = view.weights(key, shown).map(|weights| weights.to_vec()) else { return };
    let strength = view.strength;
    let made = cx.state.job(shown.job).and_then(|job| job.made.as_ref());
    let name = made.map_or("model", |made| made.model.as_str());
    let (what, place) = match source {
        Source::Head => (format!("layer {layer}, head {head}"), format!("layer{layer}-head{head}")),
        Source::Layer => (format!("layer {layer}, mean of heads"), format!("layer{layer}")),
        Source::Rollout => ("rollout through all layers".to_owned(), "rollout".to_owned()),
    };
    let title = format!("{name}, {what}");
    let extension = format.extension();
    let file = format!("attention-{name}-{place}.{extension}");
    let request = FileRequest::save(format!("Export {}", format.name()), file).filter(format.name(), &[extension]);
    cx.save_as(request, move |path| {
        let (special, patches) = weights.split_at(report.special_tokens);
        let names: Vec<String> = (0..special.len()).map(|token| name_of(token, &report)).collect();
        let kept = widgets::percent(special.iter().sum());
        let figure = OverlayFigure {
            title,
            caption: format!("from {}; {kept} goes to {}", name_of(query, &report), names.join(" and ")),
            picture: &report.seen,
            grid: report.grid,
            special: names.into_iter().zip(special.iter().copied()).collect(),
            weights: patches,
            query: query.checked_sub(report.special_tokens),
            map: look.map,
            curve: look.scale.curve,
            strength,
        };
        let bytes = overlay_figure(&figure, format).map_err(UserError::from)?;
        export::write(path, &bytes)
    });
}
