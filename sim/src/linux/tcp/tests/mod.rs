//! Tests of the whole module: event sequences against recordings, and laws that every run keeps.

mod bench;
mod sequences;
mod storms;
