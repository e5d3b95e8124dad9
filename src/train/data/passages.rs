//! Passages of a text: which of them a step learns from.

use super::token_ids::TokenParts;
use crate::nn::Random;
use crate::train::stream::Stream;

/// A text cut into windows of one length, in an order drawn anew each epoch. Each epoch cuts at other places, so that the
/// borders between windows move.
#[derive(Default)]
pub(in crate::train) struct Passages {
    ids: TokenParts,
    context: usize,
    seed: u64,
    /// The epoch the order was drawn for.
    epoch: Option<usize>,
    offset: usize,
    order: Vec<u32>,
}

impl Passages {
    pub(in crate::train) fn new(ids: TokenParts, context: usize, seed: u64) -> Self {
        Self { ids, context, seed, epoch: None, offset: 0, order: Vec::new() }
    }

    /// What its order is drawn from.
    pub(in crate::train) fn seed(&self) -> u64 {
        self.seed
    }

    /// All of the text.
    pub(in crate::train) fn ids(&self) -> &TokenParts {
        &self.ids
    }

    /// Tokens predicted in a window; at least 1.
    pub(in crate::train) fn context(&self) -> usize {
        self.context.max(1)
    }

    /// Windows side by side from the beginning on.
    pub(in crate::train) fn windows(&self) -> usize {
        self.ids.len().saturating_sub(1).checked_div(self.context).unwrap_or(0)
    }

    /// One of them: `context` tokens and the one after.
    pub(in crate::train) fn window(&self, i: usize) -> Vec<u32> {
        self.ids.copy(i * self.context..(i + 1) * self.context + 1)
    }

    /// All there is, side by side: windows, and behind them what is left.
    pub(in crate::train) fn passages(&self) -> usize {
        self.ids.len().saturating_sub(1).div_ceil(self.context())
    }

    /// One of them: what is predicted, and the token before.
    pub(in crate::train) fn passage(&self, i: usize) -> Vec<u32> {
        self.ids.copy(i * self.context()..((i + 1) * self.context() + 1).min(self.ids.len()))
    }

    /// The windows of a step, counted from 1: `context` tokens and the one after, each.
    pub(in crate::train) fn batch(&mut self, size: usize, step: usize) -> Vec<Vec<u32>> {
        // Cutting at an offset may lose one window; leaving it out makes every epoch equally long.
        let windows = self.windows().saturating_sub(1).max(1);
        let first = (step - 1) * size;
        let mut starts = Vec::with_capacity(size);
        for place in first..first + size {
            let epoch = place / windows;
            if self.epoch != Some(epoch) {
                let mut random = Random::new(self.seed, Stream::PassageOrder.at(epoch as u64));
                let room = self.ids.len() - (windows * self.context + 1);
                self.offset = random.below(room.min(self.context - 1) + 1);
                self.order = random.permutation(windows);
                self.epoch = Some(epoch);
            }
            starts.push(self.offset + self.order[place % windows] as usize * self.context);
        }
        starts.into_iter().map(|start| self.ids.copy(start..start + self.context + 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_met_once_an_epoch_and_the_cuts_move() {
        let ids: TokenParts = (0..1000).collect();
        let mut passages = Passages::new(ids, 10, 3);
        let windows = passages.windows() - 1;
        let mut starts_of = |epoch: usize| {
            let steps = epoch * windows / 7 + 1..=(epoch + 1) * windows / 7;
            steps.flat_map(|step| passages.batch(7, step).iter().map(|w| w[0]).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let (first, second) = (starts_of(0), starts_of(1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), first.len(), "a window came twice");
        assert!(sorted.windows(2).all(|w| (w[1] - w[0]) % 10 == 0));
        assert_ne!(first, second);
    }

    #[test]
    fn a_step_gives_the_same_windows_whatever_came_before() {
        let ids: TokenParts = (0..500).collect();
        let mut once = Passages::new(ids.clone(), 8, 1);
        let mut again = Passages::new(ids, 8, 1);
        for step in 1..40 {
            let _ = once.batch(4, step);
        }
        assert_eq!(once.batch(4, 40), again.batch(4, 40));
    }

    #[test]
    fn side_by_side_every_token_but_the_first_is_predicted_once() {
        for length in [2, 9, 10, 11, 25] {
            let passages = Passages::new((0..length).collect(), 8, 1);
            let all: Vec<Vec<u32>> = (0..passages.passages()).map(|i| passages.passage(i)).collect();
            let predicted: Vec<u32> = all.iter().flat_map(|passage| passage[1..].to_vec()).collect();
            assert_eq!(predicted, (1..length).collect::<Vec<u32>>());
            assert!(all.iter().all(|passage| passage.len() > 1), "{length}");
        }
        assert_eq!(Passages::default().passages(), 0);
    }

    #[test]
    fn the_shortest_possible_text_has_one_window() {
        let mut passages = Passages::new((0..9).collect(), 8, 1);
        assert_eq!(passages.batch(2, 5), [(0..9).collect::<Vec<u32>>(), (0..9).collect()]);
    }
}
