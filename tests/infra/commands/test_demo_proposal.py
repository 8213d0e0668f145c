"""What waits in a demo that is kept: its plan is a newer version of one that the example has."""

from infra.commands.demo_proposal import BACK_DATED
from infra.commands.example import Example
from ingest.terms.plan_file import load_plan_file


def test_the_proposed_plan_replaces_one_of_the_example() -> None:
    """Silver 2 counts from 1 September on, as the broker's midnight is; the example's terms have silver 1."""
    broker = Example.load().broker
    (plan,) = load_plan_file(BACK_DATED, broker.zone).plans
    known = [one for one in broker.records if getattr(one, "plan_id", "") == plan.plan_id]
    assert (plan.plan_id, plan.version) == ("silver", 2)
    assert {getattr(one, "version", 0) for one in known} == {1}
    assert plan.since is not None
    assert plan.since.astimezone(broker.zone).isoformat()[:16] == "2026-09-01T00:00"
