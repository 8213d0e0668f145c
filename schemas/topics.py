"""Topic names, each spelled once, and the one partitioner that every producer uses."""

from dataclasses import dataclass
from functools import lru_cache
from struct import unpack

ACCOUNT_BOOK = "account-book"
"""Deals and account links, by account: what ingest writes."""
CLIENT_BOOK = "client-book"
"""By client: CRM events, deals routed from the account book, deals that moved to another client, terms."""
PARTNER_BOOK = "partner-book"
"""By IB: transfers the client book caused, commands of payouts, terms. Its transfers are of the ledger."""
TERMS = "terms"
"""One partition: partners, plans, symbols, rates, periods, in the order they became known."""
SETTLEMENTS = "settlements"
"""What the partner book posts: true-ups, rows of payouts and answers to their commands at any time; at the
end of a period its statements with their transfers."""
MILESTONES = "milestones"
"""By client: what partner networks may want to hear of; and every record of endpoints, in every partition."""
ENDPOINTS = "endpoints"
"""One partition: where events are sent, as people decided."""
DELIVERIES = "deliveries"
"""By client: an event at an endpoint, to be sent."""
ATTEMPTS = "attempts"
"""By client: each try to send one."""
LINKS = "links"
"""One partition: tracking links, as people decided, and which of them the client book has by now."""
CLICKS = "clicks"
"""By click id: each click on a link."""
REJECTIONS = "rejections"
DEAD_LETTERS = "dead-letters"
OPERATIONS = "operations"
"""One partition: stops of partitions and what a person decided about them, in one order."""
RECONCILIATIONS = "reconciliations"
"""One partition: what each sweep of a server's deals found, in one order."""
PAYOUTS = "payouts"
"""One partition: each export of payout lines; its order alone says which exports count."""
PROPOSALS = "proposals"
"""One partition: corrections that people proposed, with their rows, and what others decided."""
PAYEES = "payees"
"""One partition: where each IB is paid, sealed, as two people decided; nothing stores it elsewhere."""
PEOPLE = "people"
"""One partition: who may sign in, sessions and keys, by hashes; nothing stores it elsewhere."""
AUDIT = "audit"
"""One partition: who did what, each entry with the hash of the one before it."""

NOT_STORED = (PAYEES, PEOPLE, AUDIT)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Limit of one record batch on every topic: all state one message changes is one batch."""

SOURCE_HEADER = "ibflow-source"
"""Kafka header of what a stage sent: the source position, see `schemas.positions`."""

BROKER_HEADER = "ibflow-broker"
"""Kafka header of published terms: the name of the broker they are of, if broker.yaml has one."""

LEDGER_TOPICS = (PARTNER_BOOK, SETTLEMENTS, REJECTIONS, MILESTONES)
"""What leaves the pipeline: the ledger's rows and what explains their absence."""
LEDGER_TYPES = ("transfer", "statement", "statement_withdrawn", "payout_answer", "rejection", "milestone")


def changelog_of(stage: str) -> str:
    """The topic of a stage's durable state, which `streams.changelog` writes; Faust's tables are not used."""
    return f"ibflow-{stage}-changelog"


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic is created; `partitions` None means the setting for books.

    `stage` names the stage that reads it: the stage's changelog has as many partitions.
    """

    name: str
    partitions: int | None = None
    stage: str = ""

    @property
    def changelog(self) -> str:
        """The topic of the reading stage's durable state."""
        return changelog_of(self.stage) if self.stage else ""


TOPICS = (
    Topic(ACCOUNT_BOOK, stage="accounts"),
    Topic(CLIENT_BOOK, stage="clients"),
    Topic(PARTNER_BOOK, stage="partners"),
    Topic(TERMS, partitions=1, stage="terms"),
    Topic(SETTLEMENTS),
    Topic(MILESTONES, stage="postbacks"),
    Topic(REJECTIONS),
    Topic(DEAD_LETTERS, partitions=1),
    Topic(OPERATIONS, partitions=1),
    Topic(RECONCILIATIONS, partitions=1),
    Topic(PAYOUTS, partitions=1),
    Topic(PROPOSALS, partitions=1),
    Topic(PAYEES, partitions=1),
    Topic(PEOPLE, partitions=1),
    Topic(AUDIT, partitions=1),
    Topic(ENDPOINTS, partitions=1, stage="endpoints"),
    Topic(DELIVERIES, stage="dispatcher"),
    Topic(ATTEMPTS),
    Topic(LINKS, partitions=1),
    Topic(CLICKS),
)


_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Hash as Kafka's own clients do (Java, aiokafka, librdkafka's `murmur2_random`); 32 bits.

    A worker does so for every deal that pays nothing, so it is written for few steps of Python.
    """
    length = len(key)
    rest = length & 3
    h = 0x9747B28C ^ length
    for word in unpack(f"<{length >> 2}I", key[: length - rest]):
        k = word * _M & _MASK
        h = h * _M & _MASK ^ (k ^ k >> 24) * _M & _MASK
    if rest:
        h = (h ^ int.from_bytes(key[-rest:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a record's key among `partitions`, the same for every producer."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
