//! Files that lie about themselves: each is refused with the byte where it does, and nothing is asked for on its word.

use super::header::Header;
use crate::load::error::LoadError;
use crate::types::UserError;
use proptest::prelude::*;
use std::path::Path;

/// A file put together by hand.
#[derive(Clone)]
struct Raw(Vec<u8>);

impl Raw {
    /// Magic, version 3, and how many tensors and settings follow.
    fn new(tensors: u64, settings: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(tensors).u64(settings)
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut raw = self.u64(text.len() as u64);
        raw.0.extend(text.as_bytes());
        raw
    }

    /// A setting of 32 bits.
    fn setting(self, key: &str, number: u32) -> Self {
        self.text(key).u32(4).u32(number)
    }

    /// A tensor in F32 with these axes, fastest first.
    fn tensor(self, name: &str, axes: &[u64], offset: u64) -> Self {
        let raw = self.text(name).u32(axes.len() as u32);
        axes.iter().fold(raw, |raw, axis| raw.u64(*axis)).u32(0).u64(offset)
    }

    /// Pads the header and puts zeros behind it.
    fn data(mut self, length: usize) -> Self {
        let header = self.0.len().next_multiple_of(32);
        self.0.resize(header + length, 0);
        self
    }

    fn read(&self) -> Result<Header, LoadError> {
        Header::read(Path::new("model.gguf"), &self.0)
    }

    /// At which byte it is refused, and with which words.
    fn refused(&self) -> (u64, String) {
        match self.read() {
            Err(LoadError::Gguf { at, problem, .. }) => (at, problem),
            other => panic!("{other:?}"),
        }
    }
}

const HEADER: u64 = 24;

fn good() -> Raw {
    Raw::new(2, 1).setting("a.b", 7).tensor("x", &[8, 2], 0).tensor("y", &[3], 64).data(64 + 12)
}

#[test]
fn what_is_whole_is_read() {
    let header = good().read().unwrap();
    assert_eq!(header.metadata.whole("a.b").unwrap(), Some(7));
    assert_eq!((header.tensors[0].shape.as_slice(), header.tensors[0].bytes.len()), (&[2, 8][..], 64));
    assert_eq!(header.tensors[1].bytes.end, good().0.len());
    let second = Raw(b"GGUF".to_vec()).u32(2).u64(0).u64(0);
    assert_eq!(second.read().unwrap().version, 2);
}

#[test]
fn other_formats_and_versions_are_named() {
    let told = |bytes: &[u8]| UserError::from(Header::read(Path::new("m.gguf"), bytes).unwrap_err()).to_string();
    assert!(told(b"<!DOCTYPE html>").contains("m.gguf is not a GGUF file"));
    assert!(told(b"GG").contains("is not a GGUF file"));
    assert!(told(b"tjgg\x03\0\0\0").contains("GGJT"));
    assert!(told(b"GGUF\x01\0\0\0\0\0\0\0").contains("version 1"));
    assert!(told(b"GGUF\x04\0\0\0").contains("version 4"));
    let big = told(b"GGUF\0\0\0\x03");
    assert!(big.contains("version 3 with big-endian numbers"), "{big}");
    assert!(told(b"version https://git-lfs.github.com/spec/v1\nsize 10\n").contains("pointer"));
}

#[test]
fn counts_beyond_the_file_are_refused_where_they_stand() {
    assert_eq!(Raw::new(u64::MAX, 0).refused().0, 8);
    assert_eq!(Raw::new(0, 1 << 40).refused().0, 16);
    let list = |count| Raw::new(0, 1).text("k").u32(9).u32(4).u64(count).u32(1);
    assert_eq!(list(1).read().unwrap().metadata.list("k").unwrap().unwrap().count, 1);
    let (at, problem) = list(1 << 62).refused();
    assert_eq!(at, HEADER + 9 + 4 + 4);
    assert!(problem.contains("the length of `k`") && problem.contains("room for 1"), "{problem}");
}

#[test]
fn texts_longer_than_the_file_are_refused() {
    let (at, problem) = Raw::new(0, 1).u64(1 << 31).u64(0).refused();
    assert_eq!(at, HEADER);
    assert!(problem.contains("the name of setting 0"), "{problem}");
    let (_, problem) = Raw::new(0, 1).text("k").u32(8).u64(u64::MAX).refused();
    assert!(problem.contains("the value of `k`"), "{problem}");
}

#[test]
fn lists_in_lists_end_somewhere() {
    let mut raw = Raw::new(0, 1).text("k").u32(9);
    for _ in 0..100_000 {
        raw = raw.u32(9).u64(1);
    }
    assert!(raw.u32(4).u64(0).refused().1.contains("lists in lists"));
}

#[test]
fn twice_the_same_name_is_refused() {
    let settings = Raw::new(0, 2).setting("k", 1).setting("k", 2);
    assert!(settings.refused().1.contains("two settings `k`"));
    let tensors = Raw::new(2, 0).tensor("x", &[1], 0).tensor("x", &[1], 32).data(64);
    assert!(tensors.refused().1.contains("two tensors `x`"));
}

#[test]
fn kinds_nobody_has_are_refused() {
    assert!(Raw::new(0, 1).text("k").u32(13).refused().1.contains("type 13"));
    assert!(Raw::new(1, 0).text("x").u32(1).u64(32).u32(77).u64(0).data(64).refused().1.contains("element type 77"));
    let flag = Raw(Raw::new(0, 1).text("k").u32(7).0.into_iter().chain([2]).collect());
    assert!(flag.refused().1.contains("neither true nor false"));
}

#[test]
fn shapes_nobody_has_are_refused() {
    let shape = |axes: &[u64]| Raw::new(1, 0).tensor("x", axes, 0).data(64).refused().1;
    assert!(shape(&[1, 1, 1, 1, 1]).contains("5 axes"));
    assert!(shape(&[0]).contains("an axis of 0"));
    assert!(shape(&[1 << 40, 1 << 40]).contains("which no tensor has"));
    assert!(shape(&[u64::MAX]).contains("which no tensor has"));
    let blocks = Raw::new(1, 0).text("x").u32(1).u64(33).u32(8).u64(0).data(64).refused().1;
    assert!(blocks.contains("no whole blocks of 32 (Q8_0)"), "{blocks}");
}

#[test]
fn tensors_beyond_the_file_or_askew_are_refused() {
    let (at, problem) = Raw::new(1, 0).tensor("x", &[32], 32).data(128).refused();
    assert_eq!(at, HEADER);
    assert!(problem.contains("it is cut short"), "{problem}");
    let far = Raw::new(1, 0).tensor("x", &[32], u64::MAX - 31).data(128).refused().1;
    assert!(far.contains("cut short"), "{far}");
    assert!(Raw::new(1, 0).tensor("x", &[1], 4).data(128).refused().1.contains("no multiple of 32"));
    let overlap = Raw::new(2, 0).tensor("x", &[16], 0).tensor("y", &[1], 32).data(128).refused().1;
    assert_eq!(overlap, "the tensors `x` and `y` overlap");
    for alignment in [0, 1, 24, 1 << 31] {
        let raw = Raw::new(0, 1).setting("general.alignment", alignment);
        assert!(matches!(raw.read(), Err(LoadError::Field { .. })), "{alignment}");
    }
}

#[test]
fn wherever_a_file_is_cut_it_is_refused_and_nothing_panics() {
    let whole = good().0;
    for length in 0..whole.len() {
        assert!(Header::read(Path::new("m"), &whole[..length]).is_err(), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(mut changes in proptest::collection::vec((0usize..160, any::<u8>()), 1..6)) {
        let mut bytes = good().0;
        for (at, byte) in changes.drain(..) {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        if let Ok(header) = Header::read(Path::new("m"), &bytes) {
            for tensor in &header.tensors {
                prop_assert!(tensor.bytes.end <= bytes.len() && tensor.bytes.start <= tensor.bytes.end);
            }
        }
    }
}
