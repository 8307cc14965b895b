//! Slack's incoming webhooks, and whatever takes the same: a text with its marks taken out.

use serde_json::json;

use super::message::State;
use super::{Failure, Message, http};

/// Characters of a text.
const MOST: usize = 3_000;

pub fn send(url: &str, message: &Message) -> Result<(), Failure> {
    let sign = match message.state {
        State::Firing => ":rotating_light:",
        State::Unknown => ":grey_question:",
        State::Resolved => ":white_check_mark:",
    };
    let title = quoted(&message.title());
    let lines = quoted(&message.lines().join("\n"));
    let text: String = format!("{sign} {title}\n{lines}")
        .chars()
        .take(MOST)
        .collect();
    http::post(url, &[], &json!({ "text": text }))
}

/// `<!channel>`, links and entities begin with these three.
fn quoted(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
