"""Questions that add up over days: the part of kept days is remembered, that of the others asked each time.

Sums of a build never change, and a question names the builds that it reads: so what they said once holds
for as long as days have these builds. Another build of a day is another question.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from api.ledger import Ledger, Row
from api.queries.days import Days
from api.queries.stretches import Stretch

Question = Callable[[Days], tuple[str, dict[str, object]]]
"""SQL over `sources` of some days, which reads nothing else that changes, and its values."""


def added_up(
    ledger: Ledger, read: Days, question: Question, keys: Sequence[str], measures: Sequence[str]
) -> list[Row]:
    """The rows of all days, in no order: those that agree in `keys` are one, with the sums of `measures`."""
    if not read.kept or not read.unsummed:
        return _asked(ledger, read, question)
    kept = _asked(ledger, replace(read, by_rows=(), stretch=Stretch()), question)
    found = {tuple(row[name] for name in keys): row for row in kept}
    for row in _asked(ledger, replace(read, kept=()), question):
        place = tuple(row[name] for name in keys)
        known = found.get(place)
        found[place] = row if known is None else known | {name: known[name] + row[name] for name in measures}
    return list(found.values())


def _asked(ledger: Ledger, read: Days, question: Question) -> list[Row]:
    sql, values = question(read)
    return ledger.rows(sql, **values) if read.unsummed else ledger.remembered(sql, **values)
