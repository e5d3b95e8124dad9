//! A run as Markdown, to be read by people.

use super::super::compare::probability;
use super::record::{Record, RecordedCard};
use crate::types::CandidateScore;
use crate::ui::widgets::{percent, visible_text};
use std::fmt::Write;

/// The run as text.
pub(super) fn markdown(record: &Record) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut out, record);
    for card in &record.cards {
        let _ = one(&mut out, record, card);
    }
    out
}

fn head(out: &mut String, record: &Record) -> std::fmt::Result {
    let setup = &record.setup;
    writeln!(out, "# Few-shot run: {}\n", setup.table.title)?;
    for (side, model) in record.models.iter().enumerate() {
        let column = if record.models.len() > 1 { format!(" {}", ["A", "B"][side.min(1)]) } else { String::new() };
        writeln!(
            out,
            "- Model{column}: {} ({}, {} parameters, {}), SHA-256 of the weights `{}`",
            model.name, model.architecture, model.parameters, model.precision, model.sha256
        )?;
    }
    writeln!(out, "- Computed on: {}, {}, Fovea {}", record.device, record.date, record.fovea)?;
    writeln!(out, "- Query: {:?}; right answer: {:?}", setup.query, setup.expected)?;
    for (side, asked) in setup.sides().iter().enumerate() {
        let column = if setup.two { format!(" {}", ["A", "B"][side.min(1)]) } else { String::new() };
        let yes = |on: bool| if on { "yes" } else { "no" };
        writeln!(
            out,
            "- Prompt{column}: {} examples, seed {}; instruction {}; calibrated: {}; end of the answer scored: {}",
            asked.on(),
            asked.seed,
            if asked.says_instruction { "given" } else { "left out" },
            yes(asked.calibrate),
            yes(asked.ending)
        )?;
        for edit in &asked.edits {
            writeln!(out, "- Edited{column}: `{edit}`")?;
        }
        for (row, example) in asked.examples.iter().enumerate().filter(|(_, e)| e.on && e.wrong.is_some()) {
            let wrong = example.wrong.as_deref().unwrap_or_default();
            writeln!(out, "- Example {} has the wrong answer {wrong:?}; right is {:?}", row + 1, example.output)?;
        }
    }
    Ok(())
}

fn one(out: &mut String, record: &Record, card: &RecordedCard) -> std::fmt::Result {
    let column = if record.setup.two { format!(", column {}", ["A", "B"][card.side.min(1)]) } else { String::new() };
    writeln!(out, "\n## {}{column} ({} tokens)\n", card.card.title(), card.report.prompt_tokens)?;
    // A fence longer than any in the prompt.
    let fence = "`".repeat(longest_run(&card.request.prompt).max(2) + 1);
    writeln!(out, "{fence}text\n{}\n{fence}\n", card.request.prompt)?;
    let calibrated = card.report.candidates.iter().any(|score| score.calibrated.is_some());
    let (title, line) = if calibrated { (" calibrated |", "---:|") } else { ("", "") };
    writeln!(out, "| answer | share |{title} P | ln P | tokens |\n|---|---:|{line}---:|---:|---|")?;
    for score in &card.report.candidates {
        let calibrated = score.calibrated.map_or_else(String::new, |share| format!(" {} |", percent(share as f32)));
        let (share, p) = (percent(score.share as f32), probability(score.log_prob));
        writeln!(
            out,
            "| {} | {share} |{calibrated} {p} | {:.6} | {} |",
            cell(&score.text),
            score.log_prob,
            tokens(score)
        )?;
    }
    writeln!(out, "\nAnything else: {}", percent(card.report.other_mass() as f32))
}

fn tokens(score: &CandidateScore) -> String {
    let token = |token: &crate::types::ScoredToken| {
        format!("`{}` {}", cell(&visible_text(&token.text)), probability(token.log_prob))
    };
    score.tokens.iter().map(token).collect::<Vec<_>>().join(", ")
}

/// Text that stays in one cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The longest run of backticks in a text.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edits_of_a_column_are_written() {
        let mut record = super::super::record::tests::record(&[-0.5, -2.0]);
        assert!(!markdown(&record).contains("Edited"));
        record.setup.sides[0].edits = vec!["blocks.1 = skip".parse().unwrap()];
        assert!(markdown(&record).contains("- Edited: `blocks.1 = skip`\n"));
    }

    #[test]
    fn a_run_is_written_with_its_settings_and_every_token() {
        let text = markdown(&super::super::record::tests::record(&[-0.5, -2.0]));
        assert!(
            text.starts_with(
                "# Few-shot run: Sentiment\n\n- Model: sprout (LlamaForCausalLM, 5800000 parameters, F16)"
            )
        );
        assert!(text.contains(&"ab".repeat(32)));
        assert!(text.contains("4 examples, seed 1; instruction given; calibrated: no; end of the answer scored: yes"));
        assert!(text.contains("## Few-shot (46 tokens)\n\n```text\nIs the sentence positive or negative?\n"), "{text}");
        assert!(text.contains("| positive | 50.0 % | 60.7 % | -0.500000 | `·positive` 68.7 %, `↵` 88.2 % |"), "{text}");
    }

    #[test]
    fn a_prompt_with_fences_stays_inside_its_own() {
        let mut record = super::super::record::tests::record(&[-0.5, -2.0]);
        record.cards[0].request.prompt = "a ``` b".into();
        assert!(markdown(&record).contains("````text\na ``` b\n````"));
    }
}
