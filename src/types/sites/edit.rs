//! A change inside a forward pass, as a person writes it.

use crate::types::glob::glob_matches;
use crate::types::sites::edit_change::EditChange;
use crate::types::sites::site::{Site, chooses};
use crate::types::{Axis, UserError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `SITE[HEADS]@POSITIONS = CHANGE`.
///
/// - SITE is a name as at [`Site`]; `*` stands for any run of characters, so `blocks.*.attn.z` is every block.
/// - HEADS are a list such as `0,3..5`, which is 0, 3, 4 and 5; left out with their brackets, all. At `attn.k` and `attn.v`
///   they count key-value heads.
/// - POSITIONS are such a list, counted from the prompt's first token; `-1` is its last. Left out with the `@`, all of them
///   and whatever is generated. In scores and pattern they are those that look; `@QUERIES>KEYS` also chooses those that are
///   looked at, and `@>KEYS` those alone.
/// - CHANGE is one of these:
///   - `zero`, or `scale X`;
///   - `mean`, over the prompt's positions, or `mean over "NAME" ["a prompt", "another"]`, over all tokens of those prompts,
///     which has a name or none;
///   - `from "another prompt"`: the values that prompt has there, position for position, so that both have as many tokens; where
///     positions are named, those of the other prompt by the same numbers, and each prompt may be of any length that has them.
///     Tokens behind the prompt keep their own;
///   - `hide` at scores: the keys are not seen by other tokens (a token always sees itself);
///   - `swap` at positions, of the two that are named;
///   - `skip` of a whole block, such as `blocks.3 = skip`: it adds nothing to the residual stream, which is zero at `attn_out`
///     and at `mlp_out`.
///
/// What comes of other prompts is read by the model without edits. As text, and in files, it is that line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Edit {
    /// The name or pattern of the site.
    pub site: String,
    /// Which heads.
    pub heads: Picks,
    /// Which positions.
    pub positions: Picks,
    /// Which positions are looked at.
    pub keys: Picks,
    /// What is done.
    pub change: EditChange,
}

/// Numbers out of a row of things; without any, all of them. Negative ones count from the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picks(Vec<(i64, i64)>);

impl Picks {
    /// True when everything is meant.
    #[must_use]
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Exactly these; a range is given by its first and its last.
    #[must_use]
    pub fn of(spans: impl IntoIterator<Item = (i64, i64)>) -> Self {
        Self(spans.into_iter().collect())
    }

    /// The only number, where there is one alone.
    #[must_use]
    pub fn one(&self) -> Option<i64> {
        match self.0[..] {
            [(first, last)] if first == last => Some(first),
            _ => None,
        }
    }

    /// Those meant among `count`, in rising order and each once; `None` for all.
    ///
    /// # Errors
    /// A number that is not among them, or a range that ends before it begins.
    pub fn among(&self, count: usize) -> Result<Option<Vec<usize>>, String> {
        if self.are_all() {
            return Ok(None);
        }
        let place = |number: i64| {
            let place = if number < 0 { number + count as i64 } else { number };
            usize::try_from(place).ok().filter(|place| *place < count).ok_or_else(|| number.to_string())
        };
        let mut picked = Vec::new();
        for &(first, last) in &self.0 {
            let (from, to) = (place(first)?, place(last)?);
            if from > to {
                return Err(format!("{first}..{last}"));
            }
            picked.extend(from..=to);
        }
        picked.sort_unstable();
        picked.dedup();
        Ok(Some(picked))
    }
}

impl FromStr for Picks {
    type Err = String;

    /// # Errors
    /// The part that is no number and no range.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<i64>().ok();
        let span = |part: &str| {
            let span = match part.split_once("..") {
                Some((first, last)) => number(first).zip(number(last)),
                None => number(part).map(|only| (only, only)),
            };
            span.ok_or_else(|| part.trim().to_owned())
        };
        text.split(',').map(span).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Picks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}..{last}")?,
            }
        }
        Ok(())
    }
}

impl Edit {
    /// Those of the sites of a model that are meant.
    #[must_use]
    pub fn sites(&self, of_model: &[Site]) -> Vec<Site> {
        let is_meant = |site: &Site| match (&self.change, site) {
            (EditChange::Skip, Site::AttnOut(layer) | Site::MlpOut(layer)) => {
                glob_matches(self.site.as_bytes(), format!("blocks.{layer}").as_bytes())
            }
            (EditChange::Skip, _) => false,
            _ => chooses(&self.site, *site),
        };
        of_model.iter().copied().filter(is_meant).collect()
    }

    /// What is asked for that makes no sense at a site, whatever the model.
    ///
    /// # Errors
    /// When it names heads, keys or positions that the site does not tell apart, or a change that is none there.
    pub fn check_at(&self, site: Site) -> Result<(), UserError> {
        let axes = site.axes();
        let lacks = |axis: Axis| !axes.contains(&axis);
        let wrong = |why: &str, next: &str| Err(UserError::new(format!("The edit {self} cannot be made."), why, next));
        if !self.heads.are_all() && lacks(Axis::Head) && lacks(Axis::KvHead) {
            return wrong(&format!("{site} has no heads to choose from."), "Leave out the brackets, or edit attn.z.");
        }
        if !self.keys.are_all() && lacks(Axis::Key) {
            let why = format!("At {site} nothing is looked at, so there is nothing to choose behind >.");
            return wrong(&why, "Leave out > and what follows it, or edit attn.scores or attn.pattern.");
        }
        if !self.positions.are_all() && lacks(Axis::Token) {
            return wrong(&format!("{site} has no positions to choose from."), "Leave out @ and what follows it.");
        }
        match self.change {
            EditChange::Mean | EditChange::MeanOver(_) if lacks(Axis::Token) || !lacks(Axis::Key) => wrong(
                &format!("{site} has no mean over positions: its values do not mean the same at each."),
                "Use zero or scale.",
            ),
            EditChange::Hide if !matches!(site, Site::Scores(_)) => {
                wrong("Only scores can hide a token.", "Edit attn.scores, or use zero.")
            }
            EditChange::Swap if !matches!(site, Site::PosEmbed | Site::Rotary) => {
                wrong("Only positions change places.", "Edit pos_embed, or rotary in models with rotary positions.")
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Edit {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        let wrong = |why: String| {
            UserError::new(
                format!("{:?} is no edit.", text.trim()),
                why,
                "Write SITE[HEADS]@POSITIONS = CHANGE, such as 'blocks.1.attn.z[0,3..5]@-1 = zero'.",
            )
        };
        let Some((place, change)) = text.split_once('=') else { return Err(wrong("It has no =.".to_owned())) };
        let picks = |text: &str, what: &str| {
            text.parse::<Picks>().map_err(|part| wrong(format!("{what} {part:?} is no number and no range like 3..5.")))
        };
        let (place, at) = place.split_once('@').map_or((place, None), |(place, at)| (place, Some(at)));
        let (site, heads) = match place.trim().split_once('[') {
            None => (place.trim(), Picks::default()),
            Some((site, rest)) => {
                let Some(list) = rest.trim_end().strip_suffix(']') else {
                    return Err(wrong("Its bracket is not closed.".to_owned()));
                };
                (site.trim(), picks(list, "The head")?)
            }
        };
        if site.is_empty() {
            return Err(wrong("It names no site.".to_owned()));
        }
        let (queries, keys) = match at.map(|at| at.split_once('>').unwrap_or((at, ""))) {
            Some((queries, keys)) if queries.trim().is_empty() && keys.trim().is_empty() => {
                return Err(wrong("No position stands behind @.".to_owned()));
            }
            Some(both) => both,
            None => ("", ""),
        };
        let optional = |text: &str, what| match text.trim() {
            "" => Ok(Picks::default()),
            list => picks(list, what),
        };
        let change: EditChange = change.parse().map_err(&wrong)?;
        let (positions, keys) = (optional(queries, "The position")?, optional(keys, "The position")?);
        let edit = Self { site: site.to_owned(), heads, positions, keys, change };
        if edit.change == EditChange::Swap
            && !matches!(edit.positions.0[..], [(a, b), (c, d)] if a == b && c == d && a != c)
        {
            return Err(wrong("swap needs two positions, as in pos_embed@2,5 = swap.".to_owned()));
        }
        let is_block = edit.site.split('.').count() == 2 && edit.site.starts_with("blocks.");
        if edit.change == EditChange::Skip && !(is_block && edit.heads.are_all() && edit.keys.are_all()) {
            return Err(wrong("skip is of a whole block, as in blocks.3 = skip.".to_owned()));
        }
        Ok(edit)
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.site)?;
        if !self.heads.are_all() {
            write!(f, "[{}]", self.heads)?;
        }
        match (self.positions.are_all(), self.keys.are_all()) {
            (true, true) => {}
            (false, true) => write!(f, "@{}", self.positions)?,
            (_, false) => write!(f, "@{}>{}", self.positions, self.keys)?,
        }
        write!(f, " = {}", self.change)
    }
}

impl From<Edit> for String {
    fn from(edit: Edit) -> Self {
        edit.to_string()
    }
}

impl TryFrom<String> for Edit {
    type Error = UserError;

    fn try_from(text: String) -> Result<Self, UserError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str) -> Edit {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_written_comes_back() {
        for text in [
            "blocks.1.attn.z[0] = zero",
            "blocks.*.attn.z[0,3..5]@0,-2..-1 = mean",
            "blocks.0.mlp_out@3 = scale -0.5",
            "blocks.0.attn.scores[1]@4>0..2 = hide",
            "blocks.0.attn.pattern@>0 = zero",
            "pos_embed@2,5 = swap",
            "blocks.3 = skip",
            "blocks.*@2..4 = skip",
            "blocks.4.attn.z[2]@-1 = from \"The = sign,\\nand \\\"quotes\\\" @5 [2] é\"",
            "blocks.1.mlp_out = mean over [\"one\", \"two\"]",
            "blocks.1.mlp_out = mean over \"capitals\" [\"Paris is\", \"Rome is\"]",
        ] {
            assert_eq!(edit(text).to_string(), text);
        }
        assert_eq!(
            edit("  blocks.1.attn.z [ 0 , 3 .. 5 ] @ 1 =scale 2 ").to_string(),
            "blocks.1.attn.z[0,3..5]@1 = scale 2"
        );
    }

    #[test]
    fn ranges_hold_both_ends_and_negative_numbers_count_from_the_end() {
        let among = |list: &str, count| list.parse::<Picks>().unwrap().among(count);
        assert_eq!(among("5,0,3..5,4", 6), Ok(Some(vec![0, 3, 4, 5])));
        assert_eq!(among("-3..-1", 5), Ok(Some(vec![2, 3, 4])));
        assert_eq!(among("1..-1", 4), Ok(Some(vec![1, 2, 3])));
        assert_eq!(Picks::default().among(4), Ok(None));
        assert_eq!(among("1,6", 6), Err("6".to_owned()));
        assert_eq!(among("-7", 6), Err("-7".to_owned()));
        assert_eq!(among("4..2", 6), Err("4..2".to_owned()));
    }

    #[test]
    fn a_skipped_block_is_what_it_adds() {
        let all: Vec<Site> = Site::all(12).collect();
        let names = |text: &str| edit(text).sites(&all).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names("blocks.1 = skip"), ["blocks.1.attn_out", "blocks.1.mlp_out"]);
        assert_eq!(names("blocks.* = skip").len(), 24);
        assert!(names("blocks.12 = skip").is_empty());
    }

    #[test]
    fn a_slip_of_the_pen_is_named() {
        for (text, named) in [
            ("blocks.0.attn.z", "no ="),
            ("blocks.0.attn.z[0 = zero", "bracket"),
            ("blocks.0.attn.z[a] = zero", "\"a\""),
            ("blocks.0.attn.z[] = zero", "\"\""),
            ("blocks.0.attn.z@ = zero", "behind @"),
            ("blocks.0.attn.z@1..x = zero", "\"1..x\""),
            ("blocks.0.attn.z = none", "\"none\""),
            ("blocks.0.attn.z = scale", "needs a number"),
            ("blocks.0.attn.z = scale much", "\"much\""),
            ("blocks.0.attn.z = scale inf", "\"inf\""),
            ("pos_embed@1 = swap", "two positions"),
            ("blocks.0.attn.z = from", "needs a prompt"),
            ("blocks.0.attn.z = from other", "double quotes"),
            ("blocks.0.attn.z = mean of", "\"mean of\""),
            ("blocks.0.attn.z = mean over \"name\"", "no list of prompts"),
            ("blocks.0.attn.z = mean over [1]", "no list of prompts"),
            ("blocks.0.attn.z = mean over []", "one prompt at least"),
            ("blocks.0.attn_out = skip", "whole block"),
            ("blocks.0[1] = skip", "whole block"),
            ("[0] = zero", "no site"),
        ] {
            let error = text.parse::<Edit>().unwrap_err();
            assert!(error.why.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_site_says_what_it_does_not_tell_apart() {
        let refused = |text: &str, site| edit(text).check_at(site).unwrap_err().why;
        assert!(refused("blocks.0.mlp_out[1] = zero", Site::MlpOut(0)).contains("no heads"));
        assert!(refused("blocks.0.attn.z@>1 = zero", Site::Z(0)).contains("looked at"));
        assert!(refused("pooled@0 = zero", Site::Pooled).contains("no positions"));
        assert!(refused("blocks.0.attn.pattern = mean", Site::Pattern(0)).contains("mean"));
        assert!(refused("blocks.0.attn.pattern = hide", Site::Pattern(0)).contains("scores"));
        assert!(refused("embed@1,2 = swap", Site::Embed).contains("positions"));
        assert_eq!(edit("blocks.0.attn.scores[1]@4>0..2 = hide").check_at(Site::Scores(0)), Ok(()));
    }
}
