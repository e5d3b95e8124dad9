//! Words that rules are shown on.

use crate::nn::Random;

/// How often a string of random letters stands in for a word.
const INVENTED: f32 = 0.08;

/// Words that documents about rules may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Of these words.
    ///
    /// # Panics
    /// Without a single word.
    pub(super) fn new(words: Vec<String>) -> Self {
        assert!(!words.is_empty(), "rules need words");
        Self(words)
    }

    /// A word, or now and then a string of letters nobody has seen.
    pub(super) fn any(&self, random: &mut Random) -> String {
        if random.uniform() < INVENTED {
            return (0..3 + random.below(4)).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        }
        self.0[random.below(self.0.len())].clone()
    }
}
