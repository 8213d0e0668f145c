"""What finance ticks off before a batch is paid: each warning has a code, an IB and words.

| code | it is there if |
|---|---|
| `first_payout` | no batch that was exported has a line of the IB that did not bounce |
| `came_back` | a payment of one of its statements is on record as rejected: one person records that |
| `details_changed` | its details are another version than those its last payout went to |
| `no_details` | nobody approved details of it, and details are kept here |
| `same_account` | another IB's details name the account that its own do |
| `kyc`, `agreement` | its KYC is open; its agreement is not accepted, and those of others are |
| `out_of_line` | the line is above 3 times the mean of its last 6 statements in the currency; of 3 at least |
| `reward` | it earned above IBFLOW_REWARD_PERCENT of what its clients brought (`revenue.py`) |
| `negative_elsewhere` | its newest statement in another currency closes below zero |
| `open_hole` | deals of the period may be missing (`ibflow reconcile`); of no IB |
| `sanction_list` | its name, or the account's holder, is in the file IBFLOW_SANCTIONS_FILE (`sanctions.py`) |
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from api.ledger import Ledger, Row
from api.queries.completeness import holes
from api.queries.payouts import known_partners, last_statements, negative_closings
from api.queries.periods import interval
from api.queries.revenue import earned
from api.views.revenue import ZERO
from commission.money import shown
from commission.payouts.batch import Batch
from commission.payouts.log import Payouts
from commission.payouts.records import Line, Warned
from infra.payees.details import BankAccount, PayeeDetails, UsBankAccount, account_of
from infra.payouts.files import Open
from infra.payouts.revenue import revenue_of
from infra.payouts.sanctions import SanctionList
from schemas.errors import Unusable
from schemas.payees import PayeeVersion, Versions, valid_version

TIMES, MIN_STATEMENTS = 3, 3
MAX_NAMED = 5
"""IBs with the same account that a warning names."""
_NOBODY: Row = {"name": "", "kyc_approved": False, "agreement_accepted": False}


@dataclass(frozen=True, slots=True)
class LastPayout:
    """When an IB was paid last by a batch, and the version of its details that went to; 0: by hand."""

    batch_id: str
    version: int


def last_payouts(known: Payouts, batch: Batch) -> dict[str, LastPayout]:
    """By IB, the newest batch before this one of which a file was given out; a line that bounced is none."""
    found: dict[str, LastPayout] = {}
    for other in known.batches.values():
        if other.state != "exported" or other.batch_id == batch.batch_id:
            continue
        for line in other.paid_lines:
            if other.state_of(line.line_id) != "rejected":
                found[line.ib_id] = LastPayout(other.batch_id, other.payees.get(line.line_id, 0))
    return found


@dataclass(frozen=True, slots=True)
class CameBack:
    """A payment that somebody recorded as rejected."""

    by: str
    words: str


def came_back(known: Payouts, batch: Batch) -> dict[str, CameBack]:
    """Statement → what is on record of the payment of it that was rejected last."""
    found: dict[str, CameBack] = {}
    for other in known.batches.values():
        for line_id, status in other.status.items():
            if status.state == "rejected" and other.batch_id != batch.batch_id:
                why = status.reason or "no reason"
                words = f"rejected in {other.batch_id} by what {status.by} recorded: {why}"
                back = CameBack(status.by, words)
                found |= dict.fromkeys(other.lines[line_id].statement_ids, back)
    return found


def who_changed(versions: Versions, last: LastPayout | None) -> frozenset[str]:
    """Who proposed or approved details since the IB's last payout."""
    after = 0 if last is None else last.version
    people = (one.people for one in versions if one.proposed.version > after and one.approved is not None)
    return frozenset().union(*people)


@dataclass(frozen=True, slots=True)
class Warnings:
    """Asks the ledger, the payees' log and the list of names; all of a batch at once."""

    ledger: Ledger
    payees: Callable[[], Mapping[str, Versions]]
    opened: Open
    sanctions_file: Path | None
    reward_percent: int | None = None

    def of(self, batch: Batch, known: Payouts) -> list[Warned]:
        """Those of the batch, then those of the lines that are paid; raise `Unusable` for a bad list."""
        versions, last, back = self.payees(), last_payouts(known, batch), came_back(known, batch)
        valid = {line.ib_id: valid_version(versions.get(line.ib_id, ())) for line in batch.paid_lines}
        partners = known_partners(self.ledger)
        usual = last_statements(self.ledger, batch.period, batch.currency)
        negative = negative_closings(self.ledger, batch.currency)
        has_agreements = any(one["agreement_accepted"] for one in partners.values())
        rewards = self._rewards(batch)
        hits = self._hits(batch.paid_lines, valid, partners)
        found = [Warned(code="open_hole", ib_id="", words=words) for words in self._holes(batch)]
        try:
            sharing = self._sharing(versions)
        except Unusable as error:  # who pays by hand needs no key
            sharing = {}
            found.append(Warned(code="same_account", ib_id="", words=f"nobody looked: {error}"))
        for line in batch.paid_lines:
            returned = dict.fromkeys(back[name].words for name in line.statement_ids if name in back)
            told = (
                *(("came_back", words) for words in returned),
                *_of_details(valid[line.ib_id], last.get(line.ib_id), is_kept=bool(versions)),
                *(("same_account", words) for words in (sharing.get(line.ib_id),) if words),
                *_of_partner(partners.get(line.ib_id, _NOBODY), has_agreements=has_agreements),
                *_of_amount(line.amount, batch.currency, usual.get(line.ib_id)),
                *(("reward", words) for words in (rewards.get(line.ib_id),) if words),
                *(("negative_elsewhere", words) for words in negative.get(line.ib_id, ())),
                *(("sanction_list", words) for words in hits.get(line.ib_id, ())),
            )
            found += [Warned(code=code, ib_id=line.ib_id, words=words) for code, words in told]
        return found

    def _holes(self, batch: Batch) -> Iterator[str]:
        span = interval(self.ledger, batch.period)
        open_ = [one for one in holes(self.ledger) if one.overlaps(span.starts_at, span.ends_at)]
        if open_:
            yield f"{batch.period} may lack deals, open holes: {len(open_)}; see `ibflow reconcile`"

    def _rewards(self, batch: Batch) -> dict[str, str]:
        """By IB, in words, that it earned too much of what its clients brought in the period."""
        if self.reward_percent is None:
            return {}
        span, currency = interval(self.ledger, batch.period), batch.currency
        revenue, found = revenue_of(self.ledger, currency, span), dict[str, str]()
        for ib_id, amount in earned(self.ledger, currency, span).items():
            brought = revenue.get(ib_id, ZERO)
            if amount > 0 and amount * 100 > self.reward_percent * brought:
                much = (
                    f"it earned {shown(amount, currency)} {currency} of {batch.period},"
                    f" above {self.reward_percent} %"
                )
                found[ib_id] = f"{much} of the {shown(brought, currency)} {currency} that its clients brought"
        return found

    def _sharing(self, versions: Mapping[str, Versions]) -> dict[str, str]:
        """By IB, in words, which others are to be paid to the same account; the account is not repeated."""
        valid = {ib_id: valid_version(of) for ib_id, of in versions.items()}
        wanted = {ib_id: one.proposed.version for ib_id, one in valid.items() if one is not None}
        of_account = defaultdict[tuple[str, ...], list[str]](list)
        for ib_id, details in sorted(self.opened(wanted).items()):
            of_account[account_of(details)].append(ib_id)
        found = dict[str, str]()
        for ib_ids in of_account.values():
            for ib_id in ib_ids if len(ib_ids) > 1 else ():
                others = [other for other in ib_ids if other != ib_id]
                more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
                found[ib_id] = f"its account is that of {', '.join(others[:MAX_NAMED])}{more} as well"
        return found

    def _hits(
        self, lines: Sequence[Line], valid: Mapping[str, PayeeVersion | None], partners: Mapping[str, Row]
    ) -> dict[str, list[str]]:
        """By IB, what of it is listed; a holder's name is not repeated."""
        if self.sanctions_file is None:
            return {}
        names = SanctionList.read(self.sanctions_file)
        details = self.opened(
            {ib_id: one.proposed.version for ib_id, one in valid.items() if one is not None}
        )
        found: dict[str, list[str]] = {}
        for line in lines:
            name = str(partners.get(line.ib_id, _NOBODY)["name"] or line.name)
            for what, text in (
                ("its name", name),
                ("the account's holder", _holder(details.get(line.ib_id))),
            ):
                number = names.line_of(text)
                if number is not None:
                    words = f"{what} is in line {number} of {self.sanctions_file.name}"
                    found.setdefault(line.ib_id, []).append(words)
        return found


def _holder(details: PayeeDetails | None) -> str:
    return details.holder if isinstance(details, BankAccount | UsBankAccount) else ""


def _of_details(
    valid: PayeeVersion | None, last: LastPayout | None, *, is_kept: bool
) -> Iterator[tuple[str, str]]:
    if last is None:
        yield "first_payout", "nothing was paid to it before"
    if valid is None:
        if is_kept:
            yield "no_details", "nobody approved where it is paid: only csv and xlsx have it"
    elif last is not None and valid.proposed.version != last.version:
        yield (
            "details_changed",
            f"it is paid to {valid.proposed.masked}, version {valid.proposed.version}; in {last.batch_id} "
            + (f"it was version {last.version}" if last.version else "it was paid by hand"),
        )


def _of_partner(partner: Row, *, has_agreements: bool) -> Iterator[tuple[str, str]]:
    if not partner["kyc_approved"]:
        yield "kyc", "its KYC is open"
    if has_agreements and not partner["agreement_accepted"]:
        yield "agreement", "its agreement is not accepted"


def _of_amount(amount: Decimal, currency: str, usual: Row | None) -> Iterator[tuple[str, str]]:
    if usual is None or usual["count"] < MIN_STATEMENTS or amount * usual["count"] <= TIMES * usual["total"]:
        return
    words = f"{shown(amount, currency)} {currency} is above {TIMES} times the mean of its last"
    of = f"{usual['count']} statements, which come to {shown(usual['total'], currency)}"
    yield "out_of_line", f"{words} {of}"
