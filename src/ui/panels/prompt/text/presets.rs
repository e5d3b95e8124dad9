//! Sets of sampling settings: the model's own, and those a person keeps under names.

use super::sampling::Drawn;
use crate::types::{Ability, Sampling};
use crate::ui::Cx;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, icon_button};
use egui::{ComboBox, TextEdit, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};

/// The settings of a first start.
const FIRST: &str = "Fovea's own";

/// Settings under a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct SamplingPreset {
    pub name: String,
    pub sampling: Sampling,
    /// Stop strings as typed.
    pub stop: String,
}

impl SamplingPreset {
    /// True for settings that are these, whatever the seed.
    fn is(&self, sampling: &Sampling, stop: &str) -> bool {
        self.stop == stop && is_same(&self.sampling, sampling)
    }
}

fn is_same(a: &Sampling, b: &Sampling) -> bool {
    *a == Sampling { seed: a.seed, ..b.clone() }
}

/// The choice of a set, and the place to keep the present one.
pub(super) fn show(presets: &mut Vec<SamplingPreset>, name: &mut String, drawn: &mut Drawn, ui: &mut Ui, cx: &Cx<'_>) {
    let first = Drawn::default();
    let Drawn { sampling, stop } = drawn;
    let is_first = *stop == first.stop && is_same(&first.sampling, sampling);
    let own = cx.state.active(Ability::Continue).and_then(|model| model.info.own_sampling.clone());
    let is_own = own.as_ref().is_some_and(|own| is_same(&own.over(sampling), sampling));
    let current = presets.iter().find(|preset| preset.is(sampling, stop));
    let title = match current {
        Some(preset) => preset.name.as_str(),
        None if is_own => "The model's own",
        None if is_first => FIRST,
        None => "Settings of your own",
    };
    let combo = ComboBox::from_id_salt("sampling presets").selected_text(title).width(ui.available_width());
    let combo = combo.height(360.0).icon(|ui, rect, visuals, _is_open| {
        let (icon, ink) = (char::from(Icon::ChevronDown), visuals.fg_stroke.color);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    });
    let mut dropped = None;
    let response = combo.show_ui(ui, |ui| {
        ui.set_max_width(280.0);
        match &own {
            Some(own) => {
                if ui.selectable_label(is_own, "The model's own").on_hover_text(own.to_string()).clicked() {
                    *sampling = own.over(sampling);
                }
                caption(ui, own.to_string());
            }
            None => {
                caption(ui, "The model's folder says nothing about sampling.");
            }
        }
        if ui.selectable_label(is_first, FIRST).clicked() {
            let seed = sampling.seed;
            (*sampling, *stop) = (Sampling { seed, ..first.sampling.clone() }, first.stop.clone());
        }
        for (place, preset) in presets.iter().enumerate() {
            ui.horizontal(|ui| {
                if ui.selectable_label(preset.is(sampling, stop), &preset.name).clicked() {
                    let seed = sampling.seed;
                    *sampling = Sampling { seed, ..preset.sampling.clone() };
                    stop.clone_from(&preset.stop);
                }
                if icon_button(ui, Icon::Trash2, &format!("Delete the settings {}", preset.name)).clicked() {
                    dropped = Some(place);
                }
            });
        }
    });
    let _ = response.response.accessible_name("Sampling settings");
    if let Some(place) = dropped {
        presets.remove(place);
    }
    keep(presets, name, sampling, stop, ui);
}

/// A name to keep the present settings under.
fn keep(presets: &mut Vec<SamplingPreset>, name: &mut String, sampling: &Sampling, stop: &str, ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let width = ui.available_width() - 28.0;
        let edit = TextEdit::singleline(name)
            .hint_text(crate::ui::widgets::hint("Keep these settings as…"))
            .desired_width(width - 12.0);
        let field = ui.add(edit);
        let _ = field.clone().accessible_name("Name of the settings");
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let can_be = !name.trim().is_empty();
        let pressed = ui.add_enabled_ui(can_be, |ui| icon_button(ui, Icon::Save, "Keep the settings").clicked()).inner;
        if can_be && (pressed || entered) {
            put(
                presets,
                SamplingPreset { name: name.trim().to_owned(), sampling: sampling.clone(), stop: stop.to_owned() },
            );
            name.clear();
        }
    });
}

/// Keeps a set in the place of the one with its name, or behind the others.
fn put(presets: &mut Vec<SamplingPreset>, preset: SamplingPreset) {
    match presets.iter_mut().find(|known| known.name == preset.name) {
        Some(known) => *known = preset,
        None => presets.push(preset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(name: &str, temperature: f32) -> SamplingPreset {
        let sampling = Sampling { temperature, ..Sampling::default() };
        SamplingPreset { name: name.into(), sampling, stop: String::new() }
    }

    #[test]
    fn a_name_is_kept_once_and_its_settings_are_the_last() {
        let mut presets = Vec::new();
        for kept in [preset("calm", 0.2), preset("wild", 1.5), preset("calm", 0.3)] {
            put(&mut presets, kept);
        }
        assert_eq!(presets, [preset("calm", 0.3), preset("wild", 1.5)]);
    }

    #[test]
    fn settings_are_recognised_whatever_the_seed() {
        let kept = preset("calm", 0.2);
        assert!(kept.is(&Sampling { seed: 77, ..kept.sampling.clone() }, ""));
        assert!(!kept.is(&kept.sampling, "\\n"));
        assert!(!kept.is(&Sampling { top_k: 3, ..kept.sampling.clone() }, ""));
    }
}
