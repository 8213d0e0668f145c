"""The log of payouts: read to its end, decided upon, and written where nothing came in between."""

import threading
from collections.abc import Callable

from api.payouts import PayoutRefused
from commission.payouts.log import Payouts
from commission.payouts.records import MAX_RECORD_BYTES, PayoutRecord
from schemas.errors import Unavailable
from schemas.payouts import decode_payout, encode_payout
from schemas.topics import PAYOUTS
from streams.single_log import SingleLog, append_to

ATTEMPTS = 5
"""Others may write at the same time; each attempt that loses to them sees what they wrote."""


class PayoutLog:
    """What counts of the log; threads of a process share one, and a later one reads on where it stopped."""

    def __init__(self, kafka: str) -> None:
        self._log, self._kafka = SingleLog(kafka, PAYOUTS), kafka
        self._known, self._deciding = Payouts(), threading.Lock()

    def known(self) -> Payouts:
        """Everything that counts by now; raise `Unavailable` if Kafka does not tell."""
        with self._deciding:
            try:
                self._read()
            finally:
                self._log.close()
            return self._known

    def decide(self, make: Callable[[Payouts, int], PayoutRecord | None]) -> Payouts:
        """Write what `make` makes of all that counts, for the place it is told; None writes nothing.

        What would not count is `PayoutRefused`. `make` is called again if another wrote meanwhile. After an
        `Unavailable` Kafka may have the record or not: deciding once more finds out.
        """
        with self._deciding:
            try:
                self._decide(make)
            finally:
                self._log.close()
            return self._known

    def _decide(self, make: Callable[[Payouts, int], PayoutRecord | None]) -> None:
        for _ in range(ATTEMPTS):
            # 1 read to the end: what counts
            self._read()
            record = make(self._known, self._log.next)
            if record is None:
                return
            if why := self._known.why_not(record):
                raise PayoutRefused(why)
            # 2 write: a crash before this does nothing
            self.append(record)
            # 3 read again: it counts unless another was written in between; a crash from here on loses the
            #   answer and not the record
            if record in self._read():
                return
        raise Unavailable("others decide about payouts at the same time; nothing was done")

    def _read(self) -> list[PayoutRecord]:
        """Learn everything written before this call; what of it counts."""
        found = []
        for offset, message in self._log.read():
            record = decode_payout(message)
            if record is not None and self._known.add(record, offset):
                found.append(record)
        return found

    def append(self, record: PayoutRecord) -> None:
        """Write it; whether it counts tells the next read."""
        message = encode_payout(record)
        if len(message) > MAX_RECORD_BYTES:
            raise PayoutRefused(f"the record has {len(message):,} bytes, more than {MAX_RECORD_BYTES:,}")
        append_to(self._kafka, PAYOUTS, message)
