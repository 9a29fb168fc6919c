mod bench;
mod laws;
mod sequences;
mod storms;
