//! egui's own widgets, dressed in the tokens.

use super::{CONTROL_HEIGHT, RADIUS, Theme, Type, space};
use egui::style::{ScrollStyle, Selection, WidgetVisuals};
use egui::{CornerRadius, Margin, Shadow, Stroke, TextStyle, Vec2, Visuals};

/// Seconds of a hover or selection fade.
const FADE_S: f32 = 0.12;

pub(super) fn apply(theme: &Theme, ctx: &egui::Context) {
    let visuals = visuals(theme);
    ctx.all_styles_mut(|style| {
        // Whether the cursor blinks is not a matter of the theme.
        let text_cursor = style.visuals.text_cursor.clone();
        style.visuals = Visuals { text_cursor, ..visuals.clone() };
        style.visuals.text_cursor.stroke.color = theme.accent();
        // Zero means that motion is not wanted: by the desktop, or by a test.
        if style.animation_time > 0.0 {
            style.animation_time = FADE_S;
        }
        style.text_styles = [
            (TextStyle::Small, Type::Caption.sans()),
            (TextStyle::Body, Type::Body.sans()),
            (TextStyle::Button, Type::Body.sans()),
            (TextStyle::Monospace, Type::Body.mono()),
            (TextStyle::Heading, Type::Title.bold()),
        ]
        .into();
        style.spacing.item_spacing = Vec2::new(space::S, space::S);
        style.spacing.button_padding = Vec2::new(10.0, 5.0);
        style.spacing.interact_size = Vec2::new(40.0, CONTROL_HEIGHT);
        style.spacing.menu_margin = Margin::same(6);
        style.spacing.window_margin = Margin::same(16);
        style.spacing.icon_width = 16.0;
        style.spacing.icon_width_inner = 8.0;
        style.spacing.slider_rail_height = 4.0;
        style.spacing.combo_width = 96.0;
        style.spacing.tooltip_width = 320.0;
        style.spacing.scroll = ScrollStyle { bar_width: 8.0, floating_allocated_width: 0.0, ..ScrollStyle::thin() };
        style.interaction.tooltip_delay = 0.35;
        style.interaction.selectable_labels = false;
    });
}

fn visuals(theme: &Theme) -> Visuals {
    let mut v = if theme.is_dark() { Visuals::dark() } else { Visuals::light() };
    let radius = CornerRadius::same(RADIUS);
    let widget = |fill, stroke, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: stroke,
        corner_radius: radius,
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let quiet = Stroke::new(1.0, theme.hairline());
    v.widgets.noninteractive = widget(theme.surface(), quiet, theme.body());
    // The edge is all there is of an empty field, of a box to tick, of a circle to choose: it carries meaning (WCAG 1.4.11).
    let (edge, strong) = (Stroke::new(1.0, theme.line()), Stroke::new(1.0, theme.neutral(7)));
    v.widgets.inactive = widget(theme.raised(), edge, theme.body());
    v.widgets.hovered = widget(theme.hover(), strong, theme.body());
    v.widgets.active = widget(theme.neutral(4), strong, theme.body());
    v.widgets.open = widget(theme.hover(), strong, theme.body());
    v.selection = Selection { bg_fill: theme.accent_soft(), stroke: Stroke::new(1.0, theme.accent()) };
    v.override_text_color = None;
    v.weak_text_color = Some(theme.caption());
    v.hyperlink_color = theme.accent_text();
    v.faint_bg_color = theme.raised();
    v.extreme_bg_color = theme.ground();
    v.text_edit_bg_color = Some(theme.ground());
    v.code_bg_color = theme.raised();
    v.warn_fg_color = theme.warning();
    v.error_fg_color = theme.danger();
    v.window_corner_radius = CornerRadius::same(8);
    v.menu_corner_radius = CornerRadius::same(8);
    v.window_fill = theme.surface();
    v.window_stroke = quiet;
    v.panel_fill = theme.surface();
    let shadow = Shadow {
        offset: [0, 4],
        blur: 16,
        spread: 0,
        color: egui::Color32::from_black_alpha(if theme.is_dark() { 96 } else { 32 }),
    };
    v.window_shadow = shadow;
    v.popup_shadow = shadow;
    v.slider_trailing_fill = true;
    v.handle_shape = egui::style::HandleShape::Circle;
    v.striped = false;
    v.disabled_alpha = 0.5;
    v
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::tokens::contrast;

    #[test]
    fn edges_of_fields_stand_out() {
        for theme in [Theme::dark(), Theme::light()] {
            let v = visuals(theme);
            for state in [v.widgets.inactive, v.widgets.hovered, v.widgets.active, v.widgets.open] {
                for paper in [theme.ground(), theme.surface(), theme.raised()] {
                    let found = contrast(state.bg_stroke.color, paper);
                    assert!(
                        found >= 3.0,
                        "{found:.2}:1 in the {} theme",
                        if theme.is_dark() { "dark" } else { "light" }
                    );
                }
            }
        }
    }
}
