"""Cells: exact numbers, and words in one spelling."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commission.money import plain
from ingest.formats.cells import (
    to_amount,
    to_entry,
    to_kind,
    to_number,
    to_position_id,
    to_reason,
    to_volume_e8,
)
from ingest.sources import RowRejected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-669", "-669"),
        ("- 0.08", "-0.08"),
        (" 3.36", "3.36"),
        ("1 452.18", "1452.18"),
        ("-2\u00a0265.77", "-2265.77"),
        ("\u22121\u202f234\u202f567.5", "-1234567.5"),
        ("-0.00", "0.00"),
        ("0.00000001", "1E-8"),
    ],
)
def test_amounts_as_spreadsheets_write_them(text: str, expected: str) -> None:
    """Thousands spaces, no-break spaces, minus signs and a minus apart are read exactly."""
    assert str(to_amount(text, "Profit")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1,5",
        "1.234,56",
        "1e5",
        "NaN",
        "Infinity",
        "1_000",
        "12 34",
        "--1",
        "1.",
        ".5",
        "٣",
        "1" * 16,
        "0.123456789",
        "9 999 999 999 999 999",
        "0x1",
    ],
)
def test_no_amount_is_guessed(text: str) -> None:
    """What is not plainly a number with a decimal point is refused."""
    with pytest.raises(RowRejected) as bad:
        to_amount(text, "Profit")
    assert bad.value.code == "bad_amount"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", 10_000_000),
        ("0.35632455", 35_632_455),
        ("0.00003053", 3_053),
        ("0.00000001", 1),
        ("1", 100_000_000),
        ("0", 0),
        ("9999999999.99999999", 999_999_999_999_999_999),
    ],
)
def test_volumes_are_exact(text: str, expected: int) -> None:
    """Lots become integer 1e-8 lots without a float on the way."""
    assert to_volume_e8(text) == expected


@pytest.mark.parametrize("text", ["-0.1", "0.123456789", "", "1e-3", "1 000", "1,0", "10000000000", "nan"])
def test_bad_volumes(text: str) -> None:
    """Negative volumes, more than 8 decimals and everything else that is no lots are refused."""
    with pytest.raises(RowRejected) as bad:
        to_volume_e8(text)
    assert bad.value.code == "bad_volume"


@given(st.integers(0, 10**18 - 1))
def test_every_volume_survives(volume_e8: int) -> None:
    """Reading the exact spelling of a volume gives the volume."""
    assert to_volume_e8(f"{volume_e8 // 10**8}.{volume_e8 % 10**8:08}") == volume_e8


@given(st.decimals(-(10**12), 10**12, allow_nan=False, places=8))
def test_every_amount_survives(amount: Decimal) -> None:
    """Reading an amount's spelling gives the amount, and its plain spelling is read alike."""
    assert to_amount(format(amount, "f"), "Profit") == amount == to_amount(plain(amount), "Profit")


def test_numbers_are_bounded() -> None:
    """Numbers are 1 to 2^64-1, in ASCII digits."""
    assert to_number(" 007 ", "Deal") == 7
    assert to_number("18446744073709551615", "Deal") == 2**64 - 1
    for text in ("0", "18446744073709551616", "-1", "1.0", "", "٣", "²", "9" * 5000):
        with pytest.raises(RowRejected):
            to_number(text, "Deal")


def test_positions() -> None:
    """Zero and blank are no position; leading zeros make no other position."""
    assert [to_position_id(text) for text in ("33824845", "0", "", " ", "0012")] == [
        "33824845",
        "",
        "",
        "",
        "12",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("buy", ("trade", "buy")),
        ("Sell", ("trade", "sell")),
        ("buy canceled", ("cancelled", "buy")),
        ("sell cancelled", ("cancelled", "sell")),
        ("commission monthly", ("commission", None)),
        ("agent daily", ("agent", None)),
        ("dividend franked", ("dividend", None)),
        ("so compensation credit", ("so_compensation", None)),
        ("bonus", ("bonus", None)),
    ],
)
def test_types(text: str, expected: tuple[str, str | None]) -> None:
    """Every type text has its kind; trades and cancelled trades have a side."""
    assert to_kind(text) == expected


def test_unknown_words_are_refused_where_money_depends_on_them() -> None:
    """An unknown type or direction is never guessed; an unknown reason is kept as it is."""
    for read in (to_kind, to_entry):
        with pytest.raises(RowRejected):
            read("sideways")
    assert [to_reason(text) for text in ("Stop loss", "Variation margin", "SL", "", "New thing")] == [
        "stop_loss",
        "variation_margin",
        "stop_loss",
        "",
        "new_thing",
    ]
