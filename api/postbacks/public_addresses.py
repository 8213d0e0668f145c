"""Which URLs, hosts and addresses a postback may reach: public unicast, and nothing that leads inside."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

HTTPS_PORTS = frozenset({443, 8443})
HTTP_PORTS = frozenset({80})
DENIED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and a cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent, on a public address
        "169.254.0.0/16",  # link-local, and most clouds' metadata service
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
IPV6_UNICAST = ip_network("2000::/3")
"""All global unicast is here. Mapped, NAT64 (64:ff9b::/96), ULA, link-local and multicast are not."""

_NUMERIC_LABEL = re.compile(r"(0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one endpoint may reach. `allow_private` is for tests and one's own machine only."""

    allow_http: bool = False
    allow_private: bool = False


class BlockedAddress(ValueError):
    """The address is not one a postback may reach."""


def check_address(text: str) -> IPv4Address | IPv6Address:
    """Give the address if it is public; anything not understood is refused."""
    try:
        address = ip_address(text)
    except ValueError:
        raise BlockedAddress(f"{text!r} is not an IP address") from None
    outside = isinstance(address, IPv6Address) and address not in IPV6_UNICAST
    if outside or not address.is_global or any(address in network for network in DENIED):
        raise BlockedAddress(f"{address} is not a public address")
    return address


def check_host(host: str) -> None:
    """Refuse hosts that hide an address, such as `2130706433`, `0x7f.1`, `0177.0.0.1`."""
    name = host.rstrip(".")
    if not name or "%" in host:
        raise BlockedAddress(f"{host!r} is not a host name")
    if ":" in name:
        check_address(name)
        return
    if not _NUMERIC_LABEL.fullmatch(name.rpartition(".")[2]):
        return
    try:
        IPv4Address(name)
    except ValueError:
        raise BlockedAddress(f"{host!r} is a number in disguise, not a host name") from None
    check_address(name)


def check_url(url: str, policy: Policy) -> None:
    """Refuse a URL whose scheme, port, credentials or host are not allowed."""
    parts = urlsplit(url)
    schemes = ("https", "http") if policy.allow_http else ("https",)
    if parts.scheme not in schemes:
        raise BlockedAddress(f"the scheme must be {' or '.join(schemes)}")
    if parts.username is not None or parts.password is not None:
        raise BlockedAddress("credentials do not belong in a URL")
    if not parts.hostname or any(c.isspace() or c == "\\" for c in url):
        raise BlockedAddress("the URL has no clean host")
    if policy.allow_private:
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if port not in (HTTPS_PORTS if parts.scheme == "https" else HTTP_PORTS):
        raise BlockedAddress(f"port {port} is not one of {sorted(HTTPS_PORTS | HTTP_PORTS)}")
    check_host(parts.hostname)
