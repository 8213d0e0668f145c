"""Terms that are known."""

from commission.terms.catalog import Terms


def known(*records: object) -> Terms:
    """The terms after `records`."""
    return Terms().learn(records)  # type: ignore[arg-type] # builders give terms
