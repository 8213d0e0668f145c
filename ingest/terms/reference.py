"""Every key of the terms files with its default and an example, made from what reads them.

Keys, types, defaults and meanings are those of the values that `yaml_values.py` reads and of the constants
that the reader of each file checks; examples, and the words for the keys of broker.yaml, stand in
`examples.py`. A key without an example is an error, so no key can be forgotten.
"""

import inspect
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from msgspec.structs import fields

from commission.terms.components import (
    AnyDealComponent,
    CohortBonus,
    Cpa,
    CpaAmount,
    Cpl,
    DealComponent,
    DepositShare,
    PlanComponent,
)
from commission.terms.market import SymbolDefined
from commission.terms.partners import ParentLink, PartnerDefined, PlanAssignment, StatusChange
from commission.terms.plans import Accepted, Budget, Clawback, PlanDefined
from commission.terms.rates import Band, Caps, LotFactor, Override, RankRates, Rate, Tiers, When
from commission.value import Value
from ingest.terms import feeds
from ingest.terms.examples import BROKER, FEED, FILES, FORMS, KEYS, PARTNER, RATES, SERVER, TOP, Told
from ingest.terms.keys import keys_of, required_keys
from ingest.terms.period_dates import CALENDAR_NEEDED
from ingest.terms.rates import RATES_NEEDED, RATES_OPTIONAL
from ingest.terms.servers import BROKER_NEEDED, BROKER_OPTIONAL, SERVER_NEEDED, SERVER_OPTIONAL
from ingest.terms.symbols import SYMBOL_NEEDED, SYMBOL_OPTIONAL
from schemas.models import default_of
from schemas.plan_schema import docstrings

PARTS = (
    *(Rate, When, Override, RankRates, Tiers, Band, Caps),
    *(CpaAmount, LotFactor, Budget, Clawback, Accepted),
)
OTHERS = (Cpa, Cpl, DepositShare, CohortBonus)
HEAD = "| key | takes | default | example | |\n|---|---|---|---|---|"
_WORDS: dict[Any, str] = {
    Decimal: "number",
    int: "whole number",
    bool: "`true`, `false`",
    str: "text",
    datetime: "time",
}


class Row(NamedTuple):
    """One key."""

    key: str
    takes: str
    default: str
    example: str
    told: str

    def __str__(self) -> str:
        cells = (f"`{self.key}`", self.takes, self.default, f"`{self.example}`", self.told)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def reference() -> str:
    """The page, as Markdown."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield from (FORMS, "")
    yield from ("## broker.yaml", "", _yaml("broker.yaml"))
    yield from _listed("### the file", BROKER_NEEDED, BROKER_OPTIONAL, TOP)
    yield from _listed("### calendar", CALENDAR_NEEDED, ("periods",), BROKER)
    yield from _listed("### servers, each by its name", SERVER_NEEDED, SERVER_OPTIONAL, SERVER)
    title = "### feed of kind mt5-sql or mt4-sql"
    yield from _listed(title, feeds.SQL_NEEDED, feeds.SQL_OPTIONAL, FEED)
    yield from _listed("### feed of kind mt5-web-api", feeds.WEB_NEEDED, feeds.WEB_OPTIONAL, FEED)
    yield from ("## symbols.yaml", "", _yaml("symbols.yaml"))
    yield from _of(SymbolDefined, only=(*SYMBOL_NEEDED, *SYMBOL_OPTIONAL))
    yield from ("## partners.yaml", "", _yaml("partners.yaml"))
    yield from _of(PartnerDefined, more=PARTNER)
    for entry in (ParentLink, PlanAssignment, StatusChange):
        yield from _of(entry)
    yield from ("## rates.yaml", "", _yaml("rates.yaml"))
    yield from _listed("### an entry of rates", RATES_NEEDED, RATES_OPTIONAL, RATES)
    yield from ("## plans.yaml, and the files of plans/", "", _yaml("plans.yaml"))
    yield from _of(PlanDefined)
    yield from _of(DealComponent)
    for component in get_args(AnyDealComponent):
        yield from _of(component, without=keys_of(DealComponent).keys())
    for component in OTHERS:
        yield from _of(component)
    for part in PARTS:
        yield from _of(part)


def _yaml(name: str) -> str:
    return f"```yaml\n# {name}\n{FILES[name].strip()}\n```\n"


def _listed(title: str, needed: tuple[str, ...], optional: tuple[str, ...], told: Told) -> Iterator[str]:
    """A table of keys that are no fields of a value."""
    yield from (title, "", HEAD)
    for key in (*needed, *optional):
        takes, default, example, text = told[key]
        yield str(Row(key, takes, "**needed**" if key in needed else default, example, text))
    yield ""


def _of(cls: type[Value], *, only: Any = None, without: Any = (), more: Told | None = None) -> Iterator[str]:
    """The heading, the meaning and the keys of a value."""
    yield from (f"### {title_of(cls)}", "", inspect.cleandoc(cls.__doc__ or ""), "")
    keys = [key for key in (only or keys_of(cls)) if key not in without or key == "kind"]
    if cls in get_args(AnyDealComponent):
        yield from (f"Beside the keys of [{title_of(DealComponent)}](#{_anchor(DealComponent)}):", "")
    yield HEAD
    yield from (str(_row(cls, key)) for key in keys)
    for key, (takes, default, example, text) in (more or {}).items():
        yield str(Row(key, takes, default, example, text))
    yield ""


def _row(cls: type[Value], key: str) -> Row:
    name = keys_of(cls)[key]
    hint, usual = _of_field(cls, name)
    is_needed = key in required_keys(cls) or key == "kind"
    needed = is_needed and not (cls is SymbolDefined and key not in SYMBOL_NEEDED)
    told = docstrings().get(cls.__name__, {}).get(name, "")
    default = "**needed**" if needed else _default(cls, key, usual)
    return Row(key, _takes(cls, key, hint), default, example_of(cls, key), " ".join(told.split()))


def example_of(cls: type[Value], key: str) -> str:
    """What a person might write for a key, as YAML in one line."""
    for base in cls.__mro__:
        if (found := KEYS.get(f"{base.__name__}.{key}")) is not None:
            return found
    if (found := KEYS.get(key)) is not None:
        return found
    name = keys_of(cls)[key]
    hint, usual = _of_field(cls, name)
    if hint is bool:
        return "false" if usual is True else "true"
    if get_origin(hint) is Literal:
        options = [option for option in get_args(hint) if option != usual]
        return str((options or get_args(hint))[0])
    raise AssertionError(f"{cls.__name__}.{key} has no example; add one to terms/examples.py")


_OWN_DEFAULTS = {
    "PartnerDefined.kyc": "`pending`",
    "PartnerDefined.agreement": "`pending`",
    "SymbolDefined.canonical": "its own name",
    "SymbolDefined.standard_contract_size": "`contract_size`",
}
_OWN_WORDS = {
    "PartnerDefined.kyc": "`pending`, `approved`, `rejected`, `revoked`, `expired`",
    "PartnerDefined.agreement": "`pending`, `accepted`",
}


def _of_field(cls: type[Value], name: str) -> tuple[Any, Any]:
    """The type of a field and its default; a component's kind is its tag."""
    if name == "kind":
        kind = cls.__struct_config__.tag
        return Literal[kind], kind
    (field,) = (one for one in fields(cls) if one.name == name)
    return get_type_hints(cls)[name], default_of(field)


def _default(cls: type[Value], key: str, usual: Any) -> str:
    if (own := _OWN_DEFAULTS.get(f"{cls.__name__}.{key}")) is not None:
        return own
    if usual is None or usual in ("", ()):
        return "none"
    if isinstance(usual, Value):
        return "its defaults"
    if isinstance(usual, bool):
        return f"`{str(usual).lower()}`"
    if isinstance(usual, tuple):
        return f"`[{', '.join(map(str, usual))}]`"
    return f"`{usual}`"


def _takes(cls: type[Value], key: str, hint: Any) -> str:
    """What a key takes, in words."""
    if (own := _OWN_WORDS.get(f"{cls.__name__}.{key}")) is not None:
        return own
    if get_origin(hint) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Value):
        return f"[{title_of(hint)}](#{_anchor(hint)})"
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if get_origin(hint) is tuple:
        return _takes_list(cls, key, kinds[0])
    return _takes(cls, key, kinds[0]) if kinds else _WORDS[hint]


def _takes_list(cls: type[Value], key: str, entry: Any) -> str:
    if get_origin(entry) is tuple:
        return f"list of {_takes(cls, key, entry)}"
    if key == "components":
        return "list of components"
    return f"one or a list: {_takes(cls, key, entry)}"


TITLES: dict[type, str] = {
    PlanDefined: "a plan",
    PartnerDefined: "a partner",
    SymbolDefined: "a symbol",
    ParentLink: "an entry of parent",
    PlanAssignment: "an entry of plan",
    StatusChange: "an entry of status",
    DealComponent: "a component that pays for deals",
    CpaAmount: "an entry of amounts",
    LotFactor: "an entry of lot_factors",
    Accepted: "an entry of accept",
    RankRates: "an entry of ranks",
    Band: "an entry of bands",
}


def title_of(cls: Any) -> str:
    """How a value is called on the page: a component by its kind."""
    if cls in TITLES:
        return TITLES[cls]
    kind = cls.__struct_config__.tag if issubclass(cls, PlanComponent) else None
    return f"kind: {kind}" if kind is not None else cls.__name__.lower()


def _anchor(cls: Any) -> str:
    return title_of(cls).replace(" ", "-").replace(":", "")
