"""The stages: which topic each reads, which pure fold it runs, and where its outputs go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from commission.books import account as account_book
from commission.books import client as client_book
from commission.books import partner as partner_book
from commission.books import postback as postback_book
from commission.draft import Draft
from commission.events import AccountEvent, ClientEvent, DealMoved, ReratingApproved, RoutedDeal
from commission.outputs import (
    Announcement,
    Milestone,
    Output,
    Rejection,
    Statement,
    StatementWithdrawn,
    Tally,
    Transfer,
)
from commission.partner import closing
from commission.partner.onboarding import announce_onboarded
from commission.payouts.commands import AnyCommand, ClientCommand, PayoutAnswer
from commission.postbacks import demand, waiting
from commission.postbacks.records import Delivery, EndpointRecord
from commission.terms.calendar import PeriodEnded, PeriodReopened
from commission.terms.catalog import Terms
from commission.terms.events_wanted import EventsWanted
from commission.terms.records import TermsRecord
from schemas import topics

Address = tuple[str, str]
"""Topic and key of an output."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the pipeline: a topic folded partition by partition into outputs and state."""

    name: str
    topic: str
    accepts: tuple[type, ...]
    """Records the fold takes; terms are taken by every stage, anything else is a dead letter."""
    fold: Callable[[Draft, Any, Terms], None]
    keys: dict[str, type]
    """First letter of a state key → type of its value."""
    address: Callable[[Any], Address]
    hot: str = ""
    """First letters of the keys worth keeping decoded: those written again and again."""
    on_period_end: Callable[[Draft, PeriodEnded, Terms], None] | None = None
    on_period_reopened: Callable[[Draft, PeriodReopened, Terms], None] | None = None
    on_terms: Callable[[Draft, Terms], None] | None = None
    on_news: Callable[[Draft, Sequence[TermsRecord], Terms, Terms, datetime], None] | None = None
    """Hears of new terms, with those before and after them, and when their message was written."""
    seals: bool = False
    """Whether deals that are old when a period ends are kept in blocks."""
    gather_s: float = 0.0
    """So long a message is held for those right behind it: a group is a transaction, whatever is in it."""
    rest_s: float = 0.0
    """From the beginning of a group to that of the next at least, where nobody waits for what it says."""
    broadcasts: tuple[str, ...] = ()
    """Topics that get a copy of every record in every partition, as the terms router does."""

    @property
    def changelog(self) -> str:
        """Topic of the stage's durable state."""
        return topics.changelog_of(self.name)


def _from_accounts(output: RoutedDeal | Rejection) -> Address:
    if isinstance(output, RoutedDeal):
        return topics.CLIENT_BOOK, output.client_id
    return topics.REJECTIONS, output.deal_key


def _from_clients(output: Output | DealMoved | PayoutAnswer) -> Address:
    match output:  # what comes with every deal is asked for first
        case Transfer() | Tally():
            return topics.PARTNER_BOOK, output.ib_id
        case Rejection():
            return topics.REJECTIONS, output.deal_key
        case Milestone():
            return topics.MILESTONES, output.client_id
        case DealMoved():
            return topics.CLIENT_BOOK, output.client_id
        case PayoutAnswer():
            return topics.SETTLEMENTS, output.subject_id
        case Statement() | StatementWithdrawn():
            raise TypeError("the client book closes no statements")


def _from_partners(
    output: Transfer | Statement | StatementWithdrawn | PayoutAnswer | Milestone,
) -> Address:
    if isinstance(output, Milestone):
        return topics.MILESTONES, output.client_id or output.ib_id
    return topics.SETTLEMENTS, output.ib_id


def _from_postbacks(output: Delivery) -> Address:
    return topics.DELIVERIES, output.event.client_id or output.event.ib_id


def _no_fold(_draft: Draft, record: object, _terms: Terms) -> None:
    raise TypeError(f"{type(record).__name__} is broadcast, not folded")


def _from_terms(output: Announcement) -> Address:
    return topics.MILESTONES, output.ib_id


def _from_endpoints(_output: EventsWanted) -> Address:
    return topics.TERMS, ""


def _no_address(output: object) -> Address:
    raise TypeError(f"a router says nothing of its own, not {type(output).__name__}")


ACCOUNTS = Stage(
    name="accounts",
    topic=topics.ACCOUNT_BOOK,
    accepts=get_args(AccountEvent),
    fold=account_book.apply,
    keys=account_book.KEYS,
    hot="a",
    address=_from_accounts,
)
CLIENTS = Stage(
    name="clients",
    topic=topics.CLIENT_BOOK,
    accepts=(RoutedDeal, DealMoved, ReratingApproved, *get_args(ClientEvent), *get_args(ClientCommand)),
    fold=client_book.apply,
    keys=client_book.KEYS,
    hot="cqP",
    seals=True,
    gather_s=0.03,
    on_terms=client_book.retry_parked,
    address=_from_clients,
)
PARTNERS = Stage(
    name="partners",
    topic=topics.PARTNER_BOOK,
    accepts=(Transfer, Tally, *get_args(AnyCommand)),
    fold=partner_book.apply,
    keys=partner_book.KEYS,
    hot="i",
    address=_from_partners,
    rest_s=0.25,
    on_period_end=closing.close,
    on_period_reopened=closing.reopen,
    on_terms=partner_book.retry_early,
)
TERMS = Stage(
    name="terms",
    topic=topics.TERMS,
    accepts=(),
    fold=_no_fold,
    keys={},
    on_news=announce_onboarded,
    address=_from_terms,
    broadcasts=(topics.CLIENT_BOOK, topics.PARTNER_BOOK),
)

ENDPOINTS = Stage(
    name="endpoints",
    topic=topics.ENDPOINTS,
    accepts=get_args(EndpointRecord),
    fold=demand.apply,
    keys=demand.KEYS,
    address=_from_endpoints,
    broadcasts=(topics.MILESTONES,),
)
POSTBACKS = Stage(
    name="postbacks",
    topic=topics.MILESTONES,
    accepts=(Milestone, Announcement, *get_args(EndpointRecord)),
    fold=postback_book.apply,
    keys=postback_book.KEYS,
    hot="rs",
    address=_from_postbacks,
)
DISPATCHER = Stage(
    name="dispatcher",
    topic=topics.DELIVERIES,
    accepts=(Delivery,),
    fold=waiting.keep,
    keys=waiting.KEYS,
    address=_no_address,
)
"""What a dispatcher has to send; it runs by itself, for it waits for others' servers."""

STAGES = (TERMS, ACCOUNTS, CLIENTS, PARTNERS, ENDPOINTS, POSTBACKS)
