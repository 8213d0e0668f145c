"""The `ibflow` command as a person and a script use it: output, complaints and exit codes."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from infra.cli.app import app
from infra.cli.console import ExitCode
from infra.commands.book import PartitionStatus, decide, stop_lines
from schemas.errors import Unusable
from schemas.stops import stopped

ROOMS = ("api", "commission", "infra", "ingest", "schemas", "streams")
EXAMPLE = Path(__file__).parents[3] / "examples" / "broker"
LIVE = ("--server", "mt5-live", "--platform", "mt5", "--timezone", "America/New_York+7h")


def ibflow(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def test_normalise_prints_deals_and_says_what_it_rejected() -> None:
    """JSON lines on stdout; the four bad rows and a summary on stderr; exit 3."""
    result = ibflow("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE)
    deals = [json.loads(line) for line in result.stdout.splitlines()]
    assert 3 == result.exit_code
    assert {"deal"} == {deal["type"] for deal in deals}
    assert "Volume `0.1x` is not a number of lots" in result.stderr
    assert "dead letters: 1 bad_time, 1 bad_volume, 1 unknown_type, 1 wrong_cells" in result.stderr
    first = next(deal for deal in deals if deal["deal_id"] == "41000920")
    assert ("2026-09-08T08:15:00.250000Z", 100_000_000) == (first["occurred_at"], first["volume_e8"])


def test_normalise_asks_for_what_it_needs() -> None:
    """An export without its server's name and clock is one sentence and exit 2, no traceback."""
    nameless = ibflow("normalise", EXAMPLE / "mt5-live.deals.csv")
    assert 2 == nameless.exit_code
    assert "--server (the name of the server" in nameless.stderr
    assert "--timezone (the server's clock" in nameless.stderr
    strange = ibflow("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE[:2], "--platform", "mt6", *LIVE[4:])
    assert (2, True) == (strange.exit_code, "--platform is mt4 or mt5" in strange.stderr)
    wrong = ibflow("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE[:4], "--timezone", "Mars/Olympus")
    assert (2, True) == (wrong.exit_code, "Mars/Olympus" in wrong.stderr)


def test_a_statement_may_be_of_any_code_page(tmp_path: Path) -> None:
    """`--encoding gbk` reads a comment as it was written; a file that is always UTF-8 takes none."""
    row = "<tr><td>1</td><td>2026.09.02 10:00:00</td><td>balance</td><td>入金</td><td>10.00</td></tr>"
    head = "<tr><td>Account: 7</td><td>Currency: USD</td></tr><tr><td>Closed Transactions:</td></tr>"
    html = f"<html><table>{head}{row}</table></html>"
    (tmp_path / "s.htm").write_bytes(html.encode("gbk"))
    real = ("--server", "mt4-real", "--platform", "mt4", "--timezone", "UTC")
    result = ibflow("normalise", tmp_path / "s.htm", *real, "--encoding", "gbk")
    assert (0, "入金") == (result.exit_code, json.loads(result.stdout)["comment"])
    result = ibflow("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE, "--encoding", "gbk")
    assert (2, True) == (result.exit_code, "leave the encoding out" in result.stderr)


def test_normalise_takes_quotes(tmp_path: Path) -> None:
    """The newest quote within the tolerance becomes the deal's bid and ask; a wrong tolerance is told."""
    quotes = tmp_path / "q.csv"
    quotes.write_text("time,symbol,bid,ask\n2026-09-08T08:15:00Z,EURUSD,1.1,1.1001\n")
    given = ("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE, "--quotes", quotes)
    deals = [json.loads(line) for line in ibflow(*given).stdout.splitlines()]
    found = {deal["deal_id"]: deal["source"] for deal in deals if deal.get("ask") == "1.1001"}
    assert ["41000920"] == list(found)
    assert found["41000920"].endswith("; quote q.csv:2, 0.25 s old")
    result = ibflow(*given, "--quote-tolerance", "2 days")
    assert (2, True) == (result.exit_code, "--quote-tolerance: a tolerance is `2 days`" in result.stderr)


def test_rates_are_checked_before_they_are_published(tmp_path: Path) -> None:
    """What would be published, by pair; a bad line is a place, a sentence and exit 2; no Kafka is exit 3."""
    rates = tmp_path / "rates.csv"
    rates.write_text("date,base,quote,rate\n2026-09-01,EUR,USD,1.17\n")
    result = ibflow("terms", "publish-rates", rates, "--check")
    assert (0, "checked 1 rates") == (result.exit_code, result.stdout.splitlines()[-1])
    assert (
        4 == ibflow("terms", "publish-rates", rates, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="").exit_code
    )
    rates.write_text("date,base,quote,rate\n2026-09-01,EUR,USD,0\n")
    result = ibflow("terms", "publish-rates", rates)
    assert (2, True) == (result.exit_code, "rates.csv:2: rate `0` is not a number above 0" in result.stderr)


def test_rate_folds_events_without_kafka(tmp_path: Path) -> None:
    """c-001's first closing, by hand: 5 x 0.40 to ib-north and 2 x 0.40 to ib-master."""
    lines = ibflow("normalise", EXAMPLE / "crm.csv").stdout
    lines += ibflow("normalise", EXAMPLE / "mt5-live.deals.csv", *LIVE).stdout
    (tmp_path / "events.jsonl").write_text(lines)
    result = ibflow("rate", "--terms", EXAMPLE / "terms", "--events", tmp_path / "events.jsonl")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    paid = {
        row["ib_id"]: Decimal(row["amount"])
        for row in rows
        if row["caused_by"] == "mt5-live|41000949" and row["component"] == "per_lot"
    }
    assert (0, {"ib-north": Decimal("2.00"), "ib-master": Decimal("0.80")}) == (result.exit_code, paid)
    assert "ledger hash " in result.stderr


def test_rate_names_the_line_that_is_no_event(tmp_path: Path) -> None:
    """File, line, field and exit 2."""
    (tmp_path / "events.jsonl").write_text('\n{"type":"kyc_changed","client_id":"c"}\n')
    result = ibflow("rate", "--terms", EXAMPLE / "terms", "--events", tmp_path / "events.jsonl")
    assert 2 == result.exit_code
    assert "events.jsonl:2: kyc_changed.event_id: Field required" in result.stderr


def test_terms_check_names_file_and_line(tmp_path: Path) -> None:
    """The example is sound; a plan that does not exist is found where it is named."""
    assert 0 == ibflow("terms", "check", EXAMPLE / "terms").exit_code
    folder = shutil.copytree(EXAMPLE / "terms", tmp_path / "terms")
    text = (folder / "partners.yaml").read_text()
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "plan: silver" in row)
    (folder / "partners.yaml").write_text(text.replace("plan: silver", "plan: platinum", 1))
    result = ibflow("terms", "check", folder)
    assert 2 == result.exit_code
    assert f"partners.yaml:{line}: " in result.stderr
    assert "platinum" in result.stderr


def test_schema_describes_every_event() -> None:
    """A JSON Schema that knows deals, CRM events, terms and transfers."""
    described = json.loads(ibflow("schema").stdout)
    assert {"Deal", "AccountLinked", "ClientRegistered", "PlanDefined", "Transfer"} <= set(described["$defs"])


@pytest.mark.parametrize(
    "command", [["worker"], ["terms", "publish", str(EXAMPLE / "terms")], ["book", "status"]]
)
def test_without_kafka_a_command_says_how_to_get_one(command: list[str], tmp_path: Path) -> None:
    """Exit 4 and the command to run."""
    result = ibflow(*command, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="")
    assert 4 == result.exit_code
    assert "ibflow kafka start" in result.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"IBFLOW_KAFKA": "127.0.0.1:9"}, "the Kafka at 127.0.0.1:9 cannot be used"),
        ({"IBFLOW_CLICKHOUSE": "clickhouse://u:pass-word@127.0.0.1:9/db"}, "ClickHouse, the one of IBFLOW_"),
    ],
)
def test_a_service_that_does_not_answer_is_a_sentence(
    settings: dict[str, str], told: str, tmp_path: Path
) -> None:
    """Which one, and the setting that names it; exit 4, no traceback and no password."""
    command = ["terms", "publish", EXAMPLE / "terms"] if "IBFLOW_KAFKA" in settings else ["verify"]
    result = ibflow(*command, IBFLOW_DATA_DIR=str(tmp_path), **settings)
    assert (4, True) == (result.exit_code, isinstance(result.exception, SystemExit))
    assert told in result.stderr
    assert "pass-word" not in result.output


@pytest.mark.parametrize(
    ("place", "by", "complaint"),
    [
        ("client-book", "ann", "is not a partition of a book; write it like client-book/3"),
        ("settlements/0", "ann", "is not a partition of a book"),
        ("client-book/x", "ann", "is not a partition of a book"),
        ("client-book/1", " ", "--by is the audit of this decision"),
    ],
)
def test_a_decision_needs_a_place_and_a_name(place: str, by: str, complaint: str) -> None:
    """Told before Kafka is asked."""
    with pytest.raises(Unusable, match=complaint):
        decide("localhost:1", "skip", place, 0, by, "why")


def test_the_status_of_a_stop_tells_cause_and_commands() -> None:
    """What may be skipped has both commands, what may be half written one; an error is no markup."""
    stop = stopped(
        ("client-book", 3), 7, "fold", ValueError("[red]x"), "w-1", datetime(2026, 9, 1, tzinfo=UTC)
    )
    both = stop_lines([PartitionStatus("client-book", 3, 7, 9, stop, skippable=True)])
    assert "client-book/3 7[/] since 2026-09-01 00:00:00 UTC, w-1: ValueError: \\[red]x" in both[0]
    assert ["ibflow book retry client-book/3 7", "ibflow book skip client-book/3 7"] == [
        line[line.index("ibflow") :].split(" --")[0] for line in both[1:]
    ]
    assert 2 == len(stop_lines([PartitionStatus("client-book", 3, 7, 9, stop)]))
    told = PartitionStatus("client-book", 3, 7, 9, stop).to_json()
    assert (2, "2026-09-01T00:00:00+00:00") == (told["behind"], json.loads(json.dumps(told))["stop"]["at"])


def test_help_names_every_command_in_its_order() -> None:
    """A newcomer reads them as they are used: begin, feed, look, correct, then the tools."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    panels: dict[str, list[str]] = {}
    for name, command in group.commands.items():
        panels.setdefault(str(getattr(command, "rich_help_panel", "")), []).append(name)
    daily = (
        "terms plans ingest dead-letters reconcile statements audit verify payees payouts adjust hold release"
    )
    assert {
        "Processes": ["demo", "dev", "worker", "serve", "receive", "dispatch", "poll"],
        "Daily work": [
            *daily.split(),
            "links",
            "endpoints",
            "proposals",
            "what-if",
            "replay",
            "book",
            "users",
            "keys",
        ],
        "Tools": ["normalise", "rate", "pseudonym", "schema", "postbacks", "kafka"],
    } == panels


def test_help_imports_no_more_than_it_shows() -> None:
    """`ibflow --help` answers at once: what a command runs, and what that needs, is imported when it runs."""
    script = "import sys, infra.cli.app; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(shown.stdout.split())
    ours = {name for name in loaded if name.split(".")[0] in ROOMS}
    assert "infra.cli.reconcile" in ours
    light = {
        "infra.gc_tuning",
        "infra.local_kafka",
        "infra.local_kafka.errors",
        "infra.local_kafka.ports",
        "infra.log_limit",
        "schemas.errors",
    }
    assert light | {"infra", "schemas"} == {name for name in ours if not name.startswith("infra.cli")}
    assert set() == loaded & {"pydantic", "psutil", "polars", "faust", "confluent_kafka", "fastapi", "httpx"}


def test_the_module_is_the_script() -> None:
    """`python -m infra.cli` and `ibflow` print the same, whose name is ibflow's."""
    script = Path(sys.executable).with_name("ibflow")
    run = partial(subprocess.run, check=True, capture_output=True, text=True)
    as_script, as_module = run([script, "--help"]), run([sys.executable, "-m", "infra.cli", "--help"])
    assert " Usage: ibflow [OPTIONS] COMMAND" in as_script.stdout
    assert as_script.stdout == as_module.stdout


def test_an_exit_code_means_one_thing() -> None:
    """No two names have one number, and a fault of ours is not "does not hold"."""
    assert {1, 2, 3, 4, 70} == {int(code) for code in ExitCode.__members__.values()}
    assert len(ExitCode.__members__) == len(set(ExitCode.__members__.values()))
    script = (
        "import sys, infra.cli.app as cli, infra.cli.tools as tools\n"
        "sys.argv = ['ibflow', 'schema']; tools.print_json = None; cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (70, True) == (done.returncode, "TypeError" in done.stderr), done.stderr
