"""Files that are broken or meant to break us: a reason, no traceback, and soon."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.payout_results import nacha_returns, results_csv, safe_xml
from infra.payout_results.read import read_results
from infra.payout_results.results import ResultFile
from schemas.errors import Unusable
from tests.infra.payout_results.sent import BANK_FILES, FIRST, SENT, matched, outcomes

PAIN = (BANK_FILES / "a-pain.002.001.03.xml").read_bytes()
CAMT = (BANK_FILES / "a-camt.054.001.02.xml").read_bytes()
LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
<Document><CstmrPmtStsRpt><GrpHdr><MsgId>&b;</MsgId></GrpHdr></CstmrPmtStsRpt></Document>"""
OUTSIDE = b"""<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><CstmrPmtStsRpt>&a;</CstmrPmtStsRpt>"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (LAUGHS, "has a DTD or declares entities"),
        (OUTSIDE, "has a DTD or declares entities"),
        (PAIN[:-40], "not well-formed XML.*was it cut off"),
        (PAIN.replace(b"UTF-8", b"x-nobody"), "encoding is unknown"),
        (b"<html><body>502</body></html>", "has no CstmrPmtStsRpt"),
        (PAIN.replace(b">250.00<", b">1e400<"), "OrgnlTxRef/Amt/InstdAmt has over 18 digits"),
        (PAIN.replace(b">250.00<", b">NaN<"), "has over 18 digits"),
        (PAIN.replace(b">250.00<", b">lots<"), "is not a number"),
        (b"", "end_to_end_id, status is missing"),
        (
            b"end_to_end_id,status\nA,paid\n",
            "line 2: the status is one of settled, rejected, pending, unknown",
        ),
        (b"end_to_end_id,status\nA\n", "line 2 has more or fewer cells"),
        (b"end_to_end_id,status\nA,settled,more\n", "line 2 has more or fewer cells"),
        (b"end_to_end_id,status,status\nA,settled,settled\n", "names a column twice"),
        (b"end_to_end_id,status,amount\nA,settled,1.2.3\n", "line 2: the amount is not a number"),
        (b"end_to_end_id,status\n\xe4,settled\n", "not UTF-8"),
        (b'end_to_end_id,status\n"' + b"x" * 200_000, "the CSV cannot be read"),
        (b"101 truncated\n", "has 0 file control records"),
        (b"101\xff", "byte 4 is not ASCII"),
        (b"101" + b" " * 100, "has 0 file control records"),
        (b"101\n6" + b"x" * 94, "line 2 has 95 characters"),
    ],
)
def test_a_broken_file_is_refused_whole(body: bytes, why: str) -> None:
    """Half a file is no result: nobody knows what the other half says."""
    with pytest.raises(Unusable, match=why):
        read_results(body)


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reader has a limit."""
    for module in (safe_xml, results_csv, nacha_returns):
        monkeypatch.setattr(module, "MAX_BYTES", 10)
    for body in (PAIN, b"end_to_end_id,status", b"101" + b" " * 91):
        with pytest.raises(Unusable, match="larger than 10 bytes"):
            read_results(body)


def deep() -> bytes:
    """A hundred thousand elements, each in the one before."""
    return b"<a>" * 100_000 + b"<CstmrPmtStsRpt/>" + b"</a>" * 100_000


def wide() -> bytes:
    """The same word on our message, again and again."""
    said = b"<OrgnlMsgId>MESSAGEOFB7AAAA</OrgnlMsgId><GrpSts>RJCT</GrpSts>"
    group = b"<OrgnlGrpInfAndSts>" + said + b"</OrgnlGrpInfAndSts>"
    return b"<CstmrPmtStsRpt>" + group * 50_000 + b"</CstmrPmtStsRpt>"


@pytest.mark.parametrize("make", [deep, wide])
def test_a_hostile_shape_costs_seconds_at_most(make: Callable[[], bytes]) -> None:
    """Neither the stack nor the square of its size."""
    began = time.monotonic()
    found = matched(make())
    assert time.monotonic() - began < 20
    assert set(outcomes(found)) in (set(), set(SENT.lines))


@given(st.binary(max_size=300), st.sampled_from([b"", b"<", b"101", b"end_to_end_id,status\n"]))
def test_any_bytes_are_read_or_refused(rest: bytes, start: bytes) -> None:
    """No other error, and what is refused is refused in words."""
    found = read_or_words(start + rest)
    assert isinstance(found, ResultFile) or found


def read_or_words(body: bytes) -> ResultFile | str:
    """What is in it, or why it is refused."""
    try:
        return read_results(body)
    except Unusable as error:
        return str(error)


@given(
    st.integers(min_value=0, max_value=len(PAIN) - 1), st.integers(min_value=0, max_value=255), st.booleans()
)
def test_a_changed_byte_never_settles_another_line(at: int, byte: int, is_camt: bool) -> None:  # noqa: FBT001
    """Read, refused, or of the same lines."""
    body = bytearray(CAMT if is_camt else PAIN)
    body[at % len(body)] = byte
    try:
        found = matched(bytes(body))
    except Unusable:
        return
    assert set(outcomes(found)) <= set(SENT.lines)


def test_a_long_text_of_a_bank_is_cut_off_visibly() -> None:
    """501 characters are 500 and an ellipsis."""
    body = PAIN.replace(b"Account closed on 2026-08-31", b"x" * 501)
    (reason,) = (one.reason for one in matched(body).results if one.outcome == "rejected")
    assert f"({'x' * 500}\u2026)" in reason


def test_a_report_in_utf_16_is_read() -> None:
    """Some banks' systems write it."""
    body = PAIN.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert outcomes(matched(PAIN)) == outcomes(matched(body))


def test_a_csv_says_what_a_person_wrote() -> None:
    """Semicolons, a byte order mark and columns in another order."""
    found = matched(f"\ufeffstatus;end_to_end_id;amount\r\nSettled;{FIRST};100.50\r\n".encode())
    assert {FIRST: "settled"} == outcomes(found)
