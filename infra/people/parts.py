"""Everything about people that a server runs: the logs, who signs in, and what an admin changes."""

from api.people import People
from infra.people.audit import AuditLog
from infra.people.desk import Desk
from infra.people.log import PeopleLog
from infra.people.oidc import Oidc
from infra.people.sign_in import SignIn
from infra.people.views import ViewDesk
from schemas.settings import Settings


class PeopleParts:
    """Opened with the server, and closed with it."""

    def __init__(self, settings: Settings, kafka: str) -> None:
        self._log, self.audit = PeopleLog.of_kafka(kafka), AuditLog.of_kafka(kafka)
        self.sign_ins = SignIn(self._log, self.audit, settings)
        self._oidc = Oidc(settings, self.sign_ins) if settings.oidc_issuer else None
        self.views = ViewDesk(self._log)
        self.desk = Desk(self._log, stands=self.sign_ins.stands)

    @property
    def open(self) -> People:
        """For the API."""
        return People(self.desk, self.sign_ins, self.audit, self._oidc)

    def start(self) -> None:
        """Read the log before anybody is let in, and keep reading it."""
        self._log.refresh()
        self._log.watch(self.sign_ins.write_uses)

    def how_to_begin(self, url: str) -> str:
        """A line for the log of a server where nobody signs in yet; "" once somebody does."""
        if self.sign_ins.has_people():
            return ""
        return f"people  none yet: {url}/first-run makes the first admin, code {self.sign_ins.first_code}"

    def stop(self) -> None:
        """Leave the broker."""
        if self._oidc is not None:
            self._oidc.close()
        self._log.stop()
        self.audit.close()
