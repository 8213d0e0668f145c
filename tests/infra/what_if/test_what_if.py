"""`ibflow what-if`: a small broker whose commission before and after is worked out by hand.

Anna (DE) and ben (FR) are clients of ib-north, under ib-master. Gold pays the master 7 a lot of
forex, silver pays ib-north 5: of one lot, 5 and an override of 2.
"""

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from commission.events import Deal
from commission.terms.plans import PlanDefined
from commission.terms.rates import Band, Tiers
from commission.terms.records import TermsRecord
from infra.archive.memory_log import MemoryLog
from infra.cli.app import app
from infra.what_if.report import to_csv_file, to_html
from infra.what_if.result import Line, WhatIf, Window
from infra.what_if.simulate import what_if
from schemas.settings import Settings
from schemas.wire import Record
from tests import services
from tests.build import (
    PARTNERS,
    PLANS,
    SYMBOLS,
    TERMS,
    at,
    chargeback,
    cpa,
    deal,
    deposit,
    ended,
    exchange,
    kyc,
    linked,
    partner,
    per_lot,
    period,
    plan,
    registered,
)
from tests.history import history, store

D = Decimal
QUOTES = {"bid": D("1.10000"), "ask": D("1.10012")}


def opened_and_closed(
    number: int, lots: str, *, day: int, login: int, symbol: str = "EURUSD"
) -> list[Record]:
    """A round trip: charged 3 at each end, closed with a spread of 1.2 pips."""
    position = {"position_id": f"p{number}", "login": login, "commission": D(-3)}
    return [
        deal(f"{number}1 buy {lots} {symbol} in", day=day, **position, **QUOTES),
        deal(f"{number}2 sell {lots} {symbol} out", day=day, hour=1, **position, **QUOTES),
    ]


def broker() -> list[Record]:
    """Anna closes 2 lots on day 3 and 1 on day 10; ben 4 on day 5, and 1 of a symbol nobody has."""
    return [
        period("2026-09"),
        *TERMS,
        linked("1 anna"),
        registered("anna ib-north", country="DE"),
        linked("2 ben"),
        registered("ben ib-north", country="FR"),
        *opened_and_closed(1, "2", day=3, login=1),
        *opened_and_closed(2, "4", day=5, login=2),
        *opened_and_closed(3, "1", day=10, login=1),
        *opened_and_closed(4, "1", day=11, login=2, symbol="GER40"),
        ended("2026-09"),
    ]


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return history(broker(), partitions=2)


def changed(*plans: PlanDefined, partners: tuple[TermsRecord, ...] = PARTNERS) -> tuple[TermsRecord, ...]:
    return (*SYMBOLS, *plans, *partners)


SILVER_6 = plan("silver USD", per_lot("class:forex=6 XAU*=7 *=1"))
GOLD = plan("gold USD", per_lot("class:forex=7 XAU*=10 *=2"))


def lines(found: WhatIf, dimension: str) -> dict[str, tuple[str, str]]:
    return {line.name: (f"{line.before:f}", f"{line.after:f}") for line in found.by[dimension]}


def as_numbers(told: dict[str, tuple[str, str]]) -> dict[str, tuple[Decimal, Decimal]]:
    return {name: (D(before), D(after)) for name, (before, after) in told.items()}


def test_a_better_plan_by_hand(log: MemoryLog) -> None:
    """7 lots: north 35 → 42, master 14 → 7; the sum stays 49, for gold's difference gives way."""
    found = what_if(log, changed(SILVER_6, GOLD), workers=0)
    assert {"ib-north": (35, 42), "ib-master": (14, 7)} == as_numbers(lines(found, "ib"))
    assert {"DE": (21, 21), "FR": (28, 28)} == as_numbers(lines(found, "country"))
    assert {"EURUSD": (49, 49)} == as_numbers(lines(found, "symbol"))
    assert {"silver": (35, 42), "gold": (14, 7)} == as_numbers(lines(found, "plan"))
    assert [("ib-north", 7), ("ib-master", -7)] == [(w.name, w.difference) for w in found.changed_ibs]
    assert () == found.moves


def test_margin_by_hand(log: MemoryLog) -> None:
    """Charged 8 deals x 3 = 24; spread 0.00012 x 100,000 = 12 a lot, 7 lots closed: 84. GER40 means nothing.

    Before: 24 + 84 - 49 = 59. With silver at 9 and gold at 10, 70 are paid: 38 are left.
    """
    dear = changed(plan("silver USD", per_lot("class:forex=9")), plan("gold USD", per_lot("class:forex=10")))
    found = what_if(log, dear, workers=0)
    assert (24, 84, 1) == (found.charged, found.spread, found.spread_unknown)
    assert (49, 70) == (found.cost_before, found.cost_after)
    assert (59, 38) == found.margins
    assert 0 == found.unconverted


def test_only_deals_of_the_window_count(log: MemoryLog) -> None:
    """From day 5 up to, not including, day 10: ben's 4 lots. 4 x 5 → 4 x 6 for north."""
    found = what_if(log, changed(SILVER_6, GOLD), window=Window(at(5), at(10)), workers=0)
    assert {"ib-north": (20, 24), "ib-master": (8, 4)} == as_numbers(lines(found, "ib"))
    assert (2, 6, 48) == (found.deals, found.charged, found.spread)


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_deal_that_moved_to_another_owner_counts_once(partitions: int) -> None:
    """Anna's account is ben's from day 15, and her lot of day 10 is told anew, of day 16: 7 of 49 move to FR.

    What was charged and the spread stay 24 and 84, also where both clients are of one partition.
    """
    told = broker()
    last = next(one for one in told if isinstance(one, Deal) and one.deal_id == "32")
    moved = [linked("1 ben", day=15), replace(last, revision="b", occurred_at=at(16)), last]
    log = history([*told[:-1], *moved, told[-1]], partitions=partitions)
    found = what_if(log, changed(*PLANS), workers=0)
    assert {"DE": (14, 14), "FR": (35, 35)} == as_numbers(lines(found, "country"))
    assert (8, 24, 84) == (found.deals, found.charged, found.spread)


def test_deals_that_would_be_paid_or_not(log: MemoryLog) -> None:
    """A plan for openings turns 3 openings rated and 3 closings rejected; GER40 waits either way."""
    opening = changed(
        plan("silver USD", per_lot("class:forex=5", entry="in")),
        plan("gold USD", per_lot("class:forex=7", entry="in")),
    )
    found = what_if(log, opening, workers=0)
    told = {(move.before, move.after): (move.deals, move.examples) for move in found.moves}
    assert {
        ("rejected: entry_not_paid", "rated"): (3, ("live|11", "live|21", "live|31")),
        ("rated", "rejected: entry_not_paid"): (3, ("live|12", "live|22", "live|32")),
    } == {fate: (deals, tuple(sorted(examples))) for fate, (deals, examples) in told.items()}
    assert {"rated": 3, "rejected: entry_not_paid": 3, "waiting: unknown_symbol": 2} == found.fates["before"]
    assert 49 == found.cost_after


def test_a_cpa_and_its_reversal_count_for_the_time_of_the_cpa() -> None:
    """400 to anna's IB on day 4, charged back on day 20: in days 1-10 it nets to 0, and was never more."""
    story = [
        plan("gold USD", cpa("400")),
        partner("ib-master USD gold"),
        *SYMBOLS,
        linked("1 anna"),
        registered("anna ib-master", country="DE"),
        kyc("anna approved", day=2),
        deposit("anna d1 500 USD", day=2),
        *opened_and_closed(1, "3", day=4, login=1),
    ]
    after = (*SYMBOLS, plan("gold USD", cpa("400", min_lots=D(9))), partner("ib-master USD gold"))
    kept = what_if(history(story, partitions=1), after, workers=0)
    assert {"ib-master": (400, 0)} == as_numbers(lines(kept, "ib"))
    taken = history([*story, chargeback("anna d1", day=20)], partitions=1)
    assert {} == lines(what_if(taken, after, window=Window(at(1), at(10)), workers=0), "ib")


def test_tiers_are_settled_anew_in_the_partner_book() -> None:
    """Silver with 1 more a lot from 5 lots on, whole: 7 lots of two clients pay 42 instead of 35.

    The override goes by the plans' own rates, so the master keeps its 14.
    """
    tiers = Tiers(by="lots", bands=(Band(start=D(5), factor=D("1.2")),))
    better = plan("silver USD", per_lot("class:forex=5", tiers=tiers))
    log = history(broker(), partitions=2)
    found = what_if(log, changed(better, GOLD), workers=0)
    assert {"ib-north": (35, 42), "ib-master": (14, 14)} == as_numbers(lines(found, "ib"))
    assert {"": (0, 7), "DE": (21, 21), "FR": (28, 28)} == as_numbers(lines(found, "country"))
    back = what_if(
        history([*broker()[:1], *changed(better, GOLD), *broker()[1 + len(TERMS) :]], partitions=2),
        TERMS,
        workers=0,
    )
    assert {"ib-north": (42, 35), "ib-master": (14, 14)} == as_numbers(lines(back, "ib"))


def test_the_log_keeps_its_rates_and_the_folder_fills_gaps() -> None:
    """EUR/USD 1.25 is in the log and 2 in the folder: 1.25 counts. GBP is in the folder only: 1.5.

    north in EUR: 7 lots x 5 USD / 1.25 = 28 EUR; in GBP: 35 / ... 5 USD x 7 / 1.5 = 23.33333331.
    """
    log = history([exchange("EUR/USD 1.25"), *broker()], partitions=2)
    euro = changed(*PLANS, partners=(PARTNERS[0], partner("ib-north EUR silver ib-master")))
    found = what_if(log, (*euro, exchange("EUR/USD 2")), workers=0)
    north = [line for line in found.by["ib"] if line.name == "ib-north"]
    assert {Line("ib-north", "USD", D(35), D(0)), Line("ib-north", "EUR", D(0), D(28))} == set(north)
    pound = changed(*PLANS, partners=(PARTNERS[0], partner("ib-north GBP silver ib-master")))
    found = what_if(log, (*pound, exchange("GBP/USD 1.5")), workers=0)
    (line,) = (line for line in found.by["ib"] if line.currency == "GBP")
    # 2, 4 and 1 lots at 8 decimals: 6.66666667 + 13.33333333 + 3.33333333
    assert D("23.33333333") == line.after


def test_as_it_was_is_what_is_stored(log: MemoryLog) -> None:
    """With the log's own terms nothing differs, in processes as in one."""
    found = what_if(log, TERMS, workers=2)
    assert what_if(log, TERMS, workers=0) == found
    assert found.margins[0] == found.margins[1]
    assert [] == found.changed_ibs


# What is told

NORTH = ("partner_defined", "client_registered")


def test_the_spreadsheet_runs_nothing_and_the_page_needs_nothing(log: MemoryLog) -> None:
    """An IB named like a formula is a text in CSV and no markup in HTML; the page names no other address."""
    evil = "=cmd|'<script>'!A1"
    records = [replace(r, ib_id=evil) if r.type in NORTH and r.ib_id == "ib-north" else r for r in broker()]
    found = what_if(history(records, partitions=1), changed(SILVER_6, GOLD), workers=0)
    rows = list(csv.reader(io.StringIO(to_csv_file(found).decode())))
    assert ["section", "name", "currency", "before", "after", "difference"] == rows[0]
    by_ib = {row[1]: row[3:] for row in rows if row[0] == "ib"}
    assert [f"'{evil}", "ib-master"] == sorted(by_ib)
    assert not [cell for row in rows for cell in row[:2] if cell.startswith(("=", "+", "@"))]
    page = to_html(found)
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=|https?://", page)


def test_the_command_reads_the_archive(log: MemoryLog, tmp_path: Path) -> None:
    """`--json`, `--csv` and `--html` from a real chDB: north 35 → 42, as by hand."""
    settings = Settings(data_dir=tmp_path / "data")
    with services.ledger(settings.chdb_dir) as client:
        store(client, log)
    folder = tmp_path / "terms"
    folder.mkdir()
    (folder / "broker.yaml").write_text(BROKER)
    (folder / "symbols.yaml").write_text(SYMBOLS_YAML)
    (folder / "plans.yaml").write_text(PLANS_YAML)
    (folder / "partners.yaml").write_text(PARTNERS_YAML)
    page = tmp_path / "report.html"
    arguments = ["what-if", "--terms", str(folder), "--json", "--workers", "0", "--html", str(page)]
    environment = {"IBFLOW_DATA_DIR": str(settings.data_dir), "IBFLOW_CLICKHOUSE": ""}
    result = CliRunner().invoke(app, arguments, env=environment)
    assert 0 == result.exit_code, result.output
    told = json.loads(result.stdout)
    by_ib = {line["name"]: (line["before"], line["after"]) for line in told["by"]["ib"]}
    assert {"ib-north": ("35", "42"), "ib-master": ("14", "7")} == by_ib
    assert {"before": "59", "after": "59", "difference": "0"} == told["totals"]["margin"]
    assert "ib-north" in page.read_text()


BROKER = """
calendar: {zone: UTC, period: month, from: 2026-09, to: 2026-10}
servers:
  live: {platform: mt5, timezone: UTC}
"""
SYMBOLS_YAML = """
symbols:
  live:
    EURUSD: {class: forex, contract_size: 100000, pip: 0.0001, profit: USD}
"""
PLANS_YAML = """
plans:
  - id: gold
    version: 1
    currency: USD
    kyc_gate: false
    components:
      - {kind: per_lot, name: lots, rates: {"class:forex": 7}}
  - id: silver
    version: 1
    currency: USD
    kyc_gate: false
    components:
      - {kind: per_lot, name: lots, rates: {"class:forex": 6}}
"""
PARTNERS_YAML = """
partners:
  - {id: ib-master, name: Master, currency: USD, plan: gold}
  - {id: ib-north, name: North, currency: USD, plan: silver, parent: ib-master}
"""
