//! Tells programs that announce themselves from browsers, by their `User-Agent` alone.

/// Whether a `User-Agent` header belongs to a crawler.
#[must_use]
pub fn is_crawler(user_agent: &str) -> bool {
    user_agent.contains("bot")
}
