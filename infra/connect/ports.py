"""A port to listen on, or a sentence that names the setting to change."""

import socket

from schemas.errors import Unavailable


def listen(host: str, port: int, setting: str = "IBFLOW_API_PORT") -> socket.socket:
    """A socket on an address that is free; raise `Unavailable` if it is not."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            f"choose another port with {setting}, or 0 for any free one"
        ) from None


def url_at(host: str, port: int) -> str:
    """Where this machine reaches what listens there; "everywhere" is an address to listen on, not to ask."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 # read, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
