"""What waits in a demo that is kept: a correction that somebody proposed, for another person to decide."""

from datetime import datetime

from infra.commands.demo_payout import ANNA
from infra.commands.example import BROKER, Example
from infra.processes.stack import Stack
from ingest.publish.publisher import publish_terms
from ingest.terms.plan_file import load_plan_file
from schemas.proposals import Proposal, ProposalRequest

BACK_DATED = BROKER / "silver-2.yaml"
TITLE = "Sub-IBs get 6 USD a lot of forex from the 1st of September"


def propose(stack: Stack, example: Example) -> Proposal:
    """Publish a back-dated version of a plan, and propose what it would correct: nothing is posted."""
    broker = example.broker
    publish_terms(load_plan_file(BACK_DATED, broker.zone).plans, stack.kafka, broker.name)
    stack.drain()
    since = datetime(2026, 9, 1, tzinfo=broker.zone)
    return stack.server.proposals.create(ProposalRequest(title=TITLE, since=since), ANNA)
