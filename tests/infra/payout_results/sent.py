"""Three payments of ours, as the files of `bank_files` speak of them."""

from decimal import Decimal
from pathlib import Path

from infra.payout_results.read import read_results
from infra.payout_results.results import Matched, Sent, SentLine, match

BANK_FILES = Path(__file__).parent / "bank_files"
FIRST, SECOND, THIRD = "LINEOFIB1AAAAAA", "LINEOFIB2AAAAAA", "LINEOFIB3AAAAAA"
SENT = Sent(
    "MESSAGEOFB7AAAA",
    {
        FIRST: SentLine(Decimal("100.50"), "EUR", "PAYMENTOFB7SEPA"),
        SECOND: SentLine(Decimal("250.00"), "EUR", "PAYMENTOFB7SEPA"),
        THIRD: SentLine(Decimal("50.00"), "EUR", "PAYMENTOFB7REST"),
    },
)
"""100.50 + 250.00 = 350.50 in SEPA, 50.00 beyond."""


def matched(file: str | bytes) -> Matched:
    """A file of `bank_files`, or bytes, beside `SENT`."""
    body = file if isinstance(file, bytes) else (BANK_FILES / file).read_bytes()
    return match(read_results(body), SENT)


def outcomes(found: Matched) -> dict[str, str]:
    """The outcome of each line that the file speaks of."""
    return {result.end_to_end_id: result.outcome for result in found.results}


def reasons(found: Matched) -> dict[str, str]:
    """The reason of each line that the file speaks of."""
    return {result.end_to_end_id: result.reason for result in found.results}
