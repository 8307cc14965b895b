//! The small executable that is uploaded: serves one runner on stdin and stdout.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--version") {
        println!("logstitch-mapper {}", mapper::message::BUILD);
        return ExitCode::SUCCESS;
    }
    match mapper::serve::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logstitch-mapper: {error}");
            ExitCode::FAILURE
        }
    }
}
