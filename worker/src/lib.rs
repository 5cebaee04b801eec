//! A face of the core.
