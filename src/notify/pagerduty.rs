//! PagerDuty's Events API v2: one incident for an alert of a job, triggered, and resolved when it is over.

use serde_json::json;

use super::message::State;
use super::{Failure, Message, http};

pub const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";

/// Characters of a summary.
const MOST: usize = 1_000;

pub fn send(endpoint: &str, key: &str, message: &Message) -> Result<(), Failure> {
    let mut event = json!({
        "routing_key": key,
        "event_action": match message.state {
            State::Resolved => "resolve",
            State::Firing | State::Unknown => "trigger",
        },
        "dedup_key": message.incident,
    });
    if message.state != State::Resolved {
        let summary: String = message.title().chars().take(MOST).collect();
        event["client"] = json!("logstitch");
        event["payload"] = json!({
            "summary": summary,
            "source": message.run.job,
            "severity": match message.state {
                State::Firing => "error",
                _ => "warning",
            },
            "timestamp": message.run.at,
            "component": message.alert,
            "custom_details": message.json(),
        });
    }
    http::post(endpoint, &[("Idempotency-Key", &message.id)], &event)
}
