//! A Worker in Rust that says hello, as the template of workers-rs does: what `cargo xtask bench startup` compares with.

use worker::{Context, Env, Request, Response, Result, event};

#[event(fetch)]
async fn hello(_request: Request, _env: Env, _ctx: Context) -> Result<Response> {
    Response::ok("hello")
}
