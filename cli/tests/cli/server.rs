//! A server on this machine that says what it is told to say, and keeps what it was asked. It knows no rules.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and target.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// An answer: status, header lines, body.
#[derive(Clone)]
pub struct Answer(pub u16, pub &'static str, pub String);

/// The server. Its thread ends with the last answer, or with the test.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Gives the answers one after the other.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let request = read(&stream);
                // Before the answer: when the client has it, the test may look.
                log.lock().unwrap().push(request);
                write(stream, &answer);
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    };
    let line = next().trim_end_matches(" HTTP/1.1").to_string();
    let lines = std::iter::from_fn(|| Some(next()).filter(|line| !line.is_empty()));
    let split =
        |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_string()));
    let headers: Vec<_> = lines.filter_map(split).collect();
    let mut request = Request { line, headers, body: String::new() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8(body).unwrap();
    request
}

fn write(mut stream: TcpStream, Answer(status, headers, body): &Answer) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    // A client that ends early (a redirect it does not follow) is the test's affair.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
