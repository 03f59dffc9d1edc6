//! Servers on loopback for the tests: one that answers requests, a proxy, and openssl's server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A server that runs as long as the test's process.
pub struct Server {
    /// `127.0.0.1:1234`
    pub address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Runs `answer` for each connection, on a thread of its own, with the head of the request.
    pub fn start(answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (heads.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen, answer) = (stream.unwrap(), seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    let head = read_head(&stream);
                    seen.lock().unwrap().push(head.clone());
                    answer(&head, stream);
                });
            }
        });
        Server { address, heads }
    }

    /// A server that sends `bytes` for every request.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Server::start(move |_, mut stream| finish(&mut stream, &bytes))
    }

    /// A proxy that connects every request to `target`; with a status other than 200 it does not connect.
    pub fn proxy(target: String, status: &'static str) -> Self {
        Server::start(move |_, mut stream| {
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
            if status.starts_with("200") {
                tunnel(stream, &target);
            }
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}/mnist.npz", self.address)
    }

    /// The first lines of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.heads().iter().map(|head| head.lines().next().unwrap_or_default().to_string()).collect()
    }

    /// The heads of the requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Reads byte by byte, so that nothing after the head is consumed.
fn read_head(mut stream: &TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Sends `bytes` and ends the connection.
pub fn finish(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut Vec::new()); // the other side closes first, so that no data is lost
}

/// Copies data in both directions.
pub fn tunnel(client: TcpStream, target: &str) {
    let server = TcpStream::connect(target).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let there = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    there.join().unwrap();
}

/// openssl's server, with an untrusted certificate.
pub struct Tls {
    server: Child,
    /// `127.0.0.1:1234`
    pub address: String,
}

impl Tls {
    /// `None` if openssl is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.current_dir(folder).args(arguments.split_whitespace()).stderr(Stdio::null());
            command
        };
        let make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out certificate.pem";
        if !openssl(make).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let serve = "s_server -accept 127.0.0.1:0 -www -key key.pem -cert certificate.pem";
        let mut server = openssl(serve).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.strip_prefix("ACCEPT ")?.to_string()));
        std::thread::spawn(move || lines.for_each(drop));
        Some(Tls { server, address: address? })
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
