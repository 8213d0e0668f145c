"""Whether terms are missing that may ask more of a client's deals than those that are known."""

from commission.client.state import ClientState
from commission.terms.catalog import Terms


def lacks_terms(client: ClientState, terms: Terms) -> bool:
    """Whether an IB of the client's is not known, or a plan or an IB that some IB names."""
    if terms.some.is_partial:
        return True
    for link in client.links:  # noqa: SIM110 # asked of every deal, and a generator takes longer
        if link.ib_id is not None and link.ib_id not in terms.partners:
            return True
    return False
