//! A limit of time around whatever waits for another machine: a store that hangs must not hang us.

use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use worker::{Delay, Error, Result};

/// The result of some work, or an error once the limit has passed; the work is dropped then.
///
/// # Errors
/// What the work says, or that it is late.
pub async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match select(pin!(work), pin!(Delay::from(limit))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(Error::RustError(format!("no answer within {} ms", limit.as_millis()))),
    }
}
