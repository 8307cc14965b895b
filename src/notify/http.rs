//! A POST of JSON. Redirects are refused: where a secret goes is what the user has said. No error says the URL, which may
//! be the secret.

use std::sync::Arc;

use serde_json::Value;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Failure, TIMEOUT};

pub fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> Result<(), Failure> {
    let tls = TlsConfig::builder().root_certs(roots()?).build();
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("logstitch/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    let agent = Agent::new_with_config(config);
    let mut request = agent.post(url).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send(body.to_string()).map_err(failure)?;
    match response.status().as_u16() {
        200..300 => Ok(()),
        status @ 300..400 => Err(Failure::lasting(format!(
            "the server answered {status}: redirects are not followed, name the place itself"
        ))),
        // It was busy, or not well: another time it may be.
        status @ (408 | 425 | 429 | 500..600) => {
            Err(Failure::passing(format!("the server answered {status}")))
        }
        status => Err(Failure::lasting(format!("the server answered {status}"))),
    }
}

/// The roots that this program is built with, or those of SSL_CERT_FILE.
fn roots() -> Result<RootCerts, Failure> {
    let Some(pem) = root_file()? else {
        return Ok(RootCerts::WebPki);
    };
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    Ok(RootCerts::Specific(Arc::new(certificates.collect())))
}

/// The file that SSL_CERT_FILE names.
pub fn root_file() -> Result<Option<Vec<u8>>, Failure> {
    match std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        None => Ok(None),
        Some(path) => std::fs::read(&path)
            .map(Some)
            .map_err(|error| Failure::lasting(format!("SSL_CERT_FILE: {error}"))),
    }
}

/// In words of ours: what the library would say may hold the URL.
fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(error) => Failure::passing(error.kind().to_string()),
        ureq::Error::Timeout(_) => Failure::passing("timed out"),
        ureq::Error::HostNotFound => Failure::passing("no host of this name"),
        ureq::Error::ConnectionFailed => Failure::passing("no connection"),
        ureq::Error::Rustls(error) => Failure::passing(format!("TLS: {error}")),
        ureq::Error::Tls(error) => Failure::passing(format!("TLS: {error}")),
        ureq::Error::Protocol(_) => Failure::passing("the answer is not HTTP"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Failure::lasting("this is no URL"),
        _ => Failure::passing("the request failed"),
    }
}
