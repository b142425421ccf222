//! A stand-in for GitHub's REST API: answers what a test says, and remembers what it was asked.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Null without one.
    pub body: Value,
    /// Whether it brought the token.
    pub with_token: bool,
}

/// What is answered: a status and a body; with 302 the body is the address to go to.
pub type Answer = (u16, Vec<u8>);

/// The stand-in; it ends with the test.
pub struct Api {
    pub url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Api {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away early is the test's business.
                let _ = serve(stream, &log, &answer);
            }
        });
        Self { url, asked }
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Those that change something.
    pub fn written(&self) -> Vec<Request> {
        self.asked().into_iter().filter(|r| r.method != "GET").collect()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &impl Fn(&Request) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut with_token) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.trim().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        with_token |= lower == "authorization: bearer the-token";
        if let Some(n) = lower.strip_prefix("content-length:") {
            length = n.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        with_token,
    };
    log.lock().expect("no panic").push(request.clone());
    let (status, body) = answer(&request);
    let location = if status == 302 {
        format!("Location: {}\r\n", String::from_utf8_lossy(&body))
    } else {
        String::new()
    };
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nConnection: close\r\n{location}Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}
