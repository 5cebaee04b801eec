//! What the Worker is given by its environment: names of bindings, and the settings, read once per isolate.

use crate::platform::{Env, console_error};
use crate::secret::Secrets;
use edgeloom::json::number::decimal;
use edgeloom::receipt::{Keyring, Purpose};
use edgeloom::seed::HOUR_MILLIS;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// Namespace of the published snapshots.
pub const STATE: &str = "STATE";
/// Class of the counting objects.
pub const SHARD: &str = "SHARD";
/// Class of the object that adds up and publishes.
pub const ROOT: &str = "ROOT";
/// Queue for events that no shard took in time.
pub const OVERFLOW: &str = "OVERFLOW";
/// Rate limiter of the public collect route; optional.
pub const INGEST_LIMIT: &str = "INGEST_LIMIT";

/// The platform takes one write per second and key.
const LEAST_PUBLISH_MILLIS: u64 = 1_000;

/// Settings of this deployment.
pub struct Settings {
    /// Name of the site.
    pub site: String,
    /// Keys of receipts and cookies; without them nothing is decided and no receipt is believed.
    pub receipts: Option<Keyring>,
    /// Marks our requests to the origin, so that a loop is seen.
    pub loop_token: String,
    /// Who may configure and look.
    pub admin: Secrets,
    /// Who is believed what it says of visits: logs without receipts, and facts to decide from.
    pub import: Secrets,
    /// Least time between two publications of learned weights, and between a shard's reports.
    pub publish_millis: u64,
    /// How long the isolate's snapshot is used before it is read again.
    pub fresh_millis: u64,
    /// Whether requests may ask for a fault; for tests only.
    pub faults: bool,
    client_key: Hmac<Sha256>,
}

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// The settings of this isolate; a change of them comes with a new isolate.
pub fn settings(env: &Env) -> Rc<Settings> {
    SETTINGS.with(|cell| cell.get_or_init(|| Rc::new(Settings::read(env))).clone())
}

impl Settings {
    fn read(env: &Env) -> Self {
        let site = text(env, "SITE").unwrap_or_else(|| "main".to_string());
        let keys = text(env, "RECEIPT_KEYS").unwrap_or_default();
        let receipts = Keyring::parse(&keys)
            .map_err(|error| console_error!("RECEIPT_KEYS: {error}; pages pass as they are"))
            .ok();
        let loop_token =
            receipts.as_ref().map(|ring| ring.sign_bytes(Purpose::Loop, site.as_bytes())).unwrap_or_default();
        let number =
            |name: &str, default: u64| text(env, name).and_then(|t| t.parse().ok()).unwrap_or(default);
        Self {
            receipts,
            loop_token,
            admin: Secrets::read("ADMIN_TOKENS", &text(env, "ADMIN_TOKENS").unwrap_or_default()),
            import: Secrets::read("IMPORT_KEYS", &text(env, "IMPORT_KEYS").unwrap_or_default()),
            publish_millis: number("PUBLISH_MILLIS", 5_000).max(LEAST_PUBLISH_MILLIS),
            fresh_millis: number("FRESH_MILLIS", 10_000),
            faults: text(env, "EDGELOOM_FAULTS").as_deref() == Some("on"),
            client_key: client_key(&keys),
            site,
        }
    }

    /// Key of the published snapshot.
    pub fn snapshot_key(&self) -> String {
        format!("site:{}:snapshot:v1", self.site)
    }

    /// Key of what is no longer to be shown from copies; `purges.mjs` reads it.
    pub fn purges_key(&self) -> String {
        format!("site:{}:purges:v1", self.site)
    }

    /// Key of what the indexes of the site consist of.
    pub fn indexes_key(&self) -> String {
        format!("indexes/{}", self.site)
    }

    /// Key of a piece of an index, by its content.
    pub fn piece_key(&self, hash: &str) -> String {
        format!("piece/{}/{hash}", self.site)
    }

    /// Key of what a visitor is interested in, by the key the site gave them.
    pub fn interest_key(&self, key: &str) -> String {
        format!("interest/{}/{key}", self.site)
    }

    /// A name for a client that changes every hour and tells nothing about its address.
    pub fn client_name(&self, address: &str, now_millis: u64) -> String {
        let hour = (now_millis / HOUR_MILLIS).to_le_bytes();
        let digest = self.client_key.clone().chain_update(hour).chain_update(address.as_bytes()).finalize();
        digest.into_bytes().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn client_key(secret: &str) -> Hmac<Sha256> {
    let digest = Sha256::new().chain_update(b"edgeloom client v1\0").chain_update(secret).finalize();
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(digest) {
        *to = from;
    }
    Hmac::<Sha256>::new(&block)
}

/// A variable or secret as text; numbers of `[vars]` come as numbers.
fn text(env: &Env, name: &str) -> Option<String> {
    let value = js_sys::Reflect::get(env, &JsValue::from_str(name)).ok()?;
    value.as_string().or_else(|| value.as_f64().map(decimal)).filter(|text| !text.is_empty())
}
