//! How weights become colours.

use crate::types::ColorMap;
use crate::ui::Theme;
use crate::ui::theme::rgb;
use crate::ui::widgets::ColorTable;
use egui::Color32;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// How a weight is turned into a place on the colour scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Contrast {
    /// As it is.
    Linear,
    /// By its square root, so that small weights can be seen beside one that takes nearly all.
    #[default]
    SquareRoot,
}

/// Which way the token strip reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// What the token looks at: its row.
    #[default]
    LooksAt,
    /// Who looks at the token: its column.
    LookedAtBy,
}

/// The choices that turn weights into colours, and the colours themselves, computed once.
#[derive(Default)]
pub(super) struct Colours {
    pub map: ColorMap,
    pub contrast: Contrast,
    table: Option<(Look, Rc<ColorTable>)>,
}

impl Colours {
    pub(super) fn look(&self, theme: &Theme) -> Look {
        Look { map: self.map, contrast: self.contrast, dark: theme.is_dark() }
    }

    /// The colours of the present look.
    pub(super) fn table(&mut self, theme: &Theme) -> Rc<ColorTable> {
        let look = self.look(theme);
        match &self.table {
            Some((of, table)) if *of == look => table.clone(),
            _ => {
                let table = Rc::new(look.table(theme));
                self.table = Some((look, table.clone()));
                table
            }
        }
    }
}

/// Everything colours depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Look {
    pub map: ColorMap,
    pub contrast: Contrast,
    pub dark: bool,
}

impl Look {
    /// The place of a weight on the colour scale, in `0..=1`.
    pub(super) fn place(self, weight: f32) -> f32 {
        match self.contrast {
            Contrast::Linear => weight,
            Contrast::SquareRoot => weight.max(0.0).sqrt(),
        }
    }

    /// The colour at a place of the scale, on `paper`.
    pub(super) fn at(self, place: f32, paper: Color32) -> Color32 {
        rgb(self.map.ink(place, [paper.r(), paper.g(), paper.b()]))
    }

    /// The colour of a weight on `paper`.
    pub(super) fn colour(self, weight: f32, paper: Color32) -> Color32 {
        self.at(self.place(weight), paper)
    }

    /// The colour at a place of the scale where weights lie over a picture: bright for much in both themes.
    pub(super) fn over_picture(self, place: f32) -> Color32 {
        rgb(self.map.at(place))
    }

    /// The colour of a weight over a picture, as transparent as leaves the picture in sight where weights are small.
    pub(super) fn cover(self, weight: f32) -> Color32 {
        let (colour, covering) = self.map.cover(self.place(weight));
        rgb(colour).gamma_multiply(covering)
    }

    /// The colours of all weights on the theme's ground.
    pub(super) fn table(self, theme: &Theme) -> ColorTable {
        let paper = theme.ground();
        ColorTable::new(|weight| self.colour(weight, paper))
    }

    /// Numbers for the legend: place on the scale and weight.
    pub(super) fn marks(self) -> Vec<(f32, String)> {
        let weights: &[f32] = match self.contrast {
            Contrast::Linear => &[0.0, 0.25, 0.5, 0.75, 1.0],
            Contrast::SquareRoot => &[0.0, 0.1, 0.25, 0.5, 1.0],
        };
        weights.iter().map(|w| (self.place(*w), format!("{w}"))).collect()
    }
}

pub(super) fn map_id(map: ColorMap) -> &'static str {
    match map {
        ColorMap::Viridis => "map-viridis",
        ColorMap::Cividis => "map-cividis",
        ColorMap::Magma => "map-magma",
        ColorMap::Grey => "map-grey",
    }
}
