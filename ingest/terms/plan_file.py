"""A self-contained file of plans: with the symbols, partners and rates they need, and what is expected."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import NamedTuple, TypeVar

from commission.terms.market import RatePublished, SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from ingest.terms.folder import LACKING, InvalidTerms
from ingest.terms.located import LocatedRecord, check_meaning
from ingest.terms.partners import read_partners
from ingest.terms.plans import PLAN_FILE_KEYS, read_plans
from ingest.terms.rates import read_rates
from ingest.terms.symbols import read_symbols_of
from ingest.terms.yaml_page import Items, Problem, open_page, read_top

R = TypeVar("R", SymbolDefined, PlanDefined, PartnerDefined, RatePublished)

DEMO_SERVER = "demo"
"""The server of the symbols in a self-contained file of plans."""
OF_A_WHOLE_BROKER = ("idle_override", "no_average_spread", "uncovered_symbol")
"""Warnings about what a broker's terms lack; a file for a few cases has no more than they need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BesidePlans:
    """What a self-contained file of plans holds beside them: records, and what is expected of them."""

    title: str
    source: str
    symbols: tuple[SymbolDefined, ...]
    partners: tuple[PartnerDefined, ...]
    rates: tuple[RatePublished, ...]
    expect: Items
    """As written: texts, lists and mappings with their `line`; a mapping also tells `line_at(key)`."""


class PlanFile(NamedTuple):
    """A self-contained file of plans."""

    plans: tuple[PlanDefined, ...]
    rest: BesidePlans
    warnings: tuple[Problem, ...] = ()


def load_plan_file(path: Path, zone: tzinfo = UTC) -> PlanFile:
    """Read a file of plans with the symbols, partners and rates it names; raise `InvalidTerms`.

    Times without a zone of their own are of `zone`, the broker's where the file lies in a terms folder; the
    server is `demo`. The meaning is checked as in a terms folder.
    """
    problems: list[Problem] = []
    page = open_page(path, problems)
    if page is None:
        raise InvalidTerms(problems)
    page.zone = zone
    top = read_top(page, "a file of plans", PLAN_FILE_KEYS, unlimited=("title", "source", "expect"))
    noise = {code for key in ("symbols", "partners") if key not in top for code in LACKING[f"{key}.yaml"]}
    symbols = [] if "symbols" not in top else read_symbols_of(page, DEMO_SERVER, top, "symbols")
    found = [*symbols, *read_plans(page, top), *read_partners(page, top), *read_rates(page, top)]
    rest = BesidePlans(
        title=str(top.get("title", "")),
        source=str(top.get("source", "")),
        symbols=_records(found, SymbolDefined),
        partners=_records(found, PartnerDefined),
        rates=_records(found, RatePublished),
        expect=Items(top.line_at("expect"), page.items(top, "expect")),
    )
    warnings: list[Problem] = []
    check_meaning(found, problems, warnings, page.faulty, noise)
    if problems := [*page.problems, *problems]:
        raise InvalidTerms(sorted(set(problems), key=lambda problem: (problem.line, problem.text)))
    told = tuple(warning for warning in warnings if warning.code not in OF_A_WHOLE_BROKER)
    return PlanFile(_records(found, PlanDefined), rest, told)


def _records(found: Iterable[LocatedRecord], kind: type[R]) -> tuple[R, ...]:
    return tuple(located.record for located in found if isinstance(located.record, kind))
