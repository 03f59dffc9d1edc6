//! The proxy of a download, from the same environment variables as for curl and Python.
//!
//! For an https address it is `https_proxy`, for http `http_proxy`, otherwise `all_proxy`; each in capitals as well.
//! Hosts in `no_proxy` are reached directly: `example.com` (with its subdomains), `127.*`, `*`, separated by commas.

use super::download::without_password;
use crate::error::{Error, ErrorKind, Result};
use crate::variables;
use std::ffi::OsString;
use ureq::Proxy;
use ureq::http::Uri;

/// The proxy for `uri` and its redirects; `None`: no proxy.
pub fn from_environment(uri: &Uri) -> Result<Option<Proxy>> {
    choose(uri, &variables::get)
}

fn choose(uri: &Uri, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Proxy>> {
    let own = match uri.scheme_str() {
        Some("https") => ["https_proxy", "HTTPS_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY"],
    };
    // In a CGI program the sender of the request controls HTTP_PROXY: it is the header `Proxy`.
    let cgi = variable("REQUEST_METHOD").is_some();
    let mut names = own.into_iter().chain(["all_proxy", "ALL_PROXY"]).filter(|&name| !(cgi && name == "HTTP_PROXY"));
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let Some((name, value)) = names.find_map(|name| set(name).map(|value| (name, value))) else {
        return Ok(None);
    };
    let except = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    let proxy = value.to_str().and_then(|value| build(value, &except.to_string_lossy()));
    proxy.map(Some).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, "not the address of a proxy")
            .expected("[http://|https://|socks5://][user:password@]host[:port]")
            .found(format_args!("`{}`", without_password(&value.to_string_lossy())))
            .at(format_args!("environment variable {name}"))
    })
}

fn build(address: &str, except: &str) -> Option<Proxy> {
    let named = Proxy::new(address).ok()?;
    let mut builder = Proxy::builder(named.protocol()).host(named.host()).port(named.port());
    if let Some(user) = named.username() {
        builder = builder.username(user);
    }
    if let Some(password) = named.password() {
        builder = builder.password(password);
    }
    for host in except.split(|c: char| c == ',' || c.is_whitespace()).filter(|host| !host.is_empty()) {
        builder = match host.trim_start_matches('.') {
            pattern if pattern.contains('*') => builder.no_proxy(pattern),
            address if address.contains(':') && !address.starts_with('[') => builder.no_proxy(&format!("[{address}]")),
            host => builder.no_proxy(host).no_proxy(&format!(".{host}")),
        };
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy of `url`, when these variables are set: its address, or `direct`.
    fn proxy(url: &str, variables: &[(&str, &str)]) -> Result<String> {
        let variable = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(value))
        };
        let uri: Uri = url.parse().unwrap();
        Ok(match choose(&uri, &variable)? {
            Some(proxy) if !proxy.is_no_proxy(&uri) => {
                format!("{} {}:{}", proxy.protocol(), proxy.host(), proxy.port())
            }
            _ => "direct".to_string(),
        })
    }

    #[test]
    fn the_variable_of_the_scheme_comes_before_the_one_for_all() {
        let (http, https) = ("http://example.com/x", "https://example.com/x");
        let all = [("http_proxy", "a:1"), ("HTTPS_PROXY", "http://b"), ("ALL_PROXY", "socks5h://c")];
        let through = |url, variables: &[_]| proxy(url, variables).unwrap();
        assert_eq!((through(http, &all), through(https, &all)), ("HTTP a:1".into(), "HTTP b:80".into()));
        assert_eq!((through(http, &all[1..]), through(https, &all[..1])), ("SOCKS5h c:1080".into(), "direct".into()));
        assert_eq!(through(https, &[("https_proxy", ""), ("HTTPS_PROXY", "b")]), "HTTP b:80");
        let cgi = [("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")];
        assert_eq!((through(http, &cgi[..1]), through(http, &cgi)), ("HTTP evil:80".into(), "direct".into()));
    }

    #[test]
    fn hosts_without_a_proxy() {
        let except = |list, url: &str| proxy(url, &[("all_proxy", "p:1"), ("NO_PROXY", list)]).unwrap();
        for (list, host, direct) in [
            ("example.com", "example.com", true),
            ("example.com", "a.example.com", true),
            (".example.com", "example.com", true),
            ("example.com", "anexample.com", false),
            ("other, example.com", "EXAMPLE.com", true),
            ("*.example.com", "a.example.com", true),
            ("127.*", "127.0.0.1", true),
            ("::1", "[::1]", true),
            ("*", "example.com", true),
            ("other", "example.com", false),
        ] {
            let expected = if direct { "direct" } else { "HTTP p:1" };
            assert_eq!(except(list, &format!("http://{host}:8080/x")), expected, "{list} {host}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_an_error_and_not_a_direct_connection() {
        for bad in ["http://", "ftp://proxy", "a b", "user:secret@ho st"] {
            let message = proxy("http://example.com/", &[("http_proxy", bad)]).unwrap_err().to_string();
            assert!(message.starts_with("environment variable http_proxy: not the address of a proxy"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn who_asks_the_proxy_is_kept() {
        let proxy = build("http://user:p%40ss@host:3128", "").unwrap();
        assert_eq!((proxy.username(), proxy.password(), proxy.port()), (Some("user"), Some("p@ss"), 3128));
    }
}
