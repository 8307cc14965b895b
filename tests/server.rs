//! An HTTP server on loopback: it answers as it is told to, and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server was sent, header names in lower case.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

#[derive(Default)]
struct Script {
    /// Answers to the next requests: a status line's rest and further headers. Then 200.
    answers: Vec<String>,
    /// Requests after which the connection is left open without an answer.
    silent: bool,
    requests: Vec<Request>,
}

pub struct Server {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = script.clone();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Server { address, script }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn answer(&self, answers: &[&str]) {
        let mut script = self.script.lock().unwrap();
        script.answers = answers
            .iter()
            .rev()
            .map(|answer| (*answer).to_owned())
            .collect();
    }

    /// Takes requests and says nothing.
    pub fn be_silent(&self, silent: bool) {
        self.script.lock().unwrap().silent = silent;
    }

    pub fn requests(&self) -> Vec<Request> {
        self.script.lock().unwrap().requests.clone()
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.script.lock().unwrap().requests)
    }
}

fn serve(stream: TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (answer, silent) = {
        let mut script = script.lock().unwrap();
        script.requests.push(Request {
            path,
            headers,
            body: String::from_utf8(body).unwrap(),
        });
        (script.answers.pop(), script.silent)
    };
    if silent {
        // Until whoever waits for the answer is gone.
        let _ = reader.read_to_end(&mut Vec::new());
        return;
    }
    let answer = answer.unwrap_or_else(|| "200 OK".to_owned());
    let mut stream = stream;
    let _ = write!(
        stream,
        "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}
