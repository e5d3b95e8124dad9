//! Where an answer looked: attention summed over the parts of a few-shot prompt, and what it says of each head.

use crate::types::{Capture, InspectReport, PromptToken, RenderedPrompt, SegmentKind, Site};

/// What a token of an inspected few-shot prompt belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromptPart {
    /// Added by the tokenizer, such as a beginning-of-sequence token.
    Added,
    /// The instruction.
    Instruction,
    /// Fixed text of the template, and separators.
    Template,
    /// The input of the example with this row number.
    Input(usize),
    /// The output of the example with this row number.
    Output(usize),
    /// The query.
    Query,
    /// The answer that was put behind the prompt.
    Answer,
}

/// How much of one token's attention goes to each part of the prompt, in `0..=1`; together 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartSums {
    /// To tokens the tokenizer added. Many heads rest on the first token when they find nothing (Xiao et al. 2023).
    pub added: f32,
    /// To the instruction.
    pub instruction: f32,
    /// To the template's own text and separators.
    pub template: f32,
    /// To the input and to the output of every example, by row; 0 for an example that is switched off.
    pub examples: Vec<(f32, f32)>,
    /// To the query.
    pub query: f32,
    /// To the answer.
    pub answer: f32,
}

/// What one head does with a few-shot prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadScore {
    /// Layer, from 0.
    pub layer: usize,
    /// Head, from 0.
    pub head: usize,
    /// [`induction_score`]; `None` where no token of the prompt comes twice.
    pub induction: Option<f32>,
    /// Attention from the answer's position to the outputs of all examples, in `0..=1`.
    pub label: f32,
}

/// What each token belongs to: what its first visible character came from, since most tokenizers join the space of a
/// template with the word that follows it.
#[must_use]
pub fn prompt_parts(rendered: &RenderedPrompt, tokens: &[PromptToken]) -> Vec<PromptPart> {
    let part = |token: &PromptToken| {
        if token.span.is_empty() {
            return PromptPart::Added;
        }
        if token.span.start >= rendered.text.len() {
            return PromptPart::Answer;
        }
        let text = rendered.text.get(token.span.start..token.span.end.min(rendered.text.len())).unwrap_or_default();
        let blank = text.len() - text.trim_start().len();
        let at = if blank == text.len() { token.span.start } else { token.span.start + blank };
        match rendered.kind_at(at) {
            Some(SegmentKind::Instruction) => PromptPart::Instruction,
            Some(SegmentKind::ShotInput(row)) => PromptPart::Input(row),
            Some(SegmentKind::ShotOutput(row)) => PromptPart::Output(row),
            Some(SegmentKind::Query) => PromptPart::Query,
            Some(SegmentKind::Template) | None => PromptPart::Template,
        }
    };
    tokens.iter().map(part).collect()
}

/// Sums one token's attention `weights` `[T]` over the parts of the prompt. `examples` is the number of rows.
#[must_use]
pub fn sum_parts(weights: &[f32], parts: &[PromptPart], examples: usize) -> PartSums {
    let mut sums = PartSums { examples: vec![(0.0, 0.0); examples], ..PartSums::default() };
    for (weight, part) in weights.iter().zip(parts) {
        let place = match part {
            PromptPart::Added => &mut sums.added,
            PromptPart::Instruction => &mut sums.instruction,
            PromptPart::Template => &mut sums.template,
            PromptPart::Query => &mut sums.query,
            PromptPart::Answer => &mut sums.answer,
            PromptPart::Input(row) => match sums.examples.get_mut(*row) {
                Some((input, _)) => input,
                None => continue,
            },
            PromptPart::Output(row) => match sums.examples.get_mut(*row) {
                Some((_, output)) => output,
                None => continue,
            },
        };
        *place += weight;
    }
    sums
}

/// Attention from each token to what came after all earlier occurrences of it, averaged over the tokens that have one: how
/// much a head continues a sequence as it went on before (induction, Olsson et al. 2022). `None` where every token comes for
/// the first time. `pattern` is `[T, T]` row-major, row = query.
#[must_use]
pub fn induction_score(ids: &[u32], pattern: &[f32]) -> Option<f32> {
    let tokens = ids.len();
    let mut last = std::collections::HashMap::new();
    let before: Vec<Option<usize>> = ids.iter().enumerate().map(|(at, id)| last.insert(*id, at)).collect();
    let (mut sum, mut count) = (0.0, 0usize);
    for (at, latest) in before.iter().enumerate() {
        count += usize::from(latest.is_some());
        let mut earlier = *latest;
        while let Some(place) = earlier {
            sum += pattern.get(at * tokens + place + 1).copied().unwrap_or_default();
            earlier = before[place];
        }
    }
    (count > 0).then(|| sum / count as f32)
}

/// The attention weights `[T]` of the token at `from`: of one layer's head, or the mean over all captured heads. `None`
/// where that head was not captured.
#[must_use]
pub fn attention_from(report: &InspectReport, from: usize, head: Option<(usize, usize)>) -> Option<Vec<f32>> {
    let tokens = report.tokens.len();
    if from >= tokens {
        return None;
    }
    let row = |pattern: &[f32]| pattern.get(from * tokens..(from + 1) * tokens).map(<[f32]>::to_vec);
    if let Some((layer, head)) = head {
        return row(report.pattern(layer, head)?);
    }
    let mut mean = vec![0.0; tokens];
    let mut heads = 0usize;
    for (_, pattern) in patterns(report) {
        for (sum, weight) in mean.iter_mut().zip(pattern.get(from * tokens..(from + 1) * tokens)?) {
            *sum += weight;
        }
        heads += 1;
    }
    mean.iter_mut().for_each(|sum| *sum /= heads.max(1) as f32);
    (heads > 0).then_some(mean)
}

/// The scores of every captured head, by layer and head.
#[must_use]
pub fn head_scores(report: &InspectReport, parts: &[PromptPart], from: usize) -> Vec<HeadScore> {
    let ids: Vec<u32> = report.tokens.iter().map(|token| token.id).collect();
    let outputs = parts.iter().enumerate().filter(|(_, part)| matches!(part, PromptPart::Output(_)));
    let outputs: Vec<usize> = outputs.map(|(at, _)| at).collect();
    patterns(report)
        .map(|((layer, head), pattern)| {
            let weight = |key: &usize| pattern.get(from * ids.len() + key).copied().unwrap_or_default();
            let (induction, label) = (induction_score(&ids, pattern), outputs.iter().map(weight).sum());
            HeadScore { layer, head, induction, label }
        })
        .collect()
}

/// Every captured attention pattern `[T, T]` with its layer and head.
fn patterns(report: &InspectReport) -> impl Iterator<Item = ((usize, usize), &[f32])> {
    let of_layer = |capture: &'_ Capture| match capture.site {
        Site::Pattern(layer) => Some(layer),
        _ => None,
    };
    report.captures.iter().filter_map(move |capture| Some((of_layer(capture)?, capture))).flat_map(
        |(layer, capture)| {
            let size = (capture.shape.iter().skip(1).product::<usize>()).max(1);
            capture.values.chunks_exact(size).enumerate().map(move |(head, pattern)| ((layer, head), pattern))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FewShotPrompt, Shot};

    /// `a = x\nb = y\na =`, a token a word, with a beginning-of-sequence token.
    fn prompt() -> (RenderedPrompt, Vec<PromptToken>) {
        let shot = |input: &str, output: &str| Shot { input: input.into(), output: output.into(), on: true };
        let prompt = FewShotPrompt {
            shots: vec![shot("a", "x"), shot("b", "y")],
            query: "a".into(),
            ..FewShotPrompt::default()
        };
        let rendered = prompt.render();
        let words = [(0, ""), (1, "a"), (2, " ="), (3, " x"), (4, "\n"), (5, "b"), (2, " ="), (6, " y"), (4, "\n")];
        let mut tokens = Vec::new();
        let mut at = 0;
        for (id, text) in words.into_iter().chain([(1, "a"), (2, " =")]) {
            tokens.push(PromptToken { id, text: text.into(), span: at..at + text.len() });
            at += text.len();
        }
        assert_eq!(at, rendered.text.len());
        (rendered, tokens)
    }

    #[test]
    fn a_token_belongs_to_its_first_visible_character() {
        use PromptPart::{Added, Input, Output, Query, Template};
        let (rendered, mut tokens) = prompt();
        let end = rendered.text.len();
        tokens.push(PromptToken { id: 3, text: " x".into(), span: end..end + 2 });
        let parts = prompt_parts(&rendered, &tokens);
        let wanted =
            [Added, Input(0), Template, Output(0), Template, Input(1), Template, Output(1), Template, Query, Template];
        assert_eq!(parts[..11], wanted);
        assert_eq!(parts[11], PromptPart::Answer);
    }

    #[test]
    fn sums_go_to_their_parts_and_add_up_to_one() {
        let (rendered, tokens) = prompt();
        let parts = prompt_parts(&rendered, &tokens);
        let weights = [0.2, 0.1, 0.05, 0.25, 0.0, 0.1, 0.05, 0.05, 0.0, 0.15, 0.05];
        let sums = sum_parts(&weights, &parts, 2);
        assert_eq!(sums.examples, [(0.1, 0.25), (0.1, 0.05)]);
        assert_eq!((sums.added, sums.query, sums.instruction, sums.answer), (0.2, 0.15, 0.0, 0.0));
        let examples: f32 = sums.examples.iter().map(|(i, o)| i + o).sum();
        assert!((sums.added + sums.template + sums.query + examples - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_perfect_induction_head_scores_one() {
        // Tokens 5 6 5 6: the third looks at the second, the fourth at the third.
        let mut pattern = vec![0.0; 16];
        (pattern[0], pattern[4]) = (1.0, 1.0);
        pattern[2 * 4 + 1] = 1.0;
        pattern[3 * 4 + 2] = 1.0;
        assert_eq!(induction_score(&[5, 6, 5, 6], &pattern), Some(1.0));
        // Half of the attention of one of the two tokens goes elsewhere.
        pattern[3 * 4 + 2] = 0.5;
        assert_eq!(induction_score(&[5, 6, 5, 6], &pattern), Some(0.75));
        assert_eq!(induction_score(&[1, 2, 3, 4], &pattern), None);
    }

    #[test]
    fn every_earlier_occurrence_counts() {
        let mut pattern = vec![0.0; 9];
        pattern[3 + 1] = 1.0;
        // 7 7 7: the second looks at itself, which comes after the first; the third at what came after both others.
        (pattern[2 * 3 + 1], pattern[2 * 3 + 2]) = (0.25, 0.5);
        assert_eq!(induction_score(&[7, 7, 7], &pattern), Some(0.875));
    }

    #[test]
    fn heads_are_told_apart() {
        let (rendered, tokens) = prompt();
        let parts = prompt_parts(&rendered, &tokens);
        let (count, from) = (tokens.len(), tokens.len() - 1);
        let mut values = vec![0.0; 2 * count * count];
        // Head 0 looks at both outputs, most at that of the second example.
        values[from * count + 3] = 0.25;
        values[from * count + 7] = 0.75;
        // Head 1 rests on the first token.
        values[count * count + from * count] = 1.0;
        let capture = Capture { site: Site::Pattern(3), shape: vec![2, count, count], values: values.into() };
        let report = InspectReport { tokens, captures: vec![capture], picture: None, left_out: None };
        let scores = head_scores(&report, &parts, from);
        assert_eq!(scores.iter().map(|s| (s.layer, s.head, s.label)).collect::<Vec<_>>(), [(3, 0, 1.0), (3, 1, 0.0)]);
        // Of four repeated tokens only the last looks at all, and at nothing but what followed the two `=` before it.
        assert_eq!(scores[0].induction, Some(1.0 / 4.0));
        assert_eq!(attention_from(&report, from, Some((3, 1))).unwrap()[0], 1.0);
        let mean = attention_from(&report, from, None).unwrap();
        assert_eq!((mean[0], mean[3], mean[7]), (0.5, 0.125, 0.375));
        assert!(attention_from(&report, from, Some((2, 0))).is_none());
    }
}
