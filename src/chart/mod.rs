//! Figures for export.
