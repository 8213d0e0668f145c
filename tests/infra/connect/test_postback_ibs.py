"""IBs that postback endpoints name are looked up in the terms, before anything is sent to nobody."""

import logging
from base64 import b64encode
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commission.terms.partners import PartnerChanged
from infra.cli.app import app
from infra.connect.postback_ibs import check_postbacks
from infra.connect.settings import prepare_topics
from infra.processes.server import ApiServer
from ingest.publish.publisher import publish_terms
from schemas.errors import Unusable
from schemas.settings import OwnSettings
from tests import services
from tests.build import at, partner

TERMS = Path(__file__).parents[3] / "examples" / "broker" / "terms"


def endpoints(path: Path, ibs: str) -> Path:
    """A file with the endpoint `tracker` for these IBs."""
    secret = b64encode(bytes(range(32))).decode()
    path.write_text(
        "endpoints:\n"
        f"  - {{id: all, url: 'https://u.example/', secret: whsec_{secret}, since: beginning}}\n"
        f"  - {{id: tracker, url: 'https://t.example/', secret: whsec_{secret}, since: beginning, "
        f"ibs: {ibs}}}\n"
    )
    return path


def test_a_server_finds_a_misspelled_ib(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the log, where the newest terms and the CRM's IBs are; before any terms it is a warning."""
    right = endpoints(tmp_path / "right.yaml", "[ib-north, ib-crm]")
    wrong = endpoints(tmp_path / "wrong.yaml", "[ib-nroth, nobody]")
    with services.kafka(tmp_path / "kafka") as kafka:
        settings = OwnSettings(data_dir=tmp_path / "data", kafka=kafka, partitions=1, postbacks=wrong)
        prepare_topics(settings, kafka)
        with caplog.at_level(logging.WARNING, "ibflow.postbacks"):
            assert ["all", "tracker"] == [one.form.id for one in check_postbacks(settings, kafka)]
        assert "no terms are published yet" in caplog.text
        crm = PartnerChanged(event_id="1", ib_id="ib-crm", occurred_at=at(1), application="approved")
        publish_terms([partner("ib-north USD"), crm], kafka)
        assert 2 == len(check_postbacks(settings.model_copy(update={"postbacks": right}), kafka))
        told = (
            r"^wrong.yaml: endpoint tracker, ibs: there is no IB ib-nroth; did you mean ib-north\?; "
            "endpoint tracker, ibs: there is no IB nobody$"
        )
        with pytest.raises(Unusable, match=told):
            ApiServer(settings, kafka)
        monkeypatch.setenv("IBFLOW_KAFKA", kafka)
        asked = CliRunner().invoke(app, ["postbacks", "check", str(wrong)])
        assert (2, True) == (asked.exit_code, "did you mean ib-north?" in asked.output)
        asked = CliRunner().invoke(app, ["postbacks", "check", str(right)])
        assert (0, True) == (asked.exit_code, "tracker: all events of ib-crm, ib-north" in asked.output)


def test_a_file_is_checked_against_a_folder_of_terms(tmp_path: Path) -> None:
    """Without a service: what is about to be published counts."""
    for ibs, code in (("[ib-north]", 0), ("[IB-North]", 2)):
        path = endpoints(tmp_path / "postbacks.yaml", ibs)
        asked = CliRunner().invoke(app, ["postbacks", "check", str(path), "--terms", str(TERMS)])
        assert code == asked.exit_code, asked.output
    assert "there is no IB IB-North; did you mean ib-north?" in asked.output
