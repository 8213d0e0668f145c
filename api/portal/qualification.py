"""What a client still lacks for its CPAs: each condition of the plan beside what the CRM and deals say.

It helps a person to ask the right thing. What counts is the client's book, which also weighs what was taken
back, how long deals were held, and which symbols count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from api.ledger import Ledger, Row
from api.portal.marks import rounded
from api.queries import clients, quality
from api.scope import Scope
from api.views.terms import known_terms
from commission.events import LOT_E8
from commission.terms.catalog import Terms
from commission.terms.components import Cpa
from commission.terms.plans import PlanDefined

State = Literal["yes", "no", "late"]
EVENTS = 1_000
"""Newest events of the client that are looked at."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: what it asks for, what there is, whether that is enough."""

    label: str
    wanted: str
    found: str
    state: State


@dataclass(frozen=True, slots=True)
class Checks:
    """One CPA of one plan, and how far the client is."""

    component: str
    ib_id: str
    plan_id: str
    version: int
    link: str
    """The tracking link whose plan that is, instead of the IB's own; "" if it is the IB's."""
    until: datetime
    qualified_at: datetime | None
    lost_at: datetime | None
    """Of the newest clawback, where none stands: a late deal takes one back and gives another."""
    checks: tuple[Check, ...]

    @property
    def is_over(self) -> bool:
        """Whether the time to qualify has passed."""
        return self.until < datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rows say of a client."""

    terms: Terms
    country: str
    registered_at: datetime
    events: Sequence[Row]
    traded: Row


def checks_of(
    ledger: Ledger, scope: Scope, client: Row, account_keys: list[str], milestones: Sequence[Row]
) -> list[Checks]:
    """The CPAs above a client as of its registration, each with its conditions; [] if no plan pays one.

    Who came by a tracking link with a plan of its own has that plan's conditions, as in its book.
    """
    if not client["ib_id"]:
        return []
    terms, registered_at = known_terms(ledger), client["occurred_at"]
    by_link = _link_of(terms, client)
    upline = terms.upline(client["ib_id"], registered_at, by_link)
    found: list[Checks] = []
    events = quality.client_events(ledger, scope, client["client_id"], "", EVENTS)["items"]
    for link in upline.links if upline else ():
        if not scope.has(link.partner.ib_id):
            continue
        for component in link.by_kind.get("cpa", ()):
            assert isinstance(component, Cpa), "components are listed by their kind"
            assert link.plan is not None, "who has a component has its plan"
            if component.name in {one.component for one in found}:
                continue  # of one name the lowest IB's conditions count
            until = _until(registered_at, component)
            traded = clients.traded(ledger, scope, account_keys, registered_at, until)
            known = _Known(terms, client["country"], registered_at, events, traded)
            ib_id = link.partner.ib_id
            by = by_link if ib_id == client["ib_id"] else ""
            found.append(_checks(known, component, link.plan, ib_id, by, until, milestones))
    return found


def _link_of(terms: Terms, client: Row) -> str:
    """The link whose plan counts for the client; "" if the IB's own does, or the link is another IB's."""
    link = terms.links.get(client["link"] or "")
    if link is None or link.ib_id != client["ib_id"]:
        return ""
    return link.code if link.plan_at(client["occurred_at"]) is not None else ""


def _checks(
    known: _Known,
    component: Cpa,
    plan: PlanDefined,
    ib_id: str,
    link: str,
    until: datetime,
    milestones: Sequence[Row],
) -> Checks:
    lost = [row for row in milestones if row["kind"] == "cpa.clawback"]
    taken = {row["takes_back"] for row in lost}
    reached = [
        row for row in milestones if row["kind"] == "cpa.qualified" and row["milestone_id"] not in taken
    ]
    checks = [_deposit(known, component, plan), _kyc(known, until), *_trading(known, component)]
    if component.countries or component.countries_not:
        is_wanted = not component.countries or known.country in component.countries
        is_wanted &= known.country not in component.countries_not
        wanted = ", ".join(component.countries) or f"not {', '.join(component.countries_not)}"
        checks.append(Check("Country", wanted, known.country or "not known", "yes" if is_wanted else "late"))
    return Checks(
        component=component.name,
        ib_id=ib_id,
        plan_id=plan.plan_id,
        version=plan.version,
        link=link,
        until=until,
        qualified_at=reached[0]["occurred_at"] if reached else None,
        lost_at=lost[0]["occurred_at"] if lost and not reached else None,
        checks=tuple(checks),
    )


def _deposit(known: _Known, component: Cpa, plan: PlanDefined) -> Check:
    cleared = sorted(
        (row for row in known.events if row["type"] == "deposit_cleared"), key=lambda row: row["occurred_at"]
    )
    fits = [one for one in component.amounts if one.country in ("", known.country)]
    own = [one for one in fits if one.country] or fits
    least = min((one.min_deposit for one in own), default=Decimal(0))
    wanted = (
        f"{rounded(least, plan.currency)} {plan.currency} within {component.ftd_window_hours} h of the first"
    )
    if not cleared:
        return Check("Deposit", wanted, "none yet", "no")
    first = cleared[0]["occurred_at"]
    inside = [
        row for row in cleared if row["occurred_at"] <= first + timedelta(hours=component.ftd_window_hours)
    ]
    total = Decimal(0)
    for row in inside:
        conversion = known.terms.convert(row["currency"], plan.currency, row["occurred_at"])
        if conversion is None:
            return Check("Deposit", wanted, f"a rate of {row['currency']} is missing", "no")
        total += row["amount"] * conversion.rate
    enough: State = "yes" if total >= least else "no"
    return Check("Deposit", wanted, f"{rounded(total, plan.currency)} {plan.currency}", enough)


def _kyc(known: _Known, until: datetime) -> Check:
    decisions = [row for row in known.events if row["type"] == "kyc_changed"]
    newest = max(decisions, key=lambda row: row["occurred_at"], default=None)
    if newest is None or newest["status"] != "approved":
        return Check("KYC", "approved", newest["status"] if newest else "not decided yet", "no")
    state: State = "yes" if newest["occurred_at"] <= until else "late"
    return Check("KYC", "approved", f"approved {newest['occurred_at']:%Y-%m-%d %H:%M} UTC", state)


def _trading(known: _Known, component: Cpa) -> list[Check]:
    lots = Decimal(known.traded["volume_e8"]) / LOT_E8
    checks = []
    if component.min_lots:
        enough: State = "yes" if lots >= component.min_lots else "no"
        checks.append(Check("Lots closed", f"{component.min_lots}", f"{lots:,.2f}", enough))
    if component.min_trades:
        deals = known.traded["deals"]
        checks.append(
            Check(
                "Deals closed",
                f"{component.min_trades}",
                f"{deals:,}",
                "yes" if deals >= component.min_trades else "no",
            )
        )
    if component.min_spread:
        checks.append(Check("Spread collected", f"{component.min_spread}", "the book counts it", "no"))
    if component.min_turnover:
        checks.append(
            Check("Turnover", f"{component.min_turnover} times the deposit", "the book counts it", "no")
        )
    return checks


def _until(registered_at: datetime, component: Cpa) -> datetime:
    """The end of the time to qualify."""
    if not component.business_days:
        return registered_at + timedelta(days=component.qualification_days)
    at, left = registered_at, component.qualification_days
    while left:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at
