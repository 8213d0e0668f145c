"""The declared fields of a deal's line are those that `encode` writes."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from msgspec.structs import fields

from commission.events import Deal
from schemas.wire import DEAL_FIELDS, encode

FULL = Deal(
    platform="mt5",
    server="Live",
    login=5001,
    deal_id="7",
    revision="0123456789abcdef",
    kind="trade",
    occurred_at=datetime(2026, 9, 1, 8, 30, tzinfo=UTC),
    server_time="2026.09.01 11:30:00",
    side="buy",
    entry="inout",
    symbol="EURUSD",
    volume_e8=100_000_000,
    volume_closed_e8=50_000_000,
    contract_size=Decimal(100_000),
    position_id="9",
    close_by="8",
    price=Decimal("1.1"),
    bid=Decimal("1.0999"),
    ask=Decimal("1.1"),
    profit=Decimal(5),
    commission=Decimal(-7),
    fee=Decimal(-1),
    swap=Decimal(-2),
    agent_commission=Decimal(3),
    currency="USD",
    rate_profit=Decimal("0.9"),
    balance=Decimal(100),
    equity=Decimal(101),
    credit=Decimal(1),
    reason="client",
    is_service=True,
    group="real",
    comment="c",
    source="s",
)


def test_the_fields_of_a_deals_line() -> None:
    """A deal with a value in every field has the declared ones, in their order, quoted as declared."""
    defaults = [field.name for field in fields(Deal) if getattr(FULL, field.name) == field.default]
    assert not defaults, "the deal above fills every field"
    (kind, deal), *rest = json.loads(encode([FULL])[0], object_pairs_hook=list)
    assert (kind, deal) == ("type", "deal")
    assert [(field.name, field.is_quoted) for field in DEAL_FIELDS] == [
        (name, isinstance(value, str)) for name, value in rest
    ]
