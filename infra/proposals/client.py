"""Where `ibflow proposals` works: in the server that owns the database, or on the database itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from clickhouse_connect.driver.exceptions import Error
from ibflow_client import Client, models

from api.operators import LOCAL, Operator, Operators
from infra.connect.api_client import connected
from infra.connect.ledger_at import Server, find_server, token_of
from infra.proposals.desk import ProposalDesk, open_desk
from schemas.errors import Unavailable, Unusable
from schemas.proposals import PROPOSALS, Proposal, ProposalRequest
from schemas.settings import Settings

SECONDS = 3_600.0
"""A preview folds the whole archive again."""


class RemoteDesk:
    """The desk of a running server; it knows by the token who asks."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def create(self, wanted: ProposalRequest) -> Proposal:
        """Compute and keep one."""
        asked = models.ProposalRequest(**wanted.model_dump())
        return self._ask(lambda api: api.post_proposals(asked))

    def newest(self, limit: int) -> list[Proposal]:
        """The newest ones."""
        with connected(self._server, SECONDS) as api:
            return PROPOSALS.validate_python(msgspec.to_builtins(api.get_proposals(limit=limit).items))

    def get(self, proposal_id: str) -> Proposal:
        """One of them."""
        return self._ask(lambda api: api.get_proposal(proposal_id))

    def decide(self, proposal_id: str, verb: str, note: str = "") -> Proposal:
        """Approve, reject or post it."""
        why = models.Decided(note=note)
        if verb == "approve":
            return self._ask(lambda api: api.post_proposal_approve(proposal_id, why))
        if verb == "reject":
            return self._ask(lambda api: api.post_proposal_reject(proposal_id, why))
        return self._ask(lambda api: api.post_proposal_post(proposal_id))

    def close(self) -> None:
        """Each question has a connection of its own."""

    def _ask(self, question: Callable[[Client], models.Proposal]) -> Proposal:
        with connected(self._server, SECONDS) as api:
            return Proposal.model_validate(msgspec.to_builtins(question(api)))


class LocalDesk:
    """A desk of this process, for somebody whose token the settings hold."""

    def __init__(self, desk: ProposalDesk, by: Operator) -> None:
        self._desk, self._by = desk, by

    def create(self, wanted: ProposalRequest) -> Proposal:
        """Compute and keep one."""
        return self._desk.create(wanted, self._by)

    def newest(self, limit: int) -> list[Proposal]:
        """The newest ones."""
        return self._desk.newest(limit)

    def get(self, proposal_id: str) -> Proposal:
        """One of them."""
        return self._desk.get(proposal_id)

    def decide(self, proposal_id: str, verb: str, note: str = "") -> Proposal:
        """Approve, reject or post it."""
        if verb == "approve":
            return self._desk.approve(proposal_id, self._by, note)
        if verb == "reject":
            return self._desk.reject(proposal_id, self._by, note)
        return self._desk.post(proposal_id, self._by)

    def close(self) -> None:
        """Close the database."""
        self._desk.close()


@contextmanager
def desk_of(settings: Settings) -> Iterator[RemoteDesk | LocalDesk]:
    """The running server's desk if there is one, else one over the database."""
    desk = _open(settings)
    try:
        yield desk
    finally:
        desk.close()


def _open(settings: Settings) -> RemoteDesk | LocalDesk:
    server = find_server(settings)
    if server is not None:
        return RemoteDesk(server)
    token = token_of(settings)
    operators = Operators.from_settings(settings)
    by = operators.of_token(token)
    if by is None and token:
        raise Unusable("nobody has the token of IBFLOW_OPERATOR_TOKEN; see IBFLOW_OPERATORS_FILE")
    try:
        return LocalDesk(open_desk(settings), by or Operator(LOCAL))
    except Error as error:
        raise Unavailable(f"the database cannot be opened: {error}") from None
