mod bench;
mod laws;
mod recovery;
mod sequences;
mod storms;
