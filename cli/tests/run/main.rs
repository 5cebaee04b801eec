//! The program as people and scripts run it, with real files and a site on loopback.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod evaluate;
mod index;
mod program;
mod publish;
mod replay;
mod simulate;
mod site;
