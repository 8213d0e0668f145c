"""The page of the terms files says what the readers read, key by key, and its examples are read by them."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from commission.terms.components import AnyDealComponent, DealComponent
from commission.terms.market import SymbolDefined
from commission.terms.partners import PartnerDefined
from commission.terms.plans import PlanDefined
from ingest.terms import feeds, folder
from ingest.terms import reference as terms_reference
from ingest.terms.examples import BROKER, FEED, PARTNER, RATES, SERVER
from ingest.terms.feeds import SqlFeed, WebFeed
from ingest.terms.folder import load_terms
from ingest.terms.keys import keys_of, required_keys
from ingest.terms.partners import open_partner
from ingest.terms.period_dates import CALENDAR_LISTED, CALENDAR_NEEDED
from ingest.terms.rates import RATES_NEEDED, RATES_OPTIONAL
from ingest.terms.reference import OTHERS, PARTS, example_of, reference, title_of
from ingest.terms.servers import SERVER_NEEDED, SERVER_OPTIONAL
from ingest.terms.yaml_page import open_page
from ingest.terms.yaml_values import read_value

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "terms-reference.md"
ENTRIES = (terms_reference.ParentLink, terms_reference.PlanAssignment, terms_reference.StatusChange)
VALUES = (*(PlanDefined, PartnerDefined, *ENTRIES, *get_args(AnyDealComponent), *OTHERS, *PARTS),)


def test_the_page_is_current() -> None:
    """Made anew: `ibflow terms reference > docs/terms-reference.md`."""
    assert reference() == PAGE.read_text(encoding="utf-8")


def test_the_folder_on_the_page_loads(tmp_path: Path) -> None:
    """Its blocks are a folder without a warning: feeds, `close_reopen`, dated plans, two versions."""
    found = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert list(folder.FILES[:2]) == [name for name, _ in found][:2]
    for name, text in found:
        (tmp_path / name).write_text(text)
    broker = load_terms(tmp_path)
    assert () == broker.warnings
    assert ("us-retail", "us*") == broker.servers["mt4-real"].close_reopen
    kinds = [type(server.feed) for server in broker.servers.values()]
    assert [SqlFeed, WebFeed, SqlFeed] == kinds
    (north,) = (one for one in broker.records if isinstance(one, PartnerDefined) and one.parents)
    assert ["silver", "gold"] == [entry.plan_id for entry in north.schedule]
    assert 3 == sum(isinstance(record, PlanDefined) for record in broker.records)
    comment = next(line for line in found[0][1].splitlines() if line.startswith("# A week"))
    for calendar in re.findall(r"\{.*?\}", comment):
        text = re.sub(r"^calendar: .*$", f"calendar: {calendar}", found[0][1], flags=re.MULTILINE)
        (tmp_path / "broker.yaml").write_text(text)
        assert load_terms(tmp_path).servers.keys() == broker.servers.keys()


def test_every_key_of_broker_yaml_is_told() -> None:
    """The words are of the keys that are read, none less and none more; defaults are the readers'."""
    assert {*CALENDAR_NEEDED, *CALENDAR_LISTED} == BROKER.keys()
    assert {*SERVER_NEEDED, *SERVER_OPTIONAL} == SERVER.keys()
    assert {*RATES_NEEDED, *RATES_OPTIONAL} == RATES.keys()
    read = {*feeds.SQL_NEEDED, *feeds.SQL_OPTIONAL, *feeds.WEB_NEEDED, *feeds.WEB_OPTIONAL}
    assert read == FEED.keys()
    assert (f"`{feeds.DEFAULT_PORT}`", f"`{feeds.DEFAULT_INTERVAL_S}`") == (
        FEED["port"][1],
        FEED["interval_s"][1],
    )
    assert FEED["interval_s"][0] == f"{feeds.MIN_INTERVAL_S} to {feeds.MAX_INTERVAL_S}"
    assert {"rank"} == PARTNER.keys()


def test_what_a_feed_leaves_out_is_as_the_page_says(tmp_path: Path) -> None:
    """Three connections, ten requests a second, the server's clock."""
    text = PAGE.read_text().partition("```yaml\n# broker.yaml\n")[2].partition("```")[0]
    (tmp_path / "broker.yaml").write_text(text)
    page = open_page(tmp_path / "broker.yaml", [])
    assert page is not None
    fields = page.top("broker.yaml")["servers"]["mt5-web"]
    feed = feeds.read_feed(page, "mt5-web", "mt5", fields)
    assert isinstance(feed, WebFeed)
    usual = [FEED[key][1].strip("`") for key in ("connections", "requests_per_s", "period_clock")]
    assert [str(feed.api.connections), str(feed.api.requests_per_s), feed.api.period_clock] == usual


def reads(tmp_path: Path, cls: Any, keys: list[str]) -> list[str]:
    """What is wrong with a value of these keys, each as its example."""
    kind = cls.__struct_config__.tag
    lines = [f"{key}: {kind if key == 'kind' else example_of(cls, key)}" for key in keys]
    path = tmp_path / "value.yaml"
    path.write_text("\n".join(lines) + "\n")
    page = open_page(path, [])
    assert page is not None
    data = page.top("a value")
    if cls is PartnerDefined:
        open_partner(page, data)
    value, _ = read_value(page, cls, data, "a value", 1)
    assert value is not None or page.problems
    return [str(problem) for problem in page.problems]


@pytest.mark.parametrize("cls", VALUES, ids=title_of)
def test_every_example_is_read(cls: Any, tmp_path: Path) -> None:
    """Each key beside those that are needed; a wrong one is told, so that the check is one."""
    short = {"amounts": "amount"} if cls in OTHERS[:2] else {}
    needed = [short.get(key, key) for key in required_keys(cls) if key not in short] + (
        ["amounts"] if short else []
    )
    needed += ["kind"] if "kind" in keys_of(cls) else []
    for key in keys_of(cls):
        assert [] == reads(tmp_path, cls, list(dict.fromkeys([*needed, key]))), key
        assert f"| `{key}` |" in section(cls, key), key


def section(cls: Any, key: str) -> str:
    shared = issubclass(cls, DealComponent) and key in keys_of(DealComponent) and key != "kind"
    title = title_of(DealComponent if shared else cls)
    return PAGE.read_text().partition(f"### {title}\n")[2].partition("\n##")[0]


def test_symbols_have_all_their_keys() -> None:
    """Server and symbol are the names above it."""
    told = re.findall(r"^\| `(\w+)` \|", section(SymbolDefined, ""), re.MULTILINE)
    assert keys_of(SymbolDefined).keys() - {"server", "symbol"} == set(told)


def test_a_wrong_example_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above reads what it says it reads."""
    monkeypatch.setitem(terms_reference.KEYS, "factor", "a lot")
    assert reads(tmp_path, terms_reference.LotFactor, ["factor"])
    monkeypatch.delitem(terms_reference.KEYS, "factor")
    with pytest.raises(AssertionError, match=r"LotFactor\.factor has no example"):
        example_of(terms_reference.LotFactor, "factor")
