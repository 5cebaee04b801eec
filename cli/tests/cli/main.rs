//! The built program, run as a user runs it: files in a folder of their own, a server on this machine.

mod check;
mod offline;
mod program;
mod publish;
mod server;
