"""Payout lines on a real Kafka: each exported once, whoever else exports and wherever it crashes.

Each test has a period of its own.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.payouts import NothingToExport
from api.proposals import ProposalRefused
from infra.cli.app import app
from infra.connect.settings import prepare_topics
from infra.payouts.desk import PayoutDesk, PayoutLog
from infra.processes.server import ApiServer
from schemas import payouts
from schemas.payouts import PayoutExported, PayoutsWithheld
from schemas.settings import Settings
from schemas.topics import PAYOUTS
from streams.single_log import append_to
from tests import services
from tests.api.conftest import insert, partner_row, statement_row, utc
from tests.eventually import eventually
from tests.infra.payouts.exporting import KILLED, line

HEAD = "period,ib_id,name,currency,amount,statement_id,status\r\n"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with our topics."""
    with services.kafka(tmp_path_factory.mktemp("kafka")) as bootstrap:
        prepare_topics(Settings(kafka=bootstrap, partitions=1), bootstrap)
        yield bootstrap


def counted(kafka: str, period: str) -> list[PayoutExported]:
    """The exports of a period that count."""
    log = PayoutLog(kafka, period)
    log.read()
    log.close()
    return list(log.exports.values())


def test_a_killed_export_is_none_or_is_on_record(kafka: str) -> None:
    """Killed before its record nothing is given out; killed after it the line is out once, its file kept."""
    for when, ids in (("before", []), ("after", [("st-A-2026-09",)])):
        killed = subprocess.run(
            [sys.executable, "-m", "tests.infra.payouts.exporting", kafka, when], check=False
        )
        assert killed.returncode == KILLED
        assert ids == [export.statement_ids for export in counted(kafka, "2026-09")]
    (export,) = counted(kafka, "2026-09")
    # 208.25 is A's only line, and the total.
    assert (
        export.file == f"{HEAD}2026-09,A,A,USD,208.25,st-A-2026-09,payable\r\n2026-09,,,USD,208.25,,total\r\n"
    )
    with pytest.raises(NothingToExport, match=rf"no new line .* exported before in {export.export_id} "):
        PayoutDesk(kafka).export("2026-09", [line("A", "208.25")], "ben")


def test_a_second_export_has_what_is_new_and_counts_what_it_leaves_out(kafka: str) -> None:
    """B's KYC is approved later: the second file has B's 2.00 alone, though A's 208.25 is payable still."""
    desk = PayoutDesk(kafka)
    first = desk.export(
        "2026-10", [line("A", "208.25", "2026-10"), line("B", "2.00", "2026-10", kyc=False)], "anna"
    )
    assert (("st-A-2026-10",), 0, 1) == (first.statement_ids, first.exported_before, first.blocked)
    assert "1 blocked by an open KYC" == first.left_out
    second = desk.export("2026-10", [line("A", "208.25", "2026-10"), line("B", "2.00", "2026-10")], "anna")
    assert second.file == f"{HEAD}2026-10,B,B,USD,2.00,st-B-2026-10,payable\r\n2026-10,,,USD,2.00,,total\r\n"
    assert "1 exported before" == second.left_out


def both_reading_first() -> type[PayoutLog]:
    """A log of which two have read before either writes."""
    both_have_read = threading.Barrier(2)

    class Together(PayoutLog):
        is_first = True

        def append(self, record: PayoutExported | PayoutsWithheld) -> None:
            if self.is_first:
                self.is_first = False
                both_have_read.wait(30)
            super().append(record)

    return Together


def test_two_at_once_give_a_line_out_once(kafka: str) -> None:
    """Both read the log before either writes: the second record does not count, and is chosen again."""
    together = both_reading_first()
    answers: list[PayoutExported | NothingToExport] = []

    def export(lines: list[dict[str, object]], by: str) -> None:
        try:
            answers.append(PayoutDesk(kafka, open_log=together).export("2026-11", lines, by))
        except NothingToExport as refused:
            answers.append(refused)

    in_parallel(
        lambda: export([line("A", "1.00", "2026-11"), line("B", "2.00", "2026-11")], "anna"),
        lambda: export(
            [line("A", "1.00", "2026-11"), line("B", "2.00", "2026-11"), line("C", "3.00", "2026-11")], "ben"
        ),
    )
    exports = counted(kafka, "2026-11")
    given = [one for export in exports for one in export.statement_ids]
    # Whoever was second got what was left: C, if it was ben, and nothing, if it was anna.
    assert sorted(given) == [f"st-{name}-2026-11" for name in "ABC"]
    made = [answer for answer in answers if isinstance(answer, PayoutExported)]
    assert {one.export_id for one in made} == {one.export_id for one in exports}
    assert len(answers) == 2


def in_parallel(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def test_more_lines_than_fit_wait_for_the_next_export(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two fit: of three the third is over the limit, counted, and in the next export."""
    monkeypatch.setattr("infra.payouts.desk.MAX_EXPORT_LINES", 2)
    assert payouts.MAX_EXPORT_LINES > 2
    lines = [line(name, "1.00", "2026-12") for name in "ABC"]
    first = PayoutDesk(kafka).export("2026-12", lines, "anna")
    assert (("st-A-2026-12", "st-B-2026-12"), 1) == (first.statement_ids, first.over_limit)
    assert ("st-C-2026-12",) == PayoutDesk(kafka).export("2026-12", lines, "anna").statement_ids


def test_what_is_not_an_export_gives_nothing_out(kafka: str) -> None:
    """A record that cannot be read takes a place in the log and no line."""
    PayoutDesk(kafka).export("2026-13", [line("B", "1.00", "2026-13")], "anna")
    append_to(kafka, PAYOUTS, b'{"type":"payout_exported","statement_ids":["st-A-2026-13"]}')
    second = PayoutDesk(kafka).export("2026-13", [line("A", "1.00", "2026-13")], "anna")
    first = counted(kafka, "2026-13")[0]
    assert (("st-A-2026-13",), first.place + 2) == (second.statement_ids, second.place)


def test_an_operator_exports_once_and_gets_the_file_again(kafka: str, tmp_path: Path) -> None:
    """The command line against a server: A is exported, B after its KYC, each file again byte for byte."""
    settings = Settings(data_dir=tmp_path / "data", kafka=kafka, partitions=1, api_port=0)
    server = ApiServer(settings, kafka)
    server.start()
    known = {"IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(settings.data_dir)}

    def ibflow(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["payouts", *arguments], env=known)
        assert result.exit_code == code, (result.output, result.exception)
        eventually(lambda: not server.sink.lag(), why=lambda: "the sink does not store")
        return result.output

    try:
        source = {"_topic": "t", "_partition": 0, "_offset": 1}
        month = {"period": "2027-01", "starts_at": utc(1, 0), "ends_at": utc(1, 0, month=10)}
        insert(server.client, "periods", month | source)
        insert(
            server.client,
            "statements",
            statement_row("st-A", "A", "USD", "208.25", "208.25") | {"period": "2027-01"},
            statement_row("st-B", "B", "EUR", "2.005", "2.00") | {"period": "2027-01"},
        )
        for kyc in (False, True):
            partners = partner_row("A", "Atlas", None, kyc=True), partner_row("B", "Boreal", None, kyc=kyc)
            insert(server.client, "partners", *partners)
            path = tmp_path / f"{kyc}.csv"
            told = ibflow("export", "2027-01", "-o", str(path))
            assert ("1 exported before" if kyc else "1 blocked by an open KYC") in told
        assert "st-B" in path.read_text()
        assert "st-A" not in path.read_text()
        newest, first = json.loads(ibflow("list", "--period", "2027-01", "--json"))
        assert newest["sha256"] == sha256(path.read_bytes()).hexdigest()
        ibflow("file", first["export_id"], "-o", str(tmp_path / "again.csv"))
        assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "False.csv").read_bytes()
        assert f"exported,{newest['export_id']}" in ibflow("preview", "2027-01")
        refused = ibflow("export", "2027-01", "-o", str(tmp_path / "third.csv"), code=2)
        assert "no new line" in refused
        assert not (tmp_path / "third.csv").exists()
    finally:
        server.stop()


def test_a_statement_is_exported_or_withheld_never_both(kafka: str) -> None:
    """Both read the log before either writes: whoever is second sees what the other did."""
    together = both_reading_first()
    done: list[str] = []

    def attempt(name: str, call: Callable[[PayoutDesk], object], refusal: type[Exception]) -> None:
        try:
            call(PayoutDesk(kafka, open_log=together))
            done.append(name)
        except refusal:
            done.append(f"no {name}")

    lines = [line("A", "1.00", "2027-03")]
    ids = [str(lines[0]["statement_id"])]
    in_parallel(
        lambda: attempt("export", lambda desk: desk.export("2027-03", lines, "anna"), NothingToExport),
        lambda: attempt(
            "withhold", lambda desk: desk.withhold("2027-03", ids, "ben", "p-1"), ProposalRefused
        ),
    )
    exports = counted(kafka, "2027-03")
    assert sorted(done) == (["export", "no withhold"] if exports else ["no export", "withhold"])
