"""Rebinding through the system's own resolver: a name that was public is private at the next look.

The test runs in a network and a view of files of its own (Linux namespaces), where `/etc/resolv.conf` names a
DNS server of the test on loopback. So `getaddrinfo`, which postbacks use, asks it as it would ask any other.
"""

import asyncio
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from api.postbacks.connection import NoAnswer
from api.postbacks.public_addresses import BlockedAddress, Policy
from api.postbacks.safe_client import SafeClient, checked_addresses, resolve
from tests.api.dns_server import AAAA, resolving

SET_FLAGS, UP = 0x8914, 0x41
"""Of a network's interface: up and running."""
HTTP = Policy(allow_http=True)
ROOT = Path(__file__).parent.parent.parent
INSIDE = ["unshare", "--map-root-user", "--mount", "--net"]
SCRIPT = """
mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf &&
exec "$3" -m tests.api.test_postback_rebinding
"""

STEPS: dict[str, list[list[str]]] = {
    "four.test": [["93.184.215.14"], ["127.0.0.1"]],
    "six.test": [["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], ["::1"]],
    "mapped.test": [["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], ["::ffff:127.0.0.1"]],
    "metadata.test": [["93.184.215.14"], ["169.254.169.254"]],
    "mixed.test": [["93.184.215.14"], ["93.184.215.14", "127.0.0.1"]],
    "both.test": [["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"], ["93.184.215.14", "::1"]],
}
"""By name: what it is at the first look, and from then on."""


def _refusals() -> list[str]:
    """Inside: what becomes of each name at its second look; each is public at the first."""
    looks = dict.fromkeys(STEPS, 0)

    def answers(name: str, kind: int) -> list[str]:
        step = STEPS[name][looks[name]]
        return [one for one in step if (":" in one) == (kind == AAAA)]

    async def look(name: str) -> str:
        looks[name] = 0
        first = await checked_addresses(name, 80, HTTP, resolve)
        assert sorted(first) == sorted(STEPS[name][0]), first
        looks[name] = 1
        try:
            await SafeClient(HTTP).send("GET", f"http://{name}/", {}, timeout_s=5.0)
        except BlockedAddress as blocked:
            return f"{name} {blocked}"
        except NoAnswer as failed:
            return f"{name} was dialled: {failed}"
        return f"{name} was reached"

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as loopback:
        fcntl.ioctl(loopback, SET_FLAGS, struct.pack("16sh", b"lo", UP))
    with resolving(answers, 53):
        return [asyncio.run(look(name)) for name in STEPS]


def test_a_name_that_turns_inside_is_refused_by_the_real_resolver(tmp_path: Path) -> None:
    """Both families, mapped, link-local, and one private answer among public ones."""
    if subprocess.run([*INSIDE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a network of his own (unshare)")
    resolv, switch = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n")
    switch.write_text("hosts: dns\n")
    done = subprocess.run(
        [*INSIDE, "sh", "-c", SCRIPT, "sh", str(resolv), str(switch), sys.executable],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "four.test 127.0.0.1 is not a public address",
        "six.test ::1 is not a public address",
        "mapped.test ::ffff:7f00:1 is not a public address",
        "metadata.test 169.254.169.254 is not a public address",
        "mixed.test 127.0.0.1 is not a public address",
        "both.test ::1 is not a public address",
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(_refusals()) + "\n")
