//! Hosts and origins, compared as browsers mean them.

use axum::extract::Request;
use axum::http::header;

/// `host` or `host:port`, in lower case, without the dot that may end a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub host: String,
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `name`, `name:port`, `1.2.3.4:port` and `[::1]:port`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map(str::parse).transpose().ok()?;
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '\\'));
        plain.then_some(Self { host, port })
    }

    /// What the client called this server: HTTP/2's authority or an absolute URI, else the `Host` header.
    pub fn of_request(request: &Request) -> Option<Self> {
        match request.uri().authority() {
            Some(authority) => Self::parse(authority.as_str()),
            None => Self::parse(request.headers().get(header::HOST)?.to_str().ok()?),
        }
    }

    /// The authority of an origin such as `https://ml.example.com:8443`; `None` for `null`.
    pub fn of_origin(origin: &str) -> Option<Self> {
        Self::parse(origin.split_once("://")?.1)
    }

    /// A name that every machine resolves to itself.
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    /// An IP address: a page of another site cannot make a browser send it, because rebinding needs a name.
    pub fn is_address(&self) -> bool {
        self.host.parse::<std::net::IpAddr>().is_ok()
    }

    /// Whether an entry of an allow-list stands for it: `host` for any port, `host:port`, `*.domain`, or `*`.
    pub fn matches(&self, entry: &str) -> bool {
        if entry == "*" {
            return true;
        }
        if let Some(domain) = entry.strip_prefix("*.") {
            let domain = domain.to_ascii_lowercase();
            return self.host.strip_suffix(&domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
        }
        // A bare IPv6 address has colons of its own.
        let bare_v6 = entry.parse::<std::net::Ipv6Addr>().is_ok();
        let entry = if bare_v6 { Self::parse(&format!("[{entry}]")) } else { Self::parse(entry) };
        entry.is_some_and(|e| e.host == self.host && (e.port.is_none() || e.port == self.port))
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = &self.host;
        if host.contains(':') {
            write!(f, "[{host}]")?
        } else {
            f.write_str(host)?
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(text: &str) -> Authority {
        Authority::parse(text).unwrap()
    }

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        for (text, host, port) in [
            ("localhost", "localhost", None),
            ("LOCALHOST.:8484", "localhost", Some(8484)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[::1]:8484", "::1", Some(8484)),
            ("[::1]", "::1", None),
        ] {
            assert_eq!(authority(text), Authority { host: host.into(), port }, "{text}");
        }
        for bad in ["", ":80", "a:b", "[::1", "[::1]80", "user@host", "a/b", "::1", "a:99999"] {
            assert_eq!(Authority::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_entry_without_a_port_stands_for_every_port() {
        assert!(authority("ml.example.com:8443").matches("ML.example.com"));
        assert!(authority("ml.example.com:8443").matches("ml.example.com:8443"));
        assert!(!authority("ml.example.com:8443").matches("ml.example.com:8484"));
        assert!(authority("[fd00::1]:8484").matches("fd00::1"));
        assert!(authority("anything").matches("*"));
    }

    #[test]
    fn a_wildcard_stands_for_names_below_the_domain_only() {
        assert!(authority("ml.example.com").matches("*.example.com"));
        assert!(!authority("example.com").matches("*.example.com"));
        assert!(!authority("evilexample.com").matches("*.example.com"));
        assert!(!authority(".example.com").matches("*.example.com"));
    }

    #[test]
    fn an_opaque_origin_has_no_authority() {
        assert_eq!(Authority::of_origin("null"), None);
        assert_eq!(Authority::of_origin("https://ml.example.com"), Some(authority("ml.example.com")));
    }
}
