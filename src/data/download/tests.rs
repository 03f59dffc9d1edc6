//! Internals of the download. What a program sees is tested in `tests/download.rs`.

use super::*;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

const FILE: &[u8] = b"ten digits, sixty thousand times";

/// A server on loopback that answers with `answer`; returns its address.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(20) {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            answer(stream);
        }
    });
    format!("http://127.0.0.1:{port}/mnist.npz")
}

fn answer(status: &str, claimed: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn serve_bytes(bytes: Vec<u8>) -> String {
    serve(move |mut stream| drop(stream.write_all(&bytes)))
}

/// The result of a download, and the files in the folder afterwards.
fn attempt(terms: Terms, url: &str) -> (Result<()>, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let sha256 = hex(&Sha256::digest(FILE));
    let known = [Known { bytes: FILE.len() as u64, sha256: &sha256 }, Known { bytes: 3, sha256: "none" }];
    let source = Source { url, known: &known };
    let result = on_terms(terms, None, &source, &FilePath::of(&folder.path().join("mnist.npz")).unwrap());
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    (result, files.collect())
}

fn failure(terms: Terms, url: &str) -> Error {
    let (result, left) = attempt(terms, url);
    assert!(left.is_empty(), "nothing is left behind");
    result.unwrap_err()
}

#[test]
fn the_right_file_arrives() {
    let (result, files) = attempt(TERMS, &serve_bytes(answer("200 OK", FILE.len(), FILE)));
    result.unwrap();
    assert_eq!(files, [FILE]);
}

#[test]
fn a_wrong_file_is_told_from_none() {
    let failure = |bytes| failure(TERMS, &serve_bytes(bytes));
    let mut other = FILE.to_vec();
    other[0] ^= 1;
    let wrong = failure(answer("200 OK", FILE.len(), &other));
    assert_eq!(wrong.kind(), ErrorKind::Checksum);
    assert!(wrong.to_string().contains("not the expected file: wrong SHA-256: expected"), "{wrong}");
    assert_eq!(failure(answer("200 OK", 64, &[FILE, FILE].concat())).kind(), ErrorKind::Checksum);
    assert_eq!(failure(answer("200 OK", 5, &FILE[..5])).kind(), ErrorKind::Checksum, "a whole file, but shorter");
    assert_eq!(failure(answer("200 OK", FILE.len(), &FILE[..5])).kind(), ErrorKind::Network, "cut");
    let missing = failure(answer("404 Not Found", 0, b""));
    assert!(missing.kind() == ErrorKind::Network && missing.to_string().contains("404"), "{missing}");
}

/// Terms with short time limits.
fn short(change: impl FnOnce(&mut Terms)) -> Terms {
    let mut terms = TERMS;
    change(&mut terms);
    terms
}

/// A server that stalls at any point is given up after a while.
#[test]
fn a_slow_server_is_not_waited_for() {
    const SHORT: Duration = Duration::from_millis(300);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n";
    let silent = |sent: Vec<u8>| {
        serve(move |mut stream| {
            let _ = stream.write_all(&sent);
            let _ = stream.read(&mut [0]); // until the other side closes
        })
    };
    // Slow bytes, each within its own limit.
    let drip = |sent: Vec<u8>| {
        serve(move |mut stream| {
            let _ = stream.write_all(&sent);
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(SHORT / 20);
            }
        })
    };
    let whole_head = [head, &b"\r\n"[..]].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20;".to_vec(); // its extension never ends
    let cases = [
        ("no answer", silent(Vec::new()), short(|terms| terms.answer = SHORT)),
        ("half a head", silent(head.to_vec()), short(|terms| terms.answer = SHORT)),
        ("a head in drops", drip(head.to_vec()), short(|terms| terms.answer = SHORT)),
        ("no body", silent(whole_head.clone()), short(|terms| terms.piece = SHORT)),
        ("half a body", silent([&whole_head, &FILE[..9]].concat()), short(|terms| terms.piece = SHORT)),
        ("a body in drops", drip(whole_head), short(|terms| terms.whole = SHORT / 4)),
        ("a chunk's head in drops", drip(chunked), short(|terms| terms.whole = SHORT)),
    ];
    let count = cases.len();
    for (name, url, terms) in cases {
        let start = std::time::Instant::now();
        let error = failure(terms, &url);
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains("timeout"), "{name}: {error}");
        assert!(start.elapsed() < 10 * SHORT, "{name}: {:?}", start.elapsed());
    }
    println!("{count} slow servers were left alone");
}

/// openssl's server with a certificate that only `roots` trusts; it serves the files of its folder.
struct Tls {
    server: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Tls {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = "[req]\ndistinguished_name=name\nprompt=no\n[name]\nCN=localhost\n\
                      [extensions]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
        std::fs::write(folder.path().join("config"), config).unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command.current_dir(folder.path()).args(arguments.split(' ')).stderr(Stdio::null());
            command
        };
        let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -config config \
                    -extensions extensions -keyout key.pem -out certificate.pem";
        if !openssl(make).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let serve = "s_server -accept 127.0.0.1:0 -HTTP -key key.pem -cert certificate.pem";
        let mut server = openssl(serve).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok())?;
        std::thread::spawn(move || lines.for_each(drop));
        Some(Tls { server, folder, port })
    }

    fn answers(&self, path: &str, bytes: &[u8]) -> String {
        std::fs::write(self.folder.path().join(path), bytes).unwrap();
        format!("https://127.0.0.1:{}/{path}", self.port)
    }

    fn roots(&self) -> RootCerts {
        let pem = std::fs::read(self.folder.path().join("certificate.pem")).unwrap();
        RootCerts::new_with_certs(&[ureq::tls::Certificate::from_pem(&pem).unwrap()])
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn https_stays_https() {
    let Some(tls) = Tls::start() else {
        println!("no openssl here: not tried");
        return;
    };
    let trusting = || short(|terms| terms.roots = tls.roots());
    let redirect = |to: &str| format!("HTTP/1.0 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    let plain = serve_bytes(answer("200 OK", FILE.len(), FILE));
    let secure = tls.answers("file", &answer("200 OK", FILE.len(), FILE));
    for url in [secure.clone(), tls.answers("on", &redirect(&secure)), serve_bytes(redirect(&secure)), plain.clone()] {
        let (result, files) = attempt(trusting(), &url);
        result.unwrap();
        assert_eq!(files, [FILE]);
    }
    for url in
        [tls.answers("down", &redirect(&plain)), tls.answers("later", &redirect(&tls.answers("d", &redirect(&plain))))]
    {
        let error = failure(trusting(), &url);
        assert!(error.kind() == ErrorKind::Network && error.to_string().contains("https only"), "{error}");
    }
    let error = failure(TERMS, &secure).to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[test]
fn nobody_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(failure(TERMS, &format!("http://127.0.0.1:{port}/")).kind(), ErrorKind::Network);
}

#[test]
fn addresses() {
    for bad in ["", "mnist.npz", "http://", "file:///etc/passwd", "ftp://host/x", "http://ho st/", "//host/x"] {
        assert_eq!(address(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad}");
    }
    for good in ["http://host", "HTTPS://host/x?y", "http://[::1]:80/x", MNIST.url] {
        address(good).unwrap();
    }
    assert_eq!(without_password("http://user:password@host/x"), "http://***@host/x");
    assert_eq!(without_password(MNIST.url), MNIST.url);
}
