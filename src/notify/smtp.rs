//! A mail. Its Message-ID is the message's key, so that a mailbox that has it knows it again.

use jobspec::Target;
use jobspec::job::SmtpTls;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use super::{Failure, Message, TIMEOUT, http};

/// Characters of a subject.
const SUBJECT: usize = 200;

pub fn send(
    server: &str,
    tls: SmtpTls,
    account: Option<(String, String)>,
    from: &str,
    to: &[String],
    message: &Message,
) -> Result<(), Failure> {
    let mail = mail(from, to, message)?;
    let server = Target::parse(server).map_err(Failure::lasting)?;
    let (tls, port) = match tls {
        SmtpTls::None => (Tls::None, 25),
        SmtpTls::StartTls => (Tls::Required(parameters(&server.host)?), 587),
        SmtpTls::Tls => (Tls::Wrapper(parameters(&server.host)?), 465),
    };
    let mut transport = SmtpTransport::builder_dangerous(&server.host)
        .port(server.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(TIMEOUT));
    if let Some((user, password)) = account {
        transport = transport.credentials(Credentials::new(user, password));
    }
    transport.build().send(&mail).map(|_| ()).map_err(failure)
}

fn mail(from: &str, to: &[String], message: &Message) -> Result<lettre::Message, Failure> {
    let mailbox = |address: &str| {
        let address = address.parse::<lettre::Address>();
        address
            .map(|address| Mailbox::new(None, address))
            .map_err(|error| Failure::lasting(format!("a mail address: {error}")))
    };
    let subject: String = message.title().chars().take(SUBJECT).collect();
    let mut mail = lettre::Message::builder()
        .from(mailbox(from)?)
        .subject(subject)
        .message_id(Some(format!("<{}@logstitch>", message.id)))
        .date_now()
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        mail = mail.to(mailbox(address)?);
    }
    let body = format!("{}\n\n{}\n", message.title(), message.lines().join("\n"));
    mail.body(body)
        .map_err(|error| Failure::lasting(format!("the mail: {error}")))
}

fn parameters(host: &str) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = http::root_file()? {
        let certificate = Certificate::from_pem(&pem);
        let certificate =
            certificate.map_err(|_| Failure::lasting("SSL_CERT_FILE: no certificate in it"))?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(certificate);
    }
    builder
        .build()
        .map_err(|error| Failure::lasting(format!("TLS: {error}")))
}

/// In words of ours: what a server says may repeat what it was told.
fn failure(error: lettre::transport::smtp::Error) -> Failure {
    let why = match error.status() {
        Some(code) => format!("the server answered {code}"),
        None if error.is_timeout() => "timed out".to_owned(),
        None if error.is_tls() => format!("TLS: {error}"),
        None if error.is_client() => {
            "the server lacks what is needed: TLS, or a way to log in".to_owned()
        }
        None => "no connection".to_owned(),
    };
    match error.is_permanent() {
        true => Failure::lasting(why),
        false => Failure::passing(why),
    }
}
