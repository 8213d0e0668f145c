"""Payee details as two people decide them: the log says what counts, the keys stay here."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

from api.operators import Operator, check_writer
from api.payees import PayeeRefused, UnknownPayee
from infra.payees.billing import FIELDS, Billing, to_billing
from infra.payees.details import PayeeDetails, faults, masked, repeats_number, to_details
from infra.payees.sealing import PayeeKeys
from schemas.errors import Unusable
from schemas.payees import (
    PayeeApproved,
    PayeeProposed,
    PayeeRecord,
    PayeeRejected,
    PayeeResealed,
    PayeeVersion,
    Refusal,
    Versions,
    decode_payee,
    encode_payee,
    folded,
    valid_version,
)
from schemas.topics import PAYEES
from streams.single_log import SingleLog, append_to

MAX_RESEALED = 1_000
"""Versions that one call seals anew; the next call goes on."""


class Log(Protocol):
    """What the desk reads and writes."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Everything written before this call and not read yet."""

    def append(self, records: Iterable[PayeeRecord]) -> None:
        """Write them in their order."""

    def close(self) -> None:
        """Leave the broker; the next `read` goes on."""


class PayeeLog(SingleLog):
    """The topic `payees`."""

    def __init__(self, kafka: str) -> None:
        super().__init__(kafka, PAYEES)
        self._servers = kafka

    def append(self, records: Iterable[PayeeRecord]) -> None:
        """Write them; whether they count tells the next `read`."""
        append_to(self._servers, PAYEES, *map(encode_payee, records))


class PayeeDesk:
    """Keeps what it read of the log; every question reads what was written since."""

    def __init__(
        self, log: Log, keys: Callable[[], PayeeKeys], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`keys` raises `Unusable` where none are configured: details can then be listed, not opened."""
        self._log, self._keys, self._now = log, keys, now
        self._book: dict[str, Versions] = {}
        self._deciding = threading.Lock()

    def listed(self) -> Mapping[str, Versions]:
        """Every IB that has details, with all their versions."""
        with self._deciding:
            self._read()
            return dict(self._book)

    def versions(self, ib_id: str) -> Versions:
        """Those of one IB, the first one first; () if it has none."""
        return self.listed().get(ib_id, ())

    def propose(self, ib_id: str, fields: Mapping[str, str], note: str, by: Operator) -> PayeeVersion:
        """Check what a person gives, seal it, and keep it; raise `PayeeRefused` while another waits."""
        check_writer(by)
        billing, keys = to_billing(fields), self._keys()
        details = to_details({name: one for name, one in fields.items() if name not in FIELDS})
        _check_note(note, details)
        with self._deciding:
            self._read()
            versions = self._book.get(ib_id, ())
            valid = valid_version(versions)
            if valid is not None and _is_same(keys, valid, details, billing):
                raise PayeeRefused(f"{ib_id} is paid to {valid.proposed.masked} already")
            number = len(versions) + 1
            record = PayeeProposed(
                ib_id=ib_id,
                version=number,
                kind=details.type,
                masked=masked(details),
                sealed=keys.seal(details, ib_id, number),
                by=by.name,
                at=self._now(),
                note=note,
                currency=billing.currency,
                tax=billing.tax,
            )
            return self._decide(record)

    def approve(self, ib_id: str, version: int, by: Operator) -> PayeeVersion:
        """Make it the valid one, if another person proposed it and it is what it shows."""
        check_writer(by)
        keys = self._keys()
        with self._deciding:
            found = self._known(ib_id, version)
            details = _opened(keys, found)
            if masked(details) != found.proposed.masked or faults(details):
                raise PayeeRefused(f"{ib_id}: version {version} is not what it shows; reject it")
            return self._decide(PayeeApproved(ib_id=ib_id, version=version, by=by.name, at=self._now()))

    def reject(self, ib_id: str, version: int, note: str, by: Operator) -> PayeeVersion:
        """Never pay to it. Whoever proposed it may take it back as well."""
        check_writer(by)
        with self._deciding:
            found = self._known(ib_id, version)
            try:
                details = _opened(self._keys(), found)
            except Unusable:
                pass  # what nobody can open any more is rejected as well
            else:
                _check_note(note, details)
            record = PayeeRejected(ib_id=ib_id, version=version, by=by.name, at=self._now(), note=note)
            return self._decide(record)

    def rotate(self, by: Operator) -> tuple[int, int]:
        """Seal anew what is under an older key: how many versions were, and how many are left."""
        check_writer(by)
        keys = self._keys()
        with self._deciding:
            self._read()
            every = [one for versions in self._book.values() for one in versions]
            old = [one for one in every if not keys.is_newest(one.sealed)]
            records = [self._resealed(keys, one, by) for one in old[:MAX_RESEALED]]
            if records:
                self._log.append(records)
            return len(records), len(old) - len(records)

    def opened(self, wanted: Mapping[str, int]) -> dict[str, PayeeDetails]:
        """For a payout's file and warnings alone: by IB, the details in full of the version that is wanted.

        Raise `UnknownPayee` where the log has no such version, `Unusable` where no key opens it.
        """
        if not wanted:
            return {}
        keys, book = self._keys(), self.listed()
        found: dict[str, PayeeDetails] = {}
        for ib_id, version in wanted.items():
            versions = book.get(ib_id, ())
            if not 1 <= version <= len(versions):
                raise UnknownPayee(f"{ib_id} has no version {version}; `ibflow payees list` has them")
            found[ib_id] = _opened(keys, versions[version - 1])
        return found

    def _resealed(self, keys: PayeeKeys, one: PayeeVersion, by: Operator) -> PayeeResealed:
        ib_id, version = one.proposed.ib_id, one.proposed.version
        sealed = keys.resealed(one.sealed, ib_id, version)
        return PayeeResealed(ib_id=ib_id, version=version, sealed=sealed, by=by.name, at=self._now())

    def _known(self, ib_id: str, version: int) -> PayeeVersion:
        self._read()
        versions = self._book.get(ib_id, ())
        if not 1 <= version <= len(versions):
            raise UnknownPayee(f"{ib_id} has no version {version}; `ibflow payees list` has them")
        return versions[version - 1]

    def _decide(self, record: PayeeProposed | PayeeApproved | PayeeRejected) -> PayeeVersion:
        """Write a record and see whether it counts: somebody else may have been first."""
        # 1 what is refused already is not written
        refusal = folded(self._book.get(record.ib_id, ()), record)
        if isinstance(refusal, Refusal):
            raise PayeeRefused(refusal.why)
        # 2 write; a crash from here on loses the answer, not the record
        self._log.append([record])
        # 3 read: the order of the log decides
        why = self._read(record)
        if why:
            raise PayeeRefused(f"{why}; somebody else was first")
        return self._book[record.ib_id][record.version - 1]

    def _read(self, mine: PayeeRecord | None = None) -> str:
        """Fold what was written since; why `mine` does not count, or "" if it does."""
        why, counts = "", False
        try:
            for _, message in self._log.read():
                record = decode_payee(message)
                if record is None:
                    continue
                after = folded(self._book.get(record.ib_id, ()), record)
                if not isinstance(after, Refusal):
                    self._book[record.ib_id] = after
                    counts = counts or record == mine
                elif record == mine:
                    why = after.why
        finally:
            self._log.close()
        return "" if counts else why  # it may stand there twice


def _opened(keys: PayeeKeys, version: PayeeVersion) -> PayeeDetails:
    return keys.open(version.sealed, version.proposed.ib_id, version.proposed.version)


def _is_same(keys: PayeeKeys, version: PayeeVersion, details: PayeeDetails, billing: Billing) -> bool:
    """A version whose key was lost is another one: it must be possible to propose details anew."""
    if (version.proposed.currency, version.proposed.tax) != (billing.currency, billing.tax):
        return False
    try:
        return _opened(keys, version) == details
    except Unusable:
        return False


def _check_note(note: str, details: PayeeDetails) -> None:
    """A note is stored and shown as it is."""
    if repeats_number(note, details):
        raise PayeeRefused("the note has the number in full, and everybody sees it: leave it out")
