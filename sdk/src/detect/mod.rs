//! Boxes and five points.
