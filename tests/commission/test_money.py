"""Money: no currencies mixed, eight decimals for accruals, one place that rounds and loses nothing."""

import pytest

from commission.money import CurrencyMismatch, Money, minor_digits, plain, round_payable, shown, to_accrual
from tests.build import D, usd


def test_amounts_of_one_currency_add_up() -> None:
    """Ten dollars and a cent, and back."""
    assert usd("10.01") == usd("10.00") + usd("0.01")
    assert usd("10.00") == usd("10.01") - usd("0.01")


def test_two_currencies_do_not_meet() -> None:
    """Adding or subtracting yen and dollars is a defect of the caller, and says so."""
    with pytest.raises(CurrencyMismatch, match="JPY and USD"):
        Money(D(1), "JPY") + usd("1")
    with pytest.raises(CurrencyMismatch, match="USD and JPY"):
        usd("1") - Money(D(1), "JPY")


@pytest.mark.parametrize(
    ("amount", "accrual"),
    [
        ("1", "1.00000000"),
        ("0.123456785", "0.12345678"),  # half to even: 8 is even
        ("0.123456775", "0.12345678"),  # half to even: 7 is odd
        ("0.000000004", "0E-8"),
    ],
)
def test_accruals_keep_eight_decimals(amount: str, accrual: str) -> None:
    """What is finer than 1e-8 is rounded half to even."""
    assert accrual == str(to_accrual(D(amount)))


@pytest.mark.parametrize(
    ("amount", "currency", "payable", "residue"),
    [
        ("12.344", "USD", "12.34", "0.004"),
        ("12.346", "USD", "12.35", "-0.004"),
        ("12.345", "USD", "12.34", "0.005"),  # half to even
        ("12.355", "USD", "12.36", "-0.005"),
        ("1500.5", "JPY", "1500", "0.5"),
        ("1501.5", "JPY", "1502", "-0.5"),
        ("1.2345", "KWD", "1.234", "0.0005"),
        ("0.123456789", "BTC", "0.12345679", "-0.000000001"),
    ],
)
def test_payable_and_residue_are_the_amount(amount: str, currency: str, payable: str, residue: str) -> None:
    """A payment has the currency's digits; what rounding left is told, with its sign."""
    expected = Money(D(payable), currency), Money(D(residue), currency)
    assert expected == round_payable(Money(D(amount), currency))
    assert Money(D(amount), currency) == expected[0] + expected[1]


def test_minor_units_are_those_of_the_currency() -> None:
    """Two digits unless the currency is known to have others."""
    assert {currency: minor_digits(currency) for currency in ("JPY", "USD", "EUR", "KWD", "BTC")} == {
        "JPY": 0,
        "USD": 2,
        "EUR": 2,
        "KWD": 3,
        "BTC": 8,
    }


@pytest.mark.parametrize(
    ("number", "text"), [("1E+2", "100"), ("7.00", "7"), ("0.50", "0.5"), ("0E-8", "0"), ("100", "100")]
)
def test_numbers_are_written_plainly(number: str, text: str) -> None:
    """No exponent, no trailing zeros, and a round hundred stays a hundred."""
    assert text == plain(D(number))


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234.5", "USD", "1,234.50"),
        ("-1234567.895", "USD", "-1,234,567.90"),
        ("0.125", "USD", "0.12"),
        ("-0.00449889", "USD", "0.00"),
        ("109863", "JPY", "109,863"),
    ],
)
def test_an_amount_to_look_at(amount: str, currency: str, text: str) -> None:
    """Half to even, and nothing has no sign."""
    assert shown(D(amount), currency) == text
