"""What a file may be the truth of, and what is deleted on its word."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commission.events import Deal
from infra.reconcile.platform_deals import Source, deals_of_file
from infra.reconcile.run import MAX_DELETED, _why_not_delete, check_window
from ingest.live.comparison import Findings
from ingest.sources import UnreadableSource
from ingest.terms.servers import BrokerServer
from schemas.dead_letters import DeadLetter
from schemas.errors import Unusable
from tests.ingest.ingest_exports import csv_file, row, statement, ticket

MT5 = BrokerServer(server="Demo-MT5", platform="mt5", timezone="UTC")
MT4 = BrokerServer(server="Demo-MT4", platform="mt4", timezone="UTC")
DAY = datetime(2025, 6, 2, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


def told(source: Source, since: datetime = DAY, until: datetime = NEXT) -> list[str]:
    return [item.deal_id if isinstance(item, Deal) else item.code for item in source.between(since, until)]


def account(path: Path, login: int, tickets: str) -> Path:
    path.write_text(statement(tickets).replace("Account: 5002", f"Account: {login}"), encoding="utf-8")
    return path


def test_a_whole_servers_export_is_read_once_and_cut_into_days(tmp_path: Path) -> None:
    """Deals before and after the window are left out; a bad row is told with the first slice, once."""
    path = csv_file(
        tmp_path / "deals.csv", row(1, Time="2025.06.01 23:59:59.999"), row(2), row(3, Volume="x"),
        row(4, Time="2025.06.03 00:00:00.000", Login="6"), row(5, Time="2025.06.04 00:00:00.000"),
    )  # fmt: skip
    source = deals_of_file([path], MT5)
    assert ((), "mt5-deals-csv deals.csv") == (source.logins, source.name)
    assert ["bad_volume", "2"] == sorted(told(source), reverse=True)
    assert ["4"] == told(source, NEXT, NEXT + timedelta(days=1))
    assert {"1", "5"} == source.tells({"1", "5", "9"})


def test_an_account_can_be_chosen(tmp_path: Path) -> None:
    """Of a whole server's export only that account is compared."""
    path = csv_file(tmp_path / "deals.csv", row(1), row(2, Login="6"))
    source = deals_of_file([path], MT5, (6,))
    assert ((6,), ["2"]) == (source.logins, told(source))


def test_statements_speak_for_their_accounts(tmp_path: Path) -> None:
    """Two statements are one truth, in order of time, of two accounts and of no other."""
    first = account(tmp_path / "a.htm", 5002, ticket(7))
    second = account(tmp_path / "b.htm", 5003, ticket(8, opened="2025.06.02 09:00:00"))
    source = deals_of_file([first, second], MT4)
    assert (5002, 5003) == source.logins
    assert ["8:open", "7:open", "7:close", "8:close"] == told(source)
    assert ["8:open", "8:close"] == told(deals_of_file([first, second], MT4, (5003,)))


def test_what_can_be_no_truth_is_refused(tmp_path: Path) -> None:
    """Two truths of one account or server, a file without deals, an account it does not tell: each told."""
    export = csv_file(tmp_path / "deals.csv", row(1))
    one, again = (account(tmp_path / name, 5002, ticket(7)) for name in ("a.htm", "b.htm"))
    with pytest.raises(UnreadableSource, match="is complete by itself"):
        deals_of_file([export, export], MT5)
    with pytest.raises(UnreadableSource, match=r"a.htm and b.htm both have account 5002"):
        deals_of_file([one, again], MT4)
    with pytest.raises(UnreadableSource, match="nothing of account 9"):
        deals_of_file([one], MT4, (9, 5002))
    with pytest.raises(UnreadableSource, match="is of account 5002"):
        deals_of_file([one], MT4, (9,))
    with pytest.raises(UnreadableSource, match="no deal"):
        deals_of_file([account(tmp_path / "c.htm", 5002, "")], MT4)
    with pytest.raises(UnreadableSource, match="profile says"):
        deals_of_file([one], MT5)


def test_a_dead_letter_of_a_statement_is_told(tmp_path: Path) -> None:
    """What cannot be read of a statement leaves the window open, too."""
    path = account(tmp_path / "a.htm", 5002, ticket(7) + ticket(8, size="x"))
    found = list(deals_of_file([path], MT4).between(DAY, NEXT))
    assert [True, False, False] == [isinstance(item, DeadLetter) for item in found]


def test_deals_are_deleted_only_on_the_word_of_a_sound_source() -> None:
    """Not where rows cannot be read, nothing is told at all, too many are gone, or too many differ."""
    extra = {"1": DAY}
    assert _why_not_delete(Findings(theirs=9, extra=extra)) is None
    assert "cannot be read" in str(_why_not_delete(Findings(theirs=9, extra=extra, unreadable=1)))
    assert "no deal at all" in str(_why_not_delete(Findings(extra=extra)))
    many = {str(number): DAY for number in range(MAX_DELETED + 1)}
    assert "at most" in str(_why_not_delete(Findings(theirs=9, extra=many)))
    assert "too many deals differ" in str(_why_not_delete(Findings(theirs=9, extra=extra, withheld=5)))


def test_a_window_is_over() -> None:
    """What happens while it is swept would be found on one side only."""
    check_window(DAY, NEXT, NEXT)
    with pytest.raises(Unusable, match="is 2025-06-02 12:00 UTC now"):
        check_window(DAY, NEXT, DAY + timedelta(hours=12))
    with pytest.raises(Unusable, match="must be after"):
        check_window(NEXT, DAY, NEXT)
