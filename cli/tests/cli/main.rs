//! The built program, run as a user runs it: files in a folder of their own, a server on this machine.
// The lints see tests in `#[test]` functions only, not in what they share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod offline;
mod program;
mod publish;
mod server;
