"""The core against an independent, naive oracle: equal final sums for random brokers, to the last digit."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import fields, replace

from commission.outputs import Milestone, Transfer
from commission.partner import folding
from commission.terms.calendar import PeriodDefined
from commission.value import Value
from streams.in_memory import LocalPipeline
from tests.effort import tries
from tests.oracle.brokers import random_broker
from tests.oracle.dice import AGREED
from tests.oracle.oracle import expected

COUNTED = ("accrual", "true_up", "reversal", "forfeit")
SHORT_RUN = 100
WORKERS = 2

Sums = dict[tuple[str, str, str], Fraction]


def owner(account: str) -> str | None:
    """Whose money it is: an IB's, a client's, or neither's."""
    kind, *rest = account.split(":")
    return {"ib": rest[0], "client": f"client:{rest[0]}"}.get(kind) if rest else None


def told(records: Iterable[Any]) -> Sums:
    """What the core owes in the end, by IB or client, component and currency."""
    sums: defaultdict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    pipeline = LocalPipeline()
    ids: set[str] = set()
    for row in pipeline.feed(records):
        if isinstance(row, Transfer | Milestone):
            effect = row.transfer_id if isinstance(row, Transfer) else row.milestone_id
            assert effect not in ids, f"two effects have the id {effect}: {row}"
            ids.add(effect)
        if not isinstance(row, Transfer) or row.code not in COUNTED:
            continue
        for account, sign in ((row.credit, 1), (row.debit, -1)):
            whose = owner(account)
            if whose is not None:
                sums[whose, row.component, row.currency] += sign * Fraction(row.amount)
    assert [] == pipeline.dead_letters
    return {key: amount for key, amount in sums.items() if amount}


def differ(records: list[Any]) -> bool:
    """Whether core and oracle disagree, or the core fails."""
    try:
        return expected(records) != told(records)
    except AssertionError:
        return True


def shrunk(records: list[Any], wrong: Callable[[list[Any]], bool]) -> list[Any]:
    """Leave out one record after another, then parts of plans and IBs, as long as it stays wrong."""
    kept = records
    for size in (8, 1):
        place = len(kept)
        while place > 0:
            place = max(0, place - size)
            fewer = kept[:place] + kept[place + size :]
            if wrong(fewer):
                kept = fewer
    for place in range(len(kept)):
        tried = iter(list(smaller(kept[place])))
        while (part := next(tried, None)) is not None:
            less = [*kept[:place], part, *kept[place + 1 :]]
            if wrong(less):
                kept, tried = less, iter(list(smaller(part)))
    return kept


def smaller(value: Any) -> Iterable[Any]:
    """The same without one entry of one of its lists, at any depth."""
    for field in fields(value):
        entries = getattr(value, field.name)
        if not isinstance(entries, tuple):
            continue
        for n, entry in enumerate(entries):
            yield replace(value, **{field.name: entries[:n] + entries[n + 1 :]})
            inner = smaller(entry) if isinstance(entry, Value) else ()
            for less in inner:
                yield replace(value, **{field.name: (*entries[:n], less, *entries[n + 1 :])})


def written(sums: Sums, others: Sums) -> str:
    """The sums that the others do not have."""
    rows = (f"  {' '.join(k)} {float(v):.8f}" for k, v in sorted(sums.items()) if others.get(k) != v)
    return "\n".join(rows)


def calendar(records: Iterable[Any]) -> list[Any]:
    """The periods: without them every deal of theirs waits, whatever else is wrong."""
    return [record for record in records if isinstance(record, PeriodDefined)]


def compare(seed: int, features: Iterable[str] = AGREED) -> str:
    """Nothing, or what there is to say about a disagreement.

    Under odd seeds the partner book folds each period as soon as the next has something.
    """
    with patch.object(folding, "KEPT", timedelta(0) if seed % 2 else folding.KEPT):
        return _compared(seed, features)


def _compared(seed: int, features: Iterable[str]) -> str:
    records = random_broker(seed, features)
    if not differ(records):
        return ""
    few = shrunk(records, lambda fewer: calendar(fewer) == calendar(records) and differ(fewer))
    says = [f"seed {seed}, features {sorted(features)}", *(repr(record) for record in few)]
    want = expected(few)
    try:
        have = told(few)
    except AssertionError as failure:
        return "\n".join([*says, f"the core fails: {failure}"])
    return "\n".join([*says, f"oracle:\n{written(want, have)}", f"core:\n{written(have, want)}"])


@pytest.mark.timeout(7200)
def test_core_agrees_with_the_oracle() -> None:
    """Whatever a broker's terms and facts, everybody's final sum is what the facts say, exactly."""
    brokers = tries(SHORT_RUN)
    if brokers <= SHORT_RUN:
        found = next(filter(None, map(compare, range(brokers))), "")
    else:
        with ProcessPoolExecutor(WORKERS) as pool:
            found = next(filter(None, pool.map(compare, range(brokers), chunksize=50)), "")
    assert not found, f"\n{found}"


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_the_same_broker_again(seed: int) -> None:
    """What is found can be looked at again."""
    assert random_broker(seed) == random_broker(seed)
