//! A table of question–answer pairs: what a few-shot task is made of.

use crate::types::{FewShotPrompt, PairRows, Random, Shot};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What answering takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Knowledge that stands in nobody's examples: a capital, a translation.
    #[default]
    Fact,
    /// One of a few labels.
    Label,
    /// A procedure that works on words never seen: copy, choose the first.
    Rule,
}

/// A task: pairs, and how they are written in a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskTable {
    /// File name without its ending; names the task in commands and exports.
    pub id: String,
    /// A few words.
    pub title: String,
    /// Tasks of one group stand together.
    pub group: String,
    /// What answering takes.
    pub kind: TaskKind,
    /// Said once, before the examples.
    pub instruction: String,
    /// One example as text, with `{input}` and `{output}`.
    pub template: String,
    /// Put between examples.
    pub separator: String,
    /// Every possible answer, where there are few; else empty.
    pub labels: Vec<String>,
    /// Input and output, in the order of the file.
    pub rows: Vec<[String; 2]>,
}

impl Default for TaskTable {
    fn default() -> Self {
        let FewShotPrompt { template, separator, .. } = FewShotPrompt::default();
        Self {
            id: String::new(),
            title: String::new(),
            group: String::new(),
            kind: TaskKind::Fact,
            instruction: String::new(),
            template,
            separator,
            labels: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// A table that was read from a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableReport {
    /// The table.
    pub table: Arc<TaskTable>,
    /// What is odd about it.
    pub warnings: Vec<TableWarning>,
}

/// What is odd about the rows of a table, said before anything is run with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum TableWarning {
    /// The same pair stands there more than once.
    Duplicate {
        /// The input.
        input: String,
        /// How often.
        count: usize,
    },
    /// One input has several answers.
    Conflict {
        /// The input.
        input: String,
        /// The answers, in order.
        outputs: Vec<String>,
    },
    /// Rows without input or without output were left out.
    OneSided {
        /// How many.
        rows: usize,
    },
    /// Columns that are neither input nor output were left out.
    ColumnsLeftOut {
        /// Their names, or their numbers where there are none.
        columns: Vec<String>,
    },
    /// Lines had more cells than the table has columns.
    CellsLeftOut {
        /// Their numbers.
        lines: Vec<usize>,
    },
    /// The first line was taken for a row, and may be meant as names of columns.
    PerhapsHeader {
        /// Its cells.
        cells: Vec<String>,
    },
    /// Every row has the same answer: nothing can be learned from it.
    OneAnswer {
        /// The answer.
        output: String,
    },
    /// An answer begins with another one: without the end of the answer the shorter one is scored as part of the longer.
    Prefix {
        /// The shorter answer.
        short: String,
        /// The longer answer.
        long: String,
    },
}

impl std::fmt::Display for TableWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Duplicate { input, count } => write!(f, "{input:?} stands there {count} times with the same answer."),
            Self::Conflict { input, outputs } => {
                write!(f, "{input:?} has different answers: {}.", outputs.join(", "))
            }
            Self::OneSided { rows } => write!(f, "{rows} rows without input or output were left out."),
            Self::ColumnsLeftOut { columns } => write!(f, "Columns that were not read: {}.", columns.join(", ")),
            Self::CellsLeftOut { lines } => {
                let named: Vec<String> = lines.iter().take(3).map(usize::to_string).collect();
                let more = lines.len().saturating_sub(3);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                write!(f, "Cells beyond the last column were left out, in line {}{more}.", named.join(", "))
            }
            Self::PerhapsHeader { cells } => write!(
                f,
                "The first line ({}) was taken for an example. If it names columns, call them input and output.",
                cells.join(", ")
            ),
            Self::OneAnswer { output } => write!(f, "Every row has the answer {output:?}."),
            Self::Prefix { short, long } => {
                write!(f, "{long:?} begins with {short:?}: score the end of the answer too.")
            }
        }
    }
}

impl TaskTable {
    /// Reads a task file: lines `# key: value` (title, group, kind, instruction, template, separator, labels), then the
    /// columns' names, then one pair a line, parted by a tab. `\n` in a template or separator is a line break. Also tells what
    /// was not read.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn parse_tsv(id: &str, text: &str) -> Result<(Self, Vec<TableWarning>), String> {
        let mut table = Self { id: id.to_owned(), title: id.to_owned(), ..Self::default() };
        let (mut rest, mut number) = (text.trim_start_matches('\u{FEFF}'), 1);
        while rest.starts_with(['#', '\n', '\r']) {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            if let Some((key, value)) = line.strip_prefix("# ").and_then(|line| line.split_once(": ")) {
                table.set(key.trim(), value.trim()).map_err(|why| format!("Line {number}: {why}"))?;
            }
            (rest, number) = (after, number + 1);
        }
        let rows = PairRows::read_parted(rest, "\t", number)?;
        table.rows = rows.pairs;
        Ok((table, rows.warnings))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = || value.replace("\\n", "\n");
        match key {
            "title" => value.clone_into(&mut self.title),
            "group" => value.clone_into(&mut self.group),
            "instruction" => self.instruction = text(),
            "template" => self.template = text(),
            "separator" => self.separator = text(),
            "labels" => self.labels = value.split(',').map(|label| label.trim().to_owned()).collect(),
            "kind" => {
                self.kind = match value {
                    "fact" => TaskKind::Fact,
                    "label" => TaskKind::Label,
                    "rule" => TaskKind::Rule,
                    other => return Err(format!("the kind {other:?} is none of fact, label, rule.")),
                }
            }
            other => return Err(format!("there is no key {other:?}.")),
        }
        Ok(())
    }

    /// Takes rows without input or output out, and tells what else is odd. Call it once after reading.
    pub fn tidy(&mut self) -> Vec<TableWarning> {
        let mut warnings = Vec::new();
        let before = self.rows.len();
        self.rows.retain(|[input, output]| !input.is_empty() && !output.is_empty());
        if self.rows.len() < before {
            warnings.push(TableWarning::OneSided { rows: before - self.rows.len() });
        }
        let mut answers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for [input, output] in &self.rows {
            answers.entry(input).or_default().push(output);
        }
        for (input, outputs) in answers {
            let mut seen = BTreeSet::new();
            let distinct: Vec<&str> = outputs.iter().copied().filter(|output| seen.insert(*output)).collect();
            if distinct.len() > 1 {
                let outputs = distinct.into_iter().map(str::to_owned).collect();
                warnings.push(TableWarning::Conflict { input: input.to_owned(), outputs });
            } else if outputs.len() > 1 {
                warnings.push(TableWarning::Duplicate { input: input.to_owned(), count: outputs.len() });
            }
        }
        if let [[_, first], rest @ ..] = self.rows.as_slice()
            && !rest.is_empty()
            && rest.iter().all(|[_, output]| output == first)
        {
            warnings.push(TableWarning::OneAnswer { output: first.clone() });
        }
        for short in &self.labels {
            for long in self.labels.iter().filter(|long| *long != short && long.starts_with(short.as_str())) {
                warnings.push(TableWarning::Prefix { short: short.clone(), long: long.clone() });
            }
        }
        warnings
    }

    /// Whether a pair is among the share of a table that training leaves out. Decided by the words alone, so that whoever
    /// measures a model can tell which pairs it has not learned from.
    #[must_use]
    pub fn holds_out(id: &str, input: &str, share: f64) -> bool {
        // FNV-1a (Fowler, Noll and Vo 1991), then mixed: by itself its bits are not even enough.
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        for byte in id.bytes().chain([0]).chain(input.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        Random::new(hash, 0).unit() < share
    }

    /// A prompt with these examples and this query, written as the task is.
    #[must_use]
    pub fn prompt(&self, shots: Vec<Shot>, query: &str) -> FewShotPrompt {
        FewShotPrompt {
            instruction: self.instruction.clone(),
            shots,
            query: query.to_owned(),
            template: self.template.clone(),
            separator: self.separator.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# title: Colours\n# kind: label\n# labels: red, reddish\n# template: {input}: {output}\n\
                        # separator: \\n\\n\ninput\toutput\nrot\tred\nblau\t\nrot\tred\ngrün\tgreen\nrot\treddish\n";

    #[test]
    fn a_file_is_read_and_its_oddities_are_told() {
        let (mut table, told) = TaskTable::parse_tsv("colours", FILE).unwrap();
        assert!(told.is_empty());
        assert_eq!((table.title.as_str(), table.kind, table.separator.as_str()), ("Colours", TaskKind::Label, "\n\n"));
        assert_eq!(table.rows.len(), 5);
        let warnings = table.tidy();
        assert_eq!(table.rows.len(), 4);
        assert!(warnings.contains(&TableWarning::OneSided { rows: 1 }));
        let outputs = vec!["red".to_owned(), "reddish".to_owned()];
        assert!(warnings.contains(&TableWarning::Conflict { input: "rot".into(), outputs }));
        assert!(warnings.contains(&TableWarning::Prefix { short: "red".into(), long: "reddish".into() }));
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        assert_eq!(
            TaskTable::parse_tsv("x", "input\toutput\na b\n").unwrap_err(),
            "Line 2 has no tab between input and output."
        );
        assert!(TaskTable::parse_tsv("x", "# kind: riddle\n").unwrap_err().starts_with("Line 1: the kind"));
    }

    #[test]
    fn about_the_share_asked_for_is_held_out() {
        let held = (0..2000).filter(|i| TaskTable::holds_out("plurals", &format!("word{i}"), 0.1)).count();
        assert!((150..250).contains(&held), "{held} of 2000");
        assert!(TaskTable::holds_out("a", "b", 1.0) && !TaskTable::holds_out("a", "b", 0.0));
    }
}
