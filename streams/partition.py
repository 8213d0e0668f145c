"""One partition of a stage, without I/O: what a message changes, and whether it was applied before.

The state of a partition is one ordered fold of its log. `step` computes a message's effect, the
runner makes it durable, `commit` makes it visible; a crash between the two repeats the step with
the same result.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import localcontext
from typing import Any, get_args

from msgspec.structs import replace

from commission.draft import Draft, KeysByOwner, RecordRefused, State
from commission.money import EXACT
from commission.outputs import check_ids
from commission.terms.admission import sort_out
from commission.terms.calendar import PeriodEnded, PeriodReopened
from commission.terms.catalog import Terms
from commission.terms.records import TermsFact, TermsRecord
from schemas import positions as sources
from schemas import topics
from schemas.dead_letters import DEAD_LETTER, DeadLetter
from schemas.wire import Record, batches, decode_batch, decode_checked, decode_lines, encode
from streams.checkpoint import Checkpoint, PartitionStore
from streams.dead_letters import Place, line_letter, refused_letters
from streams.sealing import DEAL, SealedDeals
from streams.stages import Stage
from streams.state_codec import decode_state, encode_state

TERMS_TYPES: tuple[type[TermsFact], ...] = get_args(TermsFact)
MAX_CACHED_STATES = 5_000
"""Decoded states kept at hand for each partition, some 2 kB each; the store holds all of them."""


class OffsetGapError(RuntimeError):
    """An offset is missing between the last applied message and this one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send, with the header that tells the receiver its source position."""

    topic: str
    partition: int
    value: bytes
    source: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """The effect of one message: what to send, what to store, and the partition after it."""

    messages: tuple[Message, ...]
    state: dict[bytes, bytes | None]
    applied: Checkpoint
    terms: Terms
    decoded: Mapping[str, State | None]


@dataclass(slots=True)
class Partition:
    """The fold of one partition over a store of encoded state."""

    stage: Stage
    number: int
    counts: Mapping[str, int]
    """Partitions of each topic that outputs go to."""
    store: PartitionStore
    applied: Checkpoint = field(default_factory=Checkpoint)
    terms: Terms = field(default_factory=Terms)
    cache: dict[str, State | None] = field(default_factory=dict)
    ahead: dict[bytes, bytes | None] = field(default_factory=dict)
    """State of messages that were folded and are not in the store yet; None forgets a key."""
    ahead_by_owner: KeysByOwner[bytes] = field(default_factory=lambda: KeysByOwner(b":"))
    skips: Mapping[int, str] = field(default_factory=dict)
    """Offset → why a person decided that its message takes effect as an empty one."""
    checks_all: bool = False
    """Whether what a stage sent is checked once more, as a replay does."""
    sealed: SealedDeals = field(init=False)
    _prefix: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.sealed = SealedDeals(self._own, self._own_keys)
        self._prefix = b"%d/" % self.number

    @classmethod
    def recover(
        cls, stage: Stage, number: int, counts: Mapping[str, int], store: PartitionStore
    ) -> "Partition":
        """Take up a partition where its stored state ends."""
        partition = cls(stage, number, counts, store)
        found = store.get(partition.key("@"))
        if found is not None:
            partition.applied = decode_state(Checkpoint, "@", found)
        for block in range(partition.applied.terms):
            news = store.get(partition.key(f"@terms/{block}"))
            assert news is not None, f"{stage.name}/{number}: the state lacks terms {block}"
            known = [record for record in decode_batch(news) if isinstance(record, TermsRecord)]
            partition.terms = partition.terms.learn(known)
        return partition

    def key(self, name: str) -> bytes:
        """A state key carries its partition: partitions of one worker share a store."""
        return self._prefix + name.encode()

    def step(self, offset: int, value: bytes, source: str, received_at: datetime) -> Step | None:
        """Fold the message at `offset`; None if it was applied before. Changes nothing by itself."""
        if offset <= self.applied.offset:
            return None
        if offset != self.applied.offset + 1:
            raise OffsetGapError(
                f"{self.stage.topic}/{self.number}: offset {offset} follows {self.applied.offset}; "
                "messages in between were not delivered"
            )
        applied = replace(self.applied, offset=offset)
        if source:
            origin, position, new = sources.unseen(source, value, applied.sources)
            if new is None:
                return Step((), {self.key("@"): encode_state("@", applied)}, applied, self.terms, {})
            applied = replace(applied, sources={**applied.sources, origin: position})
            value = new
        if (why := self.skips.get(offset)) is not None:
            return self._skip(applied, value, why, received_at)
        return self._fold(applied, value, received_at, is_checked=bool(source) and not self.checks_all)

    def commit(self, step: Step) -> None:
        """Make a durable step visible to the next one."""
        self.advance(step)
        self.settle()

    def settle(self) -> None:
        """Take what is durable by now into the store."""
        self.store.write(self.ahead)
        self.ahead, self.ahead_by_owner = {}, KeysByOwner(b":")

    def advance(self, step: Step) -> None:
        """Let the next step see this one; if it does not become durable, this object is no good."""
        self.ahead.update(step.state)
        if len(self.cache) > MAX_CACHED_STATES:
            self.cache.clear()
        hot = self.stage.hot
        self.cache |= {key: value for key, value in step.decoded.items() if key[0] in hot}
        if step.applied.sealing is not self.applied.sealing:
            self.sealed.forget()
        self.applied, self.terms = step.applied, step.terms

    def _fold(self, applied: Checkpoint, value: bytes, received_at: datetime, *, is_checked: bool) -> Step:
        records, letters = self._decode(applied.offset, value, received_at, is_checked=is_checked)
        if self.stage.broadcasts:
            records, refused = self._sort_out(records, applied.offset, received_at)
            letters += refused
        draft, terms = Draft(self.load, self.scan), self.terms
        state: dict[bytes, bytes | None] = {}
        learned = self._learned
        has_news = any(issubclass(kind, learned) for kind in set(map(type, records)))
        news = [record for record in records if isinstance(record, learned)] if has_news else []
        if news:
            state[self.key(f"@terms/{applied.terms}")] = b"\n".join(encode(news))
            applied = replace(applied, terms=applied.terms + 1)
            terms = terms.learn(news)
        with localcontext(EXACT):
            if news and self.stage.on_terms is not None:
                self.stage.on_terms(draft, terms)
            if news and self.stage.on_news is not None:
                self.stage.on_news(draft, news, self.terms, terms, received_at)
            self._fold_each(draft, records, terms)
        check_ids(draft.outputs)
        if draft.refused:
            letters += refused_letters(draft.refused, records, self._place(applied.offset), received_at)
        if draft.repeated:
            applied = replace(applied, repeated=applied.repeated + draft.repeated)
        for key, value_ in draft.writes.items():
            state[self._prefix + key.encode()] = None if value_ is None else encode_state(key, value_)
        if self.stage.seals:
            sealing, moved = self.sealed.after(applied.sealing, draft.writes, records, terms)
            applied = replace(applied, sealing=sealing)
            state |= {self.key(key): value_ for key, value_ in moved.items()}
        state[self.key("@")] = encode_state("@", applied)
        messages = self._address(applied.offset, draft.outputs, letters)
        if self.stage.broadcasts:
            whole = b"\n".join(encode(records)) if letters else value
            messages.extend(self._broadcast(applied.offset, whole))
        return Step(tuple(messages), state, applied, terms, draft.writes)

    def _fold_each(self, draft: Draft, records: list[Record], terms: Terms) -> None:
        fold, accepts = self.stage.fold, self.stage.accepts
        for record in records:
            if isinstance(record, accepts):
                fold(draft, record, terms)
            elif isinstance(record, PeriodEnded):
                if self.stage.on_period_end is not None:
                    self.stage.on_period_end(draft, record, terms)
            elif isinstance(record, PeriodReopened) and self.stage.on_period_reopened is not None:
                self.stage.on_period_reopened(draft, record, terms)

    def _skip(self, applied: Checkpoint, value: bytes, why: str, received_at: datetime) -> Step:
        """Bury every line, and change nothing else."""
        letters = [
            line_letter(line, number, self._place(applied.offset), "skipped", why, received_at)
            for number, line in enumerate(value.split(b"\n"), 1)
            if line.strip()
        ]
        messages = self._address(applied.offset, [], letters)
        return Step(tuple(messages), {self.key("@"): encode_state("@", applied)}, applied, self.terms, {})

    def scan(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix`."""
        own = self._own_keys(prefix)
        if not self.applied.sealing.is_begun or not prefix.startswith(DEAL):
            return own
        return [*{*own, *self.sealed.keys(prefix)}]

    def load(self, key: str) -> State | None:
        """The value of a key, or None."""
        if key in self.cache:
            return self.cache[key]
        found = self._own(key)
        if found is None and self.applied.sealing.is_begun and key.startswith(DEAL):
            found = self.sealed.find(key)
        value = None if found is None else decode_state(self.stage.keys[key[0]], key, found)
        if key[0] in self.stage.hot:
            self.cache[key] = value
        return value

    def _own(self, key: str) -> bytes | None:
        whole = self._prefix + key.encode()
        return self.ahead[whole] if whole in self.ahead else self.store.get(whole)

    def _own_keys(self, prefix: str) -> list[str]:
        whole, own = self.key(prefix), len(self._prefix)
        found = {*self.store.keys(whole), *self.ahead_by_owner.starting(self.ahead, whole)}
        return [key[own:].decode() for key in found if self.ahead.get(key, b"") is not None]

    def _decode(
        self, offset: int, value: bytes, received_at: datetime, *, is_checked: bool
    ) -> tuple[list[Record], list[DeadLetter]]:
        """Read a batch, and bury the lines that cannot be used."""
        accepted = {*self.stage.accepts, *TERMS_TYPES, PeriodEnded, PeriodReopened}
        records, bad = decode_lines(value, accepted, decode_checked if is_checked else decode_batch)
        return records, [
            line_letter(line, number, self._place(offset), "invalid_record", reason, received_at)
            for number, line, reason in bad
        ]

    def _sort_out(
        self, records: list[Record], offset: int, received_at: datetime
    ) -> tuple[list[Record], list[DeadLetter]]:
        """What may be told to the books; where terms enter is the one place that knows their order."""
        news = [record for record in records if isinstance(record, TermsRecord)]
        refused = [RecordRefused(record, "refused_change", why) for record, why in sort_out(self.terms, news)]
        letters = refused_letters(refused, records, self._place(offset), received_at)
        ids = {id(one.record) for one in refused}
        return [record for record in records if id(record) not in ids], letters

    @property
    def _learned(self) -> tuple[type[TermsRecord], ...]:
        """What the terms take in: where they enter also ends of periods, whose turn is looked at there."""
        return (*TERMS_TYPES, PeriodEnded, PeriodReopened) if self.stage.broadcasts else TERMS_TYPES

    def _place(self, offset: int) -> Place:
        return Place(f"topic {self.stage.topic}", f"{self.number}/{offset}")

    def _address(self, offset: int, outputs: list[Any], letters: list[DeadLetter]) -> list[Message]:
        """One batch for each target partition, in numbered parts if it is large."""
        lines = defaultdict[tuple[str, int], list[bytes]](list)
        address, counts, partition_of = self.stage.address, self.counts, topics.partition_of
        for output, line in zip(outputs, encode(outputs), strict=True):
            topic, key = address(output)
            lines[topic, partition_of(key, counts[topic])].append(line)
        if letters:
            lines[topics.DEAD_LETTERS, 0] = [DEAD_LETTER.dump_json(letter) for letter in letters]
        return [
            Message(topic, partition, value, f"{self.stage.topic}/{self.number}/{offset}/{part}")
            for (topic, partition), encoded in lines.items()
            for part, value in enumerate(batches(encoded))
        ]

    def _broadcast(self, offset: int, value: bytes) -> list[Message]:
        return [
            Message(topic, partition, value, f"{self.stage.topic}/{self.number}/{offset}/0")
            for topic in self.stage.broadcasts
            for partition in range(self.counts[topic])
        ]
