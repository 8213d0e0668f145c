"""A desk of long files whose files are made when a test says so, and people who ask it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.desks import Desks
from api.ledger import Ledger
from infra.exports.book import ExportBook
from infra.exports.desk import ExportDesk
from tests.api.people_world import World

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
JSON = {"Accept": "application/json"}


class Here:
    """A desk whose files are made when the test says so, and people who ask it."""

    def __init__(self, ledger: Ledger, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.folder, self.batch = NOW, folder, ""
        self.book = ExportBook()
        self.desk = ExportDesk(ledger, self.book, folder, now=lambda: self.now)
        self.desk.take_up()
        self.world = World(ledger, monkeypatch, desks=Desks(exports=self.desk))
        self.desk.audit = self.world.audit

    def ask(self, who: Any, path: str, **headers: str) -> dict[str, Any]:
        """What is answered to somebody who has one made."""
        answer = who.call(f"/v1/exports/{path}", {}, **headers)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def file(self, who: Any, path: str) -> bytes:
        """Asked for, made and taken away."""
        asked = self.ask(who, path)
        while self.desk.make_next():
            pass
        done = who.ask("GET", f"/v1/exports/{asked['export_id']}", JSON).json()
        assert (done["state"], done["rows"]) == ("done", done["total"]), done
        answer = who.ask("GET", done["file"], JSON)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment")
        return bytes(answer.content)
