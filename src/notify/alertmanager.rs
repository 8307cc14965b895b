//! Alertmanager's API v2. An alert is told apart by its labels, so these are the same in every message of it; it stands
//! until it is over, or until nobody has repeated it for a week.

use jobspec::value::Time;
use serde_json::json;

use super::message::State;
use super::{Failure, Message, http};

const PATH: &str = "/api/v2/alerts";

const WEEK_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;

pub fn send(url: &str, message: &Message) -> Result<(), Failure> {
    let url = url.trim_end_matches('/');
    let url = match url.ends_with(PATH) {
        true => url.to_owned(),
        false => format!("{url}{PATH}"),
    };
    let at_ns = Time::parse(message.run.at.as_bytes()).map_or(0, |time| time.ns);
    let ends_ns = match message.state {
        State::Resolved => at_ns,
        State::Firing | State::Unknown => at_ns
            .saturating_add(WEEK_NS)
            .saturating_add(message.repeat_ns.unwrap_or_default()),
    };
    let alert = json!({
        "labels": { "alertname": message.alert, "job": message.run.job, "sent_by": "logstitch" },
        "annotations": {
            "summary": message.title(),
            "description": message.lines().join("\n"),
            "state": message.state.name(),
            "certain": message.certain.to_string(),
        },
        "startsAt": message.since,
        "endsAt": Time::from_ns(ends_ns).to_string(),
    });
    http::post(&url, &[], &json!([alert]))
}
