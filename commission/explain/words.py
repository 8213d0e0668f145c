"""Words and numbers of explanations: what each factor is called, its unit, and how values are written."""

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from commission.money import CENT_CURRENCIES, minor_digits, plain
from commission.rating.values import Factors

DECIMALS_MAX = 10
"""Numbers with more, such as 1/3, are written to 8 decimals and said to be so."""

Unit = str
"""`text`, `number`, `lots`, `percent`, `rate`, `measure`, or whose currency a sum of money has: `ib`
the IB's, `gross` that of the component's measure, `named` that of the factor `currency`, `account` the
deal's deposit currency, `unknown` one the factors do not tell."""


class Word(NamedTuple):
    """A factor for people: its label, its unit, and a note where the label is not enough."""

    label: str
    unit: Unit = "number"
    note: str = ""


OF_LOWEST = "in the currency of the lowest IB's plan"

WORDS: dict[str, Word] = {
    "lots": Word("Lots that count", "lots"),
    "contract_size": Word("Contract size", note="units in one lot of the server's symbol"),
    "standard_contract_size": Word("Standard contract size", note="units in one standard lot"),
    "lot_factor": Word("Lot factor", note="how often the plan counts a lot of this symbol or group"),
    "rate": Word("Rate", "rate"),
    "own_factor": Word("The IB's own factor", note="from its assignment to the plan"),
    "equity": Word("Equity", "account", "of the account at the deal"),
    "credit": Word("Credit", "account", "of the account at the deal"),
    "coefficient": Word("Credit coefficient", note="(equity - credit) / equity, at least 0"),
    "gross": Word("Before conversion", "gross"),
    "gross_currency": Word("Currency before conversion", "text"),
    "exchange": Word("Rate of exchange", "text", "as of the deal"),
    "tax": Word("Tax", "text"),
    "payout_rate": Word("Rate of exchange", "text", "as of the creation of the batch"),
    "uncapped": Word("Before the cap", "ib"),
    "cap": Word("Cap of one deal", "ib"),
    "own": Word("By the IB's own plan", "ib"),
    "below": Word("The best IB below", "ib"),
    "base": Word("To share up the tree", "ib"),
    "mode": Word("Shared by", "text"),
    "rank": Word("Rank", "text"),
    "before_budget": Word("Before the budget", "ib"),
    "budget": Word("Budget of the deal", "unknown", OF_LOWEST),
    "all_ibs": Word("All IBs together", "unknown", f"before the budget, {OF_LOWEST}"),
    "of": Word("The direct IB's own amount", "ib", "what the rebate is a share of"),
    "before_limit": Word("Before the limit", "ib", "what the IB funds is at most what it earns"),
    "ib_earned": Word("Left of what the direct IB earned", "ib"),
    "spread": Word("Spread", note="as a difference of prices"),
    "spread_basis": Word("Where the spread is from", "text"),
    "pip": Word("One pip", note="as a difference of prices"),
    "point": Word("One point", note="as a difference of prices"),
    "price": Word("Price"),
    "notional": Word("Turnover", "gross"),
    "notional_rate": Word("Rate of exchange of the turnover", "text"),
    "unit": Word("Turnover is counted per"),
    "charged": Word("Commission charged", "named", "of the lots that count"),
    "swap_paid": Word("Swap paid", "named", "of the lots that count"),
    "client_loss": Word("The client's loss", "named", "of the lots that count"),
    "client_profit": Word("The client's profit", "named", "of the lots that count"),
    "currency": Word("Currency of it", "text"),
    "revenue_spread": Word("Revenue: spread", "account"),
    "revenue_commission": Word("Revenue: commission", "account"),
    "revenue_swap": Word("Revenue: swap", "account"),
    "revenue_client_result": Word("Revenue: the client's result", "account"),
    "qualified_at": Word("Qualified at", "text"),
    "ftd": Word("First-time deposit", "unknown", OF_LOWEST),
    "once_for": Word("Paid once for a", "text", "of all its clients with the IB, the first to qualify"),
    "claim": Word("Of the person's clients this CPA is", "text"),
    "accrual": Word("Accrued by transfer", "text"),
    "change_reason": Word("Reason", "text"),
    "created_by": Word("Asked for by", "text"),
    "approved_by": Word("Approved by", "text"),
    "hold_reason": Word("Reason", "text"),
    "held_by": Word("Held by", "text"),
    "released_by": Word("Released by", "text"),
    "attachment": Word("Document", "text", "its SHA-256"),
    "paid_client": Word("The client whose CPA is paid", "text"),
    "paid_since": Word("It qualified at", "text"),
    "instead_of": Word("In place of the CPA of client", "text"),
    "deposit": Word("Deposit", "named"),
    "share": Word("Share", "percent"),
    "measure": Word("Reached in the period", "measure"),
    "band": Word("Band reached", "text", "0 is the component's own rates"),
    "level": Word("Level in force", "text", "0 is the component's own rates"),
    "before_caps": Word("Before the caps", "ib"),
    "capped": Word("Within the caps", "ib"),
    "earlier_versions": Word("Of it under earlier versions of the plan", "ib", "before caps"),
    "result": Word("Result of the period", "ib", "the IB's share of it"),
    "carried": Word("Carried from earlier periods", "ib"),
    "registered": Word("Clients registered", "text"),
    "deposited": Word("Of them have deposited", "text"),
    "clients": Word("Clients who reached the volume", "text"),
    "due": Word("Due for the period", "ib"),
    "accrued": Word("Accrued already", "ib"),
    "posted": Word("Posted by earlier true-ups", "ib"),
    "given_back": Word("Given back", "ib", "of what was taken: the dispute was won"),
    "refunded": Word("Refunded", "ib", "of what the charge earned: the client got it back"),
    "refund_gone": Word("Given back", "ib", "of what a refund took: the platform changed the refund"),
    "moved_to": Word("Moved to", "text", "the time of the deal was changed"),
    "taken": Word("Taken", "ib", "of what was left: more of the deposit is lost"),
    "proposal": Word("Rated again by proposal", "text"),
    "trigger": Word("Worked out again after", "text"),
}
"""Every factor the room writes; a test collects them from runs and from the source."""

_BAND = re.compile(r"band_(\d+)")


def word(name: str) -> Word:
    """The word of a factor; one nobody knows is called by its own name."""
    found = _BAND.fullmatch(name)
    if found:
        where = "the own rates" if found[1] == "0" else f"band {found[1]}"
        return Word(f"At {where}", "measure")
    return WORDS.get(name) or Word(name.replace("_", " "), "text")


def is_known(name: str) -> bool:
    """Whether the factor has a label of its own; `lots/*: rate` is the `rate` of a rule among several."""
    return base_name(name) in WORDS or _BAND.fullmatch(name) is not None


def base_name(name: str) -> str:
    """A factor's name without the rule it belongs to."""
    return name.rpartition(": ")[2]


def read(factors: Factors) -> Factors:
    """Numbers as decimals again: the wire and the database keep factors as text."""
    return {name: _read(name, value) for name, value in factors.items()}


def _read(name: str, value: Decimal | str) -> Decimal | str:
    if isinstance(value, Decimal) or word(base_name(name)).unit == "text":
        return value
    try:
        found = Decimal(value)
    except InvalidOperation:
        return value
    return found if found.is_finite() else value


def number(value: Decimal) -> str:
    """A number for people: `100,000`, `1.5`; endless ones to 8 decimals: `about 0.33333333`."""
    exact = Decimal(plain(value))
    if _decimals(exact) > DECIMALS_MAX:
        return f"about {round(exact, 8):,f}"
    return f"{exact:,f}"


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.as_tuple().exponent))


def money(amount: Decimal, currency: str) -> str:
    """An amount for people: grouped, at least the currency's digits: `1,234.50 USD`, `0.00125 USD`."""
    exact = Decimal(plain(amount))
    decimals = _decimals(exact)
    if decimals > DECIMALS_MAX:
        return f"about {round(exact, 8):,f} {currency}".rstrip()
    return f"{exact:,.{max(minor_digits(currency) if currency else 0, decimals)}f} {currency}".rstrip()


def rounded_off(amount: Decimal, currency: str) -> str:
    """A rate of money: no more digits than it has: `7 USD`."""
    return f"{number(amount)} {currency}".rstrip()


def lots(volume: Decimal) -> str:
    """`1 lot`, `1.5 lots`."""
    return f"{number(volume)} {'lot' if volume == 1 else 'lots'}"


def percent(share: Decimal) -> str:
    """`35 %`."""
    return f"{number(share * 100)} %"


def when(at: datetime) -> str:
    """A time for people, in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def exchange(path: str) -> str:
    """The origin of a conversion in words: `USD/JPY 155.20 (2026-09-01, ECB), inverted`."""
    if not path:
        return "none: cents of the same currency"
    legs = [leg for leg in path.split(" x ") if leg != "1"]
    said = [f"{leg.removeprefix('1 / ')}, inverted" if leg.startswith("1 / ") else leg for leg in legs]
    return " and then ".join(said)


def conversion(path: str, *currencies: str) -> str:
    """The same between two currencies, of which one may be of cents: `100 USC to 1 USD`."""
    cents = [f"100 {cent} to 1 {CENT_CURRENCIES[cent]}" for cent in currencies if cent in CENT_CURRENCIES]
    return ", ".join([exchange(path), *cents] if path or not cents else cents)


def match(text: str) -> str:
    """What a rate matches in words: `every symbol`, `symbols of class forex`, `EURUSD`."""
    pattern, of, rest = text.partition(" of ")
    if pattern in ("", "*"):
        said = "every symbol"
    elif pattern.startswith("class:"):
        said = f"symbols of class {pattern.removeprefix('class:')}"
    elif pattern.endswith("*"):
        said = f"symbols {pattern}"
    else:
        said = pattern
    return f"{said}{of}{rest}"
