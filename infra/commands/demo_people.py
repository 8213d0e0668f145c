"""Who signs in to a demo that is kept: one of each role, with a password that is printed."""

import secrets
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from api.endpoints import Endpoints
from api.operators import Operator
from api.people import Caller, Wanted
from api.postbacks.form import EndpointForm
from infra.connect.ledger_at import TOKEN_FILE
from infra.people.parts import PeopleParts
from infra.people.report import sees
from infra.terminal import new_table
from schemas.people import Access

NETWORK = "demo-network"
ROLES = {
    "admin": Access(role="admin"),
    "finance": Access(role="finance"),
    "manager": Access(role="manager", ibs=("ib-north",)),
    "auditor": Access(role="auditor"),
    "ib": Access(role="ib", ibs=("ib-south",)),
    "network": Access(role="network", endpoints=(NETWORK,)),
}
DEMO = Caller("", "ibflow demo")
DAYS = 30


TRACKER = EndpointForm(
    id=NETWORK, url="https://network.example/postback", preset="keitaro", subtrees=["ib-north"]
)
"""The network's: an address that nobody has, and that is asked for what happens from now on."""


class DemoPerson(NamedTuple):
    """Somebody who may sign in."""

    name: str
    password: str
    access: Access


def add_people(people: PeopleParts, folder: Path) -> list[DemoPerson]:
    """Add one of each role, and give the commands of this machine a key that reads."""
    made = []
    for name, access in ROLES.items():
        password = secrets.token_urlsafe(12)
        code = people.desk.add(name, access, "demo")
        people.sign_ins.sign_out(people.sign_ins.set_password(name, password, code, DEMO))
        made.append(DemoPerson(name, password, access))
    _, secret = people.desk.create_key(Wanted("commands of the demo", ("read",), DAYS), "demo")
    path = folder / TOKEN_FILE
    path.touch(mode=0o600)
    path.write_text(f"{secret}\n", encoding="utf-8")
    return made


def add_endpoint(desk: Endpoints) -> None:
    """Add the network's endpoint, so that whoever signs in for it has a page."""
    desk.save(TRACKER, "", Operator("demo"), is_new=True)


def people_table(made: list[DemoPerson]) -> Table:
    """Whom to sign in as."""
    table = new_table("Sign in as")
    for column in ("name", "password", "sees"):
        table.add_column(column, no_wrap=True)
    for one in made:
        table.add_row(one.name, one.password, sees(one.access))
    return table
