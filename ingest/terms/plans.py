"""plans.yaml and the files of plans/: the plans, and which other keys such a file may have."""

from pathlib import Path

from commission.terms.plans import PlanDefined
from ingest.terms.located import LocatedRecord, read_records
from ingest.terms.yaml_page import Fields, Page, line_of

PLAN_FILE_KEYS = ("plans", "plan", "expect", "symbols", "partners", "rates", "title", "source")
BESIDE_PLANS = ("expect", "symbols", "partners", "rates", "title", "source")
"""What a file of plans may also hold, for `load_plan_file`; a terms folder leaves it unread."""


def read_plans(page: Page, top: Fields) -> list[LocatedRecord]:
    """The plans of a file, under `plans` or `plan`."""
    if ("plan" in top) == ("plans" in top):
        page.fail(top.line, f"{Path(page.file).name} needs the key plans, a list, or the key plan, a mapping")
    entries = [(top["plan"], top.line_at("plan"))] if "plan" in top else []
    entries += [(item, line_of(item, top.line_at("plans"))) for item in page.items(top, "plans")]
    return read_records(page, PlanDefined, entries, "a plan")
