"""Plans for the API: compared, tested, and tried on the history in a process of its own."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from api.plans import PlanRefused
from infra.plans.desk import PlanDesk
from tests.build import TERMS, per_lot, plan, rates
from tests.eventually import eventually

FOLDER = Path(__file__).parents[3] / "examples" / "plans"
START, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)


def test_a_version_is_set_beside_the_one_before() -> None:
    """5 a lot becomes 7, one field: a lot pays ib-north 7, not 5; its master, at 7, keeps 2, then 0."""
    old = plan("silver USD", per_lot("*=5"))
    new = replace(old, version=2, components=(replace(old.components[0], rates=rates("*=7")),))
    terms = [*TERMS, old, new]
    found = PlanDesk(None, {}).changes(terms, old, new)
    assert [(one.old, one.new) for one in found.fields if one.field != "version"] == [("5", "7")]
    assert {(one.chain, one.before, one.after) for one in found.pays if one.symbol == "EURUSD"} == {
        (("ib-north", "ib-master"), "ib-north 5 USD, ib-master 2 USD", "ib-north 7 USD")
    }


def test_golden_cases_are_run_once_until_a_file_changes(tmp_path: Path) -> None:
    """A case that passes, then the same file with another expectation, which fails and says how."""
    source = (FOLDER / "14-brokeret-split.yaml").read_text(encoding="utf-8")
    path = tmp_path / "split.yaml"
    path.write_text(source, encoding="utf-8")
    desk = PlanDesk(tmp_path, {})
    found = desk.cases()
    assert found
    assert [one.differs for one in found] == [()] * len(found)
    assert {one.file for one in found} == {"split.yaml"}
    assert desk.cases() is found
    assert PlanDesk(None, {}).cases() is None


def test_a_what_if_runs_apart_and_one_at_a_time() -> None:
    """While it runs another is refused by name; then its result is there, or why it failed."""
    may_end, asked = threading.Event(), list[Sequence[str]]()

    def run(arguments: Sequence[str], _: dict[str, str]) -> bytes:
        asked.append(arguments)
        may_end.wait(20)
        return json.dumps({"deals": 3}).encode()

    desk = PlanDesk(FOLDER, {}, run)
    assert desk.what_if() is None
    assert desk.start_what_if(START, END, "ann").state == "running"
    with pytest.raises(PlanRefused, match="which ann began"):
        desk.start_what_if(START, END, "ben")
    may_end.set()
    eventually(lambda: (one := desk.what_if()) is not None and one.state == "done")
    done = desk.what_if()
    assert done is not None
    assert done.found == {"deals": 3}
    assert asked[0][:3] == ("what-if", "--terms", str(FOLDER))
    assert ("--from", "2026-09-01T00:00:00", "--to", "2026-10-01T00:00:00") == asked[0][3:7]


def test_a_what_if_that_fails_says_why() -> None:
    def run(_: Sequence[str], __: dict[str, str]) -> bytes:
        raise PlanRefused("there is no history yet")

    desk = PlanDesk(FOLDER, {}, run)
    desk.start_what_if(START, END, "ann")
    eventually(lambda: (one := desk.what_if()) is not None and one.state == "failed")
    failed = desk.what_if()
    assert failed is not None
    assert failed.why == "there is no history yet"
    with pytest.raises(PlanRefused, match="IBFLOW_TERMS_DIR"):
        PlanDesk(None, {}).start_what_if(START, END, "ann")
