//! Numbers in JSON that come back to the last bit: written as texts, since the JSON reader may round the last digit of a number.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// What was written, by this program or one of before.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(f64),
}

pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Written::deserialize(deserializer)?.number()
}

impl Written {
    fn number<E: Error>(self) -> Result<f64, E> {
        match self {
            Self::Text(text) => text.parse().map_err(E::custom),
            Self::Number(number) => Ok(number),
        }
    }
}

/// The same for a number that may be missing.
pub(super) mod optional {
    use super::Written;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::train) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::train) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::<Written>::deserialize(deserializer)?.map(Written::number).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Holder {
        #[serde(with = "super")]
        value: f64,
    }

    #[test]
    fn every_number_comes_back_and_older_files_are_read() {
        let mut random = crate::types::Random::new(3, 0);
        for _ in 0..2000 {
            let value = f64::from_bits((random.below(1 << 30) as u64) << 34 | random.below(1 << 30) as u64);
            if value.is_finite() {
                let text = serde_json::to_string(&Holder { value }).unwrap();
                assert_eq!(serde_json::from_str::<Holder>(&text).unwrap().value.to_bits(), value.to_bits(), "{text}");
            }
        }
        assert_eq!(serde_json::from_str::<Holder>(r#"{"value": 0.25}"#).unwrap(), Holder { value: 0.25 });
        assert!(serde_json::from_str::<Holder>(r#"{"value": "x"}"#).is_err());
    }
}
