"""What MT4 itself pays IBs, read of an export, beside what the ledger pays them: by IB and day.

We pay 5 USD a lot that is closed, and one more to master above. The platform's `commission_agent` by hand:

| day | client, IB      | lots        | platform           | here                 | difference |
|-----|-----------------|-------------|--------------------|----------------------|------------|
| 3rd | anna, ib-north  | 1.50 + 0.33 | 7.50 + 1.66 = 9.16 | 7.50 + 1.65 = 9.15   | rounding   |
| 4th | anna, ib-north  | 2.00        | 12                 | 10.00                | -2         |
| 4th | ben, ib-south   | 1.00        | 0                  | 5.00                 | 5          |
| 5th | carl, nobody    | 1.00        | 4                  | 0                    | -4         |
| 5th | eve, ib-north   | 1.00        | 3 EUR              | 5.00 USD             | not told   |
"""

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from typer.testing import CliRunner

from api.ledger import Ledger
from commission.events import Deal
from infra.cli.app import app
from infra.payouts.reconcile import Native, compare_native, reconcile
from ingest.mt4.sql_dump import read
from schemas.settings import Settings
from schemas.wire import Record
from tests import services
from tests.build import D, linked, partner, per_lot, period, plan, registered, symbol
from tests.infra.proposals.live import Live
from tests.ingest.ingest_exports import RECEIVED, mt4
from tests.ingest.mt4.sql_rows import MT4_HEADER, mt4_row

SERVER = "Demo-MT4"
HEADER = f"{MT4_HEADER},CURRENCY"
LINES = (
    "2026-09-04 ib-north: Demo-MT4 pays 12 USD for 1 deal, the ledger 10 USD: -2",
    "2026-09-04 ib-south: Demo-MT4 pays 0 USD for 1 deal, the ledger 5 USD: 5",
    "2026-09-05 no IB here: Demo-MT4 pays 4 USD for 1 deal, the ledger 0 USD: -4",
)


def closed(number: int, login: int, day: int, hundredths: int, agent: str, currency: str = "USD") -> str:
    """A ticket of an export: a day long."""
    times = {"OPEN_TIME": f"2026-09-0{day - 1} 10:00:00", "CLOSE_TIME": f"2026-09-0{day} 10:00:00"}
    row = mt4_row(number, LOGIN=login, VOLUME=hundredths, COMMISSION_AGENT=agent, **times)
    return f"{row},{currency}"


EXPORT = (
    closed(1, 1, 3, 150, "7.50"), closed(2, 1, 3, 33, "1.66"), closed(3, 1, 4, 200, "12"),
    closed(4, 2, 4, 100, "0"), closed(5, 3, 5, 100, "4"), closed(6, 4, 5, 100, "3", "EUR"),
)  # fmt: skip


def broker() -> list[Record]:
    """Four clients of three IBs, or none."""
    own, above = plan("own USD", per_lot("*=5")), plan("above USD", per_lot("*=6"))
    partners = [
        partner("master USD above"),
        *(partner(f"ib-{one} USD own master") for one in ("north", "south")),
    ]
    clients = ("anna ib-north", "ben ib-south", "carl", "eve ib-north")
    links = [linked(f"{login} {one.split()[0]}", server=SERVER) for login, one in enumerate(clients, 1)]
    euro = symbol("EURUSD forex 100000 USD 0.0001", server=SERVER)
    return [euro, period("2026-09"), own, above, *partners, *links, *map(registered, clients)]


def read_export(folder: Path, *rows: str, header: str = HEADER) -> list[Deal]:
    """The deals of a dump of `mt4_trades`."""
    path = folder / "mt4_trades.csv"
    path.write_text("".join(f"{line}\n" for line in (header, *rows)), encoding="utf-8")
    return [one for one in read(path, mt4(), RECEIVED) if isinstance(one, Deal)]


def test_differences_are_told_line_by_line(connected: Client, tmp_path: Path) -> None:
    """Those of the table; what is rounded for each of two tickets is none, nor is what has two currencies."""
    live, ledger = Live(connected), Ledger(lambda: connected)
    live.feed(*broker(), *read_export(tmp_path, *EXPORT))
    found = compare_native(ledger)
    assert found.differences == LINES
    assert (found.days, found.unlike) == (5, 1)
    assert reconcile(ledger).differences == (), "it is no fault of our books"


def test_a_source_that_does_not_tell_it_takes_nothing_away(connected: Client, tmp_path: Path) -> None:
    """Read again without the column each deal has the revision it had, and the comparison stands."""
    live = Live(connected)
    told = read_export(tmp_path, *EXPORT)
    live.feed(*broker(), *told)
    names = HEADER.split(",")
    at = names.index("COMMISSION_AGENT")
    header, *rows = (
        ",".join(cell for place, cell in enumerate(line.split(",")) if place != at)
        for line in (HEADER, *EXPORT)
    )
    silent = read_export(tmp_path, *rows, header=header)
    assert [one.revision for one in silent] == [one.revision for one in told]
    assert {one.agent_commission for one in silent} == {None}
    assert [one.agent_commission for one in told if one.deal_id == "2:close"] == [D("1.66")]
    assert [one.agent_commission for one in told if one.entry == "in"] == [None] * 6
    live.feed(*silent)
    assert compare_native(Ledger(lambda: connected)).differences == LINES


def test_where_the_platform_pays_nothing_there_is_nothing_to_compare(
    connected: Client, tmp_path: Path
) -> None:
    """Every ticket has the column, with 0."""
    rows = [closed(number, 1, 3, 100, "0") for number in (1, 2)]
    Live(connected).feed(*broker(), *read_export(tmp_path, *rows))
    assert compare_native(Ledger(lambda: connected)) == Native()


def test_the_command_says_them_and_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the database alone, without a server."""
    settings = Settings(data_dir=tmp_path)
    with services.ledger(settings.chdb_dir) as client:
        Live(client).feed(*broker(), *read_export(tmp_path, *EXPORT))
    monkeypatch.setenv("IBFLOW_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["payouts", "reconcile"])
    assert said.exit_code == 1, said.output
    words = " ".join(said.output.split())
    assert all(line in words for line in LINES)
    assert "0 batches, 0 lines, 0 differences" in words
    assert "5 days of IBs that platforms pay as well, 3 differ, 1 are of two currencies" in words
