//! What is filled in: what is asked for, of whom, and how long they learn.

use super::nets::{Net, distances};
use crate::types::{MemoryKind, MemorySpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The form. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    pub of: MemoryKind,
    pub nets: BTreeSet<Net>,
    /// Optimiser steps of each.
    pub steps: usize,
    /// Questions at each distance.
    pub questions: usize,
    /// Of weights, of what is learned from and of the questions.
    pub seed: u64,
}

impl Default for Form {
    fn default() -> Self {
        let nets = [Net::Lstm, Net::Transformer].into();
        Self { of: MemoryKind::Copy, nets, steps: 600, questions: 200, seed: 1 }
    }
}

impl Form {
    /// What is asked.
    pub fn questions(&self) -> MemorySpec {
        let (of, distances) = (self.of, distances(self.of));
        MemorySpec { of, distances, questions: self.questions, seed: self.seed }
    }
}
