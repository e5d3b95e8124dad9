//! A run that was brought back while its model is not the one in use: what there is of that model, and what can be done.

use super::desk::Desk;
use crate::engine::Work;
use crate::types::{Ability, ModelId};
use crate::ui::Themed;
use crate::ui::asked_model::{AskedModel, Found, short};
use crate::ui::reader::Reader;
use crate::ui::theme::{RADIUS, Type, space};
use crate::ui::widgets::secondary_button;
use crate::ui::{Cx, State};
use egui::{Context, Frame, Label, RichText, Stroke, Ui};
use lucide_icons::Icon;
use std::path::{Path, PathBuf};

/// How long what was seen on the disk is believed, in seconds.
const BELIEVED_S: f64 = 2.0;

/// Remembers whether a folder is there. A thread asks the disk, which may be one behind a slow net.
#[derive(Default)]
pub(super) struct Recalled {
    looked: Option<(PathBuf, bool, f64)>,
    looking: Reader<(PathBuf, bool)>,
}

/// What is said of a column's model, and what is offered.
struct Notice {
    words: String,
    /// The folder that a button opens.
    opens: Option<PathBuf>,
    /// True where nothing is asked as long as nobody decides.
    is_waiting: bool,
}

/// Models whose weights must be named before it is known whether they are those of the run.
pub(super) fn unhashed(desk: &Desk, state: &State) -> Vec<ModelId> {
    let models = desk.setup.sides().iter().filter_map(|side| side.of_run.as_ref());
    let unhashed = |model: &AskedModel| match model.find(state, Ability::Continue) {
        Found::Unhashed(open) => Some(open.info.id),
        Found::Open(_) | Found::Other(_) | Found::Closed => None,
    };
    models.filter_map(unhashed).collect()
}

impl Recalled {
    /// Says which model a run that was brought back asks, where that is not the one in use.
    pub fn show(&mut self, desk: &mut Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
        for side in 0..desk.setup.sides().len() {
            let Some(model) = desk.setup.sides[side].of_run.clone() else { continue };
            let Some(notice) = self.notice(&model, cx.state, ui.ctx()) else { continue };
            let column = if desk.setup.two { ["Column A: ", "Column B: "][side] } else { "" };
            let other = instead(&model, cx.state);
            let (mut opens, mut asks) = (false, false);
            frame(ui, notice.is_waiting, |ui| {
                let ink = ui.theme().body();
                let words = RichText::new(format!("{column}{}", notice.words)).font(Type::Body.sans()).color(ink);
                ui.add(Label::new(words).wrap());
                ui.horizontal_wrapped(|ui| {
                    if notice.opens.is_some() {
                        let name = format!("Open {}", model.name);
                        opens = secondary_button(ui, Some(Icon::FolderOpen), &name).clicked();
                    }
                    if let Some((name, _)) = &other {
                        asks = secondary_button(ui, None, &format!("Ask {name} instead")).clicked();
                    }
                });
            });
            if let Some(path) = notice.opens.filter(|_| opens) {
                cx.open_model(path);
            }
            if let Some((_, path)) = other.filter(|_| asks) {
                let side = &mut desk.setup.sides[side];
                (side.of_run, side.model) = (None, path);
            }
        }
    }

    /// What is to be said; nothing where the model in use is asked.
    fn notice(&mut self, model: &AskedModel, state: &State, ctx: &Context) -> Option<Notice> {
        let name = model.title();
        let in_use = state.active(Ability::Continue);
        match model.find(state, Ability::Continue) {
            Found::Open(open) => {
                let used = in_use.filter(|used| used.info.id != open.info.id)?;
                let words = format!("This run asks {name}, with which it was made; {} is in use.", used.info.name);
                Some(Notice { words, opens: None, is_waiting: false })
            }
            Found::Unhashed(open) => {
                let words = format!("Looking whether {} has the weights this run was made with.", open.info.name);
                Some(Notice { words, opens: None, is_waiting: true })
            }
            Found::Other(open) => {
                let hash = |sha256: Option<&String>| sha256.map_or_else(String::new, |h| format!(" ({}…)", short(h)));
                let (then, now) = (hash(model.sha256.as_ref()), hash(open.sha256.as_ref()));
                let mut words = format!(
                    "This run was made with other weights of {}{then} than those that are open{now}. Nothing is scored.",
                    model.name
                );
                words += unsaved(model);
                let folder = model.folder(state).filter(|path| *path != open.info.path);
                let folder = folder.filter(|path| self.is_there(path, state.now_s, ctx));
                Some(Notice { words, opens: folder, is_waiting: true })
            }
            Found::Closed => Some(self.closed(model, state, ctx)),
        }
    }

    fn closed(&mut self, model: &AskedModel, state: &State, ctx: &Context) -> Notice {
        let begin = format!("This run was made with {}, which is not open. Nothing is scored.", model.title());
        let Some(path) = model.folder(state) else {
            let words = format!("{begin} Which folder it was in is not known.");
            return Notice { words, opens: None, is_waiting: true };
        };
        let is_opening = state.opening().is_some_and(|job| matches!(&*job.work, Work::Open(opened) if *opened == path));
        if is_opening {
            let words = format!("{}, with which this run was made, is being opened.", model.name);
            return Notice { words, opens: None, is_waiting: true };
        }
        if !self.is_there(&path, state.now_s, ctx) {
            let words = format!("{begin} Its folder is gone: {}", path.display());
            return Notice { words, opens: None, is_waiting: true };
        }
        Notice { words: begin + unsaved(model), opens: Some(path), is_waiting: true }
    }

    /// What was seen of a folder last; until it is known to be gone, it is there.
    fn is_there(&mut self, path: &Path, now_s: f64, ctx: &Context) -> bool {
        if let Some(Ok((path, is_there))) = self.looking.poll() {
            self.looked = Some((path, is_there, now_s));
        }
        let known = self.looked.as_ref().filter(|(of, ..)| of == path);
        if known.is_none_or(|(_, _, at_s)| now_s - at_s > BELIEVED_S) && !self.looking.is_busy() {
            let (path, ctx) = (path.to_owned(), ctx.clone());
            let look = move |_: &dyn Fn() -> bool| {
                let is_there = path.exists();
                Ok((path, is_there))
            };
            // Without a thread nothing is known, and opening the folder says what is wrong with it.
            let _ = self.looking.start(look, move || ctx.request_repaint());
        }
        known.is_none_or(|(_, is_there, _)| *is_there)
    }
}

/// What cannot come back with a folder.
fn unsaved(model: &AskedModel) -> &'static str {
    if model.modified { " They were trained in the window; its folder holds them as they were saved last." } else { "" }
}

/// The model that could be asked in the place of the run's, and the folder a column names it by: none for the one in use.
fn instead(model: &AskedModel, state: &State) -> Option<(String, Option<PathBuf>)> {
    let used = state.active(Ability::Continue)?;
    match model.find(state, Ability::Continue) {
        Found::Other(open) if open.info.id != used.info.id => {
            Some((format!("the open {}", open.info.name), Some(open.info.path.clone())))
        }
        Found::Other(open) => Some((format!("the open {}", open.info.name), None)),
        Found::Open(_) | Found::Unhashed(_) | Found::Closed => Some((used.info.name.clone(), None)),
    }
}

fn frame(ui: &mut Ui, is_waiting: bool, add: impl FnOnce(&mut Ui)) {
    let theme = ui.theme();
    let edge = if is_waiting { theme.warning() } else { theme.hairline() };
    let frame = Frame::new().fill(theme.raised()).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS);
    frame.inner_margin(space::S).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::XS;
        add(ui);
    });
    ui.add_space(space::S);
}
