//! The probe: one vocabulary of operations for every host.

pub mod env_ops;
pub mod go_ops;
pub mod plain;
pub mod resolve_ops;
pub mod text_ops;
