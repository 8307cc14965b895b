//! A webhook of any kind: the message as JSON, its key also as a header.

use super::{Failure, Message, http};

pub fn send(url: &str, message: &Message) -> Result<(), Failure> {
    http::post(url, &[("Idempotency-Key", &message.id)], &message.json())
}
