"""What CPAs and CPLs are weighed by: the client's facts, as far as conditions can ask for them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from commission.client import keys
from commission.client.cpa_conditions import Facts, deadline
from commission.client.deposits import cleared, find, is_too_late, relevant, withdrawals
from commission.client.qualifying import Qualifying
from commission.client.state import Cause, ClawedBack, ClientState
from commission.draft import Draft
from commission.terms.catalog import Terms
from commission.terms.components import Cpa, Cpl
from commission.terms.upline import Upline


class Weighing(NamedTuple):
    """What CPAs and CPLs are weighed by, at one moment."""

    draft: Draft
    cause: Cause
    terms: Terms
    chain: Upline
    facts: Facts
    clawed: tuple[ClawedBack, ...]
    """Verdicts and losses of the client that plans may let reach everything."""

    def of(self, client: ClientState) -> "Weighing":
        """The same with what was granted meanwhile."""
        return self._replace(facts=self.facts._replace(client=client))

    @property
    def client(self) -> ClientState:
        """As it is by now."""
        return self.facts.client


def facts_of(draft: Draft, client: ClientState, asked: Iterable[Cpa | Cpl], terms: Terms) -> Facts:
    """The facts that conditions ask for."""
    cpas = [component for component in asked if isinstance(component, Cpa)]
    is_net = any(component.net_deposits for component in cpas)
    hours = max((component.ftd_window_hours for component in cpas), default=0)
    return Facts(
        client,
        cleared(draft, client) if is_net else relevant(draft, client, hours),
        withdrawals(draft, client) if is_net else (),
        draft.get(keys.qualifying(client.client_id)) or Qualifying(),
        terms,
    )


def are_too_late(
    draft: Draft, client: ClientState, only: tuple[str, ...], asked: Iterable[Cpa | Cpl]
) -> bool:
    """Whether deposits come after all that the client's CPAs may look at: nothing changes by them.

    Asked only where there are many: a client with few is weighed at each event, and so by new terms. A gate
    over those who deposited asks whether the client ever did.
    """
    components = tuple(asked)
    has_gate = any(isinstance(component, Cpl) and component.min_ftd_rate for component in components)
    if client.more_since is None or has_gate:
        return False
    cpas = [component for component in components if isinstance(component, Cpa)]
    hours = max((component.ftd_window_hours for component in cpas), default=0)
    last = max((deadline(client, component) for component in cpas), default=None)
    is_net = any(component.net_deposits for component in cpas)
    found = [find(draft, client.client_id, deposit_id) for deposit_id in only]
    return all(
        (
            last is not None
            and deposit.cleared_at is not None
            and deposit.cleared_at > last + timedelta(hours=hours)
        )
        or (not is_net and is_too_late(client, deposit, hours))
        for deposit in found
    )
