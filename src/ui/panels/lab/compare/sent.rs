//! The text of a prompt as it is sent, with its parts in colour.

use crate::types::{RenderedPrompt, SegmentKind};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, mix};
use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, Label, Ui};

pub(super) fn show(ui: &mut Ui, rendered: &RenderedPrompt) {
    let theme = ui.theme();
    let mut job = LayoutJob::default();
    job.wrap.max_width = ui.available_width();
    for segment in &rendered.segments {
        let format = TextFormat {
            font_id: Type::Body.mono(),
            color: theme.body(),
            background: fill(theme, segment.kind),
            ..TextFormat::default()
        };
        job.append(&rendered.text[segment.span.clone()], 0.0, format);
    }
    ui.add(Label::new(job).selectable(true).wrap());
}

/// The colours of the prompt panel, which mean the same there.
fn fill(theme: &Theme, kind: SegmentKind) -> Color32 {
    let hue = match kind {
        SegmentKind::Instruction => 6,
        SegmentKind::Template => return Color32::TRANSPARENT,
        SegmentKind::ShotInput(_) => 3,
        SegmentKind::ShotOutput(_) => 2,
        SegmentKind::Query => 0,
    };
    mix(theme.ground(), theme.category(hue), 0.3)
}
