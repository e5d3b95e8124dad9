//! The curves and their points as files.

use super::Distance;
use crate::chart::{Format, MemoryCurve, memory_figure};
use crate::types::UserError;
use crate::ui::Cx;
use crate::ui::files::FileRequest;

/// What can be written: the entry's name, its words, and the format.
pub(super) const ENTRIES: [(&str, &str, Format); 3] = [
    ("memory svg", "Export what is remembered as SVG", Format::Svg),
    ("memory png", "Export what is remembered as PNG", Format::Png),
    ("memory csv", "Export what is remembered as CSV", Format::Csv),
];

impl Distance {
    /// Asks where to, then draws and writes on the dialog's thread.
    pub fn export(&self, format: Format, cx: &mut Cx<'_>) {
        let Some(comparison) = self.shown.clone() else {
            let next = "Train networks to remember first.";
            cx.fail(UserError::new("There is nothing to export.", "Nobody was asked yet.", next));
            return;
        };
        let name = format!("memory-{}.{}", comparison.of().name(), format.extension());
        let request = FileRequest::save(format!("Export {}", format.name()), name);
        cx.save_as(request.filter(format.name(), &[format.extension()]), move |path| {
            let curves: Vec<MemoryCurve<'_>> = comparison
                .reports()
                .map(|(place, report)| MemoryCurve { name: &comparison.contenders[place].name, report })
                .collect();
            crate::disk::write(path, &memory_figure(&curves, format)?).map_err(|e| {
                UserError::new(
                    format!("{} could not be written.", path.display()),
                    e.to_string(),
                    "Choose a folder you may write to, with enough room.",
                )
            })
        });
    }
}
