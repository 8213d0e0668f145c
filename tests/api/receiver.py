"""A tracker on this machine: answers what it is told to and remembers what it was asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Its next answers, in order; the last one repeats."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(200, {}, b"ok")])
    seen: list[Seen] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """Ids of the webhooks that were answered with a 2xx."""
    delay_s: float = 0.0
    keeps_connections: bool = False
    fails_each: int = 0
    """Every so many requests one that is the first of its id is answered with 500; 0: none."""

    def next_answer(self) -> tuple[int, dict[str, str], bytes]:
        """Take the next answer; the last one stays."""
        newest = self.seen[-1].headers.get("webhook-id")
        is_first = [one.headers.get("webhook-id") for one in self.seen].count(newest) == 1
        if self.fails_each and is_first and len(self.seen) % self.fails_each == 0:
            return 500, {}, b""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        @property
        def protocol_version(self) -> str:  # type: ignore[override] # a constant of the server's
            return "HTTP/1.1" if receiver.keeps_connections else "HTTP/1.0"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
            status, more, body = receiver.next_answer()
            time.sleep(receiver.delay_s)
            if status < 300:
                receiver.taken.append(headers.get("webhook-id", ""))
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  - the name http.server looks for

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
