mod bench;
mod sequences;
mod storms;
