//! Lists of random tokens, said again and again: the densest lesson in looking back.

use super::TrainingSequence;
use crate::nn::Random;

/// Tokens of a list.
const SHORTEST: usize = 4;
const LONGEST: usize = 47;

/// A list over and over; everything behind the first time is learned. Its tokens are those of the whole vocabulary: tokens
/// that never are an answer would be pushed down together first, and what tells tokens apart drowns in that.
pub(super) fn write(length: usize, vocabulary: usize, random: &mut Random) -> TrainingSequence {
    let list: Vec<u32> =
        (0..SHORTEST + random.below(LONGEST - SHORTEST + 1)).map(|_| random.below(vocabulary) as u32).collect();
    let ids = list.iter().copied().cycle().take(length).collect();
    TrainingSequence { ids, learned: (1..length).map(|place| place >= list.len()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_learned_from_its_second_time_on() {
        let TrainingSequence { ids, learned } = write(100, 500, &mut Random::new(5, 0));
        assert_eq!((ids.len(), learned.len()), (100, 99));
        let list = learned.iter().take_while(|learned| !**learned).count() + 1;
        assert!((SHORTEST..=LONGEST).contains(&list));
        assert!(learned[list - 1..].iter().all(|learned| *learned));
        assert!((list..100).all(|place| ids[place] == ids[place - list]));
        assert!(ids.iter().all(|id| *id < 500));
    }
}
