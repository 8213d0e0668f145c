"""The events file of `ibflow rate`: what no door lets in is told with its line."""

from pathlib import Path

import pytest

from infra.commands.rate import InvalidEvents, read_events
from schemas.wire import encode
from tests.build import registered


def test_a_country_spelled_otherwise_is_told_with_its_line(tmp_path: Path) -> None:
    """`us` would be none of the countries that a plan names or excludes."""
    (line,) = encode([registered("anna ib-north", country="US")])
    path = tmp_path / "events.jsonl"
    path.write_bytes(line + b"\n")
    assert len(list(read_events(path))) == 1
    path.write_bytes(line + b"\n" + line.replace(b'"US"', b'"us"') + b"\n")
    with pytest.raises(InvalidEvents, match=r"events.jsonl:2: .*country `us` .*two capitals"):
        list(read_events(path))
