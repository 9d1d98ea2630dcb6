//! URLs of a hub, and of the servers to which it points.

use std::net::IpAddr;

use ureq::http::Uri;

/// The URL of a request: `http` or `https`, with a host.
#[derive(Debug, Clone)]
pub(super) struct Address {
    uri: Uri,
    origin: Origin,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Address {
    /// The address in `text`; `None` if it is not the URL of a file or a folder on a server.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.split('#').next()?.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        // A name and a password in a URL would be sent to whoever it points to.
        let host =
            uri.host().filter(|host| !host.is_empty() && !authority.contains('@'))?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Some(Self { uri, origin: Origin { secure, host, port } })
    }

    /// The address that the header `location` of an answer from here names.
    pub(super) fn follow(&self, location: &str) -> Option<Self> {
        if location.is_empty() {
            return None;
        }
        let scheme = self.uri.scheme_str()?;
        let authority = self.uri.authority()?;
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let has_scheme =
            location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']));
        if has_scheme {
            return Self::parse(location);
        }
        let folder = match location.starts_with('/') {
            true => "",
            false => self.uri.path().rsplit_once('/').map_or("/", |(folder, _)| folder),
        };
        let between = if location.starts_with('/') { "" } else { "/" };
        Self::parse(&format!("{scheme}://{authority}{folder}{between}{location}"))
    }

    /// The address as a request needs it.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The address without what stands behind `?`, which may be a signature that opens the file.
    pub(super) fn shown(&self) -> String {
        self.uri.to_string().split('?').next().unwrap_or_default().to_owned()
    }

    /// Whether scheme, host and port are the same.
    pub(super) fn is_at_home(&self, home: &Self) -> bool {
        self.origin == home.origin
    }

    /// Whether HTTPS leads there.
    pub(super) fn is_secure(&self) -> bool {
        self.origin.secure
    }

    /// Whether what is sent there cannot be read on the way.
    pub(super) fn is_private(&self) -> bool {
        let host = self.origin.host.trim_start_matches('[').trim_end_matches(']');
        self.origin.secure
            || host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    #[test]
    fn locations_are_followed() {
        let from = at("https://hub.example/a/b/resolve/main/c?x=1");
        for (location, expected) in [
            ("https://cdn.example/f?s=1", "https://cdn.example/f"),
            ("//cdn.example/f", "https://cdn.example/f"),
            ("/api/c", "https://hub.example/api/c"),
            ("d", "https://hub.example/a/b/resolve/main/d"),
            ("/go?to=https://other.example/", "https://hub.example/go"),
        ] {
            assert_eq!(from.follow(location).expect(location).shown(), expected);
        }
        for location in ["", "file:///etc/passwd", "ftp://a/b", "https://", "https://u:p@h/f"] {
            assert!(from.follow(location).is_none(), "{location}");
        }
    }

    #[test]
    fn another_port_scheme_or_host_is_not_at_home() {
        let home = at("https://hub.example/");
        assert!(at("https://HUB.example:443/x").is_at_home(&home));
        for other in ["http://hub.example/", "https://hub.example:444/", "https://hub.example.org/"] {
            assert!(!at(other).is_at_home(&home), "{other}");
        }
        assert!(at("http://127.0.0.1:1/").is_private() && at("http://[::1]:1/").is_private());
        assert!(!at("http://hub.example/").is_private());
    }
}
