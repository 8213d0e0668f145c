"""The tree of IBs: what is told of them is remembered, and what is told since is seen at once."""

from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client

from api.ledger import Ledger
from api.portal.overview import lines, tiles
from api.queries import partners
from api.queries.partners import add_deals, tree, walk
from api.queries.periods import interval
from api.scope import EVERYTHING
from tests.api.conftest import SOURCE, insert, partner_row, utc


def shape(ledger: Ledger) -> list[tuple[str, str, str | None, bool]]:
    """Id, name, master and KYC of every IB, a master before its sub-IBs."""
    nodes = walk(tree(ledger, EVERYTHING))
    return [(node["ib_id"], node["name"], node["parent"], node["kyc_approved"]) for node in nodes]


def test_what_terms_and_a_crm_tell_is_seen_at_once(ledger: Ledger, chdb: Client) -> None:
    """A new IB, a new version of a known one, and a change of the CRM, each asked for before and after."""
    first = [("M", "Meridian", None, True), ("A", "=Atlas", "M", True), ("B", "Boreal", "M", False)]
    assert shape(ledger) == first
    insert(chdb, "partners", partner_row("C", "Corvus", "A", kyc=True))
    assert shape(ledger) == [*first[:2], ("C", "Corvus", "A", True), first[2]]
    insert(chdb, "partners", partner_row("C", "Corvus II", "B", kyc=True) | {"_offset": 2})
    assert shape(ledger) == [*first, ("C", "Corvus II", "B", True)]
    told = {
        "ib_id": "B", "event_id": "e1", "occurred_at": utc(2, 0), "application": "", "name": "",
        "currency": "", "identity": "", "parents": "", "schedule": "", "statuses": "", "kyc_approved": True,
        "agreement_accepted": None, "source": "",
    }  # fmt: skip
    insert(chdb, "partner_changes", told | SOURCE)
    assert shape(ledger) == [*first[:2], ("B", "Boreal", "M", True), ("C", "Corvus II", "B", True)]


@pytest.mark.parametrize("period", ["", "2026-09", "2026-10"])
def test_deals_of_some_are_those_of_all(ledger: Ledger, period: str) -> None:
    """Those asked for have what a whole tree has, the others none."""
    span = interval(ledger, period)
    whole = {node["ib_id"]: node for node in walk(tree(ledger, EVERYTHING, span))}
    few = {node["ib_id"]: node for node in walk(tree(ledger, EVERYTHING, span, has_deals=False))}
    add_deals(ledger, EVERYTHING, span, [few["A"]])
    assert few["A"]["totals"] == whole["A"]["totals"]
    assert [(row["lots"], row["deals"]) for row in few["M"]["totals"]] == [(0, 0)] * len(few["M"]["totals"])
    add_deals(ledger, EVERYTHING, span, [few["M"], few["B"]])
    assert few == whole


def test_a_way_up_that_has_no_end_makes_roots() -> None:
    """X and Y are above each other, Z is below X; W has as many IBs above it as may be, V one more."""
    deep = [f"d{number:02}" for number in range(partners.MAX_DEPTH)]
    above = {"X": "Y", "Y": "X", "Z": "X", deep[0]: None, "W": deep[-2], "V": deep[-1]}
    above |= dict(zip(deep[1:], deep, strict=False))
    nodes = {
        ib_id: {"ib_id": ib_id, "parent": parent, "children": []} for ib_id, parent in sorted(above.items())
    }
    roots = partners._nest(nodes)
    assert [node["ib_id"] for node in roots] == ["V", "X", "Y", "Z", "d00"]
    assert [node["ib_id"] for node in walk(roots[-1:])] == [*deep[:-1], "W", deep[-1]]


def test_an_ib_that_lost_has_its_own_line() -> None:
    """M lost 5 and its sub-IB A earned 3: with its downline M lost 2, and A's bar is the longest."""

    def node(ib_id: str, earned: str, *children: dict[str, object]) -> dict[str, object]:
        totals = [{"currency": "USD", "earned": Decimal(earned)}]
        return {"ib_id": ib_id, "totals": totals, "children": [*children]}

    root = node("M", "-5", node("A", "3"))
    assert [(line.node["ib_id"], line.subtree, line.share) for line in lines([root], "USD", [root])] == [
        ("M", Decimal(-2), 0)
    ]
    assert [(line.node["ib_id"], line.subtree, line.share) for line in lines([root], "USD")] == [
        ("A", Decimal(3), 100), ("M", Decimal(-2), 0)
    ]  # fmt: skip


def test_a_tile_below_zero_says_of_what() -> None:
    """-30.52 of a month is what it stated of earlier ones; over all time it is what no statement has."""
    names = ("earned", "reversed", "held", "pending", "payable")
    row = {**dict.fromkeys(names, Decimal(0)), "pending": Decimal("-30.52"), "held": Decimal("-75.26")}
    of_month, ever = ({one.label: one for one in tiles([row], is_period=period)} for period in (True, False))
    assert of_month["Pending"].amount == Decimal("-30.52")
    assert of_month["Pending"].note == "accrued less stated, in this period"
    assert of_month["Held"].note == "held less released, in this period"
    assert (ever["Pending"].note, ever["Held"].note) == (
        "not on a closed statement yet",
        "waits for a client\u2019s KYC",
    )
