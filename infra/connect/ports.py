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
