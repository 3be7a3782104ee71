use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

const RESOLVE_SECONDS_MAX: u64 = 5;

/// Whether an address is one that anybody on the internet could be reached at. An IPv4 address inside an IPv6 one is
/// judged as what it is.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_reserved = match (a, b, c) {
        // "This network", and what is shared behind a carrier's translation.
        (0, ..) | (100, 64..=127, _) => true,
        // Protocol assignments, 6to4 relays, benchmarks, and the class that nobody got.
        (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _) | (240..=255, ..) => true,
        _ => false,
    };
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast();
    !is_reserved && !is_special
}

/// Only 2000::/3 is given out, and of it some is not for the internet.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_given_out = a & 0xe000 == 0x2000;
    let is_protocol = a == 0x2001 && b < 0x0200;
    let is_documentation = (a == 0x2001 && b == 0x0db8) || (a == 0x3fff && b < 0x1000);
    is_given_out && !is_protocol && !is_documentation
}

/// The IPv4 address that a translator would make of it.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        // Mapped, and translated by the well-known prefix.
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(v4(g, h)),
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

/// Looks a host up, and answers only if all of its addresses may be called. What is answered is what is connected to:
/// there is no second look-up that could say something else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver {
    pub allow_private: bool,
}

impl Resolver {
    pub async fn addresses(self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let looked_up = tokio::net::lookup_host((host, port));
        let found = tokio::time::timeout(Duration::from_secs(RESOLVE_SECONDS_MAX), looked_up)
            .await
            .map_err(|_| format!("looking up '{host}' took more than {RESOLVE_SECONDS_MAX} seconds"))?
            .map_err(|error| format!("cannot look up '{host}': {error}"))?;
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(format!("'{host}' has no address"));
        }
        match found.iter().find(|address| !self.allows(address.ip())) {
            Some(address) => Err(refused(host, address.ip())),
            None => Ok(found),
        }
    }

    pub fn allows(self, address: IpAddr) -> bool {
        self.allow_private || is_public(address)
    }
}

pub(super) fn refused(host: &str, address: IpAddr) -> String {
    format!(
        "Webhook URL must not resolve to a non-public IP address. '{host}' resolves to {address}; an operator can allow \
         it with `webhooks.allow_private_addresses`"
    )
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = *self;
        Box::pin(async move {
            // The port of the URL takes the place of this one.
            match resolver.addresses(name.as_str(), 0).await {
                Ok(found) => Ok(Box::new(found.into_iter()) as Addrs),
                Err(why) => Err(io::Error::other(why).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in ["93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "127.255.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn a_host_of_this_machine_is_refused_unless_it_is_allowed() {
        let refused = Resolver { allow_private: false }.addresses("localhost", 80).await.unwrap_err();
        assert!(refused.contains("'localhost' resolves to"), "{refused}");
        assert!(!Resolver { allow_private: true }.addresses("localhost", 80).await.unwrap().is_empty());
    }
}
