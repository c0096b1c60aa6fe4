//! The network runtime: the one room that knows tract.
