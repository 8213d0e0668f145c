"""Every format under every kind of damage: refused in a sentence, or one outcome a row, in bounded time."""

import contextlib
import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from commission.events import Deal
from infra.cli.app import app
from ingest.counts import MAX_REASONS_TOLD, Counts
from ingest.readers.detect import detect, read_any
from ingest.sources import ServerProfile, UnreadableSource
from schemas.dead_letters import DEAD_LETTER
from schemas.wire import decode, encode
from tests.ingest.crm.xml_records import record
from tests.ingest.ingest_exports import MT5_HEADER, RECEIVED, mt4, mt5, row, sorted_out, statement, ticket
from tests.ingest.ingest_reports import HEDGE, OLD, csv_file, grid, html_file, xlsx_file
from tests.ingest.mt4.json_records import CPLUGIN, node
from tests.ingest.mt4.sql_rows import MT4_HEADER, mt4_row
from tests.ingest.mt4.statements import JAPANESE, grid_of, page, trades
from tests.ingest.mt5.records import manager, terminal
from tests.ingest.mt5.reports import WHOLE
from tests.ingest.mt5.terminal_tables import table as terminal_csv
from tests.ingest.mt5.untold_reports import hedged_day, lines_of_a_day, report, table, untabled

SEEDS = 25
MAX_SECONDS = 5
"""For a file of some kB; what is quadratic or worse takes longer."""
OVERSIZED = b"9" * 100_000
MAX_REASON_CHARS = 2000
FORMULA = b'=HYPERLINK("http://example.com";"Deposit")'

Mutation = Callable[[bytes, Random], bytes]


def _lines(head: str, rows: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in (head, *rows)).encode()


def _written(write: Callable[..., Path], tmp: Path) -> bytes:
    return write(tmp / "good", grid(WHOLE)).read_bytes()


CRM_HEADER = "event,event_id,occurred_at,client_id,ib_id,status"
CRM_ROWS = [f"kyc,e{n},2026-09-01T08:30:{n:02}Z,c{n},,approved" for n in range(1, 9)]
DEALS = [row(n, Time=f"2025.06.02 10:00:{n:02}.000", Profit=f"{n}.50", Comment="[sl 1]") for n in range(1, 9)]
MT4, MT5 = mt4(currency="USD"), mt5(currency="USD", login=5001)
REPORT = mt5(currency="USD")


def workbook_trade(number: int) -> list[str]:
    """A trade's row of a statement as a workbook has it."""
    times = ("2025.06.02 10:00:00", f"2025.06.02 11:00:{number:02}")
    return [str(1000 + number), times[0], "buy", "0.5", "eurusd", "1.1", "0", "0", times[1], "1.101", *"0000"]


GOOD: dict[str, tuple[Callable[[Path], bytes], ServerProfile | None]] = {
    "mt5-deals-csv": (lambda _: _lines(MT5_HEADER, DEALS), mt5()),
    "mt5-report html": (lambda tmp: _written(html_file, tmp), REPORT),
    "mt5-report xlsx": (lambda tmp: _written(xlsx_file, tmp), REPORT),
    "mt5-report csv": (lambda tmp: _written(csv_file, tmp), REPORT),
    "mt5-terminal-json": (lambda _: json.dumps([terminal(n) for n in range(1, 9)], indent=1).encode(), MT5),
    "mt5-report of deals alone": (
        lambda tmp: csv_file(tmp / "good", table(*lines_of_a_day())).read_bytes(), MT5,
    ),
    "mt5-report without a mode": (lambda tmp: report(tmp, OLD, *hedged_day()).read_bytes(), REPORT),
    "mt5-report by comment": (lambda tmp: report(tmp, HEDGE, *untabled()).read_bytes(), REPORT),
    "mt5-terminal-csv": (lambda _: terminal_csv(*(terminal(n) for n in range(1, 9))).encode(), MT5),
    "mt5-web-api-json": (
        lambda _: json.dumps({"retcode": "0 Done", "answer": [manager(n) for n in range(1, 9)]}).encode(),
        MT5,
    ),
    "mt4-statement": (
        lambda _: statement("".join(ticket(n) for n in range(1, 9)), ticket(9, closed="")).encode(),
        mt4(),
    ),
    "mt4-json mt4manager": (lambda _: json.dumps([node(n) for n in range(1, 9)]).encode(), MT4),
    "mt4-json cplugin": (
        lambda _: json.dumps([CPLUGIN | {"order": n} for n in range(1, 9)]).encode(),
        MT4,
    ),
    "mt4-statement strange": (lambda _: page(JAPANESE, trades()).encode("cp932"), mt4()),
    "mt4-statement xlsx": (
        lambda tmp: xlsx_file(
            tmp / "good", grid_of(*(workbook_trade(n) for n in range(1, 9)))
        ).read_bytes(),
        mt4(),
    ),
    "mt4-sql-csv": (lambda _: _lines(MT4_HEADER, [mt4_row(n) for n in range(1, 9)]), MT4),
    "crm-csv": (lambda _: _lines(CRM_HEADER, CRM_ROWS), None),
    "crm-xml": (
        lambda _: ("<crm>\n" + "\n".join(record("kyc", event_id=f"e{n}", status="approved")
                                         for n in range(1, 9)) + "\n</crm>\n").encode(),
        None,
    ),
}  # fmt: skip


def cut(raw: bytes, rng: Random) -> bytes:
    return raw[: rng.randrange(len(raw))]


def flip(raw: bytes, rng: Random) -> bytes:
    damaged = bytearray(raw)
    for _ in range(rng.randint(1, 12)):
        damaged[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(damaged)


def recode(raw: bytes, rng: Random) -> bytes:
    """As a program that takes the file for another encoding saves it."""
    read_as, saved_as = rng.choice(("utf-8", "utf-16", "cp1252")), rng.choice(("utf-16", "gbk", "utf-16-be"))
    return raw.decode(read_as, "replace").encode(saved_as, "replace")


def redelimit(raw: bytes, rng: Random) -> bytes:
    return raw.replace(rng.choice((b",", b"<td", b"</", b":", b".")), rng.choice((b";", b"\t", b"|", b" ")))


def repeat_header(raw: bytes, rng: Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines)), lines[0])
    return b"".join(lines)


def repeat_file(raw: bytes, _: Random) -> bytes:
    return raw + raw


def _insert(what: bytes) -> Mutation:
    def insert(raw: bytes, rng: Random) -> bytes:
        """At the edge of a cell, wherever the format has its cells."""
        edges = [n + 1 for n, byte in enumerate(raw) if byte in b'>,"']
        place = rng.choice(edges or [0])
        wide = what.decode().encode("utf-16-le") if raw[:2] == b"\xff\xfe" else what
        return raw[:place] + wide + raw[place:]

    return insert


def noise(raw: bytes, rng: Random) -> bytes:
    """The format's first bytes, then random ones."""
    return raw[: rng.randrange(400)] + rng.randbytes(2000)


MUTATIONS: dict[str, Mutation] = {
    "cut": cut,
    "flip": flip,
    "recode": recode,
    "redelimit": redelimit,
    "repeat_header": repeat_header,
    "repeat_file": repeat_file,
    "formula": _insert(FORMULA),
    "oversized": _insert(OVERSIZED),
    "nul": _insert(b"\x00\x00"),
    "noise": noise,
}


def check_outcome(path: Path, profile: ServerProfile | None) -> None:
    """Read a file to its end: it is refused in a sentence, or every event and letter can be sent."""
    started, refusal, items = time.monotonic(), "", []
    try:
        items = list(read_any(path, profile, RECEIVED))
    except UnreadableSource as error:
        refusal = str(error)
    assert time.monotonic() - started < MAX_SECONDS
    assert len(refusal) < MAX_REASON_CHARS, "a sentence, not the file"
    events, letters = sorted_out(items)
    for line in encode(events):
        decode(line)
    for letter in letters:
        assert DEAD_LETTER.validate_json(DEAD_LETTER.dump_json(letter)) == letter
        assert len(letter.reason) < MAX_REASON_CHARS
        assert letter.code


@pytest.mark.parametrize("form", GOOD)
def test_good_files_are_good(tmp_path: Path, form: str) -> None:
    """What is damaged below is whole before: known, read, and without a dead letter."""
    make, profile = GOOD[form]
    path = tmp_path / "file"
    path.write_bytes(make(tmp_path))
    assert detect(path) == form.partition(" ")[0]
    events, letters = sorted_out(read_any(path, profile, RECEIVED))
    assert (len(events) >= 4, letters) == (True, [])


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("form", GOOD)
def test_damaged_files(tmp_path: Path, form: str, mutation: str) -> None:
    """However a file of a format is damaged, nothing but a refusal, events and dead letters comes of it."""
    make, profile = GOOD[form]
    good, path = make(tmp_path), tmp_path / "file"
    for seed in range(SEEDS):
        path.write_bytes(MUTATIONS[mutation](good, Random(f"{form} {mutation} {seed}")))
        try:
            check_outcome(path, profile)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("mutation", ["flip", "formula", "oversized", "nul", "noise", "cut"])
@pytest.mark.parametrize("form", ["mt5-deals-csv", "mt4-sql-csv", "crm-csv"])
def test_other_lines_come_out(tmp_path: Path, form: str, mutation: str) -> None:
    """Whatever happens to one line of a CSV, each other line is the event it was."""
    make, profile = GOOD[form]
    path = tmp_path / "file"
    header, *rows = make(tmp_path).splitlines(keepends=True)
    path.write_bytes(header + b"".join(rows))
    told = told_by(path, profile)
    for seed in range(SEEDS):
        rng = Random(f"{form} {mutation} {seed}")
        hit = rng.randrange(len(rows))
        damaged = MUTATIONS[mutation](rows[hit].rstrip(b"\r\n"), rng) + b"\r\n"
        path.write_bytes(b"".join((header, *rows[:hit], damaged, *rows[hit + 1 :])))
        others = {ident: line for ident, line in told.items() if line != f"line {hit + 2}"}
        assert others.keys() <= told_by(path, profile).keys(), f"seed {seed}"


@pytest.mark.parametrize("mutation", ["cut", "repeat_header", "repeat_file"])
@pytest.mark.parametrize("form", GOOD)
def test_no_half_number_is_used(tmp_path: Path, form: str, mutation: str) -> None:
    """What is cut off or there twice brings the deals of the whole file or fewer, never other ones."""
    make, profile = GOOD[form]
    good, path = make(tmp_path), tmp_path / "file"
    path.write_bytes(good)
    whole = told_by(path, profile).keys()
    for seed in range(SEEDS):
        path.write_bytes(MUTATIONS[mutation](good, Random(f"{form} {mutation} {seed}")))
        with contextlib.suppress(UnreadableSource):
            assert told_by(path, profile).keys() <= whole, f"seed {seed}"


def told_by(path: Path, profile: ServerProfile | None) -> dict[tuple[str, ...], str]:
    """Each event by what makes it one, with the line it stood in."""
    events, _ = sorted_out(read_any(path, profile, RECEIVED))
    return {
        (event.deal_id, event.revision) if isinstance(event, Deal) else (event.event_id,): (
            f"line {event.source.rpartition(':')[2]}"
        )
        for event in events
    }


def zip_bomb(tmp: Path) -> bytes:
    """A workbook of which one part is 100 MB of spaces."""
    path = xlsx_file(tmp / "bomb.xlsx", grid(WHOLE))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/image1.png", b" " * 100_000_000)
    return path.read_bytes()


def laughs(root: str) -> bytes:
    """Ten levels of ten entities: ten billion laughs."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
    return f'<?xml version="1.0"?><!DOCTYPE {root} [<!ENTITY l0 "ha">{levels}]>'.encode()


DEAL_AND = json.dumps([terminal(1)]).encode()[:-2] + b', "x": '
BOMBS: dict[str, Callable[[Path], bytes]] = {
    "zip": zip_bomb,
    "deep json": lambda _: DEAL_AND + b"[" * 200_000,
    "deep json, closed": lambda _: DEAL_AND + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}]",
    "long number": lambda _: DEAL_AND + b"9" * 1_000_000 + b"}]",
    "laughs in a CRM's batch": lambda _: laughs("crm")
    + b"<crm><record><event>&l10;</event></record></crm>",
    "laughs in a statement": lambda _: laughs("html")
    + statement(ticket(1)).replace("eurusd", "&l10;").encode(),
    "deep xml": lambda _: b"<crm>" + b"<record>" * 200_000,
    "deep html": lambda _: b"<html><table><tr><td>Account: 1 Closed Transactions:" + b"<table>" * 200_000,
    "one line": lambda _: MT5_HEADER.encode() + b"\r\n" + b"," * 20_000_000,
    "a quote that never ends": lambda _: _lines(MT5_HEADER, ['"' + "x" * 5_000_000, *DEALS]),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(tmp_path: Path, bomb: str) -> None:
    """Small to send and large to read: told in time, within 100 MB, whichever platform it claims."""
    path = tmp_path / "file"
    path.write_bytes(BOMBS[bomb](tmp_path))
    for profile in (MT5, MT4):
        tracemalloc.start()
        check_outcome(path, profile)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 200_000_000


def broken(tmp: Path) -> Iterator[tuple[str, bytes]]:
    """A file of each format, once cut off, once in another encoding, once as noise."""
    for form, (make, _) in GOOD.items():
        for mutation in ("cut", "recode", "noise", "formula"):
            yield form, MUTATIONS[mutation](make(tmp), Random(f"{form} {mutation}"))
    for make in BOMBS.values():
        yield "mt4" if make is BOMBS["laughs in a statement"] else "mt5", make(tmp)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    """`ibflow normalise` ends with 0, 2 or 3; a refusal is one line on stderr, and never a traceback."""
    path = tmp_path / "file"
    for form, raw in broken(tmp_path):
        path.write_bytes(raw)
        platform = "mt4" if form.startswith("mt4") else "mt5"
        result = CliRunner().invoke(app, ["normalise", str(path), *said(platform)])
        assert result.exit_code in (0, 2, 3), (form, result.output)
        assert isinstance(result.exception, SystemExit | None)
        assert "Traceback" not in result.output
        if result.exit_code == 2:
            assert result.stderr.count("\n") == 1
            assert result.stdout == ""


@pytest.mark.parametrize("cell", ["[/x]", "[red]", "[link=http://example.com]y", "\x1b[31m", "\u202e"])
def test_a_cell_does_nothing_to_the_terminal(tmp_path: Path, cell: str) -> None:
    """What looks like markup or steers a terminal is shown as text, in complaints and in the summary."""
    columns = ("Volume", "Type", "Symbol", "Currency", "Reason", "Time", "Profit", "Position")
    lines = [row(n, **{column: cell}) for n, column in enumerate(columns, start=1)]
    path = tmp_path / "deals [1].csv"
    path.write_bytes(_lines(MT5_HEADER, lines))
    result = CliRunner().invoke(app, ["normalise", str(path), *said("mt5")])
    assert result.exit_code == 3
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
    assert "deals [1].csv line 2: Volume `" in result.stderr
    if cell.isprintable():
        assert f"Volume `{cell}`" in result.stderr
        assert f"1 {cell}" in result.stderr  # as a reason, in the summary


def test_reasons_of_shifted_columns_are_bounded(tmp_path: Path) -> None:
    """A file with another reason on each row takes no more memory or screen than any."""
    path = tmp_path / "deals.csv"
    path.write_bytes(_lines(MT5_HEADER, [row(n, Reason=f"price {n}") for n in range(1, 201)]))
    counts = Counts()
    assert len(list(read_any(path, mt5(), RECEIVED, counts))) == 200
    assert (len(counts.reasons), counts.reasons["other"]) == (MAX_REASONS_TOLD + 1, 150)


def said(platform: str) -> list[str]:
    where = ["--server", "Live01", "--platform", platform, "--timezone", "UTC"]
    return [*where, "--currency", "USD"]
