//! What stands before everything else until it is answered.

use crate::ui::theme::space;
use egui::{Context, Frame, Id, Modal};

/// A dialog with room around what it says.
pub fn dialog(ctx: &Context, id: Id) -> Modal {
    Modal::new(id).frame(Frame::popup(&ctx.global_style()).inner_margin(space::L))
}
