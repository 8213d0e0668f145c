"""A deal on its way through the fold."""

from dataclasses import dataclass, field
from decimal import Decimal

from commission.client.state import Cause, DealState, Posted, Refund
from commission.events import Deal
from commission.outputs import Tally
from commission.rating.values import ZERO
from commission.terms.market import SymbolDefined


@dataclass(slots=True)
class Booking:
    """A deal on its way through the fold: what its state is going to be. Lives for one record."""

    key: str
    """The deal's state key."""
    cause: str
    """The deal's business key."""
    deal: Deal
    account: str
    times: int = 1
    replaced: tuple[str, ...] = ()
    position: str = ""
    signed_e8: int = 0
    opened_e8: int = 0
    closed_e8: int = 0
    hedge: str = ""
    leg: str = ""
    volume: str = ""
    volume_e8: int = 0
    posted: tuple[Posted, ...] = ()
    tallied: tuple[Tally, ...] = ()
    parked: int | None = None
    charged: dict[str, int] = field(default_factory=dict)
    symbol: str = ""
    charge: Decimal = ZERO
    refunds: tuple[Refund, ...] = ()
    refund_times: int = 0
    refunded: tuple[str, ...] = ()
    number: int = 0

    @property
    def closed_lots(self) -> Decimal:
        """What it closed, in standard lots."""
        return Decimal(self.closed_e8).scaleb(-8)

    def to_state(self) -> DealState:
        """The state as it is kept."""
        return DealState(
            revision=self.deal.revision,
            at=self.deal.occurred_at,
            replaced=self.replaced,
            posted=self.posted,
            tallied=self.tallied,
            position=self.position,
            signed_e8=self.signed_e8,
            opened_e8=self.opened_e8 if self.deal.entry == "inout" else 0,
            charged=self.charged,
            hedge=self.hedge,
            leg=self.leg,
            volume=self.volume,
            volume_e8=self.volume_e8,
            account=self.account if self.charge or self.volume else "",
            symbol=self.symbol if self.charge else "",
            charge=self.charge,
            refunds=self.refunds,
            refund_times=self.refund_times,
            refunded=self.refunded,
            times=self.times,
            parked=self.parked,
            number=self.number,
        )

    def to_cause(self, symbol: SymbolDefined | None) -> Cause:
        """The deal as the cause of rows."""
        deal = self.deal
        canonical = symbol.canonical if symbol is not None else deal.symbol
        return Cause(self.cause, deal.occurred_at, self.account, deal.revision, canonical)


def resumed(state: DealState, key: str, deal: Deal, opened_e8: int, closed_e8: int) -> Booking:
    """A deal that is booked already, to be rated again."""
    return Booking(
        key,
        deal.deal_key,
        deal,
        deal.account_key,
        state.times,
        state.replaced,
        state.position,
        state.signed_e8,
        opened_e8,
        closed_e8,
        state.hedge,
        state.leg,
        state.volume,
        state.volume_e8,
        state.posted,
        state.tallied,
        charged=state.charged,
        symbol=state.symbol,
        charge=state.charge,
        refunds=state.refunds,
        refund_times=state.refund_times,
        refunded=state.refunded,
        number=state.number,
    )
