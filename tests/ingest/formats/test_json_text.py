"""JSON of files: what is told twice is refused, not halved."""

import pytest

from ingest.formats.json_text import RepeatedKeys, read_json
from ingest.sources import UnreadableSource


def test_a_list_named_twice_is_refused() -> None:
    """Of two lists one would be lost; a record that repeats a field is one bad record of many."""
    with pytest.raises(UnreadableSource, match="names a list of records twice"):
        read_json(b'{"answer": [{"Deal": 1}], "answer": [{"Deal": 2}]}', "deals.json")
    (record,) = read_json(b'[{"Deal": 1, "Deal": 2}]', "deals.json")  # type: ignore[misc] # it is a list
    assert isinstance(record, RepeatedKeys)


def test_a_backslash_the_server_forgot_to_escape_is_healed() -> None:
    """As MetaQuotes' decoder does; what is cut off stays refused, with its place."""
    assert read_json(rb'{"Group": "real\gold"}', "deal.json") == {"Group": r"real\gold"}
    with pytest.raises(UnreadableSource, match="line 1 column 12"):
        read_json(b'{"Deal": 1,', "deal.json")
