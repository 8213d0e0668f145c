"""An IB that a CRM names and nobody knows is told to whoever ingests the file."""

from pathlib import Path

from ingest.counts import Counts
from ingest.crm.csv_file import read
from ingest.named_ibs import NamedIbs
from schemas.dead_letters import DeadLetter
from tests.build import at, partner

HEAD = "event,event_id,occurred_at,client_id,ib_id,status,name,currency,parent_ib_id\n"
DAY = "2026-09-01T10:00:00Z"


def told(tmp_path: Path, *rows: str) -> list[str]:
    """What is said of the IBs of a CRM's file beside terms that have ib-north alone."""
    path = tmp_path / "crm.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    counts = Counts(ibs=NamedIbs.beside([partner("ib-north USD")]))
    assert all(not isinstance(item, DeadLetter) for item in read(path, None, at(1), counts))
    return [line for line in counts.lines() if line.startswith("  ib-")]


def test_unknown_ibs_are_told_with_the_events_that_name_them(tmp_path: Path) -> None:
    """A registration, a reassignment and a new master IB; nobody, and who is known, is not."""
    assert told(
        tmp_path,
        f"registration,e1,{DAY},c1,ib-north,,,,",
        f"registration,e2,{DAY},c2,ib-typo,,,,",
        f"reassignment,e3,{DAY},c1,ib-typo,,,,",
        f"reassignment,e4,{DAY},c2,,,,,",
        f"ib_reparenting,e5,{DAY},,ib-north,,,,ib-gone",
    ) == ["  ib-gone: events 1, e5", "  ib-typo: events 2, e2, e3"]


def test_an_ib_that_the_file_approves_is_known(tmp_path: Path) -> None:
    """Before or after its first client; one that was declined is not."""
    assert told(
        tmp_path,
        f"registration,e1,{DAY},c1,ib-new,,,,",
        f"ib_application,e2,{DAY},,ib-new,approved,New,USD,",
        f"reassignment,e3,{DAY},c1,ib-new,,,,",
        f"ib_application,e4,{DAY},,ib-no,declined,,,",
        f"registration,e5,{DAY},c2,ib-no,,,,",
    ) == ["  ib-no: events 1, e5"]
