//! Tensor maths on burn only.
