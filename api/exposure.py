"""Who may ask: a token, or nobody but this machine."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from ipaddress import ip_address

from schemas.errors import Unusable
from schemas.settings import Settings


class ExposureError(Unusable):
    """The settings would show the ledger to anyone on the network."""


def check_exposure(settings: Settings) -> None:
    """Refuse to listen beyond loopback without a token; a file of operators has at least one person's."""
    has_tokens = settings.api_token.get_secret_value() or settings.operators_file
    if has_tokens or is_loopback(settings.api_host):
        return
    raise ExposureError(
        f"the API would listen on {settings.api_host} without a token; "
        "set IBFLOW_API_TOKEN, or IBFLOW_API_HOST=127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """True for names and addresses that only this machine reaches."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare.lower() == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers by which a proxy on this machine says that it asks for somebody else."""


def is_local_request(peer: str, headers: Mapping[str, str]) -> bool:
    """True if the request comes from this machine for itself.

    The peer is the other end of the socket, which nobody can spell. The Host header defends against a
    web page that has made its own name point to 127.0.0.1 and reads the ledger through a visitor's browser.
    """
    if any(name in headers for name in FORWARDED):
        return False
    name = headers.get("host", "")
    host = name.rpartition(":")[0] if name[-1:].isdigit() and ":" in name else name
    return is_loopback(peer) and is_loopback(host)


def credential(authorization: str) -> tuple[str, str]:
    """The scheme, and its Bearer token or HTTP Basic password; "" for anything else."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return "bearer", value.strip()
    if scheme.lower() != "basic":
        return "", ""
    try:
        return "basic", b64decode(value, validate=True).decode().partition(":")[2]
    except (Base64Error, UnicodeDecodeError):
        return "basic", ""
