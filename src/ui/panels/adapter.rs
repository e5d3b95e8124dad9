//! The adapter of a model: its name, whether it is used and how much, as the prompt panel and the list of models show it.

use crate::engine::{Command, Work};
use crate::types::{ADAPTER_FACTORS, AdapterInfo, AdapterSetting, JobId, ModelInfo};
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{self, caption, icon_button, job_error};
use crate::ui::{Cx, Job, Themed};
use egui::{Checkbox, Frame, Label, Margin, RichText, Role, Slider, Stroke, Ui, WidgetInfo};
use lucide_icons::Icon;

const ON_HELP: &str = "Off, the model is its base again, to the last bit.";
const HEAD_ON_HELP: &str =
    "Off, the body is its base again, to the last bit. The head stays: it is the adapter's, and its base has none.";
const FACTOR_HELP: &str =
    "The change is multiplied with this: 1 is what it was trained for, 0 is nothing, 2 is twice as much.";

/// The adapter of a model, if it has one, with its switch and its factor.
pub(super) fn show(ui: &mut Ui, cx: &mut Cx<'_>, model: &ModelInfo) {
    if let Some(job) = failed(cx, model) {
        job_error(ui, cx, job);
    }
    let Some(adapter) = model.adapter.as_deref() else { return };
    let theme = ui.theme();
    let frame = Frame::new().fill(theme.raised()).stroke(Stroke::new(1.0, theme.hairline()));
    frame.corner_radius(CHIP_RADIUS).inner_margin(Margin::same(space::S as i8)).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.push_id(("adapter", model.id), |ui| rows(ui, cx, model, adapter));
    });
    ui.add_space(space::S);
}

fn rows(ui: &mut Ui, cx: &mut Cx<'_>, model: &ModelInfo, adapter: &AdapterInfo) {
    let theme = ui.theme();
    let set = |cx: &mut Cx<'_>, setting: Option<AdapterSetting>| {
        cx.send(Command::start(JobId::next(), model.id, Work::SetAdapter(setting)));
    };
    let AdapterSetting { on, factor } = adapter.setting;
    let (used, taken_off) = egui::Sides::new().shrink_left().truncate().show(
        ui,
        |ui| {
            let mut used = on;
            let words = RichText::new(&adapter.name).font(Type::Body.bold()).color(theme.body());
            let response = ui.add(Checkbox::new(&mut used, words)).on_hover_text(if adapter.holds_head {
                HEAD_ON_HELP
            } else {
                ON_HELP
            });
            let label = format!("Use the adapter {}", adapter.name);
            response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &label));
            used
        },
        |ui| icon_button(ui, Icon::X, &format!("Take {} off", adapter.name)).clicked(),
    );
    if used != on {
        set(cx, Some(AdapterSetting { on: used, factor }));
    }
    if taken_off {
        set(cx, None);
    }
    ui.horizontal(|ui| {
        // What is dragged is shown at once; the engine is asked when the hand rests.
        let id = ui.scope_id().with("factor");
        let pending: Option<f32> = ui.data(|data| data.get_temp::<Option<f32>>(id)).flatten();
        let mut chosen = pending.unwrap_or(factor);
        caption(ui, "Factor").on_hover_text(FACTOR_HELP);
        let slider = Slider::new(&mut chosen, ADAPTER_FACTORS).step_by(0.05).max_decimals(2);
        let response = ui.add_enabled_ui(on, |ui| widgets::slider(ui, slider)).inner.on_hover_text(FACTOR_HELP);
        let _ = response.clone().accessible_name("Factor of the adapter");
        let rests = response.drag_stopped() || (response.changed() && !response.dragged());
        if rests && chosen != factor {
            set(cx, Some(AdapterSetting { on, factor: chosen }));
        }
        let kept = (response.dragged() || rests || pending.is_some()) && chosen != factor;
        ui.data_mut(|data| data.insert_temp(id, kept.then_some(chosen)));
    });
    let facts = format!("{} · {}", adapter.applied(), adapter.sizes());
    ui.add(Label::new(RichText::new(facts).font(Type::Caption.sans()).color(theme.caption())).wrap());
    let mut note = |words: String| {
        ui.add(Label::new(RichText::new(words).font(Type::Caption.sans()).color(theme.warning())).wrap());
    };
    if adapter.is_identity {
        note("Its change is zero throughout: the model is as without it.".to_owned());
    }
    if adapter.numbers_classes {
        note("Neither it nor its base names its classes, so they have numbers.".to_owned());
    }
    if let Some(base) = adapter.base.as_deref().filter(|base| !model.is_called(base)) {
        note(format!("It says it was made for {base}, and every tensor fits this model."));
    }
}

/// The newest job on this model that was to open or set an adapter, where that failed.
fn failed(cx: &Cx<'_>, model: &ModelInfo) -> Option<JobId> {
    let of_adapter =
        |job: &&Job| job.model == Some(model.id) && matches!(&*job.work, Work::OpenAdapter(_) | Work::SetAdapter(_));
    let newest = cx.state.jobs.values().rev().find(of_adapter)?;
    cx.state.error(newest.id).map(|_| newest.id)
}
