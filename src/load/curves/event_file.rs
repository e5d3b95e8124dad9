//! TensorBoard's event files: records with check sums, of which each holds one message in protobuf.
//!
//! A record is the length of its data (8 bytes), a check sum of that, the data, and a check sum of the data; check sums are CRC-32C
//! (Castagnoli 1993) turned and moved, little-endian all (TensorFlow's `record_writer`). Of a message, only what a scalar needs is
//! written and read: the time, the step, a tag and a number.

use std::collections::BTreeMap;

/// What the first message of a file says.
const VERSION: &[u8] = b"brain.Event:2";
/// Added to a turned check sum, so that one of data that holds check sums is another.
const MASK: u32 = 0xA282_EAD8;
/// No message of scalars is larger; one of pictures is passed over.
const LONGEST: u64 = 1 << 32;

/// One number of a curve.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// Seconds since 1970.
    pub wall_s: f64,
    /// The step it is of.
    pub step: i64,
    /// What it is.
    pub tag: String,
    /// The number.
    pub value: f64,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scalars {
    /// In the order of the file.
    pub found: Vec<Scalar>,
    /// Messages of other kinds by the name of their tag, which are left out.
    pub left_out: BTreeMap<String, usize>,
    /// Bytes at the end that are no whole record: the writer is at work, or was ended.
    pub torn: usize,
}

/// Why a file is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoEvents {
    /// Where, in bytes.
    pub offset: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// The record a file begins with.
pub(crate) fn first_record(wall_s: f64) -> Vec<u8> {
    let mut message = time(wall_s);
    field(&mut message, 3, VERSION);
    record(&message)
}

/// The record of some numbers of one step.
pub(crate) fn scalars_record(wall_s: f64, step: u64, values: &[(&str, f64)]) -> Vec<u8> {
    let mut message = time(wall_s);
    message.push(2 << 3);
    varint(&mut message, step);
    let mut summary = Vec::new();
    for (tag, number) in values {
        let mut value = Vec::new();
        field(&mut value, 1, tag.as_bytes());
        value.push(2 << 3 | 5);
        value.extend_from_slice(&(*number as f32).to_le_bytes());
        field(&mut summary, 1, &value);
    }
    field(&mut message, 5, &summary);
    record(&message)
}

/// Reads a file.
///
/// # Errors
/// When it does not begin as an event file does, or a check sum before its last record is wrong.
pub(crate) fn read(bytes: &[u8]) -> Result<Scalars, NoEvents> {
    let mut scalars = Scalars::default();
    let mut offset = 0;
    while offset < bytes.len() {
        let wrong = |problem| NoEvents { offset, problem };
        let Some(header) = bytes.get(offset..offset + 12) else { break };
        let length = number(&header[..8]);
        if masked(&header[..8]) != number(&header[8..]) as u32 {
            return Err(wrong("the check sum of a record's length does not fit"));
        }
        if length > LONGEST {
            return Err(wrong("a record is longer than any"));
        }
        let (start, length) = (offset + 12, length as usize);
        let Some(rest) = bytes.get(start..start.saturating_add(length).saturating_add(4)) else { break };
        let (data, sum) = rest.split_at(length);
        if masked(data) != number(sum) as u32 {
            return Err(wrong("the check sum of a record does not fit"));
        }
        if offset == 0
            && message(data)
                .is_none_or(|fields| fields.iter().all(|(name, value)| *name != 3 || value.bytes() != VERSION))
        {
            return Err(wrong("it does not begin with the version of such files"));
        }
        take(data, &mut scalars);
        offset = start + length + 4;
    }
    if offset == 0 {
        return Err(NoEvents { offset, problem: "it holds no whole record" });
    }
    scalars.torn = bytes.len() - offset;
    Ok(scalars)
}

/// Adds the scalars of a message.
fn take(data: &[u8], scalars: &mut Scalars) {
    let Some(fields) = message(data) else { return };
    let (mut wall_s, mut step) = (0.0, 0);
    for (name, value) in &fields {
        match (name, value) {
            (1, Value::Fixed64(bits)) => wall_s = f64::from_bits(*bits),
            (2, Value::Varint(n)) => step = *n as i64,
            _ => {}
        }
    }
    let summaries = fields.iter().filter(|(name, _)| *name == 5).filter_map(|(_, value)| message(value.bytes()));
    for (_, value) in summaries.flatten().filter(|(name, _)| *name == 1) {
        let Some(parts) = message(value.bytes()) else { continue };
        let part = |name| parts.iter().find(|(of, _)| *of == name).map(|(_, value)| value);
        let tag = part(1).map(|tag| String::from_utf8_lossy(tag.bytes()).into_owned()).unwrap_or_default();
        let number = match (part(2), part(8)) {
            (Some(Value::Fixed32(bits)), _) => Some(f64::from(f32::from_bits(*bits))),
            (_, Some(tensor)) => message(tensor.bytes()).and_then(|tensor| of_tensor(&tensor)),
            _ => None,
        };
        match number {
            Some(value) => scalars.found.push(Scalar { wall_s, step, tag, value }),
            None => *scalars.left_out.entry(tag).or_default() += 1,
        }
    }
}

/// The one number of a tensor, as newer writers put it: in F32 or F64, as bytes or as a list.
fn of_tensor(tensor: &Message<'_>) -> Option<f64> {
    let field = |name| tensor.iter().find(|(of, _)| *of == name).map(|(_, value)| value);
    let kind = match field(1)? {
        Value::Varint(kind) => *kind,
        _ => return None,
    };
    let (width, listed) = match kind {
        1 => (4, field(5)),
        2 => (8, field(6)),
        _ => return None,
    };
    match (field(4), listed) {
        (Some(Value::Bytes(bytes)), _) | (None, Some(Value::Bytes(bytes))) if bytes.len() == width => {
            let bits = number(bytes);
            Some(if width == 4 { f64::from(f32::from_bits(bits as u32)) } else { f64::from_bits(bits) })
        }
        (None, Some(Value::Fixed32(bits))) => Some(f64::from(f32::from_bits(*bits))),
        (None, Some(Value::Fixed64(bits))) => Some(f64::from_bits(*bits)),
        _ => None,
    }
}

/// The fields of a message by number, in their order.
type Message<'a> = Vec<(u64, Value<'a>)>;

enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// Nothing where it is a number.
    fn bytes(&self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }
}

/// Takes a message apart; nothing where it is none.
fn message(mut data: &[u8]) -> Option<Message<'_>> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = read_varint(&mut data)?;
        let value = match key & 7 {
            0 => Value::Varint(read_varint(&mut data)?),
            1 => Value::Fixed64(number(split(&mut data, 8)?)),
            2 => {
                let length = usize::try_from(read_varint(&mut data)?).ok()?;
                Value::Bytes(split(&mut data, length)?)
            }
            5 => Value::Fixed32(number(split(&mut data, 4)?) as u32),
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

fn split<'a>(data: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (first, rest) = data.split_at_checked(count)?;
    *data = rest;
    Some(first)
}

fn read_varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(data, 1)?[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Up to eight bytes as a number, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn time(wall_s: f64) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend_from_slice(&wall_s.to_le_bytes());
    message
}

/// A field of bytes.
fn field(message: &mut Vec<u8>, name: u8, bytes: &[u8]) {
    message.push(name << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let sums = [masked(&length), masked(message)].map(u32::to_le_bytes);
    [&length[..], &sums[0], message, &sums[1]].concat()
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// CRC-32 with Castagnoli's polynomial, its bits in turned order.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut rest, mut bit) = (byte as u32, 0);
            while bit < 8 {
                rest = if rest & 1 == 1 { rest >> 1 ^ 0x82F6_3B78 } else { rest >> 1 };
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |rest, byte| rest >> 8 ^ TABLE[((rest ^ u32::from(*byte)) & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut file = first_record(1.5e9);
        for step in 1..=3u64 {
            let values = [("train/loss", 1.0 / step as f64), ("train/learning_rate", 1e-3)];
            file.extend(scalars_record(1.5e9 + step as f64, step * 100, &values));
        }
        file
    }

    #[test]
    fn check_sums_are_those_of_the_specification() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn what_is_written_is_read_and_a_torn_end_is_left_out() {
        let file = file();
        let read_back = read(&file).unwrap();
        assert_eq!(read_back.found.len(), 6);
        let last = Scalar { wall_s: 1.5e9 + 3.0, step: 300, tag: "train/loss".into(), value: f64::from(1f32 / 3.0) };
        assert!(read_back.found.contains(&last) && read_back.torn == 0, "{read_back:?}");
        for cut in 1..40 {
            let torn = read(&file[..file.len() - cut]).unwrap();
            assert!(torn.found.len() == 4 && torn.torn > 0, "{cut} bytes less: {torn:?}");
        }
    }

    #[test]
    fn numbers_in_tensors_are_read_and_pictures_left_out() {
        // A value with a tensor of one F32 as bytes, one of one F64 in a list, and one of text.
        let tensors: [&[(u8, &[u8])]; 3] =
            [&[(4, &0.25f32.to_le_bytes())], &[(6, &0.5f64.to_le_bytes())], &[(8, b"words")]];
        let mut file = first_record(0.0);
        for (kind, (tag, fields)) in [1u8, 2, 7].into_iter().zip(["a", "b", "c"].into_iter().zip(tensors)) {
            let (mut tensor, mut value, mut summary, mut message) = (vec![1 << 3, kind], vec![], vec![], time(0.0));
            fields.iter().for_each(|(name, bytes)| field(&mut tensor, *name, bytes));
            field(&mut value, 1, tag.as_bytes());
            field(&mut value, 8, &tensor);
            field(&mut summary, 1, &value);
            field(&mut message, 5, &summary);
            file.extend(record(&message));
        }
        let read_back = read(&file).unwrap();
        assert_eq!(read_back.found.iter().map(|s| s.value).collect::<Vec<_>>(), [0.25, 0.5]);
        assert_eq!(read_back.left_out, BTreeMap::from([("c".to_owned(), 1)]));
    }

    #[test]
    fn what_is_none_is_told_with_the_place() {
        assert_eq!(read(b"").unwrap_err().offset, 0);
        assert!(read(b"step,loss\n1,2\n and more").unwrap_err().problem.contains("check sum"));
        let mut other = file();
        let second = first_record(1.5e9).len();
        other[second + 14] ^= 1;
        assert_eq!(
            read(&other).unwrap_err(),
            NoEvents { offset: second, problem: "the check sum of a record does not fit" }
        );
        let no_version = scalars_record(0.0, 1, &[("a", 1.0)]);
        assert!(read(&no_version).unwrap_err().problem.contains("version"));
        // A length that would end behind the end of memory.
        let mut endless = u64::MAX.to_le_bytes().to_vec();
        let sum = masked(&endless);
        endless.extend(sum.to_le_bytes());
        endless.extend([0; 20]);
        assert!(read(&endless).unwrap_err().problem.contains("longer"));
    }
}
