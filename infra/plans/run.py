"""Run the golden cases of plans through the books in memory, and say what differs and what made it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from commission.accounts import ib_of
from commission.ledger import balances
from commission.money import EXACT, Money, plain
from commission.outputs import Rejection, Transfer
from commission.terms.records import TermsRecord
from infra.plans.case_lines import Case
from infra.plans.cases import PlanCases
from infra.plans.records import case_records
from schemas.dead_letters import DeadLetter
from schemas.wire import Record
from streams.in_memory import LocalPipeline

ZERO = Decimal(0)
MAX_ROWS_SHOWN = 12
"""Rows of the ledger told with one difference."""

SETTLING = ("statement", "rounding", "release")
"""Codes that move an IB's money without adding any."""

Amounts = dict[str, dict[str, Decimal]]
"""Whose, then by currency."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that did not come true, and the ledger rows that made what came instead."""

    of: str
    expected: str
    got: str
    made_by: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The difference in one line."""
        return f"{self.of}: expected {self.expected}, got {self.got}"

    def __str__(self) -> str:
        return "\n".join((self.told, *(f"    {row}" for row in self.made_by)))


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, run."""

    file: PlanCases
    case: Case
    line: int
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether everything expected came true."""
        return not self.mismatches


class Outcome:
    """What the pipeline said of one case."""

    def __init__(
        self,
        transfers: Iterable[Transfer] = (),
        rejections: Iterable[Rejection] = (),
        dead_letters: Iterable[DeadLetter] = (),
    ) -> None:
        self.transfers = list(transfers)
        self.rejections = list(rejections)
        self.dead_letters = list(dead_letters)
        self._causes = {transfer.transfer_id: transfer.caused_by for transfer in self.transfers}

    def earned(self, rows: Iterable[Transfer] | None = None) -> Amounts:
        """By IB: what reached its accounts less what left them, settling aside."""
        found: Amounts = defaultdict(lambda: defaultdict(lambda: ZERO))
        for row in self.transfers if rows is None else rows:
            if row.code in SETTLING:
                continue
            for account, sign in ((row.credit, 1), (row.debit, -1)):
                if ib_id := ib_of(account):
                    found[ib_id][row.currency] += sign * row.amount
        return found

    def deal_of(self, row: Transfer) -> str:
        """The deal a row is about; of a reversal, the one it takes back."""
        cause = self._causes.get(row.reverses or "", row.caused_by)
        return cause.partition("|")[2]

    def of_deal(self, deal_id: str) -> list[Transfer]:
        """The rows about one deal."""
        return [row for row in self.transfers if self.deal_of(row) == deal_id]

    def of_component(self, ib_id: str, name: str) -> list[Transfer]:
        """The rows of an IB by a component's name or kind."""
        return [
            row
            for row in self.transfers
            if row.ib_id == ib_id and name in (row.component, row.rule.partition("/")[0])
        ]


def fold(terms: Iterable[Record], records: Iterable[Record]) -> Outcome:
    """Feed terms, then what happened, to the books in memory."""
    pipeline = LocalPipeline()
    outputs = [*pipeline.feed(terms), *pipeline.feed(records)]
    return Outcome(
        (output for output in outputs if isinstance(output, Transfer)),
        (output for output in outputs if isinstance(output, Rejection)),
        pipeline.dead_letters,
    )


def run_file(file: PlanCases) -> Iterator[CaseResult]:
    """Every case of a file, one by one."""
    for case, line in zip(file.cases, file.lines, strict=True):
        yield CaseResult(file, case, line, run_case(case, file.terms))


def run_case(case: Case, terms: tuple[TermsRecord, ...]) -> tuple[Mismatch, ...]:
    """Fold the case on the terms; everything that is not as expected."""
    known, records = case_records(case, terms)
    return compare(case, fold(known, records))


def compare(case: Case, outcome: Outcome) -> tuple[Mismatch, ...]:
    """What differs between a case's expectations and what came out."""
    return (
        *_compare_pays(case, outcome),
        *_compare_components(case, outcome),
        *_compare_deals(case, outcome),
        *_compare_rejects(case, outcome),
        *_compare_balances(case, outcome),
        *_compare_shown(case, outcome),
        *(Mismatch("the input", "to be read", f"a dead letter: {d}") for d in outcome.dead_letters),
    )


def _compare_pays(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    earned = outcome.earned()
    for ib_id in sorted({*case.pays, *earned}):
        expected = case.pays.get(ib_id, Money(ZERO, ""))
        got = earned.get(ib_id, {})
        if not _is_same(expected, got):
            rows = [row for row in outcome.transfers if row.ib_id == ib_id and row.code not in SETTLING]
            told = _told_rows(rows, outcome) or _told_rejections(outcome)
            yield Mismatch(ib_id, _written(expected), _written_all(got), told)


def _compare_components(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    for ib_id, components in case.pays_by_component.items():
        for name, expected in components.items():
            rows = outcome.of_component(ib_id, name)
            got = outcome.earned(rows).get(ib_id, {})
            if not _is_same(expected, got):
                told = _told_rows(rows, outcome)
                yield Mismatch(f"{ib_id} from {name}", _written(expected), _written_all(got), told)


def _compare_deals(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    for deal_id, expected in case.paid_by_deal.items():
        rows = outcome.of_deal(deal_id)
        got: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for amounts in outcome.earned(rows).values():
            for currency, amount in amounts.items():
                got[currency] += amount
        if not _is_same(expected, got):
            told = _told_rows(rows, outcome)
            yield Mismatch(f"deal {deal_id}", _written(expected), _written_all(got), told)


def _compare_rejects(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    newest = {r.deal_key.partition("|")[2]: r for r in outcome.rejections}
    for deal_id, expected in case.rejects.items():
        rejection = newest.get(deal_id)
        got = rejection.code if rejection is not None else "no rejection"
        if got != expected:
            told = (rejection.text,) if rejection is not None else ()
            yield Mismatch(f"rejection of deal {deal_id}", expected, got, told)


def _compare_balances(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    stand: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for (account, currency), amount in balances(outcome.transfers).items():
        stand[account][currency] = amount
    for account, expected in case.balances.items():
        if not _is_same(expected, stand.get(account, {})):
            yield Mismatch(f"balance of {account}", _written(expected), _written_all(stand.get(account, {})))


def _compare_shown(case: Case, outcome: Outcome) -> Iterator[Mismatch]:
    """Rounded, half to even, to as many digits as the case writes."""
    earned = outcome.earned()
    for ib_id, expected in case.shown.items():
        unit = Decimal(1).scaleb(int(expected.amount.as_tuple().exponent))
        exact = earned.get(ib_id, {}).get(expected.currency, ZERO)
        got = exact.quantize(unit, rounding=ROUND_HALF_EVEN, context=EXACT)
        if got != expected.amount:
            yield Mismatch(f"{ib_id} as shown", _written(expected), f"{got} {expected.currency}")


def _is_same(expected: Money, got: Mapping[str, Decimal]) -> bool:
    there = {currency: amount for currency, amount in got.items() if amount}
    return there == ({expected.currency: expected.amount} if expected.amount else {})


def _written(money: Money) -> str:
    return f"{plain(money.amount)} {money.currency}" if money.amount else "nothing"


def _written_all(amounts: Mapping[str, Decimal]) -> str:
    told = [f"{plain(amount)} {currency}" for currency, amount in sorted(amounts.items()) if amount]
    return " and ".join(told) or "nothing"


def _told_rows(rows: list[Transfer], outcome: Outcome) -> tuple[str, ...]:
    told = [_told_row(row, outcome) for row in rows[:MAX_ROWS_SHOWN]]
    if len(rows) > MAX_ROWS_SHOWN:
        told.append(f"and {len(rows) - MAX_ROWS_SHOWN} more rows")
    return tuple(told)


def _told_row(row: Transfer, outcome: Outcome) -> str:
    factors = ", ".join(f"{name} {value}" for name, value in row.factors.items())
    made = f" = {factors}" if factors else ""
    return (
        f"{row.code} {plain(row.amount)} {row.currency} {row.debit} → {row.credit}, "
        f"{outcome.deal_of(row) or row.caused_by}, {row.rule or row.component}{made}"
    )


def _told_rejections(outcome: Outcome) -> tuple[str, ...]:
    newest = {
        r.deal_key: f"deal {r.deal_key.partition('|')[2]} {r.status}: {r.text}" for r in outcome.rejections
    }
    return tuple(list(newest.values())[:MAX_ROWS_SHOWN])
