"""A log and a data folder are of one broker, and nothing of another's goes there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner

from commission.terms.calendar import PeriodEnded
from commission.terms.events_wanted import EventsWanted
from infra.cli.app import app
from infra.connect.broker_name import NAME_FILE, broker_of_log, check_broker, check_data_folder
from infra.connect.settings import prepare_topics
from infra.local_kafka.local import LocalKafka
from ingest.publish.publisher import publish_terms
from schemas.errors import Unusable
from schemas.settings import OwnSettings
from schemas.topics import SOURCE_HEADER, TERMS
from schemas.wire import encode

EXAMPLE = Path(__file__).parents[3] / "examples" / "broker"
SOME = [PeriodEnded(period="2026-09")]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[str]:
    with LocalKafka().running(tmp_path / "kafka") as running:
        prepare_topics(OwnSettings(data_dir=tmp_path, partitions=1), running.bootstrap_servers)
        yield running.bootstrap_servers


def ibflow(kafka: str, tmp_path: Path, *arguments: str | Path) -> tuple[int, str]:
    environment = {"IBFLOW_KAFKA": kafka, "IBFLOW_DATA_DIR": str(tmp_path)}
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)
    return result.exit_code, " ".join(result.stderr.split())


def test_the_first_name_counts(kafka: str, tmp_path: Path) -> None:
    """Nothing published: anybody may. Then only the broker that named the log; a ledger is of one as well."""
    settings = OwnSettings(data_dir=tmp_path)
    assert broker_of_log(kafka) is None
    wanted = encode([EventsWanted(kinds=("trade.closed",))])[0]  # of an endpoint, before there are terms
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(TERMS, wanted, partition=0, headers={SOURCE_HEADER: b"endpoints/0/0/0"})
    producer.flush()
    assert broker_of_log(kafka) is None
    check_broker(kafka, "meridian")
    check_data_folder(settings, kafka)
    publish_terms(SOME, kafka, "meridian")
    publish_terms(SOME, kafka)
    assert "meridian" == broker_of_log(kafka)
    check_broker(kafka, "meridian")
    with pytest.raises(Unusable, match="of the broker meridian, and these terms are of the broker example"):
        check_broker(kafka, "example")
    with pytest.raises(Unusable, match=r"of a broker without a name .write `broker: NAME`"):
        check_broker(kafka, "")
    check_data_folder(settings, kafka)
    check_data_folder(settings, kafka)
    assert "meridian\n" == (tmp_path / NAME_FILE).read_text()
    (tmp_path / NAME_FILE).write_text("other\n")
    with pytest.raises(Unusable, match=r"ledger of the broker other, and the Kafka at .* books of meridian"):
        check_data_folder(settings, kafka)


def test_the_example_does_not_get_into_production(kafka: str, tmp_path: Path) -> None:
    """Published terms without a name are named only when a person says so; a named log takes one broker's."""
    publish_terms(SOME, kafka)
    terms, rows = EXAMPLE / "terms", EXAMPLE / "crm.csv"
    code, told = ibflow(kafka, tmp_path, "terms", "publish", terms)
    assert (2, True) == (code, "from now on they would be those of example. Nothing was done" in told), told
    code, told = ibflow(kafka, tmp_path, "ingest", "--terms", terms, rows)
    assert (2, True) == (code, "of one without a name" in told), told
    publish_terms(SOME, kafka, "meridian")
    for command in (["terms", "publish", terms, "--yes"], ["ingest", "--terms", terms, rows]):
        code, told = ibflow(kafka, tmp_path, *command)
        assert (2, True) == (code, "has the data of the broker meridian" in told), told
    assert "meridian" == broker_of_log(kafka)


def test_a_person_names_a_log_of_before(kafka: str, tmp_path: Path) -> None:
    """With `--yes`; then deals of that broker go there."""
    publish_terms(SOME, kafka)
    terms = EXAMPLE / "terms"
    assert 0 == ibflow(kafka, tmp_path, "terms", "publish", terms, "--yes")[0]
    assert "example" == broker_of_log(kafka)
    assert 0 == ibflow(kafka, tmp_path, "ingest", "--terms", terms, EXAMPLE / "crm.csv")[0]
