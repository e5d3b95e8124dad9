//! Processors without loops of our own: Flex does everything.

use super::activation::Gate;
use super::adamw::Rates;
use super::eights::{GROUP, Group, Rows, Stretch};
use super::norm::Norm;
use super::panel::{Element, Left, Onto, PANEL};
use crate::nn::blocks::BlockType;
use std::mem::MaybeUninit;

/// There is no value of it here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {}

impl Level {
    pub(super) fn detect() -> Option<Self> {
        None
    }
}

pub(super) fn dots<E: Element>(level: Level, _: &[E], _: &[f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn transpose_rows<E: Element>(level: Level, _: &[E], _: usize, _: usize, _: &mut [f32]) {
    match level {}
}

pub(super) fn copy_columns<E: Element>(level: Level, _: &[E], _: usize, _: usize, _: &mut [f32]) {
    match level {}
}

#[expect(unsafe_code, reason = "the loops for other processors write through pointers")]
pub(super) unsafe fn tile(level: Level, _: Left<'_>, _: &[f32], _: Onto<'_>, _: *mut f32, _: usize) {
    match level {}
}

pub(super) fn block_dots(level: Level, _: BlockType, _: &[u8], _: usize, _: &[Stretch], _: &mut [f32]) {
    match level {}
}

pub(super) const PANEL_GROUP: usize = 1;
pub(super) const BLOCK_ROWS: usize = 1;

pub(super) fn tiles_blocks(level: Level) -> bool {
    match level {}
}

pub(super) fn lay_out_blocks(level: Level, _: BlockType, _: &[u8], _: usize, _: &mut [f32]) {
    match level {}
}

pub(super) fn block_tile(level: Level, _: BlockType, _: &Rows<'_>, _: &[f32], _: &mut [[f32; PANEL]; BLOCK_ROWS]) {
    match level {}
}

pub(super) fn round_group(level: Level, _: &[f32; GROUP]) -> Option<Group> {
    match level {}
}

pub(super) fn scores_of_query(level: Level, _: &[f32], _: &[f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn weighted_sum(level: Level, _: &[f32], _: &[f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn sums_beside(level: Level, _: &[f32], _: &[f32], _: &[f32]) -> [f32; 4] {
    match level {}
}

pub(super) fn exps_below(level: Level, _: &[f32], _: f32, _: &mut [f32]) {
    match level {}
}

pub(super) fn sum_of_exps(level: Level, _: &[f32], _: f32, _: f32) -> f32 {
    match level {}
}

pub(super) fn maximum(level: Level, _: &[f32]) -> f32 {
    match level {}
}

pub(super) fn count_above(level: Level, _: &[f32], _: f32) -> usize {
    match level {}
}

pub(super) fn softmax(level: Level, _: &mut [f32], _: usize, _: f32) {
    match level {}
}

pub(super) fn softmax_gradient(level: Level, _: &[f32], _: &mut [f32], _: usize) {
    match level {}
}

pub(super) fn exps_in_place(level: Level, _: &mut [f32], _: f32) -> f32 {
    match level {}
}

pub(super) fn scale(level: Level, _: &mut [f32], _: f32) {
    match level {}
}

pub(super) fn log_sum_exp(level: Level, _: &[f32]) -> f32 {
    match level {}
}

pub(super) fn cross_entropy(level: Level, _: &mut [f32], _: usize, _: f32) -> f32 {
    match level {}
}

pub(super) fn gate(level: Level, _: Gate, _: &[f32], _: Option<&[f32]>, _: &mut [MaybeUninit<f32>]) {
    match level {}
}

pub(super) fn gate_gradients(
    level: Level,
    _: Gate,
    _: &[f32],
    _: Option<&[f32]>,
    _: &[f32],
    _: &mut [MaybeUninit<f32>],
    _: Option<&mut [MaybeUninit<f32>]>,
) {
    match level {}
}

pub(super) fn gelu(level: Level, _: &[f32], _: &mut [MaybeUninit<f32>]) {
    match level {}
}

pub(super) fn gelu_gradient(level: Level, _: &[f32], _: &[f32], _: &mut [MaybeUninit<f32>]) {
    match level {}
}

pub(super) fn rotate(level: Level, _: &mut [f32], _: &[f32], _: &[f32], _: f32, _: f32) {
    match level {}
}

pub(super) fn normalise(level: Level, _: Norm, _: &[f32], _: &[f32], _: Option<&[f32]>, _: &mut [MaybeUninit<f32>]) {
    match level {}
}

pub(super) fn normalised_sum(level: Level, _: Norm, _: [&[f32]; 2], _: &[f32], _: &[f32], _: &mut [MaybeUninit<f32>]) {
    match level {}
}

pub(super) fn normalise_gradients(
    level: Level,
    _: Norm,
    _: [&[f32]; 3],
    _: &mut [MaybeUninit<f32>],
    _: &mut [f32],
    _: &mut [f32],
) {
    match level {}
}

pub(super) fn adamw(level: Level, _: &Rates, _: &[f32], _: &mut [f32], _: &mut [f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn sum_of_squares(level: Level, _: &[f32]) -> f32 {
    match level {}
}

pub(super) fn add(level: Level, _: &mut [f32], _: &[f32]) {
    match level {}
}

pub(super) fn tanh_sum(level: Level, _: &[f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn tanh_gradient(level: Level, _: &[f32], _: &[f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn lstm_step(level: Level, _: &[f32], _: &mut [f32], _: Option<&[f32]>, _: &mut [f32], _: &mut [f32]) {
    match level {}
}

pub(super) fn lstm_gradient(
    level: Level,
    _: &[f32],
    _: &[f32],
    _: Option<&[f32]>,
    _: &[f32],
    _: &mut [f32],
    _: &mut [f32],
) {
    match level {}
}
