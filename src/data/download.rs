//! The one download: to a temporary file beside its place, its size and SHA-256 checked, then renamed.

use crate::error::{At, Error, ErrorKind, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file on the web that is known.
pub struct Source<'a> {
    pub url: &'a str,
    pub bytes: u64,
    pub sha256: &'a str,
    /// Whether anything but https is refused, redirects included.
    pub https_only: bool,
}

/// What `keras.datasets.mnist.load_data` downloads.
pub const MNIST: Source<'_> = Source {
    url: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    bytes: 11_490_434,
    sha256: "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    https_only: true,
};

/// How long a server may take to be reached, to answer, to send the next piece, and the whole transfer to last.
const CONNECT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(30);
const PIECE: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(600);

/// Redirects that are followed.
const REDIRECTS: u32 = 5;

/// Brings `source` to `path`, whose folder exists. Whatever fails, nothing is left behind; and two processes that do
/// this at once both end with the whole file. Proxies are taken from the environment (`HTTPS_PROXY`, `ALL_PROXY`, ...).
pub fn download(source: &Source<'_>, path: &Path) -> Result<()> {
    let mut temporary = Temporary::create(path).at(path.display())?;
    receive(source, &mut temporary.file).at(source.url)?;
    temporary.file.sync_all().at(temporary.path.display())?;
    fs::rename(&temporary.path, path).at(path.display())
}

fn receive(source: &Source<'_>, file: &mut File) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .https_only(source.https_only)
        .max_redirects(REDIRECTS)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(PIECE))
        .timeout_global(Some(WHOLE))
        .build()
        .into();
    let response = agent.get(source.url).call().map_err(|error| network(&error))?;
    // One byte more than expected tells a file that is too long.
    let mut body = response.into_body().into_reader().take(source.bytes + 1);
    let (mut sum, mut received) = (Sha256::new(), 0u64);
    let mut piece = vec![0; 1 << 16];
    loop {
        let n = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => return Err(network(&error).at(format_args!("byte {received}"))),
        };
        sum.update(&piece[..n]);
        file.write_all(&piece[..n])?;
        received += n as u64;
    }
    let wrong = |what| Error::new(ErrorKind::Checksum, what);
    match received {
        _ if received > source.bytes => {
            Err(wrong("the file is too long").expected(format_args!("{} bytes", source.bytes)).found("more"))
        }
        _ if received < source.bytes => Err(Error::new(ErrorKind::Network, "the connection was cut")
            .expected(format_args!("{} bytes", source.bytes))
            .found(received)),
        _ => match hex(&sum.finalize()) {
            found if found == source.sha256 => Ok(()),
            found => Err(wrong("not the file that was asked for").expected(source.sha256).found(found)),
        },
    }
}

fn network(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Network, format!("the download failed: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file beside its future place, removed when this is dropped (after its renaming there is nothing to remove).
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(target: &Path) -> Result<Self> {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.{number:x}.part", std::process::id()));
        let path = target.with_file_name(name);
        let file = File::create_new(&path)?;
        Ok(Temporary { path, file })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    const FILE: &[u8] = b"ten digits, sixty thousand times";

    /// Serves `answer` on loopback to whoever asks, and gives the address.
    fn serve(answer: impl Fn(u16) -> Vec<u8> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(20) {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let _ = stream.write_all(&answer(port));
            }
        });
        format!("http://127.0.0.1:{port}/mnist.npz")
    }

    fn answer(status: &str, claimed: usize, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {claimed}\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    /// What a download comes to, and what is in the folder afterwards.
    fn attempt(url: &str, https_only: bool) -> (Result<()>, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let sha256 = hex(&Sha256::digest(FILE));
        let source = Source { url, bytes: FILE.len() as u64, sha256: &sha256, https_only };
        let result = download(&source, &folder.path().join("mnist.npz"));
        let files = fs::read_dir(folder.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        (result, files.collect())
    }

    fn failure(answer: Vec<u8>) -> Error {
        let (result, left) = attempt(&serve(move |_| answer.clone()), false);
        assert!(left.is_empty(), "nothing is left behind");
        result.unwrap_err()
    }

    #[test]
    fn the_right_file_arrives() {
        let (result, files) = attempt(&serve(|_| answer("200 OK", FILE.len(), FILE)), false);
        result.unwrap();
        assert_eq!(files, [FILE]);
    }

    #[test]
    fn a_redirect_is_followed_a_loop_is_not() {
        let target = serve(|_| answer("200 OK", FILE.len(), FILE));
        let url = serve(move |_| {
            format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").into_bytes()
        });
        attempt(&url, false).0.unwrap();
        let url = serve(|port| {
            format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/x\r\nContent-Length: 0\r\n\r\n")
                .into_bytes()
        });
        assert_eq!(attempt(&url, false).0.unwrap_err().kind(), ErrorKind::Network);
    }

    #[test]
    fn whatever_else_comes_is_refused() {
        let mut other = FILE.to_vec();
        other[0] ^= 1;
        let wrong = failure(answer("200 OK", FILE.len(), &other));
        assert_eq!(wrong.kind(), ErrorKind::Checksum);
        assert!(wrong.to_string().contains("not the file that was asked for: expected"), "{wrong}");
        let long = [FILE, FILE].concat();
        assert_eq!(failure(answer("200 OK", long.len(), &long)).kind(), ErrorKind::Checksum);
        assert_eq!(failure(answer("200 OK", 5, &FILE[..5])).kind(), ErrorKind::Network, "shorter than known");
        assert_eq!(failure(answer("200 OK", FILE.len(), &FILE[..5])).kind(), ErrorKind::Network, "cut");
        let missing = failure(answer("404 Not Found", 0, b""));
        assert!(missing.kind() == ErrorKind::Network && missing.to_string().contains("404"), "{missing}");
    }

    #[test]
    fn plain_http_is_refused_where_https_is_asked_for() {
        let (result, files) = attempt(&serve(|_| answer("200 OK", FILE.len(), FILE)), true);
        assert_eq!((result.unwrap_err().kind(), files.len()), (ErrorKind::Network, 0));
    }

    #[test]
    fn nobody_there() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (result, files) = attempt(&format!("http://127.0.0.1:{port}/"), false);
        assert_eq!((result.unwrap_err().kind(), files.len()), (ErrorKind::Network, 0));
    }
}
