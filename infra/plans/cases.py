"""The golden cases of a file of plans: what happens in them and what is expected, read and checked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from commission.events import LOT_E8, KycStatus
from commission.money import Money
from commission.terms.partners import PartnerDefined
from commission.terms.records import TermsRecord
from ingest.iso_codes import COUNTRY_HINT, to_country
from ingest.terms.folder import InvalidTerms
from ingest.terms.plan_file import load_plan_file
from ingest.terms.yaml_page import Fields, Items, Problem, line_of, to_moment

MAX_TIMES = 1_000
"""Clients one entry may stand for."""
MAX_LOTS = 1_000_000_000

DEAL_HINT = "write: id side lots symbol entry key=value …, such as 1 buy 0.5 EURUSD in at=2026-09-03T10:00Z"


def _to_money(value: Any) -> Money:
    amount, _, currency = str(value).partition(" ")
    try:
        return Money(Decimal(amount), currency)
    except InvalidOperation:
        raise ValueError("write an amount and its currency, such as 4.20 USD") from None


def _to_time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if (moment := to_moment(str(value), UTC)) is None:
        raise ValueError("write a date 2026-09-01 or a time 2026-09-01T12:00Z; times are UTC")
    return moment


def _to_month(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
        raise ValueError("periods are months here; write year and month as 2026-09")
    return _to_text(value)


def _to_zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (KeyError, ValueError, OSError):  # unknown, not a name, a folder of zones
        raise ValueError("write an IANA zone such as Europe/Nicosia") from None


def _is_fine(lots: Decimal) -> Decimal:
    if not 0 <= lots <= MAX_LOTS or lots * LOT_E8 != int(lots * LOT_E8):
        raise ValueError(f"write lots from 0 to {MAX_LOTS}, with at most 8 decimals")
    return lots


def _to_code(text: str) -> str:
    code = to_country(text) if text else ""
    if code is None:
        raise ValueError(COUNTRY_HINT)
    return code


def _to_text(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


Amount = Annotated[Money, BeforeValidator(_to_money)]
Time = Annotated[datetime, BeforeValidator(_to_time)]
Text = Annotated[str, BeforeValidator(_to_text)]
Country = Annotated[Text, AfterValidator(_to_code)]
Lots = Annotated[Decimal, AfterValidator(_is_fine)]
Month = Annotated[str, BeforeValidator(_to_month)]
Zone = Annotated[str, BeforeValidator(_to_zone)]

DAY_1 = datetime(2026, 9, 1, tzinfo=UTC)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DealLine(_Value):
    """One deal as a line: what it is, then `key=value` for what differs from the usual."""

    deal_id: Text
    side: Literal["buy", "sell"] | None
    lots: Lots
    symbol: Text
    entry: Literal["in", "out", "inout", "out_by"] | None
    at: Time = DAY_1 + timedelta(days=2, hours=10)
    price: Decimal = Decimal(1)
    bid: Decimal | None = None
    ask: Decimal | None = None
    position: Text = ""
    """The deals of one account and symbol are one position unless told."""
    login: int | None = None
    closed: Lots | None = None
    """Of an in/out: the lots it closes."""
    contract_size: Decimal | None = None
    profit: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    currency: Text = "USD"
    rate_profit: Decimal | None = None
    balance: Decimal | None = None
    equity: Decimal | None = None
    credit: Decimal | None = None
    reason: Text = "client"
    group: Text = ""
    kind: Text = "trade"
    revision: Text = "a"
    platform: Literal["mt4", "mt5"] = "mt5"


def _to_deal(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = str(value).split()
    plain = [word for word in words if "=" not in word]
    if len(plain) != 5:
        raise ValueError(f"{str(value)!r} has {len(plain)} words before its keys, not 5; {DEAL_HINT}")
    names = ("deal_id", "side", "lots", "symbol", "entry")
    told = {name: None if word == "-" else word for name, word in zip(names, plain, strict=True)}
    told["symbol"] = told["symbol"] or ""
    keys = dict(word.split("=", 1) for word in words if "=" in word)
    return told | keys


AnyDealLine = Annotated[DealLine, BeforeValidator(_to_deal)]
EVENT_KINDS = (
    "deposit",
    "chargeback",
    "refund",
    "deposit_reversal",
    "chargeback_won",
    "withdrawal",
    "kyc",
    "flag",
    "reassigned",
    "period_end",
)


class EventLine(_Value):
    """One CRM event or the end of a period; exactly one of the kinds is named."""

    at: Time | None = None
    amount: Amount | None = None
    deposit: Text | None = None
    chargeback: Text | None = None
    refund: Text | None = None
    deposit_reversal: Text | None = None
    chargeback_won: Text | None = None
    """The deposit whose dispute was won."""
    withdrawal: Amount | None = None
    kyc: KycStatus | None = None
    flag: Literal["fraud", "bonus_removed"] | None = None
    reassigned: Text | None = None
    """The new IB, or `nobody`."""
    period_end: Month | None = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in EVENT_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_whole(self) -> "EventLine":
        kinds = [kind for kind in EVENT_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"an event names exactly one of {', '.join(EVENT_KINDS)}")
        if self.at is None and kinds[0] != "period_end":
            raise ValueError("an event needs `at`, its time")
        if kinds[0] == "deposit" and self.amount is None:
            raise ValueError("a deposit needs `amount`, such as 500 USD")
        return self


class ClientLine(_Value):
    """One client, or `times` equal ones, with its events and deals."""

    id: Text = "c-1"
    times: int = Field(default=1, ge=1, le=MAX_TIMES)
    ib: Text = ""
    """The first partner without sub-IBs unless told; `nobody` for none."""
    country: Country = ""
    channel: Text = ""
    identity: Text = ""
    kyc: KycStatus = "approved"
    registered: Time = DAY_1
    events: tuple[EventLine, ...] = ()
    deals: tuple[AnyDealLine, ...] = ()


class Case(_Value):
    """A golden case: what clients did, and what every IB gets for it. See examples/plans/README.md."""

    case: Text
    client: ClientLine = ClientLine()
    clients: tuple[ClientLine, ...] = ()
    events: tuple[EventLine, ...] = ()
    deals: tuple[AnyDealLine, ...] = ()
    server: Text = ""
    zone: Zone = "UTC"
    """Where days and months begin."""
    pays: dict[Text, Amount]
    pays_by_component: dict[Text, dict[Text, Amount]] = {}
    rejects: dict[Text, Text] = {}
    paid_by_deal: dict[Text, Amount] = {}
    balances: dict[Text, Amount] = {}
    shown: dict[Text, Amount] = {}

    @model_validator(mode="after")
    def _is_whole(self) -> "Case":
        if self.clients and (self.deals or self.client != ClientLine()):
            raise ValueError("a case has either `client` and `deals`, or `clients` with deals of their own")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCases:
    """A file of plans with the terms its cases run on."""

    path: Path
    title: str
    source: str
    own: tuple[TermsRecord, ...]
    """What the file itself says."""
    terms: tuple[TermsRecord, ...]
    cases: tuple[Case, ...]
    lines: tuple[int, ...]
    """Where each case begins."""


def load_cases(path: Path, folder: Sequence[TermsRecord] = ()) -> PlanCases:
    """Read a file of plans; raise `InvalidTerms` with every problem of its terms or its cases.

    A file that names no partners of its own runs on the records of the terms `folder` it lies in.
    """
    plans, rest = load_plan_file(path)
    own: tuple[TermsRecord, ...] = (*rest.symbols, *plans, *rest.partners, *rest.rates)
    terms: tuple[TermsRecord, ...] = (
        own if rest.partners else (*folder, *(record for record in own if record not in folder))
    )
    problems: list[Problem] = []
    read = [(_read_case(path, item, rest.expect, problems), item) for item in rest.expect]
    known = [(case, item) for case, item in read if case is not None]
    problems += _repeated(path, known)
    problems += _unknown_names(path, known, terms)
    if problems:
        raise InvalidTerms(sorted(problems, key=lambda problem: problem.line))
    return PlanCases(
        path=path,
        title=rest.title,
        source=rest.source,
        own=own,
        terms=terms,
        cases=tuple(case for case, _ in known),
        lines=tuple(item.line for _, item in known),
    )


def _read_case(path: Path, item: Any, listed: Items, problems: list[Problem]) -> Case | None:
    try:
        return Case.model_validate(item)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False):
            line, where = _place(item, found["loc"], listed.line)
            text = found["msg"].removeprefix("Value error, ")
            problems.append(Problem(str(path), line, f"{where}: {text}" if where else text))
    return None


def _place(item: Any, loc: Iterable[Any], line: int) -> tuple[int, str]:
    """The line of what an error is about, and its name."""
    line, data, names = line_of(item, line), item, []
    for step in loc:
        if isinstance(data, Fields):
            line, data = data.line_at(str(step)), data.get(str(step))
        elif isinstance(data, Items) and isinstance(step, int) and step < len(data):
            data = data[step]
            line = line_of(data, line)
        elif step == "[key]":
            continue
        names.append(str(step + 1) if isinstance(step, int) else str(step))
    return line, "/".join(names)


def _repeated(path: Path, cases: Sequence[tuple[Case, Fields]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for case, item in cases:
        if case.case in seen:
            told = f"the case {case.case!r} is there twice; give each its own name"
            yield Problem(str(path), item.line, told)
        seen.add(case.case)


def _unknown_names(
    path: Path, cases: Sequence[tuple[Case, Fields]], terms: Sequence[TermsRecord]
) -> Iterator[Problem]:
    """A misspelt IB would be expected in vain, or worse, be expected to get nothing and do."""
    partners = {record.ib_id for record in terms if isinstance(record, PartnerDefined)}
    known = ", ".join(sorted(partners))
    for case, item in cases:
        if not partners:
            yield Problem(str(path), item.line, "there is no partner to pay; add partners to the file")
            continue
        for line, ib_id in _named_ibs(case, item):
            if ib_id not in partners:
                yield Problem(str(path), line, f"no partner {ib_id}; there are {known}")


def _named_ibs(case: Case, item: Fields) -> Iterator[tuple[int, str]]:
    for key in ("pays", "shown", "pays_by_component"):
        named = item.get(key)
        if isinstance(named, Fields):
            yield from ((named.line_at(ib_id), ib_id) for ib_id in named)
    clients = item.get("clients", [item.get("client")])
    for client, line in zip(case.clients or (case.client,), clients, strict=True):
        if client.ib not in ("", "nobody"):
            yield line_of(line, item.line), client.ib
