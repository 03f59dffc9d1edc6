//! The download: to a temporary file in the same folder, whose size and SHA-256 are checked before it is renamed.

use super::proxy;
use crate::error::{At, Error, ErrorKind, Result};
use crate::files::{FilePath, Taken, replace};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

/// A file on the web, and its accepted versions.
pub struct Source<'a> {
    /// Its URL. An https URL may redirect only to https.
    pub url: &'a str,
    /// The accepted files.
    pub known: &'a [Known<'a>],
}

/// A file known by its size and checksum.
pub struct Known<'a> {
    pub bytes: u64,
    pub sha256: &'a str,
}

/// What `keras.datasets.mnist.load_data` downloads; or the same arrays in this project's `examples/data`, which users
/// may serve themselves.
pub const MNIST: Source<'_> = Source {
    url: "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    known: &[
        Known { bytes: 11_490_434, sha256: "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1" },
        Known { bytes: 11_490_519, sha256: "88eaf78b3cf8a302b5c253212171853934f34bb083759fe893a3554a84c56f0a" },
    ],
};

impl Source<'_> {
    /// The longest accepted file.
    fn most(&self) -> u64 {
        self.known.iter().map(|known| known.bytes).max().unwrap_or(0)
    }

    /// `11490434 or 11490519 bytes`
    fn sizes(&self) -> String {
        let sizes: Vec<_> = self.known.iter().map(|known| known.bytes.to_string()).collect();
        format!("{} bytes", sizes.join(" or "))
    }

    fn wrong_size(&self) -> Error {
        Error::new(ErrorKind::Checksum, "not the expected file: wrong size").expected(self.sizes())
    }
}

/// Time limits for connecting, for the answer, for each piece and for the whole transfer; and the trusted certificates.
struct Terms {
    connect: Duration,
    answer: Duration,
    piece: Duration,
    whole: Duration,
    roots: RootCerts,
}

const TERMS: Terms = Terms {
    connect: Duration::from_secs(30),
    answer: Duration::from_secs(30),
    piece: Duration::from_secs(30),
    whole: Duration::from_secs(600),
    roots: RootCerts::WebPki,
};

/// The most redirects that are followed.
const REDIRECTS: u32 = 5;

/// Downloads `source` to `path`, whose folder exists. A failure leaves nothing behind; two processes that do this at
/// once both end with the complete file. Uses the proxy from the environment.
pub fn download(source: &Source<'_>, path: &FilePath) -> Result<()> {
    let address = address(source.url)?;
    on_terms(TERMS, proxy::from_environment(&address)?, source, path)
}

fn on_terms(terms: Terms, proxy: Option<Proxy>, source: &Source<'_>, path: &FilePath) -> Result<()> {
    let agent = agent(terms, proxy, &address(source.url)?);
    let _taken = Taken::now(); // sockets and the resolver's files must not get standard descriptors
    replace(path, |file| {
        let body = ask(&agent, source).at(without_password(source.url))?;
        receive(body, source, file)
    })
    .at(path)
}

/// A URL of a file.
pub fn address(url: &str) -> Result<Uri> {
    let uri = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "not the URL of a file")
            .expected("https://... or http://...")
            .found(format_args!("`{}`", without_password(url)))
    })
}

/// The HTTP client for `address` and its redirects.
fn agent(terms: Terms, proxy: Option<Proxy>, address: &Uri) -> Agent {
    let config = Agent::config_builder()
        .https_only(address.scheme_str() == Some("https"))
        .proxy(proxy)
        .max_redirects(REDIRECTS)
        .accept_encoding("identity")
        .timeout_connect(Some(terms.connect))
        .timeout_recv_response(Some(terms.answer))
        .timeout_per_read(Some(terms.piece))
        .timeout_global(Some(terms.whole))
        .tls_config(TlsConfig::builder().root_certs(terms.roots).build());
    config.build().into()
}

/// Sends the request; returns the body, if the headers fit the expected file.
fn ask(agent: &Agent, source: &Source<'_>) -> Result<impl Read + use<>> {
    let response = agent.get(source.url).call().map_err(|error| match agent.config().proxy() {
        Some(proxy) => network(&error).at(format_args!("proxy {}:{}", proxy.host(), proxy.port())),
        None => network(&error),
    })?;
    check_head(&response, source)?;
    // One byte more than the longest file detects one that is too long.
    Ok(response.into_body().into_reader().take(source.most() + 1))
}

fn check_head<T>(response: &Response<T>, source: &Source<'_>) -> Result<()> {
    let header =
        |name| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let refused = |what, expected: &str, found: String| {
        Err(Error::new(ErrorKind::Network, what).expected(expected).found(found.escape_debug()))
    };
    if response.status() != StatusCode::OK {
        return refused("the server sent no file", "http status 200", response.status().as_u16().to_string());
    }
    if let Some(encoding) = header(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return refused("the server used a content encoding that was not requested", "none", encoding);
    }
    match header(CONTENT_LENGTH).and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(length) if source.known.iter().all(|known| known.bytes != length) => {
            Err(source.wrong_size().found(length))
        }
        _ => Ok(()),
    }
}

/// Writes a body to `file` and checks it.
fn receive(mut body: impl Read, source: &Source<'_>, file: &mut File) -> Result<()> {
    let (mut sum, mut received) = (Sha256::new(), 0u64);
    let mut piece = vec![0; 1 << 16];
    loop {
        let n = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => {
                let error = network(&error).at(format_args!("byte {received}"));
                return Err(error.at(without_password(source.url)));
            }
        };
        sum.update(&piece[..n]);
        file.write_all(&piece[..n])?;
        received += n as u64;
    }
    check_body(source, received, &hex(&sum.finalize())).at(without_password(source.url))
}

fn check_body(source: &Source<'_>, received: u64, sum: &str) -> Result<()> {
    match source.known.iter().find(|known| known.bytes == received) {
        Some(known) if known.sha256 == sum => Ok(()),
        Some(known) => Err(Error::new(ErrorKind::Checksum, "not the expected file: wrong SHA-256")
            .expected(known.sha256)
            .found(sum)),
        None if received > source.most() => Err(source.wrong_size().found("more")),
        // Without a Content-Length a broken connection looks like this.
        None => Err(Error::new(ErrorKind::Network, "the file ended too soon").expected(source.sizes()).found(received)),
    }
}

fn network(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Network, format!("the download failed: {error}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A URL for a message: `http://user:password@host/x` is shown as `http://***@host/x`.
pub fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    match url[start..].rfind('@') {
        Some(at) => format!("{}***{}", &url[..start], &url[start + at..]),
        None => url.to_string(),
    }
}

#[cfg(test)]
mod tests;
