"""Pays the lines of a batch to trading accounts: each is asked for once, whatever happens, then looked up.

1 a part of the lines is recorded as unknown: from here on nobody asks for them, after a crash neither
2 the bridge is asked for each of them: after a crash nobody here knows which
3 what it said is recorded: a ticket settles a line, a refusal makes it payable again; else it stays unknown

A line that stays unknown is looked up, by `sweep`, as often as anybody likes. What the bridge knows nothing
of may be on its way still: a person finds out, and imports what became of it.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.operators import Operator, check_writer
from api.payouts import Credited, PayoutRefused, Payouts
from commission.payouts.batch import Batch
from commission.payouts.records import LineResult
from infra.payout_files.bridge import BalanceOperation, operations
from infra.payouts.bridge import Became, Bridge
from infra.payouts.files import Files

FORM = "bridge"
"""The format that gives a batch's operations out."""
AT_ONCE = 20
"""Lines that a crash can leave unknown."""
MAX_LINES = 200
"""Of one request; a client asks again while lines are left."""
SENT = "sent to the bridge; no ticket yet"


@dataclass(frozen=True, slots=True)
class Crediting:
    """The one place where trading accounts are credited; a process has one."""

    desk: Payouts
    files: Files
    bridge: Bridge | None
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def credit(self, batch_id: str, by: Operator) -> Credited:
        """Ask for lines that nobody asked for; what became of them, and how many are left."""
        with self._busy:
            batch, bridge = self._exported(batch_id, by), self._bridge()
            left = [one for one in batch.paid_lines if batch.state_of(one.line_id) == "included"]
            wanted = {one.reference: one for one in operations(self.files.order(batch, FORM))} if left else {}
            became: list[tuple[str, Became]] = []
            for first in range(0, min(len(left), MAX_LINES), AT_ONCE):
                part = left[first : first + AT_ONCE]
                became += self._credit(bridge, [wanted[line.line_id] for line in part], by)
            return _credited(became, left=max(len(left) - MAX_LINES, 0))

    def sweep(self, batch_id: str, after: str, by: Operator) -> Credited:
        """Look lines up of which nothing is known, in the order of their ids, those after one."""
        with self._busy:
            batch, bridge = self._exported(batch_id, by), self._bridge()
            open_ = sorted(
                one.line_id for one in batch.paid_lines if batch.state_of(one.line_id) == "unknown"
            )
            open_ = [name for name in open_ if name > after]
            became = [(name, bridge.look_up(name)) for name in open_[:MAX_LINES]]
            self._record(became, by)
            return _credited(became, left=max(len(open_) - MAX_LINES, 0))

    def _credit(
        self, bridge: Bridge, part: Sequence[BalanceOperation], by: Operator
    ) -> list[tuple[str, Became]]:
        sent = [LineResult(line_id=one.reference, outcome="unknown", reason=SENT) for one in part]
        if self.desk.import_results(sent, FORM, by).recorded < len(part):
            return []  # somebody else asks for them at the same time: nobody does it twice
        became = [(one.reference, bridge.credit(one)) for one in part]
        self._record(became, by)
        return became

    def _record(self, became: Sequence[tuple[str, Became]], by: Operator) -> None:
        told = [
            LineResult(line_id=name, outcome=one.outcome, reason=one.words)
            for name, one in became
            if one.outcome != "unknown"
        ]
        if told:
            self.desk.import_results(told, FORM, by)

    def _bridge(self) -> Bridge:
        if self.bridge is None:
            raise PayoutRefused("no bridge credits trading accounts here: see IBFLOW_CREDIT_URL")
        return self.bridge

    def _exported(self, batch_id: str, by: Operator) -> Batch:
        check_writer(by)
        batch = self.desk.get(batch_id)
        if FORM not in batch.exports:
            raise PayoutRefused(
                f"{batch_id} is credited once its operations were given out: "
                f"`ibflow payouts export {batch_id} --format {FORM} -o FILE`"
            )
        return batch


def _credited(became: Sequence[tuple[str, Became]], left: int) -> Credited:
    count = Counter(one.outcome for _, one in became)
    open_ = tuple((name, one.words) for name, one in became if one.outcome == "unknown")
    last = became[-1][0] if became else ""
    return Credited(count["settled"], count["rejected"], open_, left, last)
