"""Which reader for which file: by its content, never by its name."""

from infra.payout_results import camt_054, pain_002
from infra.payout_results.camt_054 import from_camt_054
from infra.payout_results.nacha_returns import read_nacha_returns
from infra.payout_results.pain_002 import from_pain_002
from infra.payout_results.results import ResultFile
from infra.payout_results.results_csv import read_results_csv
from infra.payout_results.safe_xml import message_of


def read_results(body: bytes) -> ResultFile:
    """Read a file of a bank; raise `Unusable` with what is wrong with it."""
    head = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        report, version = message_of(body, (*pain_002.TAGS, *camt_054.TAGS))
        return (from_pain_002 if report.tag in pain_002.TAGS else from_camt_054)(report, version)
    if head.startswith(b"101"):
        return read_nacha_returns(body)
    return read_results_csv(body)
