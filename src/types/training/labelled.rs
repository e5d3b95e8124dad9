//! Labelled data: where it is read from, what it holds, and how it is split.

use crate::types::{Random, UserError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

/// Where labelled data is read from, and what is held out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledSource {
    /// A CSV, TSV or JSONL file, a table of a shipped task, a folder with a folder of pictures for each class, or a folder with images in
    /// MNIST's format. Such a one may hold a test of its own, which is taken for it.
    pub data: PathBuf,
    /// A file of its own for validation; else a share of `data` is held out.
    pub validation: Option<PathBuf>,
    /// A file of its own for the test; else a share of `data` is held out.
    pub test: Option<PathBuf>,
    /// The column of the texts: its name, or its number from 1; else the one that is usually called so.
    pub text: Option<String>,
    /// The column of the labels.
    pub label: Option<String>,
    /// Share held out for validation, in `0..1`.
    pub validation_share: f64,
    /// Share that nothing is learned from or chosen by, in `0..1`.
    pub test_share: f64,
    /// Of the split.
    pub seed: u64,
}

/// A part of labelled data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataPart {
    /// What is learned from.
    Train,
    /// What tells which weights are best.
    Validation,
    /// What nothing is learned from or chosen by.
    #[default]
    Test,
}

impl DataPart {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// What has labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelledKind {
    /// Texts.
    #[default]
    Texts,
    /// Pictures. The name of each stands for it: the path of its file or, of an image among others in a file in MNIST's format, that
    /// file's path with `#` and the image's number from 0.
    Pictures,
}

impl LabelledKind {
    /// Several of them.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Texts => "texts",
            Self::Pictures => "pictures",
        }
    }

    /// One of them.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Texts => "text",
            Self::Pictures => "picture",
        }
    }
}

/// What one file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelledRows {
    /// What has labels.
    pub kind: LabelledKind,
    /// Names of its columns, or their numbers from 1 where its first line names none.
    pub columns: Vec<String>,
    /// Those of texts and of labels among them.
    pub chosen: [String; 2],
    /// Texts, or names of pictures, with their labels, in the order of the file.
    pub rows: Vec<[String; 2]>,
    /// Rows without a text, which are left out.
    pub without_text: usize,
    /// Rows without a label, which are left out.
    pub without_label: usize,
}

impl LabelledRows {
    /// Adds a row, unless one of the two is missing, which is counted.
    pub fn add(&mut self, text: String, label: &str) {
        match (text.trim().is_empty(), label.trim().is_empty()) {
            (true, _) => self.without_text += 1,
            (false, true) => self.without_label += 1,
            (false, false) => self.rows.push([text, label.trim().to_owned()]),
        }
    }
}

/// Labelled data of all parts, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelled {
    /// What has labels.
    pub kind: LabelledKind,
    /// Names of the classes, by number where all are numbers, else by the alphabet.
    pub labels: Vec<String>,
    /// Texts (or names of pictures) with the numbers of their classes, the three parts behind each other.
    pub examples: Vec<(String, usize)>,
    /// Which of them belong to each part, in the order of [`DataPart::ALL`].
    pub parts: [Vec<usize>; 3],
}

impl Labelled {
    /// The places of a part's examples.
    #[must_use]
    pub fn part(&self, part: DataPart) -> &[usize] {
        &self.parts[part as usize]
    }

    /// Joins what files hold: with a part of its own for validation and test where they have files of their own, split where not. Every
    /// class is split in proportion; texts that are the same stay together.
    ///
    /// # Errors
    /// When there is one label only or hardly a label comes twice, a share is none, or a label of validation or test does not come in
    /// training.
    pub fn split(
        [data, validation, test]: [Option<LabelledRows>; 3],
        shares: [f64; 2],
        seed: u64,
    ) -> Result<Self, UserError> {
        for (share, name) in shares.iter().zip(["validation", "test"]) {
            if !(0.0..1.0).contains(share) {
                return Err(bad_share(name, *share));
            }
        }
        if shares[0] + shares[1] >= 1.0 {
            return Err(bad_share("validation and test together", shares[0] + shares[1]));
        }
        let kind = data.as_ref().map(|rows| rows.kind).unwrap_or_default();
        if [&validation, &test].into_iter().flatten().any(|rows| rows.kind != kind) {
            return Err(UserError::new(
                "Texts and pictures stand beside each other.",
                format!("What is learned from holds {}, and what is held out does not.", kind.plural()),
                "Name data of one kind.",
            ));
        }
        let [data, validation, test] = [data, validation, test].map(|rows| rows.map(|rows| rows.rows));
        let data = data.unwrap_or_default();
        let shares = [validation.is_none().then_some(shares[0]), test.is_none().then_some(shares[1])];
        let labels = labels_of(&data)?;
        let number: HashMap<&str, usize> = labels.iter().enumerate().map(|(i, label)| (label.as_str(), i)).collect();
        let classes: Vec<usize> = data.iter().map(|[_, label]| number[label.as_str()]).collect();
        let mut parts = split(&data, &classes, labels.len(), shares, seed);
        let mut examples: Vec<(String, usize)> =
            data.into_iter().zip(classes).map(|([text, _], class)| (text, class)).collect();
        for (part, rows) in [(DataPart::Validation, validation), (DataPart::Test, test)] {
            let rows = rows.unwrap_or_default();
            check_known(&rows, &number, part)?;
            for [text, label] in rows {
                parts[part as usize].push(examples.len());
                examples.push((text, number[label.as_str()]));
            }
        }
        if parts[0].is_empty() {
            return Err(UserError::new(
                "There is nothing to learn from.",
                "What is held out for validation and test is all there is.",
                "Hold out less, or add examples.",
            ));
        }
        Ok(Self { kind, labels, examples, parts })
    }

    /// Leaves a share of what is learned from, of each class in proportion and one example at least, as the seed draws them. What is held out
    /// stays as it is.
    pub fn learn_from(&mut self, share: f64, seed: u64) {
        if share >= 1.0 {
            return;
        }
        let mut kept = Vec::new();
        for class in 0..self.labels.len() {
            let of_class: Vec<usize> =
                self.part(DataPart::Train).iter().copied().filter(|place| self.examples[*place].1 == class).collect();
            let order = Random::new(seed, LEARNED + class as u64).permutation(of_class.len());
            let count = ((of_class.len() as f64 * share).round() as usize).max(1).min(of_class.len());
            kept.extend(order[..count].iter().map(|place| of_class[*place as usize]));
        }
        kept.sort_unstable();
        self.parts[DataPart::Train as usize] = kept;
    }

    /// How many examples of each class each part has, in the order of [`DataPart::ALL`].
    #[must_use]
    pub fn counts(&self) -> Vec<[usize; 3]> {
        let mut counts = vec![[0; 3]; self.labels.len()];
        for (part, places) in self.parts.iter().enumerate() {
            for place in places {
                counts[self.examples[*place].1][part] += 1;
            }
        }
        counts
    }
}

/// Fewest rows of which it can be told that their labels are none.
const ENOUGH_TO_TELL: usize = 30;

fn labels_of(rows: &[[String; 2]]) -> Result<Vec<String>, UserError> {
    let distinct: HashSet<&str> = rows.iter().map(|[_, label]| label.as_str()).collect();
    if let ([only], true) = (&distinct.iter().collect::<Vec<_>>()[..], !rows.is_empty()) {
        return Err(UserError::new(
            format!("There is one label only: {only:?}."),
            format!("All {} examples have it, so there is nothing to tell apart.", rows.len()),
            "Add examples of another class, or choose another column of labels.",
        ));
    }
    if rows.len() >= ENOUGH_TO_TELL && distinct.len() * 2 > rows.len() {
        let some: Vec<String> = rows.iter().take(3).map(|[_, label]| format!("{label:?}")).collect();
        return Err(UserError::new(
            format!("{} examples have {} different labels.", rows.len(), distinct.len()),
            format!("Hardly any comes twice, as in {}: that is no class.", some.join(", ")),
            "Choose the column of the labels.",
        ));
    }
    let mut labels: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
    let number = |label: &String| label.parse::<i64>().ok();
    if labels.iter().all(|label| number(label).is_some()) {
        labels.sort_by_key(|label| (number(label), label.clone()));
    } else {
        labels.sort_unstable();
    }
    Ok(labels)
}

fn check_known(rows: &[[String; 2]], known: &HashMap<&str, usize>, part: DataPart) -> Result<(), UserError> {
    let mut unseen: BTreeMap<&str, usize> = BTreeMap::new();
    for [_, label] in rows.iter().filter(|[_, label]| !known.contains_key(label.as_str())) {
        *unseen.entry(label).or_default() += 1;
    }
    let Some((label, count)) = unseen.iter().next() else { return Ok(()) };
    let others = if unseen.len() > 1 { format!(", and {} others", unseen.len() - 1) } else { String::new() };
    Err(UserError::new(
        format!("The {} part has labels that training never sees: {label:?} ({count} examples){others}.", part.name()),
        format!("Training has {} labels, and only those can be learned.", known.len()),
        "Spell the labels alike, add examples of them to what is learned from, or leave them out.",
    ))
}

fn bad_share(name: &str, share: f64) -> UserError {
    UserError::new(
        format!("The share held out for {name} is {share}."),
        "It is a share from 0 up to, but not including, 1.",
        "Write 0.1 for a tenth.",
    )
}

/// Texts that are the same but for white space around them are one.
fn same(text: &str) -> &str {
    text.trim()
}

/// Places of the three parts, each in rising order. `shares` are what is held out for validation and for test.
fn split(
    rows: &[[String; 2]],
    classes: &[usize],
    count: usize,
    shares: [Option<f64>; 2],
    seed: u64,
) -> [Vec<usize>; 3] {
    // What is the same text is one group, of the class that it has first.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: HashMap<&str, usize> = HashMap::new();
    for (place, [text, _]) in rows.iter().enumerate() {
        let group = *group_of.entry(same(text)).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(place);
    }
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (group, places) in groups.iter().enumerate() {
        of_class[classes[places[0]]].push(group);
    }
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (class, groups_of) in of_class.iter().enumerate() {
        let order = Random::new(seed, SPLIT + class as u64).permutation(groups_of.len());
        let held = |share: Option<f64>| (share.unwrap_or(0.0) * groups_of.len() as f64).round() as usize;
        // A class is learned from whatever is held out.
        let most = groups_of.len().saturating_sub(1);
        let test = held(shares[1]).min(most);
        let validation = held(shares[0]).min(most - test);
        for (place, group) in order.iter().enumerate() {
            let part = match place {
                place if place < test => DataPart::Test,
                place if place < test + validation => DataPart::Validation,
                _ => DataPart::Train,
            };
            parts[part as usize].extend(&groups[groups_of[*group as usize]]);
        }
    }
    parts.iter_mut().for_each(|places| places.sort_unstable());
    parts
}

/// The streams from which splits are drawn, one a class.
const SPLIT: u64 = 21 << 40;
/// Those from which is drawn what is learned from, where that is not all, one a class.
const LEARNED: u64 = 27 << 40;

/// What is told of labelled data before anything is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledReport {
    /// What has labels.
    #[serde(default)]
    pub kind: LabelledKind,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Those of texts and of labels.
    pub chosen: [String; 2],
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Examples of each class in training, validation and test.
    pub counts: Vec<[usize; 3]>,
    /// Rows that were left out, for they have no text.
    pub without_text: usize,
    /// Rows that were left out, for they have no label.
    pub without_label: usize,
    /// Examples whose text comes before, with the same label.
    pub duplicates: usize,
    /// Texts that come with different labels.
    pub contradictions: usize,
    /// Texts of validation and of test that stand in training, too, and of test that stand in validation.
    pub overlaps: [usize; 3],
    /// The first examples.
    pub preview: Vec<[String; 2]>,
}

/// Examples in a preview.
const PREVIEW: usize = 6;

impl LabelledReport {
    /// What is to be told.
    #[must_use]
    pub fn of(rows: &[Option<LabelledRows>; 3], data: &Labelled) -> Self {
        let mut first: HashMap<&str, usize> = HashMap::new();
        let mut contradicted: HashSet<&str> = HashSet::new();
        let mut duplicates = 0;
        for (text, class) in &data.examples {
            let known = *first.entry(same(text)).or_insert(usize::MAX);
            match known {
                usize::MAX => {
                    first.insert(same(text), *class);
                }
                known if known == *class => duplicates += 1,
                _ => {
                    contradicted.insert(same(text));
                }
            }
        }
        let texts = |part: DataPart| -> HashSet<&str> {
            data.part(part).iter().map(|place| same(&data.examples[*place].0)).collect()
        };
        let [train, validation, test] = DataPart::ALL.map(texts);
        let both = |a: &HashSet<&str>, b: &HashSet<&str>| a.intersection(b).count();
        let preview = data.examples.iter().take(PREVIEW);
        let all = || rows.iter().flatten();
        Self {
            kind: data.kind,
            columns: rows[0].as_ref().map(|rows| rows.columns.clone()).unwrap_or_default(),
            chosen: rows[0].as_ref().map(|rows| rows.chosen.clone()).unwrap_or_default(),
            labels: data.labels.clone(),
            counts: data.counts(),
            without_text: all().map(|rows| rows.without_text).sum(),
            without_label: all().map(|rows| rows.without_label).sum(),
            duplicates,
            contradictions: contradicted.len(),
            overlaps: [both(&validation, &train), both(&test, &train), both(&test, &validation)],
            preview: preview.map(|(text, class)| [text.clone(), data.labels[*class].clone()]).collect(),
        }
    }

    /// What a person should know before learning from it, in words; nothing where all is well.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let mut words = Vec::new();
        if self.without_text > 0 {
            words.push(format!("{} no text and are left out.", count(self.without_text, "row has", "rows have")));
        }
        if self.without_label > 0 {
            words.push(format!("{} no label and are left out.", count(self.without_label, "row has", "rows have")));
        }
        if self.duplicates > 0 {
            words.push(format!("{} before, with the same label.", count(self.duplicates, "text comes", "texts come")));
        }
        if self.contradictions > 0 {
            words.push(format!("{} with different labels.", count(self.contradictions, "text comes", "texts come")));
        }
        for (n, [part, other]) in
            self.overlaps.iter().zip([["validation", "training"], ["test", "training"], ["test", "validation"]])
        {
            if *n > 0 {
                let texts = count(*n, "text stands", "texts stand");
                words.push(format!("{texts} in {other} and in {part}: {part} tells too much."));
            }
        }
        for (label, counts) in self.labels.iter().zip(&self.counts).filter(|(_, counts)| counts[0] < 5) {
            let examples = count(counts[0], "example", "examples");
            words.push(format!("{label:?} has {examples} to learn from: that is hardly enough."));
        }
        words
    }
}

#[cfg(test)]
#[path = "labelled_tests.rs"]
mod tests;
