"""Ports on the loopback address: which are free, and which to prefer."""

import errno
import socket
import zlib
from pathlib import Path

from infra.local_kafka.errors import KafkaUnavailable

HOST = "127.0.0.1"
PORT_MAX = 65535

# Below the range from which systems take the ports of outgoing connections: there, a client that keeps trying
# to reach a killed broker can be given the broker's own port, and connect to itself.
AUTO_PORT_FIRST = 20_000
AUTO_PORTS = 10_000


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does, so that connections of the last broker still winding down do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def asked_port(port: int) -> int:
    """Return the port a person asked for, or say that it cannot be had."""
    if not 1 <= port <= PORT_MAX:
        raise KafkaUnavailable(
            f"port {port} does not exist: --port takes 1 to {PORT_MAX}, or 0 for a free one"
        )
    if not is_free(port):
        raise KafkaUnavailable(
            f"port {port} on {HOST} is taken by another program: choose another with --port (0: a free one)"
        )
    return port


def auto_port(preferred: int | None, data_dir: Path, without: int | None = None) -> int:
    """Return the preferred port if it is free, else the first free one after a place given by the folder."""
    if preferred is not None and preferred != without and is_free(preferred):
        return preferred
    # Two folders rarely begin at the same place, so two Kafkas starting at once rarely want the same port.
    begin = zlib.crc32(str(data_dir).encode())
    for step in range(AUTO_PORTS):
        port = AUTO_PORT_FIRST + (begin + step) % AUTO_PORTS
        if port != without and is_free(port):
            return port
    raise KafkaUnavailable(
        f"no free port from {AUTO_PORT_FIRST} to {AUTO_PORT_FIRST + AUTO_PORTS - 1}: name one with --port"
    )
