//! Pictures of the test beside what was said of them: read from their files as they come into sight, and opened where they are clicked.

use super::WaysPanel;
use crate::engine::{Command, InspectSpec, PromptInput, Work, read_named_digit, read_named_picture, read_thumbnails};
use crate::types::{Ability, AdaptReport, DigitImage, JobId, ModelId, Picture, SiteFilter};
use crate::ui::reader::Reader;
use crate::ui::{Cx, Intent};
use egui::{ColorImage, Context, TextureHandle, TextureOptions, Vec2, vec2};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Longest side of one that is kept, in pixels: what the pointer shows of it.
const SIDE: u32 = 160;
/// How many are kept when others come into sight.
const KEPT: usize = 256;

/// Pictures by their places in the test.
#[derive(Default)]
pub(super) struct Thumbnails {
    report: Option<Arc<AdaptReport>>,
    /// What was read; nothing where that was in vain.
    shown: BTreeMap<usize, Option<(TextureHandle, Vec2)>>,
    reading: Reader<Vec<(usize, Option<Picture>)>>,
    opening: Reader<Opened>,
}

/// One that was clicked, and the model that reads it.
enum Opened {
    Picture(ModelId, Picture),
    Digit(ModelId, DigitImage),
}

/// A name short enough for a row: the file's own, or the number of an image among many.
pub(super) fn short_name(name: &str) -> String {
    if let Some((_, image)) = name.rsplit_once('#').filter(|(_, image)| image.parse::<usize>().is_ok()) {
        return format!("image {image}");
    }
    Path::new(name).file_name().map_or_else(|| name.to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Thumbnails {
    /// The picture at a place of the test and its size in pixels, once it is there.
    pub(super) fn get(&self, place: usize) -> Option<&(TextureHandle, Vec2)> {
        self.shown.get(&place)?.as_ref()
    }

    /// Has those at some places read that are not there yet.
    pub(super) fn want(&mut self, ctx: &Context, report: &Arc<AdaptReport>, places: &[usize]) {
        if !self.report.as_ref().is_some_and(|of| Arc::ptr_eq(of, report)) {
            *self = Self { report: Some(Arc::clone(report)), ..Self::default() };
        }
        self.take(ctx);
        let missing: Vec<usize> = places.iter().copied().filter(|place| !self.shown.contains_key(place)).collect();
        if missing.is_empty() || self.reading.is_busy() {
            return;
        }
        if self.shown.len() + missing.len() > KEPT {
            self.shown.retain(|place, _| places.contains(place));
        }
        let names: Vec<String> = missing.iter().map(|place| report.test[*place].0.clone()).collect();
        let wake = ctx.clone();
        let read = move |_: &dyn Fn() -> bool| Ok(missing.into_iter().zip(read_thumbnails(&names, SIDE)).collect());
        if self.reading.start(read, move || wake.request_repaint()).is_err() {
            // Without a thread there are no pictures; their names are there.
            self.shown.extend(places.iter().map(|place| (*place, None)));
        }
    }

    /// Takes in what was read meanwhile.
    fn take(&mut self, ctx: &Context) {
        let Some(Ok(read)) = self.reading.poll() else { return };
        for (place, picture) in read {
            let texture = picture.map(|picture| {
                let size = [picture.width, picture.height];
                let image = ColorImage::from_rgb(size, &picture.rgb);
                let options = TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };
                (ctx.load_texture("picture of the test", image, options), vec2(size[0] as f32, size[1] as f32))
            });
            self.shown.insert(place, texture);
        }
    }

    /// Reads a picture to look at it with the model that the comparison is of, else with the one in use.
    pub(super) fn open(&mut self, ctx: &Context, name: String, job: Option<JobId>, cx: &mut Cx<'_>) {
        let of_job = job.and_then(|job| cx.state.job(job)?.model).and_then(|model| cx.state.models.get(&model));
        let open = of_job.or_else(|| WaysPanel::model(cx.state)).map(|open| (open.info.id, open.info.clone()));
        let read = match open {
            Some((model, info)) if info.can(Ability::SeePictures) => {
                let read = move |_: &dyn Fn() -> bool| Ok(Opened::Picture(model, read_named_picture(&name)?));
                self.opening.start(read, wake(ctx))
            }
            Some((model, info)) if info.can(Ability::ReadDigits) => {
                let read = move |_: &dyn Fn() -> bool| Ok(Opened::Digit(model, read_named_digit(&name)?));
                self.opening.start(read, wake(ctx))
            }
            _ => {
                cx.toast("Open a model that reads pictures first.");
                return;
            }
        };
        if let Err(error) = read {
            cx.fail(error);
        }
    }

    /// Shows a picture that was opened, once it is read: where its patches look, or what each layer of a digit network finds in it.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) {
        match self.opening.poll() {
            Some(Ok(Opened::Picture(model, picture))) => {
                let (job, prompt) = (JobId::next(), PromptInput::Picture(picture));
                let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
                cx.send(Command::start(job, model, Work::Inspect(spec)));
                cx.activate(model);
                cx.intend(Intent::Inspect(job));
            }
            Some(Ok(Opened::Digit(model, image))) => {
                cx.activate(model);
                cx.intend(Intent::Digit(image));
            }
            Some(Err(error)) => cx.fail(error),
            None => {}
        }
    }
}

fn wake(ctx: &Context) -> impl FnOnce() + Send + 'static {
    let ctx = ctx.clone();
    move || ctx.request_repaint()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_or_the_numbers_of_images() {
        assert_eq!(short_name("data/cats/3.png"), "3.png");
        assert_eq!(short_name("mnist/t10k-images-idx3-ubyte.gz#17"), "image 17");
        assert_eq!(short_name("cats/no #1 cat.png"), "no #1 cat.png");
    }
}
