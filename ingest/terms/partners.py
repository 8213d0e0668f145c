"""partners.yaml: the introducing brokers."""

from typing import get_args

from commission.events import KycStatus
from commission.terms.partners import PartnerDefined
from ingest.terms.located import LocatedRecord, read_records
from ingest.terms.yaml_page import Fields, Items, Page, Text, line_of


def read_partners(page: Page, top: Fields) -> list[LocatedRecord]:
    """The partners of a file."""
    entries = [(item, line_of(item, top.line_at("partners"))) for item in page.items(top, "partners")]
    for item, _ in entries:
        if isinstance(item, Fields):
            open_partner(page, item)
    return read_records(page, PartnerDefined, entries, "a partner")


def open_partner(page: Page, keys: Fields) -> None:
    """Words for flags, and `rank: gold` for the rank of every entry of `plan`."""
    what = str(keys.get("id", "a partner"))
    for key, options, word in (
        ("kyc", get_args(KycStatus), "approved"),
        ("agreement", ("pending", "accepted"), "accepted"),
    ):
        if key in keys:
            told = page.choice(keys, key, what, options, options[0])
            keys[key] = Text.at(keys.line_at(key), "true" if told == word else "false")
    if "rank" not in keys:
        return
    line, rank = keys.key_lines["rank"], keys.pop("rank")
    if isinstance(plan := keys.get("plan"), Text):
        entry = Fields(plan.line)
        entry.put("plan", plan, plan.line)
        keys["plan"] = Items(plan.line, [entry])
    if not isinstance(keys.get("plan"), Items):
        page.fail(line, f"{what} has a rank but no plan; a rank belongs to a plan")
        return
    for entry in keys["plan"]:
        if isinstance(entry, Fields) and "rank" not in entry:
            entry.put("rank", rank, line)
