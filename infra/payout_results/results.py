"""What a bank says of payments, format by format the same; and which of ours it says it of."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, NamedTuple

Outcome = Literal["settled", "rejected", "pending", "unknown"]
Scope = Literal["line", "payment", "message"]
SHOWN = 3
"""Reasons of a line that is spoken of more often."""

_Key = tuple[Scope, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement of a bank; `reference` is an EndToEndId, a PmtInfId or a MsgId, by scope."""

    scope: Scope = "line"
    reference: str
    outcome: Outcome
    reason: str
    """In words, with the bank's code; of a payment that a CSV calls settled it may be ""."""
    amount: Decimal | None = None
    currency: str = ""
    is_return: bool = False
    """Money that came back after it had gone: it counts after a settlement in the same file."""
    place: str
    """Where in the file."""

    @property
    def words(self) -> str:
        """What became of it, and why if that is told."""
        return f"{self.outcome}, {self.reason}" if self.reason else self.outcome


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file as read: its kind and version, the bank's id of it, and everything it says in its order."""

    kind: str
    message_id: str
    said: tuple[Said, ...]
    notices: tuple[str, ...] = ()
    """What the file has besides that no line can be matched with, in words."""


class SentLine(NamedTuple):
    """A payment of ours; `payment_id` is the PmtInfId of the part of the file that it stood in."""

    amount: Decimal
    currency: str
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What went to the bank: the id of the file, its lines by EndToEndId."""

    message_id: str
    lines: Mapping[str, SentLine]


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line that we sent."""

    end_to_end_id: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What the bank says and no line of ours answers to, or not as it says."""

    place: str
    reference: str
    why: str


@dataclass(frozen=True, slots=True)
class Matched:
    """A file beside what was sent; lines that it does not mention are in neither list."""

    results: tuple[LineResult, ...]
    unmatched: tuple[Unmatched, ...]


def match(file: ResultFile, sent: Sent) -> Matched:
    """Find the lines by EndToEndId alone, never by amount or order; nothing is guessed.

    What a bank says of a line counts before what it says of its payment, and that before what it says of the
    message. An id that is ours with another amount is no result: it is listed, and the line is unknown.
    """
    heard: dict[_Key, list[Said]] = defaultdict(list)
    unmatched: list[Unmatched] = []
    wholes = _wholes(sent)
    for said in file.said:
        if why := _mismatch(said, sent, wholes):
            unmatched.append(Unmatched(said.place, said.reference, why))
        if said.scope == "line" and said.reference in sent.lines:
            heard["line", said.reference].append(
                replace(said, outcome="unknown", reason=why) if why else said
            )
        elif not why:
            heard[said.scope, said.reference].append(said)
    combined = {key: _combined(every) for key, every in heard.items()}
    return Matched(tuple(_results(sent, combined)), tuple(unmatched))


def _results(sent: Sent, combined: Mapping[_Key, tuple[Outcome, str]]) -> Iterator[LineResult]:
    for end_to_end_id, line in sent.lines.items():
        keys: tuple[_Key, ...] = (
            ("line", end_to_end_id), ("payment", line.payment_id), ("message", sent.message_id),
        )  # fmt: skip
        found = next((combined[key] for key in keys if key in combined), None)
        if found is not None:
            yield LineResult(end_to_end_id, *found)


def _wholes(sent: Sent) -> dict[_Key, Decimal]:
    """What the lines of the message, and of each of its payments, come to."""
    wholes: dict[_Key, Decimal] = defaultdict(Decimal)
    for line in sent.lines.values():
        wholes["message", sent.message_id] += line.amount
        if line.payment_id:
            wholes["payment", line.payment_id] += line.amount
    return wholes


def _mismatch(said: Said, sent: Sent, wholes: Mapping[_Key, Decimal]) -> str:
    """Why what is said is of no line of ours, or not as it is said; "" if it is."""
    if said.scope == "line":
        line = sent.lines.get(said.reference)
        if line is None:
            return f"no line of this batch has its EndToEndId: {said.words}"
        is_same = said.amount in {None, line.amount} and said.currency in {"", line.currency}
        shown = f"the bank says {said.amount} {said.currency}, we sent {line.amount} {line.currency}"
        return "" if is_same else shown
    whole = wholes.get((said.scope, said.reference))
    if whole is None:
        return f"it speaks of a {said.scope} that is not ours: {said.words}"
    ours = {line.currency for line in sent.lines.values()}
    is_whole = said.amount in {None, whole} and ({said.currency} <= ours or not said.currency)
    return "" if is_whole else f"it is of {said.amount} {said.currency}, our lines are {whole} in all"


def _combined(said: Sequence[Said]) -> tuple[Outcome, str]:
    """One outcome of all that is said of a line: a return counts after a settlement, both after pending."""
    final = [one for one in said if one.outcome != "pending"] or said
    final = [one for one in final if one.is_return] or final
    outcomes = {one.outcome for one in final}
    reasons = "; ".join([*dict.fromkeys(one.reason for one in final)][:SHOWN])
    if len(outcomes) > 1:
        return "unknown", f"the file contradicts itself: {' and '.join(sorted(outcomes))} ({reasons})"
    return final[-1].outcome, reasons
