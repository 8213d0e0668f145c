"""A tiny receiver: `python receiver.py SECRET [PORT]` prints each postback and whether it is genuine.

An event that came before, known by its `webhook-id`, is answered the same and counted once.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from verify import verify

MAX_BODY_BYTES = 64_000
seen: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine, 401 to what is not."""

    secret = ""

    def do_GET(self) -> None:
        """A network's GET and a signed POST carry the same three headers."""
        body = self.rfile.read(min(int(self.headers.get("content-length") or 0), MAX_BODY_BYTES))
        told = [self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
        is_genuine = verify(self.secret, *told, body)
        what = "genuine" if is_genuine else "NOT GENUINE"
        again = ", again" if told[0] in seen else ""
        print(
            f"{what}{again}  {told[0]}  {self.command} {self.path}  {body.decode(errors='replace')}",
            flush=True,
        )
        if is_genuine:
            seen.add(told[0])
        self.send_response(204 if is_genuine else 401)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """The line above says more."""


if __name__ == "__main__":
    Handler.secret = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8090), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}/", flush=True)
    server.serve_forever()
