//! Deterministic models of failing systems, on one engine of named choices.

pub mod engine;
pub mod linux;
pub mod scenario;
pub mod win7;
