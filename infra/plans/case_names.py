"""Names in golden cases: what is misspelt is expected in vain, or worse, expected to get nothing and does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from commission.accounts import ib_of
from commission.explain.reasons import REASONS
from commission.terms.checks.published import meant, some
from commission.terms.market import SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from commission.terms.records import TermsRecord
from infra.plans.case_lines import Case
from ingest.terms.yaml_page import Fields, Problem, line_of


def check_names(
    path: Path, cases: Sequence[tuple[Case, Fields]], terms: Sequence[TermsRecord]
) -> Iterator[Problem]:
    """Find cases of one name, and IBs, symbols, deals, components and reasons that are not there."""
    yield from _repeated(path, cases)
    yield from _unknown_ibs(path, cases, terms)
    symbols = {name for r in terms if isinstance(r, SymbolDefined) for name in (r.symbol, r.canonical)}
    components = {
        word for r in terms if isinstance(r, PlanDefined) for c in r.components for word in (c.name, c.kind)
    }
    for case, item in cases:
        for line, text in (
            *_unknown_symbols(case, item, symbols),
            *_unknown_deals(case, item),
            *_unknown_components(case, item, components),
            *_unknown_reasons(case, item),
        ):
            yield Problem(str(path), line, text)


def _repeated(path: Path, cases: Sequence[tuple[Case, Fields]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for case, item in cases:
        if case.case in seen:
            told = f"the case {case.case!r} is there twice; give each its own name"
            yield Problem(str(path), item.line, told)
        seen.add(case.case)


def _unknown_ibs(
    path: Path, cases: Sequence[tuple[Case, Fields]], terms: Sequence[TermsRecord]
) -> Iterator[Problem]:
    partners = {record.ib_id for record in terms if isinstance(record, PartnerDefined)}
    known = some(sorted(partners))
    for case, item in cases:
        if not partners:
            yield Problem(str(path), item.line, "there is no partner to pay; add partners to the file")
            continue
        for line, ib_id in _named_ibs(case, item):
            if ib_id not in partners:
                yield Problem(
                    str(path), line, f"no partner {ib_id}; {meant(ib_id, partners)}there are {known}"
                )


def _named_ibs(case: Case, item: Fields) -> Iterator[tuple[int, str]]:
    for key in ("pays", "shown", "pays_by_component"):
        named = item.get(key)
        if isinstance(named, Fields):
            yield from ((named.line_at(ib_id), ib_id) for ib_id in named)
    for account in case.balances:
        if ib_id := ib_of(account):
            yield item.line_at("balances"), ib_id
    clients = item.get("clients", [item.get("client")])
    for client, line in zip(case.clients or (case.client,), clients, strict=True):
        if client.ib not in ("", "nobody"):
            yield line_of(line, item.line), client.ib


def _unknown_symbols(case: Case, item: Fields, symbols: set[str]) -> Iterator[tuple[int, str]]:
    """A deal in an unknown symbol waits for ever; a case may mean that, and says so by `rejects`."""
    for client in case.all_clients:
        for deal in client.deals:
            if deal.symbol and deal.symbol not in symbols and deal.deal_id not in case.rejects:
                text = f"deal {deal.deal_id}: no symbol {deal.symbol}; {meant(deal.symbol, symbols)}"
                yield item.line_at("deals"), f"{text}there are {some(sorted(symbols))}"


def _unknown_deals(case: Case, item: Fields) -> Iterator[tuple[int, str]]:
    deals = {deal.deal_id for client in case.all_clients for deal in client.deals}
    for key in ("rejects", "paid_by_deal"):
        for deal_id in getattr(case, key):
            if deal_id not in deals:
                known = f"there are {some(sorted(deals))}" if deals else "the case has none"
                yield _line_in(item, key, deal_id), f"{key}: no deal {deal_id}; {known}"


def _unknown_components(case: Case, item: Fields, components: set[str]) -> Iterator[tuple[int, str]]:
    for named in case.pays_by_component.values():
        for name in named:
            if name not in components:
                text = f"no component {name}; {meant(name, components)}there are {some(sorted(components))}"
                yield item.line_at("pays_by_component"), text


def _unknown_reasons(case: Case, item: Fields) -> Iterator[tuple[int, str]]:
    for deal_id, code in case.rejects.items():
        if code not in REASONS:
            text = f"no reason {code}; {meant(code, REASONS)}there are {', '.join(REASONS)}"
            yield _line_in(item, "rejects", deal_id), text


def _line_in(item: Fields, key: str, name: str) -> int:
    inside = item.get(key)
    return inside.line_at(name) if isinstance(inside, Fields) else item.line_at(key)
