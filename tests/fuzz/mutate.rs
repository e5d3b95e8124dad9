//! Changes files: a value of a JSON document replaced, moved or taken away, bytes flipped, cut, repeated or joined with
//! those of another file.

use fovea::nn::Random;
use serde_json::{Value, json};

/// Makes new inputs out of seeds. An input that was changed is changed again now and then, so that damages add up.
pub struct Mutator {
    pool: Vec<Vec<u8>>,
    seeds: usize,
    random: Random,
}

impl Mutator {
    pub fn new(seeds: Vec<Vec<u8>>, random: Random) -> Self {
        Self { seeds: seeds.len(), pool: seeds, random }
    }

    pub fn next(&mut self) -> Vec<u8> {
        // One time in two from a good file: damages that add up soon leave nothing behind the first check.
        let among = if self.below(2) == 0 { self.seeds } else { self.pool.len() };
        let chosen = self.below(among);
        let mut input = self.pool[chosen].clone();
        for _ in 0..1 + self.below(3) {
            input = match self.json_at_start(&input) {
                Some((document, rest)) if self.below(4) > 0 => self.change_json(document, &rest),
                _ => self.change_bytes(input),
            };
        }
        if self.below(8) == 0 {
            if self.pool.len() < self.seeds + 64 {
                self.pool.push(input.clone());
            } else {
                let place = self.seeds + self.below(64);
                self.pool[place] = input.clone();
            }
        }
        input
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.below(end)
    }

    /// A JSON document alone, or the header of a safetensors file (eight bytes of length, JSON, data).
    fn json_at_start(&mut self, input: &[u8]) -> Option<(Value, Option<Vec<u8>>)> {
        if let Ok(document) = serde_json::from_slice(input) {
            return Some((document, None));
        }
        let length = u64::from_le_bytes(input.get(..8)?.try_into().ok()?);
        let end = 8usize.checked_add(usize::try_from(length).ok()?)?;
        let header = serde_json::from_slice(input.get(8..end)?).ok()?;
        Some((header, Some(input[end..].to_vec())))
    }

    fn change_json(&mut self, mut document: Value, rest: &Option<Vec<u8>>) -> Vec<u8> {
        let count = count(&document);
        let place = self.below(count);
        let other = pick(&document, &mut self.below(count)).cloned().unwrap_or(Value::Null);
        self.change_value(&mut document, &mut { place }, other);
        let mut text = serde_json::to_vec(&document).unwrap();
        match rest {
            None => text,
            Some(data) => {
                let mut file = (text.len() as u64).to_le_bytes().to_vec();
                file.append(&mut text);
                file.extend(data);
                file
            }
        }
    }

    /// Changes the value that is `place`-th in reading order.
    fn change_value(&mut self, value: &mut Value, place: &mut usize, other: Value) {
        if *place == 0 {
            *value = self.strange(value.take(), other);
            *place = usize::MAX;
            return;
        }
        *place -= 1;
        match value {
            Value::Array(items) => {
                for item in items {
                    if *place == usize::MAX {
                        return;
                    }
                    self.change_value(item, place, other.clone());
                }
            }
            Value::Object(fields) => {
                let names: Vec<String> = fields.keys().cloned().collect();
                for name in names {
                    if *place == usize::MAX {
                        return;
                    }
                    if *place == 0 && self.below(4) == 0 {
                        fields.remove(&name);
                        *place = usize::MAX;
                        return;
                    }
                    self.change_value(fields.get_mut(&name).unwrap(), place, other.clone());
                }
            }
            _ => {}
        }
    }

    /// Something else in the place of a value.
    fn strange(&mut self, value: Value, other: Value) -> Value {
        let numbers = [
            json!(0),
            json!(1),
            json!(2),
            json!(3),
            json!(-1),
            json!(0.5),
            json!(1e300),
            json!(-1e-300),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1u64 << 31),
            json!(1u64 << 40),
            json!(65_537),
        ];
        match (self.below(8), value) {
            (0, _) => other,
            (1, Value::Number(n)) => json!(n.as_i64().unwrap_or(1).wrapping_mul(3).wrapping_sub(1)),
            (2, Value::String(text)) => Value::String(text.repeat(1 + self.below(40))),
            (2, Value::Array(mut items)) => {
                items.extend(items.clone());
                Value::Array(items)
            }
            (3, _) => Value::Null,
            (4, value) => (0..1 + self.below(300)).fold(value, |inner, _| json!([inner])),
            (5, _) => Value::String(["", "gelu", "llama", "\u{0}", "ø∂", "<0xE2>"][self.below(6)].to_owned()),
            (6, _) => Value::Bool(self.below(2) == 0),
            _ => numbers[self.below(numbers.len())].clone(),
        }
    }

    fn change_bytes(&mut self, mut input: Vec<u8>) -> Vec<u8> {
        if input.is_empty() {
            return vec![self.below(256) as u8];
        }
        let (a, b) = (self.below(input.len()), self.below(input.len()));
        let (from, to) = (a.min(b), a.max(b));
        // Small damages leave more of the file to be read.
        let to = if self.below(4) > 0 { to.min(from + 16) } else { to };
        match self.below(6) {
            0 => input[from] ^= 1 << self.below(8),
            1 => input[from] = self.below(256) as u8,
            2 => drop(input.drain(from..to)),
            3 => input.truncate(from),
            4 => {
                let part = input[from..to].to_vec();
                let times = 1 + self.below(20);
                input.splice(from..from, part.repeat(times));
            }
            _ => {
                let donor = self.below(self.pool.len());
                let donor = &self.pool[donor];
                let start = self.random.below(donor.len().max(1)).min(donor.len());
                let end = (start + 1 + self.random.below(64)).min(donor.len());
                let part = donor[start..end].to_vec();
                input.splice(from..to, part);
            }
        }
        input
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

fn pick<'a>(value: &'a Value, place: &mut usize) -> Option<&'a Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter().find_map(|item| pick(item, place)),
        Value::Object(fields) => fields.values().find_map(|field| pick(field, place)),
        _ => None,
    }
}
