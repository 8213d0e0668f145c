"""One record of a CRM, whatever source told it, to its event."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commission.events import (
    ChargebackReceived,
    ClientRegistered,
    DepositAnnounced,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from commission.terms.partners import ParentLink, PartnerChanged, PlanAssignment, StatusChange
from ingest.crm.fields import FIELDS
from ingest.crm.records import EVENTS, to_event
from ingest.sources import RowRejected
from schemas.wire import decode, encode
from tests.effort import tries

AT = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
CLIENT: dict[str, Any] = {"event_id": "e1", "occurred_at": "2026-09-01T08:30:00Z", "client_id": "c1"}
IB: dict[str, Any] = {"event_id": "e1", "occurred_at": "2026-09-01T10:30:00+02:00", "ib_id": "ib7"}
WHO: dict[str, Any] = {"event_id": "e1", "client_id": "c1", "occurred_at": AT}
WHICH: dict[str, Any] = {"event_id": "e1", "ib_id": "ib7", "occurred_at": AT}
MONEY = {"deposit_id": "d1", "amount": "250.50", "currency": "USD"}
PAID: dict[str, Any] = {"deposit_id": "d1", "amount": Decimal("250.50"), "currency": "USD"}


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (
            {"event": "registration", "click": {"clickId": "x-1", "sub1": ""}, "click.gclid": "g"},
            ClientRegistered(**WHO, click={"clickId": "x-1", "gclid": "g"}),
        ),
        ({"event": "deposit", **MONEY}, DepositCleared(**WHO, **PAID)),
        ({"event": "deposit", **MONEY, "status": "Cleared"}, DepositCleared(**WHO, **PAID)),
        ({"event": "deposit", **MONEY, "status": "pending"}, DepositAnnounced(**WHO, **PAID)),
        ({"event": "deposit", **MONEY, "status": "failed"}, DepositAnnounced(**WHO, **PAID, status="failed")),
        (
            {"event": "deposit", "deposit_id": "d1", "status": "reversed"},
            ChargebackReceived(**WHO, deposit_id="d1", reason="deposit_reversal"),
        ),
        (
            {"event": "chargeback", "deposit_id": "d1", "amount": Decimal(50)},
            ChargebackReceived(**WHO, deposit_id="d1", amount=Decimal(50)),
        ),
        (
            {"event": "withdrawal", "amount": 7, "currency": "EUR", "status": "paid", "ib_id": None},
            WithdrawalPaid(**WHO, amount=Decimal(7), currency="EUR"),
        ),
        (
            {"event": "kyc", "status": "approved", "jurisdiction": "CY", "expires_at": "2027-05-01T00:00Z"},
            KycChanged(
                **WHO, status="approved", jurisdiction="CY", expires_at=datetime(2027, 5, 1, tzinfo=UTC)
            ),
        ),
        ({"event": "kyc", "status": "expired"}, KycChanged(**WHO, status="expired")),
    ],
)
def test_what_clients_do(record: dict[str, Any], event: object) -> None:
    """Each fact of a client, with the fields worked out by hand; it survives the wire."""
    made = to_event(CLIENT | record)
    assert made == event
    assert decode(encode([made])[0]) == event


@pytest.mark.parametrize(
    ("record", "event"),
    [
        (
            {"event": "ib_application", "status": "received", "name": "Ada Ltd"},
            PartnerChanged(**WHICH, application="received", name="Ada Ltd"),
        ),
        (
            {"event": "ib_application", "status": "approved", "name": "Ada Ltd", "currency": "USD",
             "parent_ib_id": "ib1", "plan_id": "gold", "rank": "2", "factor": "0.5", "identity": "p9"},
            PartnerChanged(
                **WHICH, application="approved", name="Ada Ltd", currency="USD", identity="p9",
                parents=(ParentLink(since=AT, ib_id="ib1"),),
                schedule=(PlanAssignment(since=AT, plan_id="gold", rank="2", factor=Decimal("0.5")),),
            ),
        ),
        (
            {"event": "ib_application", "status": "declined"}, PartnerChanged(**WHICH, application="declined")
        ),
        ({"event": "ib_agreement", "status": "accepted"}, PartnerChanged(**WHICH, agreement_accepted=True)),
        ({"event": "ib_agreement", "status": "withdrawn"}, PartnerChanged(**WHICH, agreement_accepted=False)),
        ({"event": "ib_kyc", "status": "approved"}, PartnerChanged(**WHICH, kyc_approved=True)),
        ({"event": "ib_kyc", "status": "expired"}, PartnerChanged(**WHICH, kyc_approved=False)),
        (
            {"event": "ib_tier", "plan_id": "gold"},
            PartnerChanged(**WHICH, schedule=(PlanAssignment(since=AT, plan_id="gold"),)),
        ),
        (
            {"event": "ib_status", "status": "suspended"},
            PartnerChanged(**WHICH, statuses=(StatusChange(since=AT, status="suspended"),)),
        ),
        (
            {"event": "ib_reparenting", "parent_ib_id": "ib2"},
            PartnerChanged(**WHICH, parents=(ParentLink(since=AT, ib_id="ib2"),)),
        ),
        ({"event": "ib_reparenting"}, PartnerChanged(**WHICH, parents=(ParentLink(since=AT),))),
    ],
)  # fmt: skip
def test_what_becomes_of_ibs(record: dict[str, Any], event: object) -> None:
    """Each step of an IB is a change of its record as of its time; it survives the wire."""
    made = to_event(IB | record)
    assert made == event
    assert decode(encode([made])[0]) == event


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (CLIENT | {"event": "deposit", **MONEY, "status": "lost"}, "unknown_status"),
        (CLIENT | {"event": "deposit", **MONEY, "amount": 250.5}, "bad_field"),
        (CLIENT | {"event": "deposit", **MONEY, "amount": True}, "bad_field"),
        (CLIENT | {"event": "deposit", **MONEY, "amount": Decimal("NaN")}, "bad_field"),
        (
            CLIENT | {"event": "withdrawal", "amount": "7", "currency": "EUR", "status": "new"},
            "unknown_status",
        ),
        (CLIENT | {"event": "kyc"}, "missing_cell"),
        (CLIENT | {"event": "kyc", "status": "approved", "jurisdiction": "x" * 65}, "bad_jurisdiction"),
        (CLIENT | {"event": "kyc", "status": "approved", "expires_at": "2026-08-31T00:00Z"}, "bad_expiry"),
        (CLIENT | {"event": "kyc", "status": "revoked", "expires_at": "2027-08-31T00:00Z"}, "bad_expiry"),
        (CLIENT | {"event": "kyc", "status": "approved", "expires_at": "2027-05-01"}, "bad_time"),
        (CLIENT | {"event": "registration", "email": "ada@example.org"}, "unknown_field"),
        (CLIENT | {"event": "registration", "click": "x"}, "unknown_field"),
        (CLIENT | {"event": "registration", "click": {"a b": "x"}}, "bad_click"),
        (CLIENT | {"event": "registration", "click": {"a": ["x"]}}, "bad_field"),
        (CLIENT | {"event": "registration", "click": {f"p{n}": "x" for n in range(31)}}, "too_many_clicks"),
        (IB | {"event": "registration"}, "missing_cell"),
        (CLIENT | {"event": "ib_status", "status": "active"}, "missing_cell"),
        (IB | {"event": "ib_status"}, "missing_cell"),
        (IB | {"event": "ib_tier", "rank": "gold"}, "missing_cell"),
        (IB | {"event": "ib_tier", "plan_id": "gold", "factor": "0"}, "bad_amount"),
        (IB | {"event": "ib_application", "status": "approved", "name": "A"}, "missing_cell"),
        (IB | {"event": "ib_application", "status": "approved", "currency": "USD"}, "missing_cell"),
        (IB | {"event": "ib_application", "status": "received", "name": "A" * 201}, "bad_name"),
    ],
)
def test_what_is_refused(record: dict[str, Any], code: str) -> None:
    """A code for machines and a reason for people, which never repeats a field that has no business here."""
    with pytest.raises(RowRejected) as caught:
        to_event(record)
    assert (caught.value.code, "ada@" in caught.value.reason) == (code, False)


VALUES = st.one_of(
    st.none(), st.text(max_size=40), st.integers(), st.floats(), st.booleans(), st.decimals(),
    st.sampled_from(("c1", "2026-09-01T00:00Z", "5", "USD", "approved", "pending", "received", *EVENTS)),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)  # fmt: skip
NAMES = st.sampled_from((*FIELDS, "click", "click.a", "click.", "email"))


@settings(max_examples=tries(100))
@given(word=st.sampled_from(EVENTS), record=st.dictionaries(NAMES, VALUES))
def test_whatever_a_record_holds(word: str, record: dict[str, Any]) -> None:
    """It is an event the wire takes, or a bad row."""
    try:
        event = to_event({**IB, **CLIENT, "event": word} | record)
    except RowRejected:
        return
    assert decode(encode([event])[0]) == event
