"""A CRM's batch as XML."""

import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commission.events import AccountLinked, ClientRegistered, DepositCleared
from ingest.counts import Counts
from ingest.crm.csv_file import read as read_csv
from ingest.crm.xml_file import MAX_DEPTH, MAX_FIELDS, MAX_RECORD_BYTES, read
from ingest.readers.detect import detect, read_any
from ingest.sources import UnreadableSource
from schemas.wire import encode
from tests.effort import tries
from tests.ingest.crm.xml_records import AT, record
from tests.ingest.ingest_exports import RECEIVED, csv_file, damage, sorted_out

FUZZ = settings(
    max_examples=tries(50), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
WHO: dict[str, Any] = {
    "event_id": "e1", "client_id": "c1", "occurred_at": datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
}  # fmt: skip


def batch(folder: Path, *records: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> Path:
    path = folder / "crm.xml"
    path.write_text(f"{head}<crm>\n" + "\n".join(records) + "\n</crm>\n", encoding="utf-8")
    return path


def read_records(folder: Path, *records: str) -> Any:
    return sorted_out(read_any(batch(folder, *records), None, RECEIVED))


GOOD = record("kyc", status="pending")


def test_golden_events(tmp_path: Path) -> None:
    """Fields are elements or attributes; spaces and sections around a text do not count."""
    events, letters = read_records(
        tmp_path,
        record(
            "registration", '<click name="subId">\n s&amp;1 </click><click.gclid>g</click.gclid>', ib_id="ib7"
        ),
        f'<record event="account_link" event_id="e1" occurred_at="{AT}" client_id="c1"'
        '\n server="Live" login="7"/>',
        record("deposit", deposit_id=" d1\n", amount="<![CDATA[250.50]]>", currency="USD"),
    )
    src = [f"crm-xml crm.xml:{line}" for line in (3, 5, 7)]
    assert letters == []
    assert events == [
        ClientRegistered(**WHO, ib_id="ib7", click={"subId": "s&1", "gclid": "g"}, source=src[0]),
        AccountLinked(**WHO, server="Live", login=7, source=src[1]),
        DepositCleared(**WHO, deposit_id="d1", amount=Decimal("250.50"), currency="USD", source=src[2]),
    ]


def test_the_same_record_as_csv_is_the_same_event(tmp_path: Path) -> None:
    """Only where it was read differs, so that a second reading in another format does nothing."""
    header = "event,event_id,occurred_at,client_id,deposit_id,amount,currency,status"
    rows = csv_file(tmp_path / "crm.csv", f"deposit,e1,{AT},c1,d1,1 250.50,USD,pending", header=header)
    ((from_csv,), _) = sorted_out(read_csv(rows, None, RECEIVED))
    told = record("deposit", deposit_id="d1", amount="1 250.50", currency="USD", status="pending")
    ((from_xml,), _) = read_records(tmp_path, told)
    assert encode([from_xml])[0].replace(b"crm-xml crm.xml:3", b"crm-csv crm.csv:2") == encode([from_csv])[0]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (record("deposit"), "missing_cell"),
        (record("registration", "<email>ada@example.org</email>"), "unknown_field"),
        ('<record event="registration" email="ada@example.org"/>', "unknown_field"),
        (record("registration", '<country iso="ada">MY</country>'), "unknown_field"),
        (record("registration", '<click>ada</click>'), "unknown_field"),
        (record("registration", "<client_id>ada</client_id>"), "repeated_field"),
        (record("registration", "<country><b>ada</b></country>"), "nested"),
        (record("registration", "ada"), "stray_text"),
        ("<client>ada</client>", "unknown_element"),
        ("<record/>", "unknown_event"),
        (record("registration", country="ada" + "x" * MAX_RECORD_BYTES), "record_too_long"),
        (record("registration", "<country>" + "<x/>" * 90_000 + "ada</country>"), "nested"),
        (
            record("registration", "".join(f"<click.p{n}>x</click.p{n}>" for n in range(MAX_FIELDS))),
            "too_many_fields",
        ),
    ],
)  # fmt: skip
def test_one_bad_record_is_one_dead_letter(tmp_path: Path, bad: str, code: str) -> None:
    """It is buried with its line, its neighbours are events, and what we do not know is not kept."""
    events, letters = read_records(tmp_path, GOOD, bad, GOOD)
    assert [event.type for event in events] == ["kyc_changed", "kyc_changed"]
    assert [(letter.code, letter.position) for letter in letters] == [(code, "line 4")]
    assert "ada@" not in letters[0].reason
    assert b"ada@" not in letters[0].payload


@pytest.mark.parametrize("bad", [record("deposit", amount="x"), "<record ><event/></record >", "<record\n/>"])
def test_a_dead_letter_has_the_bytes_of_its_record(tmp_path: Path, bad: str) -> None:
    """From its first angle bracket to its last, whatever stands beside it on the line."""
    _, (letter,) = read_records(tmp_path, f"{GOOD}{bad}{GOOD}")
    assert letter.payload == bad.encode()


def test_a_record_with_a_comment_keeps_its_fields_only(tmp_path: Path) -> None:
    """People write names into comments."""
    _, (letter,) = read_records(tmp_path, record("deposit", "<!-- Ada & son -->", deposit_id="d&lt;1"))
    assert (
        letter.payload
        == (
            f"<record><event>deposit</event><event_id>e1</event_id><occurred_at>{AT}</occurred_at>"
            "<client_id>c1</client_id><deposit_id>d&lt;1</deposit_id></record>"
        ).encode()
    )


LAUGHS = '<!DOCTYPE crm [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{LAUGHS}<crm><record><event>&b;</event></record></crm>", "DTD"),
        ('<!DOCTYPE crm SYSTEM "file:///etc/passwd"><crm/>', "DTD"),
        ("<crm><record>&undefined;</record></crm>", "not well-formed"),
        ("<crm><record></crm>", "not well-formed"),
        (f"<crm>{GOOD}<rec", "not well-formed"),
        (f"<crm>{GOOD}</crm><crm/>", "not well-formed"),
        ("<crm>" + "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH + "</crm>", "nests deeper"),
        (f"<crm>{GOOD}stray</crm>", "line 1: there is text"),
        ('<?xml version="1.0" encoding="windows-1251"?><crm/>', "UTF-8"),
        ("<crm><!--" + "x" * 400_000 + "--></crm>", "longer than"),
        ("<crmx/>", "Known"),
        ("<?xml version='1.0'?><clients/>", "Known"),
        ("", "empty"),
    ],
)
def test_files_that_are_refused_whole(tmp_path: Path, text: str, words: str) -> None:
    """At the call, before any event, with what to do."""
    path = tmp_path / "crm.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableSource, match=words):
        read_any(path, None, RECEIVED)


def test_it_is_told_by_its_beginning(tmp_path: Path) -> None:
    """With a mark of its byte order, a declaration or a comment before it, or none."""
    for head in ("", "\ufeff", " \n<!-- from the CRM, <html> -->", '<?xml version="1.0"?>\n<!-- x --> '):
        assert detect(batch(tmp_path, GOOD, head=head)) == "crm-xml"


def test_a_namespace_does_no_harm(tmp_path: Path) -> None:
    """Names count without it."""
    path = tmp_path / "crm.xml"
    path.write_text(f'<x:crm xmlns:x="urn:a" xmlns="urn:b">{GOOD}<x:record/></x:crm>', encoding="utf-8")
    events, letters = sorted_out(read(path, None, RECEIVED))
    assert (len(events), [letter.payload for letter in letters]) == (1, [b"<x:record/>"])


def test_memory_stays_flat(tmp_path: Path) -> None:
    """10,000 records, 1.6 MB, are read within 1 MB."""
    path, counts = batch(tmp_path, *([GOOD] * 10_000)), Counts()
    list(read(batch(tmp_path, GOOD), None, RECEIVED))
    path = batch(tmp_path, *([GOOD] * 10_000))
    tracemalloc.start()
    for _ in read(path, None, RECEIVED, counts):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts.rows == 10_000
    assert peak < 1_000_000


CLICKED = record("registration", '<click name="s">x</click>', ib_id="ib7")
VALID = f'<crm>\n{GOOD}\n{CLICKED}<record event="fraud" event_id="e1"/>\n</crm>'.encode()


@FUZZ
@given(raw=st.composite(damage(VALID))())
def test_damaged_files(tmp_path: Path, raw: bytes) -> None:
    """However a file is damaged, it is refused whole or every record is one event or one dead letter."""
    path, counts = tmp_path / "fuzz.xml", Counts()
    path.write_bytes(raw)
    try:
        items = list(read(path, None, RECEIVED, counts))
    except UnreadableSource:
        return
    assert len(items) == counts.rows
    encode([item for item in items if item.type != "dead_letter"])
