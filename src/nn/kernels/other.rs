//! Processors without loops of our own: Flex does everything.

use super::panel::{Element, Left, Onto};

/// There is no value of it here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {}

impl Level {
    pub(super) fn detect() -> Option<Self> {
        None
    }
}

pub(super) fn dot<E: Element>(level: Level, _: &[E], _: &[f32]) -> f32 {
    match level {}
}

pub(super) fn turn_rows<E: Element>(level: Level, _: &[E], _: usize, _: usize, _: &mut [f32]) {
    match level {}
}

pub(super) fn copy_columns(level: Level, _: &[f32], _: usize, _: usize, _: &mut [f32]) {
    match level {}
}

pub(super) fn gather_tile(level: Level, _: &[f32], _: usize, _: usize, _: &mut [f32]) {
    match level {}
}

#[expect(unsafe_code, reason = "the loops for other processors write through pointers")]
pub(super) unsafe fn tile(level: Level, _: Left<'_>, _: &[f32], _: Onto<'_>, _: *mut f32, _: usize) {
    match level {}
}

pub(super) fn softmax(level: Level, _: &mut [f32], _: f32) {
    match level {}
}

pub(super) fn gate(level: Level, _: &mut [f32], _: Option<&[f32]>, _: f32, _: f32) {
    match level {}
}

pub(super) fn add(level: Level, _: &mut [f32], _: &[f32]) {
    match level {}
}
