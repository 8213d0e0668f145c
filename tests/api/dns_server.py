"""A DNS server on loopback that answers what a test says, each time a name is asked for."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Thread

A, AAAA, IN, OK = 1, 28, 1, 0x8180
Answers = Callable[[str, int], list[str]]
"""A name and a type, `A` or `AAAA` → addresses."""


@contextmanager
def resolving(answers: Answers, port: int = 0) -> Iterator[int]:
    """Answer over UDP on a free port, or on the one that the system's resolver asks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))
        thread = Thread(target=_serve, args=(server, answers))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.sendto(b"", server.getsockname())
            thread.join()


def _serve(server: socket.socket, answers: Answers) -> None:
    while True:
        query, asker = server.recvfrom(512)
        if not query:
            return
        server.sendto(_answer(query, answers), asker)


def _answer(query: bytes, answers: Answers) -> bytes:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", query, at + 1)
    found = answers(".".join(labels), kind) if kind in (A, AAAA) else []
    head = struct.pack("!HHHHHH", int.from_bytes(query[:2]), OK, 1, len(found), 0, 0)
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, kind, IN, 0, len(raw)) + raw
        for raw in (ip_address(address).packed for address in found)
    )
    return head + query[12 : at + 5] + records
