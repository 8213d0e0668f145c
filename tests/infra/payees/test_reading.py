"""Details as a file or standard input gives them to `ibflow payees set`."""

import pytest

from infra.payees.client import MAX_BYTES, read_details
from schemas.errors import Unusable


def test_yaml_and_json_are_read() -> None:
    """Fields of text."""
    expected = {"type": "trading_account", "server": "Live", "login": "007"}
    assert expected == read_details(b'type: trading_account\nserver: Live\nlogin: "007"\n', "f")
    assert expected == read_details(b'{"type": "trading_account", "server": "Live", "login": "007"}', "f")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "f has no fields"),
        (b"[1]", "f has no fields"),
        (b"type: us_bank\naccount: 0012345\n", "put account in quotes: a number loses its first zeros"),
        (b"a: [", "f is not YAML"),
        (b"\xff\xff", "f is not YAML"),
        (b"!!python/object/apply:os.system [x]", "f is not YAML"),
        (b"x" * (MAX_BYTES + 1), "f is larger than"),
    ],
)
def test_what_cannot_be_read_is_said_without_repeating_it(text: bytes, why: str) -> None:
    """A number that was typed wrongly is in no message."""
    with pytest.raises(Unusable, match=why) as caught:
        read_details(text, "f")
    assert "12345" not in str(caught.value)
