//! The download, from programs: real processes, and servers on loopback that respond correctly and incorrectly.
#![cfg(feature = "download")]

mod programs;
mod web;

use programs::{ROOT, program, stdout};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use web::{Server, Tls, finish, tunnel};

/// The file that is downloaded.
static MNIST: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(Path::new(ROOT).join("examples/data/mnist.npz")).unwrap());

const LOADED: &str = "60000 10000\n";

/// A user's folders, and the program that loads.
struct User {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Some of these users are not the user that runs the tests.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "here", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let program = program(folder.path(), "download.c");
        User { folder, program }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, in an environment of its own.
    fn command(&self, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path("here")).env_clear();
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("tmp")).env("KERAS_HOME", self.path("keras"));
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        command
    }

    /// The program's output when the file is at `url`.
    fn load(&self, url: &str) -> String {
        self.load_with(&[("MNIST_DATA_URL", url)])
    }

    fn load_with(&self, variables: &[(&str, &str)]) -> String {
        String::from_utf8(self.command(variables).output().unwrap().stdout).unwrap()
    }

    /// All files and folders in the user's folders.
    fn listing(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
                let path = entry.path();
                found.insert(path.strip_prefix(self.folder.path()).unwrap().to_str().unwrap().to_string());
            }
        }
        found
    }

    /// The entries that are not in `before`.
    fn added(&self, before: &BTreeSet<String>) -> Vec<String> {
        self.listing().difference(before).cloned().collect()
    }
}

const CACHE: [&str; 3] = ["keras", "keras/datasets", "keras/datasets/mnist.npz"];

/// A response with these header lines.
fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
}

fn good() -> Vec<u8> {
    answer(&format!("200 OK\r\nContent-Length: {}", MNIST.len()), &MNIST)
}

fn redirect(to: &str) -> Vec<u8> {
    answer(&format!("302 Found\r\nContent-Length: 0\r\nLocation: {to}"), b"")
}

/// In pieces of this many bytes.
fn chunked(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in bytes.chunks(size) {
        body.extend(format!("{:x}\r\n", piece.len()).bytes().chain(piece.iter().copied()).chain(*b"\r\n"));
    }
    answer("200 OK\r\nTransfer-Encoding: chunked", &[&body, &b"0\r\n\r\n"[..]].concat())
}

#[test]
fn the_right_file_arrives_where_keras_puts_it_and_nothing_else() {
    let server = Server::bytes(good());
    let user = User::new();
    let before = user.listing();
    assert_eq!(user.load(&server.url()), LOADED);
    assert_eq!(user.added(&before), CACHE);
    assert!(std::fs::read(user.path(CACHE[2])).unwrap() == *MNIST);
    let head = server.heads().concat();
    assert!(head.starts_with("GET /mnist.npz HTTP/1.1\r\n") && head.contains("accept-encoding: identity"), "{head}");
    // The file is in the cache now: no server is contacted again, not even for an invalid address.
    assert_eq!(user.load(&server.url()) + &user.load("nowhere"), LOADED.repeat(2));
    assert_eq!(server.heads().len(), 1);
    let user = User::new();
    let mut command = user.command(&[("MNIST_DATA_URL", &server.url()), ("KERAS_HOME", "")]);
    assert_eq!(stdout(&mut command), LOADED);
    assert!(std::fs::read(user.path("home/.keras/datasets/mnist.npz")).unwrap() == *MNIST);
}

#[test]
fn every_way_to_send_the_right_file() {
    let redirects = |count: usize| {
        Server::start(move |head, mut stream| {
            let place = head.split(['/', ' ']).nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
            let next = if place < count { redirect(&format!("/{}", place + 1)) } else { good() };
            finish(&mut stream, &next);
        })
    };
    let more = [&good()[..], b"and more that does not belong to it"].concat();
    let servers = [
        ("chunked", Server::bytes(chunked(&MNIST, 100_000))),
        ("chunked finely", Server::bytes(chunked(&MNIST, 4093))),
        ("its length unknown", Server::bytes(answer("200 OK", &MNIST))),
        ("more than its length", Server::bytes(more)),
        ("as itself", Server::bytes(answer("200 OK\r\nContent-Encoding: identity", &MNIST))),
        ("five redirects on", redirects(5)),
    ];
    for (name, server) in &servers {
        assert_eq!(User::new().load(&server.url()), LOADED, "{name}");
    }
    let user = User::new();
    let text = user.load(&redirects(6).url());
    assert!(text.starts_with("MNIST_ERROR_NETWORK: ") && text.ends_with("too many redirects\n"), "{text}");
    println!("{} servers sent it, each in its way", servers.len());
}

/// Sends `start`, and then `more` endlessly.
fn endless(start: Vec<u8>, more: Vec<u8>) -> Server {
    Server::start(move |_, mut stream| {
        let mut sent = stream.write_all(&start);
        while sent.is_ok() {
            sent = stream.write_all(&more);
        }
    })
}

#[test]
fn whatever_else_is_sent_is_an_error_and_leaves_nothing() {
    let length =
        |length: usize, body: &[u8]| Server::bytes(answer(&format!("200 OK\r\nContent-Length: {length}"), body));
    let (size, half) = (MNIST.len(), &MNIST[..MNIST.len() / 2]);
    let mut other = MNIST.clone();
    other[size / 3] ^= 1;
    let zeros = vec![0; 1 << 16];
    let chunk = [&b"10000\r\n"[..], &zeros, b"\r\n"].concat();
    let itself = Server::start(|head, mut stream| {
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        finish(&mut stream, &redirect(&format!("http://{host}/again")));
    });
    let cases = [
        ("cut", length(size, half), "NETWORK", "isconnected"),
        (
            "cut, its length unknown",
            Server::bytes(answer("200 OK", half)),
            "NETWORK",
            "ended too soon: expected 11490434 or 11490519 bytes, found 5745259",
        ),
        (
            "another length",
            length(size / 2, half),
            "CHECKSUM",
            "wrong size: expected 11490434 or 11490519 bytes, found 5745259",
        ),
        ("another length, claimed alone", length(size + 1, &MNIST), "CHECKSUM", "wrong size"),
        ("a huge length", length(usize::MAX, &MNIST), "CHECKSUM", "wrong size"),
        ("no length", length(0, b""), "CHECKSUM", "found 0"),
        ("a length that is none", Server::bytes(answer("200 OK\r\nContent-Length: -1", &MNIST)), "NETWORK", "failed"),
        (
            "cut to the other size",
            Server::bytes(answer("200 OK", &MNIST[..11_490_434])),
            "CHECKSUM",
            "expected 731c5ac6",
        ),
        ("another file", length(size, &other), "CHECKSUM", "wrong SHA-256: expected 88eaf78b"),
        ("a longer file", Server::bytes(chunked(&[&MNIST[..], b"x"].concat(), 65536)), "CHECKSUM", "found more"),
        ("a shorter file", Server::bytes(chunked(&MNIST[..size - 1], 65536)), "NETWORK", "found 11490518"),
        ("no chunk", Server::bytes(answer("200 OK\r\nTransfer-Encoding: chunked", b"zz\r\n")), "NETWORK", "failed"),
        ("endless", endless(answer("200 OK", b""), zeros), "CHECKSUM", "found more"),
        ("endless chunks", endless(answer("200 OK\r\nTransfer-Encoding: chunked", b""), chunk), "CHECKSUM", "more"),
        ("an endless head", endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(1000)), "NETWORK", "failed"),
        (
            "gzip",
            Server::bytes(answer("200 OK\r\nContent-Encoding: gzip", half)),
            "NETWORK",
            "expected none, found gzip",
        ),
        ("404", Server::bytes(answer("404 Not Found\r\nContent-Length: 0", b"")), "NETWORK", "http status: 404"),
        ("500", Server::bytes(answer("500 Oh\r\nContent-Length: 0", b"")), "NETWORK", "http status: 500"),
        ("nothing", Server::bytes(answer("204 No Content", b"")), "NETWORK", "expected http status 200, found 204"),
        ("a part", Server::bytes(answer("206 Partial Content", &MNIST)), "NETWORK", "found 206"),
        ("not HTTP", Server::bytes(b"220 smtp.example.com ESMTP\r\n".repeat(10)), "NETWORK", "failed"),
        ("silence", Server::bytes(Vec::new()), "NETWORK", "isconnected"),
        ("a loop", itself, "NETWORK", "too many redirects"),
        ("redirected nowhere", Server::bytes(redirect("")), "NETWORK", "failed"),
        ("redirected to a file", Server::bytes(redirect("file:///etc/passwd")), "NETWORK", "failed"),
    ];
    let user = User::new();
    let before = user.listing();
    for (name, server, status, message) in &cases {
        let text = user.load(&server.url());
        let begin = format!("MNIST_ERROR_{status}: {}: {}", user.path(CACHE[2]).display(), server.url());
        assert!(text.starts_with(&begin) && text.contains(message), "{name}: {text}");
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
        assert_eq!(user.added(&before), [""; 0], "{name}");
    }
    println!("{} wrong answers refused", cases.len());
}

#[test]
fn an_address_that_is_none_is_named() {
    let user = User::new();
    let before = user.listing();
    for (url, shown) in [
        ("ftp://host/mnist.npz", "`ftp://host/mnist.npz`"),
        ("file:///etc/passwd", "`file:///etc/passwd`"),
        ("mnist.npz", "`mnist.npz`"),
        ("http://", "`http://`"),
        ("http://me:secret@ho st/", "`http://***@ho st/`"),
    ] {
        let expected = "environment variable MNIST_DATA_URL: not the URL of a file: \
                        expected https://... or http://..., found";
        assert_eq!(user.load(url), format!("MNIST_ERROR_INVALID_ARGUMENT: {expected} {shown}\n"));
    }
    let server = Server::bytes(answer("403 Forbidden\r\nContent-Length: 0", b""));
    let text = user.load(&server.url().replace("http://", "http://me:secret@"));
    assert!(text.contains("http://***@127.0.0.1") && !text.contains("secret"), "{text}");
    assert_eq!(user.added(&before), [""; 0]);
}

#[test]
fn six_processes_at_once_end_with_one_whole_file() {
    let user = User::new();
    let before = user.listing();
    let slow = Server::start(|_, mut stream| {
        let bytes = good();
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let _ = stream.write_all(first);
        std::thread::sleep(Duration::from_millis(500)); // until all of them are running
        finish(&mut stream, rest);
    });
    let url = slow.url();
    let loading: Vec<_> = (0..6).map(|_| user.command(&[("MNIST_DATA_URL", &url)]).spawn().unwrap()).collect();
    let texts: Vec<_> = loading.into_iter().map(|child| child.wait_with_output().unwrap().stdout).collect();
    assert!(texts.iter().all(|text| text == LOADED.as_bytes()), "{texts:?}");
    assert_eq!(user.added(&before), CACHE);
    assert!(std::fs::read(user.path(CACHE[2])).unwrap() == *MNIST);
    println!("six processes, {} downloads, one file", slow.heads().len());
}

/// Some of them fail and remove the folder that they have created; this must not affect the others.
#[test]
fn who_fails_does_not_disturb_who_does_not() {
    let (good, bad) = (Server::bytes(good()), Server::bytes(answer("404 Not Found\r\nContent-Length: 0", b"")));
    let mut loaded = 0;
    for _ in 0..3 {
        let user = User::new();
        let urls = [&bad, &good, &bad, &bad, &good, &bad, &bad, &bad].map(Server::url);
        let loading = urls.each_ref().map(|url| user.command(&[("MNIST_DATA_URL", url)]).spawn().unwrap());
        for (child, url) in loading.into_iter().zip(&urls) {
            let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            // A process that was meant to fail, but came last, has found the file.
            assert!(text == LOADED || (*url == bad.url() && text.contains("404")), "{text}");
            loaded += usize::from(*url == good.url());
        }
        assert_eq!(std::fs::read_dir(user.path("keras/datasets")).unwrap().count(), 1);
    }
    assert_eq!(loaded, 6);
}

/// Waits for `condition` with a time limit.
fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_a_killed_download_left_is_cleared_by_the_next_and_a_live_one_is_not() {
    static GO_ON: AtomicBool = AtomicBool::new(false);
    let held = Server::start(|_, mut stream| {
        let bytes = good();
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let _ = stream.write_all(first);
        wait_for("the signal to go on", || GO_ON.load(Ordering::Acquire));
        finish(&mut stream, rest);
    });
    let user = User::new();
    let datasets = user.path("keras/datasets");
    let half_there = |count: usize| {
        let sizes = || std::fs::read_dir(&datasets).into_iter().flatten().filter_map(|file| file.ok()?.metadata().ok());
        wait_for("half a file", || sizes().filter(|file| file.len() > 1 << 22).count() == count);
    };
    let begin = || user.command(&[("MNIST_DATA_URL", &held.url())]).spawn().unwrap();
    let mut killed = begin();
    half_there(1);
    killed.kill().unwrap(); // SIGKILL
    killed.wait().unwrap();
    let left: Vec<_> = user.listing().into_iter().filter(|name| name.starts_with("keras/datasets/")).collect();
    assert!(left.len() == 1 && left[0].ends_with(".tmp"), "no mnist.npz, and a piece: {left:?}");
    let live = begin();
    wait_for("a second request", || held.heads().len() == 2);
    half_there(1);
    assert_eq!(std::fs::read_dir(&datasets).unwrap().count(), 1, "the piece was cleared, and one is being written");
    assert_eq!(user.load(&Server::bytes(good()).url()), LOADED);
    assert_eq!(std::fs::read_dir(&datasets).unwrap().count(), 2, "the live one goes on");
    GO_ON.store(true, Ordering::Release);
    assert_eq!(live.wait_with_output().unwrap().stdout, LOADED.as_bytes());
    assert_eq!(std::fs::read_dir(&datasets).unwrap().count(), 1);
    assert!(std::fs::read(user.path(CACHE[2])).unwrap() == *MNIST);
}

#[test]
fn a_proxy_is_asked_unless_the_host_is_excepted() {
    let server = Server::bytes(good());
    let url = server.url();
    let connect = format!("CONNECT {} HTTP/1.1", server.address);
    let mut runs = 0;
    for (variables, asked) in [
        (vec!["http_proxy"], true),
        (vec!["HTTP_PROXY"], true),
        (vec!["all_proxy"], true),
        (vec!["ALL_PROXY"], true),
        (vec!["https_proxy"], false),
        (vec!["http_proxy", "no_proxy=other,127.0.0.1"], false),
        (vec!["ALL_PROXY", "NO_PROXY=*"], false),
        (vec!["ALL_PROXY", "NO_PROXY=example.com"], true),
    ] {
        let proxy = Server::proxy(server.address.clone(), "200 Connection established");
        let address = format!("http://me:p%40ss@{}", proxy.address);
        let mut environment: Vec<_> =
            variables.iter().map(|&text| text.split_once('=').unwrap_or((text, &address))).collect();
        environment.push(("MNIST_DATA_URL", &url));
        assert_eq!(User::new().load_with(&environment), LOADED, "{variables:?}");
        assert_eq!(proxy.requests(), vec![connect.clone(); usize::from(asked)], "{variables:?}");
        let credentials = proxy.heads().iter().all(|head| head.contains("Proxy-Authorization: Basic bWU6cEBzcw=="));
        assert!(credentials, "{:?}", proxy.heads());
        runs += 1;
    }
    println!("{runs} settings of a proxy");
}

#[test]
fn a_proxy_that_does_not_serve_is_an_error_that_names_it() {
    let server = Server::bytes(good());
    let url = server.url();
    let refusing = Server::proxy(server.address.clone(), "407 Proxy Authentication Required");
    let user = User::new();
    let load = |proxy: &str| user.load_with(&[("MNIST_DATA_URL", &url), ("http_proxy", proxy)]);
    let text = load(&format!("http://me:secret@{}", refusing.address));
    assert!(
        text.starts_with("MNIST_ERROR_NETWORK") && text.contains(&format!("proxy {}: ", refusing.address)),
        "{text}"
    );
    assert!(text.contains("407") && !text.contains("secret"), "{text}");
    let text = load("http://127.0.0.1:1");
    assert!(text.starts_with("MNIST_ERROR_NETWORK") && text.contains("proxy 127.0.0.1:1: "), "{text}");
    let text = load("gopher://me:secret@proxy");
    let expected = "environment variable http_proxy: not the address of a proxy: expected \
                    [http://|https://|socks5://][user:password@]host[:port], found `gopher://***@proxy`\n";
    assert_eq!(text, format!("MNIST_ERROR_INVALID_ARGUMENT: {expected}"));
    assert!(server.heads().is_empty(), "no request bypassed the proxy");
}

#[test]
fn socks_is_spoken_too() {
    let server = Server::bytes(good());
    let target = server.address.clone();
    let socks = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("socks5://{}", socks.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut stream: TcpStream = socks.accept().unwrap().0;
        let mut hello = [0; 2];
        stream.read_exact(&mut hello).unwrap();
        stream.read_exact(&mut vec![0; hello[1].into()]).unwrap();
        stream.write_all(&[5, 0]).unwrap();
        stream.read_exact(&mut [0; 10]).unwrap(); // the request to connect to an IPv4 address
        stream.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).unwrap();
        tunnel(stream, &target);
    });
    let url = server.url();
    assert_eq!(User::new().load_with(&[("MNIST_DATA_URL", &url), ("ALL_PROXY", &proxy)]), LOADED);
}

#[test]
fn https_goes_through_a_proxy_by_connect_and_only_to_a_server_that_can_be_trusted() {
    let user = User::new();
    let Some(tls) = Tls::start(&user.path("tmp")) else {
        println!("no openssl here: not tried");
        return;
    };
    let before = user.listing();
    let untrusted = |variables: &[(&str, &str)]| {
        let text = user.load_with(variables);
        assert!(text.starts_with("MNIST_ERROR_NETWORK: ") && text.contains("certificate"), "{text}");
    };
    let url = format!("https://{}/", tls.address);
    untrusted(&[("MNIST_DATA_URL", &url)]);
    untrusted(&[("MNIST_DATA_URL", &Server::bytes(redirect(&url)).url())]);
    // Keras's own address, but another server responds.
    let proxy = Server::proxy(tls.address.clone(), "200 Connection established");
    let address = format!("http://{}", proxy.address);
    untrusted(&[("https_proxy", &address), ("http_proxy", "http://127.0.0.1:1")]);
    untrusted(&[("ALL_PROXY", &address), ("MNIST_DATA_URL", "")]);
    assert_eq!(proxy.requests(), ["CONNECT storage.googleapis.com:443 HTTP/1.1"; 2]);
    assert_eq!(user.added(&before), [""; 0]);
}

#[test]
fn a_cache_that_cannot_be_written_to() {
    let server = Server::bytes(good());
    let url = server.url();
    let user = User::new();
    std::fs::write(user.path("file"), "mine").unwrap();
    std::fs::create_dir_all(user.path("locked/datasets")).unwrap();
    std::fs::create_dir_all(user.path("folder/datasets/mnist.npz")).unwrap();
    std::fs::create_dir_all(user.path("link/datasets")).unwrap();
    symlink("../../nowhere/x", user.path("link/datasets/mnist.npz")).unwrap();
    std::fs::set_permissions(user.path("locked/datasets"), std::fs::Permissions::from_mode(0o555)).unwrap();
    std::fs::set_permissions(user.path("locked"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let before = user.listing();
    for (keras, status, place, message) in [
        ("file", "IO", "file/datasets", "Not a directory"),
        ("locked", "IO", "locked/datasets/mnist.npz", "temporary file beside it: Permission denied"),
        ("locked/deeper", "IO", "locked/deeper/datasets", "Permission denied"),
        ("folder", "IO", "folder/datasets/mnist.npz", "cannot be read: expected a file, found a directory"),
        ("link", "NOT_FOUND", "link/datasets/mnist.npz", "temporary file beside it: No such file"),
    ] {
        let home = user.path(keras);
        let mut command = user.command(&[("MNIST_DATA_URL", &url), ("KERAS_HOME", home.to_str().unwrap())]);
        if std::fs::write(user.path("locked/try"), "").is_ok() {
            std::fs::remove_file(user.path("locked/try")).unwrap();
            command.uid(65534); // root may write anywhere
        }
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let begin = format!("MNIST_ERROR_{status}: {}: {message}", user.path(place).display());
        assert!(text.starts_with(&begin), "{keras}: {text}, not {begin}");
    }
    assert_eq!(user.added(&before), [""; 0]);
    assert!(server.heads().is_empty(), "no request for a file that cannot be kept");
    // A link to a folder is accepted as cache.
    std::fs::create_dir(user.path("elsewhere")).unwrap();
    symlink("elsewhere", user.path("keras")).unwrap();
    assert_eq!(user.load(&url), LOADED);
    assert!(user.path("elsewhere/datasets/mnist.npz").is_file());
}

/// Files that are not a complete mnist.npz.
fn damaged() -> Vec<(&'static str, Vec<u8>)> {
    let mut flipped = MNIST.clone();
    flipped[MNIST.len() / 2] ^= 1;
    vec![
        ("cut", MNIST[..MNIST.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("a page", b"<!DOCTYPE html>".to_vec()),
        ("a bit of it flipped", flipped),
    ]
}

#[test]
fn a_damaged_file_in_the_cache_is_downloaded_again_or_named() {
    let (good, bad) = (Server::bytes(good()), Server::bytes(answer("404 Not Found\r\nContent-Length: 0", b"")));
    for (name, bytes) in damaged() {
        let user = User::new();
        let path = user.path(CACHE[2]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let before = user.listing();
        let text = user.load(&bad.url());
        assert!(text.starts_with(&format!("MNIST_ERROR_NETWORK: {}: ", path.display())), "{name}: {text}");
        let what = "the damaged file in Keras's cache was kept: delete it, or replace it by an undamaged mnist.npz";
        assert!(text.contains(what) && text.contains("404") && text.lines().count() == 1, "{name}: {text}");
        assert!(std::fs::read(&path).unwrap() == bytes && user.listing() == before, "{name}: it stays");
        assert_eq!(user.load(&good.url()), LOADED, "{name}");
        assert!(std::fs::read(&path).unwrap() == *MNIST && user.listing() == before, "{name}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(user.load(&bad.url()), LOADED, "{name}: no more requests");
    }
}

#[test]
fn a_link_in_the_cache_stays_one() {
    let (server, user) = (Server::bytes(good()), User::new());
    std::fs::create_dir_all(user.path("keras/datasets")).unwrap();
    symlink("../../there", user.path(CACHE[2])).unwrap();
    assert_eq!(user.load(&server.url()), LOADED);
    assert!(user.path(CACHE[2]).is_symlink() && std::fs::read(user.path("there")).unwrap() == *MNIST);
}

#[test]
fn a_download_with_closed_or_replaced_descriptors_or_under_a_timer() {
    for how in ["closed", "replaced", "signals"] {
        let slowly = Server::start(|_, mut stream| {
            for piece in good().chunks(MNIST.len() / 40) {
                if stream.write_all(piece).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            finish(&mut stream, b"");
        });
        let user = User::new();
        let mut command = user.command(&[("MNIST_DATA_URL", &slowly.url())]);
        let text = String::from_utf8(command.arg(how).output().unwrap().stdout).unwrap();
        assert_eq!(text, LOADED, "{how}");
        assert!(std::fs::read(user.path(CACHE[2])).unwrap() == *MNIST, "{how}");
    }
}

#[test]
fn what_the_environment_says_is_shown_without_what_a_terminal_obeys() {
    use std::os::unix::ffi::OsStrExt;
    let user = User::new();
    let evil = std::ffi::OsStr::from_bytes(b"/proc/a\x1b[31m\xff\n\xc2\x9b");
    let said = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    let text = said(user.command(&[("MNIST_DATA_URL", "http://127.0.0.1:1/")]).env("KERAS_HOME", evil));
    assert!(text.contains("/proc/a\\u{1b}[31m\\xff\\n\\u{9b}/datasets"), "{text:?}");
    for name in ["MNIST_DATA_URL", "http_proxy"] {
        let text = said(user.command(&[("MNIST_DATA_URL", "http://127.0.0.1:1/")]).env(name, "ftp://a\x1b[31m\nb"));
        assert!(text.contains("\\u{1b}[31m\\n") && !text.trim_end().contains(char::is_control), "{text:?}");
    }
}

/// Every file that is written, created, renamed or removed is in the cache.
#[test]
#[cfg(target_os = "linux")]
fn nothing_is_written_outside_the_cache() {
    let user = User::new();
    let server = Server::bytes(good());
    let trace = user.path("tmp/trace");
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=file", "-o"])
        .arg(&trace)
        .arg(&user.program)
        .current_dir(user.path("here"))
        .env("MNIST_DATA_URL", server.url())
        .env("KERAS_HOME", user.path("keras"))
        .env("NO_PROXY", "*")
        .output();
    let Some(traced) = traced.ok().filter(|output| output.stdout == LOADED.as_bytes()) else {
        println!("no strace here: not traced (what lies in the folders is compared above)");
        return;
    };
    assert!(traced.status.success());
    let text = std::fs::read_to_string(trace).unwrap();
    let changing = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "mkdir", "rename", "unlink", "rmdir", "link(", "chmod"];
    let changes: Vec<_> = text.lines().filter(|line| changing.iter().any(|word| line.contains(word))).collect();
    let cache = format!("\"{}", user.path("keras").display());
    assert!(changes.iter().all(|line| line.contains(&cache)), "{changes:#?}");
    assert!(changes.len() >= 4, "two folders, a file and its renaming: {changes:#?}");
    println!("{} changes, all of them in the cache", changes.len());
}
