//! How weights become colours.

use crate::types::{ColorMap, WeightScale};
use crate::ui::Theme;
use crate::ui::theme::rgb;
use crate::ui::widgets::ColorTable;
use egui::Color32;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

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
    pub scale: WeightScale,
    table: Option<(Look, Rc<ColorTable>)>,
}

impl Colours {
    pub(super) fn look(&self, theme: &Theme) -> Look {
        Look { map: self.map, scale: self.scale, dark: theme.is_dark() }
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
    /// Its end is that of maps of tokens; weights over a picture are shares of the largest.
    pub scale: WeightScale,
    pub dark: bool,
}

impl Look {
    /// The place of a share of the scale's end, in `0..=1`.
    pub(super) fn place(self, share: f32) -> f32 {
        self.scale.curve.place(share)
    }

    /// The colour at a place of the scale, on `paper`.
    pub(super) fn at(self, place: f32, paper: Color32) -> Color32 {
        rgb(self.map.ink(place, [paper.r(), paper.g(), paper.b()]))
    }

    /// The colour of a share of the scale's end on `paper`.
    pub(super) fn colour(self, share: f32, paper: Color32) -> Color32 {
        self.at(self.place(share), paper)
    }

    /// The colour at a place of the scale where weights lie over a picture: bright for much in both themes.
    pub(super) fn over_picture(self, place: f32) -> Color32 {
        rgb(self.map.at(place))
    }

    /// The colour of a share over a picture, as transparent as leaves the picture in sight where weights are small.
    pub(super) fn cover(self, share: f32) -> Color32 {
        let (colour, covering) = self.map.cover(self.place(share));
        rgb(colour).gamma_multiply(covering)
    }

    /// The colours of all shares on the theme's ground.
    pub(super) fn table(self, theme: &Theme) -> ColorTable {
        let paper = theme.ground();
        ColorTable::new(|share| self.colour(share, paper))
    }

    /// Numbers for the legend: place on the scale and share.
    pub(super) fn marks(self) -> Vec<(f32, String)> {
        self.scale.curve.marks().iter().map(|share| (self.place(*share), format!("{share}"))).collect()
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
