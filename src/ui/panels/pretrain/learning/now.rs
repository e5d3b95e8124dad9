//! What a network in training is asked at this moment: the text as it sees it, what it guesses, what stands there, what the guess costs.

use super::form::Learns;
use crate::chart::number;
use crate::types::{Glimpse, GlimpseToken, Guess, Seen};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, mix, space};
use crate::ui::widgets::{caption, percent, visible_text};
use egui::{Color32, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Of a line in a token's box.
const LINE: f32 = 16.0;
/// Cost in nats from which a guess is shown as wholly wrong.
const DEAR: f32 = 6.0;
/// What a blank is shown as.
const BLANK: &str = "▁▁▁";

/// What is looked at of it.
#[derive(Default)]
pub(super) struct Now {
    /// The token whose guess is told in full.
    selected: Option<usize>,
}

impl Now {
    pub fn show(&mut self, ui: &mut Ui, glimpse: &Glimpse, learns: Learns) {
        let mean = glimpse.mean_loss().unwrap_or(0.0);
        let right = glimpse.guesses().filter(|guess| guess.is_right).count();
        let asked = glimpse.guesses().count();
        let what = match learns {
            Learns::Next => "each token from those before it",
            Learns::Blanks => "what is blank",
        };
        let step = crate::chart::number_grouped(glimpse.step as u64 + 1);
        caption(
            ui,
            format!(
                "Before step {step} learns from this text: it guesses {what}, {right} of {asked} right, {mean:.2} nats each."
            ),
        );
        ui.add_space(space::XS);
        let chosen =
            self.selected.filter(|place| glimpse.tokens.get(*place).is_some_and(|token| token.guess.is_some()));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0, 4.0);
            for (place, token) in glimpse.tokens.iter().enumerate() {
                if place > 0 && begins_word(token, learns) {
                    ui.add_space(4.0);
                }
                let response = chip(ui, token, learns, chosen == Some(place));
                if response.clicked() && token.guess.is_some() {
                    self.selected = if chosen == Some(place) { None } else { Some(place) };
                }
                if let Some(guess) = &token.guess {
                    response.on_hover_ui(|ui| guesses(ui, token, guess));
                }
            }
        });
        // One that was chosen stays in sight while texts change below the pointer.
        if let Some((token, guess)) = chosen.and_then(|place| {
            let token = glimpse.tokens.get(place)?;
            Some((token, token.guess.as_ref()?))
        }) {
            ui.add_space(space::S);
            guesses(ui, token, guess);
        }
    }
}

/// How dear a guess was: 0 for nothing to 1.
fn dearness(guess: &Guess) -> f32 {
    (guess.loss / DEAR).clamp(0.0, 1.0)
}

/// A token as it is written in a chip.
fn written(text: &str) -> String {
    let trimmed = text.strip_prefix("##").unwrap_or(text).trim();
    visible_text(if trimmed.is_empty() { text } else { trimmed })
}

/// True where a new word begins: pieces of one stand close.
fn begins_word(token: &GlimpseToken, learns: Learns) -> bool {
    match learns {
        Learns::Next => token.truth.starts_with(char::is_whitespace),
        Learns::Blanks => !token.truth.starts_with("##"),
    }
}

fn chip(ui: &mut Ui, token: &GlimpseToken, learns: Learns, is_chosen: bool) -> Response {
    let theme = ui.theme();
    let above = match (&token.seen, learns) {
        (Seen::Mask, _) => BLANK.to_owned(),
        (Seen::Other(other), _) => written(other),
        (Seen::Itself | Seen::Hidden, _) => written(&token.truth),
    };
    let below = token.guess.as_ref().and_then(|guess| guess.top.first()).map(|(text, _)| written(text));
    let layout = |text: String, font, ink| ui.painter().layout_no_wrap(text, font, ink);
    let ink = if token.guess.is_some() { theme.body() } else { theme.caption() };
    let mut lines = vec![layout(above, Type::Caption.mono(), ink)];
    if let (Some(guess), Some(below)) = (&token.guess, below) {
        let ink = if guess.is_right { theme.success() } else { theme.caption() };
        lines.push(layout(below, Type::Caption.sans(), ink));
        // Of the next token the truth stands above already.
        if learns == Learns::Blanks && !guess.is_right {
            lines.push(layout(written(&token.truth), Type::Caption.mono(), theme.body()));
        }
    }
    let width = lines.iter().map(|line| line.size().x).fold(0.0, f32::max) + 8.0;
    let most = if learns == Learns::Blanks { 3.0 } else { 2.0 };
    let sense = if token.guess.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(width, most * LINE + 6.0), sense);
    if ui.is_rect_visible(rect) {
        if let Some(fill) = token.guess.as_ref().map(|guess| tint(theme, guess)) {
            ui.painter().rect_filled(rect, RADIUS, fill);
        }
        if is_chosen || response.has_focus() {
            ui.painter().rect_stroke(rect, RADIUS, Stroke::new(1.5, theme.accent()), egui::StrokeKind::Inside);
        }
        for (place, line) in lines.into_iter().enumerate() {
            let at = pos2(rect.center().x - line.size().x / 2.0, rect.top() + 2.0 + place as f32 * LINE);
            ui.painter().galley(at, line, ink);
        }
    }
    response.widget_info(|| WidgetInfo::labeled(role(token), true, told(token)));
    response
}

fn role(token: &GlimpseToken) -> Role {
    if token.guess.is_some() { Role::Button } else { Role::Label }
}

/// A chip in words.
fn told(token: &GlimpseToken) -> String {
    let truth = written(&token.truth);
    let Some(guess) = &token.guess else { return truth };
    let seen = match &token.seen {
        Seen::Mask => " behind a blank".to_owned(),
        Seen::Other(other) => format!(" behind {:?}", written(other)),
        Seen::Itself | Seen::Hidden => String::new(),
    };
    let likeliest = guess.top.first().map_or(String::new(), |(text, _)| written(text));
    format!("{truth:?}{seen}, guessed {likeliest:?}, {} nats", number(f64::from(guess.loss)))
}

/// From the colour of the ground to that of trouble.
fn tint(theme: &Theme, guess: &Guess) -> Color32 {
    if guess.is_right {
        return mix(theme.ground(), theme.success(), 0.16);
    }
    mix(theme.ground(), theme.warning(), 0.06 + 0.24 * dearness(guess))
}

/// All that is known of one guess.
fn guesses(ui: &mut Ui, token: &GlimpseToken, guess: &Guess) {
    let theme = ui.theme();
    let probability = percent((-guess.loss).exp());
    let truth = written(&token.truth);
    let words =
        format!("{truth:?} stands there: P = {probability}, so it costs {} nats.", number(f64::from(guess.loss)));
    ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.body()));
    match &token.seen {
        Seen::Other(other) => {
            caption(ui, format!("The network reads {:?}, drawn at random, in its place.", written(other)));
        }
        Seen::Itself => {
            caption(ui, "The network reads the token itself here, and is asked all the same.");
        }
        Seen::Mask | Seen::Hidden => {}
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for (text, probability) in &guess.top {
            let is_truth = *text == token.truth;
            let ink = if is_truth { theme.success() } else { theme.body() };
            let words = format!("{} {}", written(text), percent(*probability));
            ui.label(RichText::new(words).font(Type::Caption.mono()).color(ink));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_told_in_words() {
        let guess =
            Guess { top: vec![("Ġdog".to_owned(), 0.4), (" cat".to_owned(), 0.2)], is_right: false, loss: 1.5 };
        let token = GlimpseToken { truth: "cat".to_owned(), seen: Seen::Mask, guess: Some(guess) };
        assert_eq!(told(&token), "\"cat\" behind a blank, guessed \"Ġdog\", 1.5 nats");
        let plain = GlimpseToken { truth: "##ing".to_owned(), seen: Seen::Itself, guess: None };
        assert_eq!(told(&plain), "ing");
    }
}
