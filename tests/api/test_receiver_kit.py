"""The receiver kit of examples/postbacks: each language takes what we sign, and nothing else."""

import base64
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.postbacks import signing
from api.postbacks.request import to_request
from tests.api.postback_samples import SECRET, delivery, target

KIT = Path(__file__).parents[2] / "examples" / "postbacks"
Command = Callable[[Path], list[str]]


def in_go(folder: Path) -> list[str]:
    """Built once: it is a program."""
    program = folder / "verify"
    subprocess.run(["go", "build", "-o", str(program), "verify.go"], cwd=KIT, check=True)  # of PATH
    return [str(program)]


LANGUAGES: dict[str, Command] = {
    sys.executable: lambda _: [sys.executable, "verify.py"],
    "node": lambda _: ["node", "verify.mjs"],
    "php": lambda _: ["php", "verify.php"],
    "go": in_go,
}


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(
            one, marks=pytest.mark.skipif(shutil.which(one) is None, reason=f"{one} is not installed")
        )
        for one in LANGUAGES
    ],
    ids=lambda one: Path(one).stem,
)
def test_a_verifier_takes_what_is_genuine_and_nothing_else(language: str, tmp_path: Path) -> None:
    """HMAC, ed25519, a rotation's second signature; not another body, id, time, secret or nonsense."""
    command = LANGUAGES[language](tmp_path)

    def takes(secret: str, headers: dict[str, str], body: bytes) -> bool:
        told = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
        done = subprocess.run(
            [*command, secret, *told], cwd=KIT, input=body, capture_output=True, check=False
        )  # ours
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    now = datetime.now(UTC)
    private = signing.new_secret("ed25519")
    for secret, verified_with in ((SECRET, SECRET), (private, signing.public_key(private))):
        way = "ed25519" if secret is private else "hmac"
        one = target("https://t.example/", secret, method="POST", signing=way)
        request = to_request(delivery(), one.endpoint, one.secrets, now)
        headers, body = request.headers, request.body
        assert takes(verified_with, headers, body)
        assert not takes(verified_with, headers, body + b" ")
        assert not takes(verified_with, headers | {"webhook-id": "msg_other"}, body)
        assert not takes(verified_with, headers | {"webhook-signature": "v1,!! v2,AAAA nonsense"}, body)
        old = to_request(delivery(), one.endpoint, one.secrets, now - timedelta(minutes=6))
        assert not takes(verified_with, old.headers, old.body)
    one = target("https://t.example/", method="POST")
    rotated = to_request(delivery(), one.endpoint, one.secrets.rotated(signing.new_secret("hmac"), now), now)
    assert takes(SECRET, rotated.headers, rotated.body)
    other = "whsec_" + base64.b64encode(bytes(24)).decode()
    assert not takes(other, rotated.headers, rotated.body)


def test_the_tiny_receiver_tells_genuine_from_not() -> None:
    """204 and 401; what comes again is said to."""
    command = [sys.executable, "receiver.py", SECRET, "0"]
    with subprocess.Popen(command, cwd=KIT, stdout=subprocess.PIPE, text=True) as process:  # ours
        stopping = threading.Timer(60, process.kill)
        stopping.start()
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        one = target(url, method="POST", allow_http=True, allow_private=True)
        request = to_request(delivery(), one.endpoint, one.secrets, datetime.now(UTC))

        statuses = [
            httpx.post(url, headers=request.headers, content=body).status_code
            for body in (request.body, request.body, b"{}")
        ]
        lines = [process.stdout.readline() for _ in range(3)]
        stopping.cancel()
        process.terminate()
    assert statuses == [204, 204, 401]
    assert [line.split("  ")[0] for line in lines] == ["genuine", "genuine, again", "NOT GENUINE, again"]
