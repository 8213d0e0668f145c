"""Gives out payout lines, each once, whoever else does so at the same time and wherever it crashes."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from api.ledger import Row
from api.payouts import NothingToExport
from api.proposals import ProposalRefused
from api.views.payouts import export_file
from commission.ids import digest
from schemas.errors import Unavailable
from schemas.payouts import (
    MAX_EXPORT_LINES,
    PAYOUT_RECORD,
    PayoutExported,
    PayoutsWithheld,
    decode_payout,
)
from schemas.topics import PAYOUTS
from streams.single_log import SingleLog, append_to

ATTEMPTS = 5
"""Others may export at the same time; each attempt that loses to them sees what they took."""


SHOWN = 3
"""Of the exports before, the newest."""


class PayoutLog:
    """The exports of one period that count, as far as the log was read."""

    def __init__(self, kafka: str, period: str) -> None:
        self._log, self._kafka, self._period = SingleLog(kafka, PAYOUTS), kafka, period
        self.exports: dict[str, PayoutExported] = {}
        self.withheld: dict[str, str] = {}
        """Statement → the proposal that withdraws it."""

    @property
    def end(self) -> int:
        """Where the next record will be, if nobody else writes."""
        return self._log.next

    @property
    def lines(self) -> set[str]:
        """The statements that were given out."""
        return {line for export in self.exports.values() for line in export.statement_ids}

    def read(self) -> None:
        """Learn everything written before this call."""
        for offset, message in self._log.read():
            record = decode_payout(message)
            if record is None or record.place != offset or record.period != self._period:
                continue
            if isinstance(record, PayoutExported):
                self.exports[record.export_id] = record
            else:
                self.withheld |= dict.fromkeys(record.statement_ids, record.proposal_id)

    def append(self, record: PayoutExported | PayoutsWithheld) -> None:
        """Write it; whether it counts tells the next `read`."""
        append_to(self._kafka, PAYOUTS, PAYOUT_RECORD.dump_json(record))

    def close(self) -> None:
        """Leave the broker."""
        self._log.close()


class PayoutDesk:
    """Decides which lines are new by the log alone, never by a database that may lag behind it."""

    def __init__(
        self,
        kafka: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        open_log: Callable[[str, str], PayoutLog] = PayoutLog,
    ) -> None:
        self._kafka, self._now, self._open = kafka, now, open_log
        self._deciding = threading.Lock()

    def export(self, period: str, lines: Sequence[Row], by: str) -> PayoutExported:
        """Give out what is new; raise `NothingToExport`, or `Unavailable` if Kafka may have it or not."""
        with self._deciding:
            log = self._open(self._kafka, period)
            try:
                return self._export(log, period, lines, by)
            finally:
                log.close()

    def _export(self, log: PayoutLog, period: str, lines: Sequence[Row], by: str) -> PayoutExported:
        for _ in range(ATTEMPTS):
            # 1 read to the end: the lines of every export that counts
            log.read()
            export = choose(period, lines, log, by, self._now())
            # 2 write: a crash before this gives nothing out
            log.append(export)
            # 3 read again: it counts unless another was written in between; a crash from here on loses
            #   the answer and not the export, whose file the list has
            log.read()
            if export.export_id in log.exports:
                return export
        raise Unavailable("others export payouts at the same time; nothing was given out")

    def check_unexported(self, period: str, statement_ids: Sequence[str]) -> None:
        """Raise `ProposalRefused` if one of the statements was given out to be paid."""
        log = self._open(self._kafka, period)
        try:
            log.read()
            _check_unexported(log, period, statement_ids)
        finally:
            log.close()

    def withhold(self, period: str, statement_ids: Sequence[str], by: str, proposal_id: str) -> None:
        """Let no export have the statements from here on; raise `ProposalRefused` if one has some of them."""
        with self._deciding:
            log = self._open(self._kafka, period)
            try:
                self._withhold(log, period, tuple(statement_ids), by, proposal_id)
            finally:
                log.close()

    def _withhold(self, log: PayoutLog, period: str, ids: tuple[str, ...], by: str, proposal_id: str) -> None:
        for _ in range(ATTEMPTS):
            log.read()
            _check_unexported(log, period, ids)
            rest = tuple(one for one in ids if log.withheld.get(one) != proposal_id)[:MAX_EXPORT_LINES]
            if not rest:
                return
            log.append(
                PayoutsWithheld(
                    proposal_id=proposal_id,
                    place=log.end,
                    period=period,
                    by=by,
                    at=self._now(),
                    statement_ids=rest,
                )
            )
        log.read()
        if any(log.withheld.get(one) != proposal_id for one in ids):
            raise Unavailable("payouts are exported at the same time; nothing was withheld")


def _check_unexported(log: PayoutLog, period: str, statement_ids: Sequence[str]) -> None:
    wanted = set(statement_ids)
    found = [one.export_id for one in log.exports.values() if wanted.intersection(one.statement_ids)]
    if found:
        raise ProposalRefused(
            f"{period} was given out to be paid, in {', '.join(found[-SHOWN:])}: its end stays; correct what"
            " it states with `ibflow proposals create`"
        )


def choose(period: str, lines: Sequence[Row], log: PayoutLog, by: str, at: datetime) -> PayoutExported:
    """The next export: the lines that may be paid and that no export of the log has, while there is room."""
    known = log.lines
    # Another followed it: so its period was not reopened, whatever was decided, for only the newest can be.
    going = [row for row in lines if row["statement_id"] in log.withheld and not row["is_followed"]]
    lines = [row for row in lines if row not in going]
    due = [row for row in lines if row["statement_id"] not in known]
    payable = [row for row in due if row["kyc_approved"]]
    if not payable:
        raise NothingToExport(
            _nothing(period, log, len(due), {log.withheld[r["statement_id"]] for r in going})
        )
    taken = payable[:MAX_EXPORT_LINES]
    file = export_file(period, taken)
    ids = tuple(str(row["statement_id"]) for row in taken)
    return PayoutExported(
        export_id=f"x-{digest(period, by, at.isoformat(), str(log.end), *ids)[:16]}",
        place=log.end,
        period=period,
        by=by,
        at=at,
        statement_ids=ids,
        exported_before=len(lines) - len(due),
        blocked=len(due) - len(payable),
        over_limit=len(payable) - len(taken),
        file=file.decode(),
        sha256=sha256(file).hexdigest(),
    )


def _nothing(period: str, log: PayoutLog, blocked: int, proposals: set[str]) -> str:
    waiting = f"; {blocked} blocked by an open KYC" if blocked else ""
    if proposals:
        waiting += f"; statements that {', '.join(sorted(proposals))} withdraws are in no export"
    if not log.exports:
        return f"{period} has no line that may be paid{waiting}"
    made = [f"{one.export_id} ({one.at:%Y-%m-%d %H:%M} UTC by {one.by})" for one in log.exports.values()]
    return (
        f"{period} has no new line that may be paid{waiting}; exported before in {', '.join(made[-SHOWN:])}, "
        "whose files `ibflow payouts file ID` writes again"
    )
