//! `fovea similarity`.

use super::CliError;
use super::args::ModelArgs;
use super::output::{print, print_json};
use super::session::{Session, unexpected};
use super::train::bar;
use crate::analysis::{pearson, spearman};
use crate::engine::{Command, Event, Outcome, Work, read_text};
use crate::types::{JobId, UserError, cosine, next_cell};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `fovea similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A CSV or TSV file of two texts and a number a line, which says how alike people find them; a first line without a number is a heading
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Correlations as a JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    model: &'a str,
    pairs: usize,
    spearman: Option<f64>,
    pearson: Option<f64>,
    /// Texts that were longer than the model reads.
    cut: usize,
}

/// Two texts, and how alike they are found.
#[derive(Debug, PartialEq)]
struct Scored {
    texts: [String; 2],
    score: f64,
}

/// Tells how well cosines of vectors go with what people say.
pub(super) fn run(args: &SimilarityArgs) -> Result<(), CliError> {
    let pairs = read(&args.data)?;
    let (session, info) = Session::with_model(&args.model)?;
    let texts: Vec<String> = pairs.iter().flat_map(|pair| pair.texts.clone()).collect();
    let (job, progress) = (JobId::next(), bar(texts.len() as u64));
    let outcome = session.run(job, Command::start(job, info.id, Work::Embed(texts)), |event| {
        if let Event::Progress { done, unit, .. } = event {
            progress.set_position(done);
            progress.set_message(unit);
        }
        Ok(())
    });
    progress.finish_and_clear();
    let Outcome::Embedded(report) = outcome? else { return Err(unexpected()) };
    let cosines: Vec<f64> =
        report.embeddings.chunks_exact(2).map(|pair| f64::from(cosine(&pair[0].vector, &pair[1].vector))).collect();
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.score).collect();
    let cut = report.embeddings.iter().filter(|embedding| embedding.left_out > 0).count();
    let (of_ranks, of_values) = (spearman(&cosines, &scores), pearson(&cosines, &scores));
    if args.json {
        let (spearman, pearson) = (of_ranks, of_values);
        return print_json(&Answer { model: &info.name, pairs: pairs.len(), spearman, pearson, cut });
    }
    let words = |value: Option<f64>| value.map_or("none, for all are alike".to_owned(), |value| format!("{value:.4}"));
    let mut lines = format!("Spearman {}\nPearson {}\nover {} pairs\n", words(of_ranks), words(of_values), pairs.len());
    if cut > 0 {
        lines += &format!("{cut} texts were longer than the model reads and cut off\n");
    }
    print(&lines)
}

/// # Errors
/// When the file cannot be read, or a line is no pair with a number.
fn read(path: &Path) -> Result<Vec<Scored>, UserError> {
    let text = read_text(path)?;
    let is_tab = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    let pairs = parse(&text, if is_tab { "\t" } else { "," }).map_err(|why| {
        UserError::new(
            format!("{} holds no pairs of texts with scores.", path.display()),
            why,
            "Give a CSV file with a text, another text and a number in each line, a TSV file with tabs between them.",
        )
    })?;
    Ok(pairs)
}

fn parse(text: &str, separator: &str) -> Result<Vec<Scored>, String> {
    let (mut pairs, mut rest, mut line) = (Vec::new(), text, 0);
    while !rest.is_empty() {
        line += 1;
        let mut cells = Vec::new();
        loop {
            let cell = next_cell(rest, separator);
            cells.push(cell.text);
            rest = cell.rest;
            if cell.ends_line {
                break;
            }
        }
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let count = cells.len();
        let found = <[String; 3]>::try_from(cells).ok().map(|[first, second, score]| ([first, second], score.parse()));
        match found {
            Some((texts, Ok(score))) => pairs.push(Scored { texts, score }),
            // Names of columns.
            Some((_, Err(_))) if line == 1 => {}
            Some((_, Err(_))) => return Err(format!("Line {line} does not end with a number.")),
            None => return Err(format!("Line {line} has {count} cells, not three.")),
        }
    }
    if pairs.len() < 2 { Err("At least two pairs are needed.".to_owned()) } else { Ok(pairs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_with_and_without_a_heading() {
        let pair = |a: &str, b: &str, score| Scored { texts: [a.to_owned(), b.to_owned()], score };
        let text = "a girl,\"a girl, too\",2.5\n\nb,c,0\n";
        let expected = [pair("a girl", "a girl, too", 2.5), pair("b", "c", 0.0)];
        assert_eq!(parse(text, ",").unwrap(), expected);
        assert_eq!(parse(&format!("one,two,score\n{text}"), ",").unwrap(), expected);
        assert_eq!(parse("a\tb\t1\nc\td\t2", "\t").unwrap().len(), 2);
        assert!(parse("a,b,1\nc,2\n", ",").unwrap_err().contains("Line 2 has 2 cells"));
        assert!(parse("a,b,1\nc,d,e\n", ",").unwrap_err().contains("number"));
        assert!(parse("a,b,1\n", ",").unwrap_err().contains("two pairs"));
    }
}
