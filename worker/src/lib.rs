//! The Cloudflare face: knows the platform, decides nothing.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]
pub mod page;
pub mod visitor;
