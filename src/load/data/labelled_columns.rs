//! Which columns of a file are the texts and which are the labels.

use crate::types::{label_column, text_column};
use std::collections::HashSet;

/// Columns that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Of texts and of labels.
    pub places: [usize; 2],
    /// True when the first row is names and no example.
    pub has_names: bool,
}

/// What was asked for: the column of texts and that of labels, each by its name or its number from 1, or not at all.
pub(super) type Asked<'a> = [Option<&'a str>; 2];

/// Finds the columns of a table, of which `sample` is the first rows.
///
/// # Errors
/// In words, when a column that was asked for is not there, or nothing tells which is which.
pub(super) fn find(sample: &[Vec<String>], asked: Asked<'_>) -> Result<Found, String> {
    let Some(first) = sample.first() else { return Err("It has no row.".to_owned()) };
    let names = || first.iter().map(String::as_str);
    // A number in the first row that comes again below it is a label, and no name.
    let comes_again = |place: usize| sample[1..].iter().any(|row| row.get(place) == first.get(place));
    let named = |column: &str| {
        let place = names().position(|name| name.trim().eq_ignore_ascii_case(column.trim()))?;
        (column.trim().parse::<usize>().is_err() || !comes_again(place)).then_some(place)
    };
    let usual = [text_column(names()), label_column(names())];
    // A name among the first row's, or a number.
    let place = |column: &str| -> Result<(usize, bool), String> {
        if let Some(place) = named(column) {
            return Ok((place, true));
        }
        match column.trim().parse::<usize>() {
            Ok(number) if (1..=first.len()).contains(&number) => Ok((number - 1, false)),
            Ok(number) => Err(format!("There is no column {number}: the first row has {} of them.", first.len())),
            Err(_) => Err(format!("No column is called {column:?}: the first row is {}.", listed(first))),
        }
    };
    let given = [asked[0].map(place).transpose()?, asked[1].map(place).transpose()?];
    let has_names = match given {
        [Some((_, text)), Some((_, label))] => text || label || (usual[0].is_some() && usual[1].is_some()),
        [Some((_, is_name)), None] => is_name || usual[1].is_some(),
        [None, Some((_, is_name))] => is_name || usual[0].is_some(),
        [None, None] => usual[0].is_some() && usual[1].is_some(),
    };
    let others = |taken: usize| (first.len() == 2).then_some(1 - taken.min(1));
    let found = match given.map(|given| given.map(|(place, _)| place)) {
        [Some(text), Some(label)] => Some([text, label]),
        [Some(text), None] => usual[1].filter(|_| has_names).or(others(text)).map(|label| [text, label]),
        [None, Some(label)] => usual[0].filter(|_| has_names).or(others(label)).map(|text| [text, label]),
        [None, None] if has_names => usual[0].zip(usual[1]).map(|(text, label)| [text, label]),
        [None, None] => of_two(sample),
    };
    match found {
        Some([text, label]) if text != label => Ok(Found { places: [text, label], has_names }),
        Some(_) => Err("The column of the texts and that of the labels are the same.".to_owned()),
        None => Err(format!("Nothing tells which columns are texts and labels: the first row is {}.", listed(first))),
    }
}

/// Of two columns without names the labels are the one in which less differs; the second where both do as much.
fn of_two(sample: &[Vec<String>]) -> Option<[usize; 2]> {
    if sample.iter().any(|row| row.len() != 2) {
        return None;
    }
    let [first, second] = [0, 1].map(|column| sample.iter().map(|row| &row[column]).collect::<HashSet<_>>().len());
    Some(if first < second { [1, 0] } else { [0, 1] })
}

/// A few names.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 6;
    const LONGEST: usize = 40;
    let shown = names.iter().take(SHOWN).map(|name| {
        let cut: String = name.chars().take(LONGEST).collect();
        if cut.len() < name.len() { format!("{:?}", cut + "…") } else { format!("{name:?}") }
    });
    let more = if names.len() > SHOWN { ", …" } else { "" };
    shown.collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[&str], asked: Asked<'_>) -> Result<([usize; 2], bool), String> {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.split('|').map(str::to_owned).collect()).collect();
        find(&rows, asked).map(|found| (found.places, found.has_names))
    }

    #[test]
    fn columns_are_found_by_names_numbers_and_what_they_hold() {
        assert_eq!(found(&["id|label|sentence", "1|a|b"], [None, None]), Ok(([2, 1], true)));
        assert_eq!(found(&["what|kind", "b|a"], [Some("what"), Some("kind")]), Ok(([0, 1], true)));
        assert_eq!(found(&["what|kind", "b|a"], [Some("what"), None]), Ok(([0, 1], true)));
        assert_eq!(found(&["one film|1", "two|0", "three|1"], [None, None]), Ok(([0, 1], false)));
        assert_eq!(found(&["1|one film", "0|two", "1|three"], [None, None]), Ok(([1, 0], false)));
        assert_eq!(found(&["a|b|c", "d|e|f"], [Some("3"), Some("1")]), Ok(([2, 0], false)));
        assert_eq!(found(&["one film|1", "two|0", "three|1"], [Some("1"), Some("2")]), Ok(([0, 1], false)));
        assert_eq!(found(&["text|2024|1", "a|no|yes"], [Some("1"), Some("2024")]), Ok(([2, 1], true)));
        assert_eq!(found(&["text|b|label", "d|e|f"], [Some("1"), Some("3")]), Ok(([0, 2], true)));
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(found(&["a|b|c"], [None, None]).unwrap_err().contains("\"a\", \"b\", \"c\""));
        assert!(found(&["text|label"], [Some("body"), None]).unwrap_err().contains("\"body\""));
        assert!(found(&["text|label"], [Some("5"), None]).unwrap_err().contains("no column 5"));
        assert!(found(&["text|label"], [Some("1"), Some("text")]).unwrap_err().contains("the same"));
    }
}
