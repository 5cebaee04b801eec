//! `GET /_edgeloom/health`: what this isolate decides from, without a secret.

use crate::bindings::settings;
use crate::platform::{Env, Response};
use crate::request::now_millis;
use crate::{indexes, respond, snapshots};
use edgeloom::json::{Tell, object};

/// Answers the route.
pub async fn answer(env: &Env) -> Response {
    let state = snapshots::fresh(env).await;
    let now = now_millis();
    let snapshot = state.snapshot.map(|snapshot| {
        object(&[
            ("version", &snapshot.version.to_string()),
            ("sequence", &snapshot.sequence),
            ("published_millis", &snapshot.published_millis),
            ("age_millis", &now.saturating_sub(snapshot.published_millis)),
        ])
    });
    let told = [
        ("site", &settings(env).site as &dyn Tell),
        ("source", &state.source.as_str()),
        ("snapshot", &snapshot),
        ("indexes", &indexes::told()),
    ];
    respond::json(200, &object(&told))
}
