//! Everything that happened, errors above all.

use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, error_card};
use crate::ui::{Cx, LogEntry, Panel, PanelId};
use egui::{RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// The log.
#[derive(Default)]
pub struct LogPanel;

impl Panel for LogPanel {
    fn id(&self) -> PanelId {
        PanelId::Log
    }

    fn title(&self) -> &'static str {
        "Log"
    }

    fn icon(&self) -> Icon {
        Icon::ScrollText
    }

    fn help(&self) -> &'static str {
        "Everything that happened in this session, the latest first."
    }

    fn at_foot(&self) -> bool {
        true
    }

    fn controls(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        let margin = egui::Margin::symmetric(space::XL as i8, space::L as i8);
        egui::Frame::new().inner_margin(margin).show(ui, |ui| {
            let count = cx.state.log.entries().count();
            let sub = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
            widgets::stage_header(ui, "Log", &sub, |ui| {
                if count > 0 && widgets::secondary_button(ui, Some(Icon::Copy), "Copy all").clicked() {
                    let all: Vec<String> = cx.state.log.entries().map(plain).collect();
                    ui.ctx().copy_text(all.join("\n"));
                    cx.toast("Copied the log");
                }
            });
            ui.add_space(space::S);
            if count == 0 {
                let sentence = "What the engine does, and everything that goes wrong, is written down here.";
                widgets::empty_state(ui, Icon::ScrollText, "Nothing yet", sentence, None);
                return;
            }
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                ui.set_max_width(760.0);
                for entry in cx.state.log.entries().rev() {
                    ui.horizontal_top(|ui| {
                        let at_s = match entry {
                            LogEntry::Info { at_s, .. } | LogEntry::Error { at_s, .. } => *at_s,
                        };
                        let clock = RichText::new(time(at_s)).font(Type::Caption.mono()).color(theme.caption());
                        ui.add_sized([64.0, 18.0], egui::Label::new(clock));
                        ui.vertical(|ui| match entry {
                            LogEntry::Info { text, .. } => {
                                ui.label(RichText::new(text).font(Type::Body.sans()).color(theme.body()));
                            }
                            LogEntry::Error { error, .. } => error_card(ui, error),
                        });
                    });
                }
                if count == 0 {
                    caption(ui, "");
                }
            });
        });
    }
}

fn time(at_s: f64) -> String {
    let whole = at_s as u64;
    format!("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60)
}

fn plain(entry: &LogEntry) -> String {
    match entry {
        LogEntry::Info { at_s, text } => format!("{} {text}", time(*at_s)),
        LogEntry::Error { at_s, error, .. } => format!("{} {error}", time(*at_s)),
    }
}
