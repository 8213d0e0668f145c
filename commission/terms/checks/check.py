"""Checks of terms before they are published: what would stop a deal, or pay by mistake, is found here."""

from collections.abc import Iterable, Iterator

from commission.terms.checks.budget import check_budgets
from commission.terms.checks.partners import check_conversions, check_letter_case, check_partners, check_tree
from commission.terms.checks.plans import check_plans
from commission.terms.checks.published import (
    Published,
    TermsProblem,
    subject_of,
)
from commission.terms.checks.sharing import check_uplines
from commission.terms.checks.slips import check_slips
from commission.terms.checks.symbols import check_exchange, check_symbols
from commission.terms.checks.traps import check_traps
from commission.terms.records import TermsRecord


def check_terms(records: Iterable[TermsRecord]) -> tuple[TermsProblem, ...]:
    """Find everything wrong with `records` taken together, in their order; () if they are sound."""
    terms = Published(records)
    return (
        *_check_ids(terms),
        *check_symbols(terms),
        *check_exchange(terms),
        *check_plans(terms),
        *check_partners(terms),
        *check_letter_case(terms),
        *check_tree(terms),
        *check_conversions(terms),
        *check_uplines(terms),
        *check_budgets(terms),
        *check_slips(terms),
        *check_traps(terms),
    )


def _check_ids(terms: Published) -> Iterator[TermsProblem]:
    for subject, record in terms.pairs:
        if subject != subject_of(record):
            kind, *rest = subject_of(record)
            text = f"the {kind} {' '.join(rest)} is defined a second time; keep one of the two"
            yield TermsProblem(subject, "duplicate_id", text)
