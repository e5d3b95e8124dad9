//! The look, in one place: colours, sizes, fonts. Panels name tokens from here and never a raw colour or font size.

mod fonts;
mod style;
mod tokens;

pub use fonts::{bold, fonts, icon_family};
pub use tokens::{ThemeChoice, Tokens};

use egui::{Color32, FontFamily, FontId};
use std::sync::LazyLock;

/// Distances on the 4-point grid.
pub mod space {
    /// 4 points: between an icon and its word.
    pub const XS: f32 = 4.0;
    /// 8 points: between neighbouring controls.
    pub const S: f32 = 8.0;
    /// 12 points: inside cards.
    pub const M: f32 = 12.0;
    /// 16 points: panel margins, between groups.
    pub const L: f32 = 16.0;
    /// 24 points: around empty states.
    pub const XL: f32 = 24.0;
    /// 32 points: between unrelated blocks.
    pub const XXL: f32 = 32.0;
}

/// Corner radius of buttons, fields and cards.
pub const RADIUS: u8 = 6;
/// Corner radius of chips and heat-map frames.
pub const CHIP_RADIUS: u8 = 4;
/// Height of buttons and fields.
pub const CONTROL_HEIGHT: f32 = 28.0;

/// The type scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// 12: captions, axis labels.
    Caption,
    /// 13: everything else.
    Body,
    /// 15: emphasised.
    Strong,
    /// 18: panel titles.
    Title,
    /// 24: one large figure.
    Figure,
}

impl Type {
    /// Size in points.
    #[must_use]
    pub fn size(self) -> f32 {
        match self {
            Self::Caption => 12.0,
            Self::Body => 13.0,
            Self::Strong => 15.0,
            Self::Title => 18.0,
            Self::Figure => 24.0,
        }
    }

    /// The sans face at this size.
    #[must_use]
    pub fn sans(self) -> FontId {
        FontId::new(self.size(), FontFamily::Proportional)
    }

    /// The bold sans face at this size.
    #[must_use]
    pub fn bold(self) -> FontId {
        FontId::new(self.size(), bold())
    }

    /// The monospace face at this size, for tokens, ids and numbers.
    #[must_use]
    pub fn mono(self) -> FontId {
        FontId::new(self.size(), FontFamily::Monospace)
    }

    /// The icon face at this size.
    #[must_use]
    pub fn icon(self) -> FontId {
        FontId::new(self.size() + 2.0, icon_family())
    }
}

static DARK: LazyLock<Theme> = LazyLock::new(|| Theme { tokens: Tokens::dark() });
static LIGHT: LazyLock<Theme> = LazyLock::new(|| Theme { tokens: Tokens::light() });

/// One of the two themes, with its colours ready for painting.
#[derive(Debug)]
pub struct Theme {
    tokens: Tokens,
}

/// The theme, reached from where something is drawn.
pub trait Themed {
    /// The theme in use.
    fn theme(&self) -> &'static Theme;
}

impl Themed for egui::Ui {
    fn theme(&self) -> &'static Theme {
        Theme::of(self.visuals().dark_mode)
    }
}

impl Theme {
    /// The dark theme or the light one.
    #[must_use]
    pub fn of(dark: bool) -> &'static Self {
        if dark { Self::dark() } else { Self::light() }
    }

    /// The theme in use, where there is no [`egui::Ui`].
    #[must_use]
    pub fn in_use(ctx: &egui::Context) -> &'static Self {
        Self::of(ctx.theme() == egui::Theme::Dark)
    }

    /// The dark theme.
    #[must_use]
    pub fn dark() -> &'static Self {
        &DARK
    }

    /// The light theme.
    #[must_use]
    pub fn light() -> &'static Self {
        &LIGHT
    }

    /// True for the dark theme.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        self.tokens.dark
    }

    /// Neutral `step` of the ramp, 0 (ground) to 10 (body text).
    #[must_use]
    pub fn neutral(&self, step: usize) -> Color32 {
        self.tokens.ramp[step]
    }

    /// Behind the stage: the quietest tone, data is drawn on it.
    #[must_use]
    pub fn ground(&self) -> Color32 {
        self.tokens.ramp[0]
    }

    /// Behind controls, bars and the inspector.
    #[must_use]
    pub fn surface(&self) -> Color32 {
        self.tokens.ramp[1]
    }

    /// Cards, chips and buttons at rest.
    #[must_use]
    pub fn raised(&self) -> Color32 {
        self.tokens.ramp[2]
    }

    /// Buttons and rows under the pointer.
    #[must_use]
    pub fn hover(&self) -> Color32 {
        self.tokens.ramp[3]
    }

    /// Lines that only separate; they carry no meaning.
    #[must_use]
    pub fn hairline(&self) -> Color32 {
        self.tokens.ramp[4]
    }

    /// Faintest line of a plot grid.
    #[must_use]
    pub fn grid(&self) -> Color32 {
        self.tokens.ramp[3]
    }

    /// Lines that carry meaning: axes, the edge of a field in use (at least 3:1).
    #[must_use]
    pub fn line(&self) -> Color32 {
        self.tokens.ramp[6]
    }

    /// Captions and hints (at least 4.5:1).
    #[must_use]
    pub fn caption(&self) -> Color32 {
        self.tokens.ramp[8]
    }

    /// Body text (at least 7:1).
    #[must_use]
    pub fn body(&self) -> Color32 {
        self.tokens.ramp[10]
    }

    /// Text on a fill of any colour: body or ground, whichever stands out more.
    #[must_use]
    pub fn ink_on(&self, paper: Color32) -> Color32 {
        let luma = |c: Color32| 0.299 * f32::from(c.r()) + 0.587 * f32::from(c.g()) + 0.114 * f32::from(c.b());
        let apart = |ink: &Color32| (luma(*ink) - luma(paper)).abs();
        let (body, ground) = (self.body(), self.ground());
        if apart(&body) >= apart(&ground) { body } else { ground }
    }

    /// The accent as a fill or an outline.
    #[must_use]
    pub fn accent(&self) -> Color32 {
        self.tokens.accent
    }

    /// The accent as text (at least 4.5:1).
    #[must_use]
    pub fn accent_text(&self) -> Color32 {
        self.tokens.accent_text
    }

    /// A quiet fill that says 'selected'.
    #[must_use]
    pub fn accent_soft(&self) -> Color32 {
        self.tokens.accent_soft
    }

    /// Text on the accent fill.
    #[must_use]
    pub fn on_accent(&self) -> Color32 {
        self.tokens.on_accent
    }

    /// Something went well.
    #[must_use]
    pub fn success(&self) -> Color32 {
        self.tokens.success
    }

    /// Something wants attention.
    #[must_use]
    pub fn warning(&self) -> Color32 {
        self.tokens.warning
    }

    /// Something failed.
    #[must_use]
    pub fn danger(&self) -> Color32 {
        self.tokens.danger
    }

    /// Behind an error.
    #[must_use]
    pub fn danger_soft(&self) -> Color32 {
        self.tokens.danger_soft
    }

    /// One of eight colour-blind-safe hues for kinds of things; `index` wraps around.
    #[must_use]
    pub fn category(&self, index: usize) -> Color32 {
        rgb(crate::types::category_colour(index, self.is_dark()))
    }

    /// Gives egui this look: fonts are set apart, by [`fonts`].
    pub fn apply(&self, ctx: &egui::Context) {
        style::apply(self, ctx);
    }
}

/// A colour-map value as egui paints it.
#[must_use]
pub fn rgb(value: [u8; 3]) -> Color32 {
    Color32::from_rgba_premultiplied(value[0], value[1], value[2], 255)
}

/// `from` and `to` mixed in sRGB; `share` 0 gives `from`.
#[must_use]
pub fn mix(from: Color32, to: Color32, share: f32) -> Color32 {
    from.lerp_to_gamma(to, share.clamp(0.0, 1.0))
}
