"""Which events on demand the books say: those that endpoints of partner networks name."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from commission.value import TaggedValue, Text


class EventsWanted(TaggedValue, tag="events_wanted"):
    """From here on the books say these kinds, and no others of `commission.outputs.ON_DEMAND`.

    It comes of the log of endpoints, and enters where terms do: so every book hears of it at one place of its
    own log, and a replay says the same events again.
    """

    kinds: Annotated[tuple[Text, ...], Meta(max_length=20)] = ()


def wanted_after(known: frozenset[str], records: Iterable[object]) -> frozenset[str]:
    """The kinds that are wanted after records of terms: those of the last that says so."""
    for record in records:
        if isinstance(record, EventsWanted):
            known = frozenset(record.kinds)
    return known
