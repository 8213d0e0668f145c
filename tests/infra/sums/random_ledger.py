"""Batches as the sink gets them: deals, corrections, clawbacks, settlements, refusals, late and repeated."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from commission import accounts
from commission.events import Deal
from commission.outputs import Milestone, MilestoneKind, Rejection, Transfer
from schemas import topics
from schemas.wire import Record, encode
from streams.table_rows import Rows

START = datetime(2025, 8, 29, tzinfo=UTC)
DAYS = 14
PATHS = (("a", "m"), ("b", "m"), ("c", "a", "m"), ("m",))
CLASSES = {"EURUSD": "forex", "GBPUSD": "forex", "XAUUSD": "metals"}
COUNTRIES = {"c1": "DE", "c2": "CY"}
"""Of the clients that are known."""
CLIENT_IBS = {"c1": "a", "c2": "b"}
REACHED: tuple[MilestoneKind, ...] = ("kyc.approved", "ftd", "first_trade", "cpa.qualified", "cpa.clawback")
SYMBOLS, COMPONENTS, CURRENCIES = ("EURUSD", "XAUUSD", ""), ("per_lot", "spread_share"), ("USD", "EUR")


def revision(deal_key: str, at: datetime) -> Deal:
    """The deal as it was told with this time; its client was charged what the id says."""
    server, _, deal_id = deal_key.partition("|")
    return Deal(
        platform="mt5", server=server, login=client_of(deal_key), deal_id=deal_id, revision=at.isoformat(),
        kind="trade", occurred_at=at, group=group_of(deal_key), commission=Decimal(-int(deal_id)) / 100,
        currency="USD",
    )  # fmt: skip


def client_of(deal_key: str) -> int:
    """The number of a deal's client, and of its one account."""
    return 1 + int(deal_key.removeprefix("live|")) % 3


def group_of(deal_key: str) -> str:
    """The account group of a deal, by its id."""
    return f"real-{len(deal_key) % 2}"


class RandomLedger:
    """What happens next is decided by a seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._accruals: list[Transfer] = []
        self._left: set[str] = set()
        self._number = 0
        self._offset = 0
        self._sent: list[Rows] = []

    @property
    def offset(self) -> int:
        """Where the log ends with the batches that were made."""
        return self._offset

    def batch(self, *, new: bool = False) -> Rows:
        """One batch; now and then one that was sent before, unless it is to be new."""
        if not new and self._sent and self._dice.random() < 0.15:
            return self._dice.choice(self._sent)
        rows = Rows()
        for _ in range(self._dice.randint(1, 4)):
            for record in self._happening():
                topic = topics.REJECTIONS if isinstance(record, Rejection) else topics.PARTNER_BOOK
                self._add(rows, topic, record)
                if isinstance(record, Rejection):
                    self._add(rows, topics.ACCOUNT_BOOK, revision(record.deal_key, record.occurred_at))
                elif record.code == "accrual":
                    self._add(rows, topics.ACCOUNT_BOOK, revision(record.caused_by, record.occurred_at))
        self._add(rows, topics.MILESTONES, self._milestone())
        self._sent.append(rows)
        return rows

    def _add(self, rows: Rows, topic: str, record: Record) -> None:
        rows.add(topic, 0, self._offset, encode([record])[0], "client-book/0/1/0")
        self._offset += 1

    def _happening(self) -> Iterator[Transfer | Rejection]:
        roll = self._dice.random()
        if roll < 0.5 or not self._accruals:
            yield from self._deal(self._next(""), self._time())
        elif roll < 0.62:
            yield from self._correction()
        elif roll < 0.75:
            yield from self._clawback()
        elif roll < 0.83:
            yield self._true_up()
        elif roll < 0.88:
            yield from self._closing()
        else:
            yield self._refusal(self._next(""), self._time())

    def _next(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"

    def _time(self) -> datetime:
        return START + timedelta(seconds=self._dice.randrange(DAYS * 86_400))

    def _deal(self, key: str, at: datetime) -> Iterator[Transfer | Rejection]:
        """Accruals up the tree; sometimes a refusal first, sometimes rows that differ in lots or symbol."""
        dice = self._dice
        if dice.random() < 0.2:
            yield self._refusal(key, at if dice.random() < 0.5 else self._time())
        lots, symbol = Decimal(dice.randint(1, 300)) / 100, dice.choice(SYMBOLS)
        for ib in dice.choice(PATHS):
            for component in dice.sample(COMPONENTS, dice.randint(1, 2)):
                plan = f"p-{ib}" if dice.random() < 0.9 else "old"
                state = accounts.held if dice.random() < 0.2 else accounts.pending
                row = Transfer(
                    transfer_id=self._next("t"), code="accrual", debit=accounts.expense(component),
                    credit=state(ib), amount=Decimal(dice.randint(1, 9_999)) / 1_000,
                    currency=dice.choice(CURRENCIES), ib_id=ib, occurred_at=at, caused_by=f"live|{key}",
                    client_id=f"c{client_of(key)}", account_key=f"live/{client_of(key)}", component=component,
                    plan_id=plan, depth=len(ib),
                    symbol=symbol if dice.random() < 0.9 else "GBPUSD",
                    lots=lots if dice.random() < 0.9 else lots / 2, factors={"lots": lots},
                )  # fmt: skip
                self._accruals.append(row)
                self._left.add(row.transfer_id)
                yield row

    def _correction(self) -> Iterator[Transfer | Rejection]:
        """A deal's rows are taken back; its new revision may be of another time, or pay nothing."""
        key = self._dice.choice(self._accruals).caused_by
        own = [row for row in self._accruals if row.caused_by == key and row.transfer_id in self._left]
        for row in own:
            self._left.remove(row.transfer_id)
            yield self._reversal(row, row.occurred_at, row.caused_by, account_key=row.account_key)
        at = own[0].occurred_at if own and self._dice.random() < 0.5 else self._time()
        if self._dice.random() < 0.7:
            yield from self._deal(key.removeprefix("live|"), at)
        else:
            yield self._refusal(key.removeprefix("live|"), at)

    def _clawback(self) -> Iterator[Transfer]:
        """Some rows of a deal, wholly or in part, at a later time."""
        left = sorted(self._left)
        if not left:
            return
        chosen = self._dice.choice(left)
        row = next(one for one in self._accruals if one.transfer_id == chosen)
        at, cause = row.occurred_at + timedelta(days=self._dice.randint(0, 3)), self._next("cb")
        if self._dice.random() < 0.4:
            yield self._reversal(row, at, cause, share=Decimal("0.5"))
        else:
            self._left.remove(row.transfer_id)
            yield self._reversal(row, at, cause)

    def _reversal(
        self, row: Transfer, at: datetime, cause: str, account_key: str = "", share: Decimal | None = None
    ) -> Transfer:
        return replace(
            row, transfer_id=self._next("r"), code="reversal", debit=row.credit, credit=row.debit,
            amount=row.amount if share is None else row.amount * share, occurred_at=at, caused_by=cause,
            reverses=row.transfer_id, account_key=account_key, lots=Decimal(0),
            factors={} if share is None else {"share": share},
        )  # fmt: skip

    def _true_up(self) -> Transfer:
        ib, up = self._dice.choice("abcm"), self._dice.random() < 0.5
        ends = accounts.expense("per_lot"), accounts.pending(ib)
        return Transfer(
            transfer_id=self._next("u"), code="true_up", debit=ends[not up], credit=ends[up],
            amount=Decimal(self._dice.randint(1, 99)), currency="USD", ib_id=ib, occurred_at=self._time(),
            caused_by="settlement|p|lots|2025-08", component="per_lot",
        )  # fmt: skip

    def _closing(self) -> Iterator[Transfer]:
        """What August's statement moves, at the instant it ended."""
        ib = self._dice.choice("abcm")
        for code, to in (("statement", accounts.payable(ib)), ("rounding", accounts.ROUNDING)):
            yield Transfer(
                transfer_id=self._next("s"), code="statement" if code == "statement" else "rounding",
                debit=accounts.pending(ib), credit=to, amount=Decimal(self._dice.randint(1, 9)),
                currency="USD", ib_id=ib, occurred_at=datetime(2025, 9, 1, tzinfo=UTC),
                caused_by="period|2025-08", period="2025-08",
            )  # fmt: skip

    def _refusal(self, key: str, at: datetime) -> Rejection:
        status = self._dice.choice(("waiting", "rejected"))
        return Rejection(
            deal_key=f"live|{key}", revision="r", status="waiting" if status == "waiting" else "rejected",
            code=self._dice.choice(("no_ib", "no_plan")), text="", account_key=f"live/{client_of(key)}",
            occurred_at=at,
        )  # fmt: skip

    def _milestone(self) -> Milestone:
        """One that a client may have reached before."""
        client, kind = f"c{self._dice.randint(1, 3)}", self._dice.choice(REACHED)
        return Milestone(
            milestone_id=f"{kind} of {client}", kind=kind, client_id=client, ib_id="a", occurred_at=START
        )
