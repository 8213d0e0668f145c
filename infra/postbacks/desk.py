"""The desk of endpoints: what people decide about them, written to the log."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from msgspec.structs import replace

from api.endpoints import OWN_PREFIX, EndpointRefused, Own, ReplayWanted, Saved, UnknownEndpoint
from api.operators import NotAllowed, Operator
from api.postbacks.delivery import Target, deliver
from api.postbacks.endpoints import Written
from api.postbacks.form import EVENTS, EndpointForm, check_secret
from api.postbacks.request import OutgoingRequest, to_request
from api.postbacks.safe_client import SafeClient
from api.postbacks.secrets import Secret, Secrets, new_secrets
from api.postbacks.signing import is_of, new_secret, public_key
from commission.books.postback import delivery_id_of
from commission.outputs import MilestoneKind
from commission.postbacks.records import (
    MAX_OWN,
    MAX_OWNED,
    DayEnded,
    Delivery,
    Endpoint,
    EndpointSaved,
    EndpointStateSet,
    Known,
    State,
)
from infra.postbacks.log import EndpointLog
from infra.postbacks.sample import sample
from infra.postbacks.sealing import OpenKeys, opened, seal
from schemas.attempts import Attempt
from schemas.errors import Unusable
from schemas.wire import decode

log = logging.getLogger("ibflow.postbacks")

"""Of one request; the next one goes on where it ended."""
GRACE = timedelta(hours=1)
"""After a day's end: what is told later comes with the next day's."""
FILE = "the file of endpoints"
SETTINGS = "IBFLOW_IB_LEVELS"


class EndpointDesk:
    """Keeps endpoints; secrets leave it only when they are made, and inside requests."""

    def __init__(
        self,
        log: EndpointLog,
        keys: OpenKeys,
        *,
        stored: Callable[[str, ReplayWanted, int], list[str]] = lambda *_: [],
        publish: Callable[[Iterable[Delivery]], None] = lambda _: None,
        proxy: str = "",
        may_be_private: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`stored` gives records of what was due at an endpoint, `publish` writes them again."""
        self._log, self._keys, self._now = log, keys, now
        self._stored, self._publish = stored, publish
        self._proxy, self._may_be_private = proxy, may_be_private

    def listed(self) -> Mapping[str, Known]:
        """Every endpoint by its id."""
        return self._log.known()

    def get(self, endpoint_id: str) -> Saved:
        """One, with the key that its receiver verifies with."""
        known = _found(self._log.known(), endpoint_id)
        return Saved(known, public_key(self._opened(known).signing[0].text))

    def save(
        self, form: EndpointForm, secret: str, by: Operator, *, is_new: bool, own: Own | None = None
    ) -> Saved:
        """Keep it; without a secret a new one is made, or the one it has is kept."""
        _check_may_write(by)
        if form.allow_private and not self._may_be_private:
            raise Unusable("allow_private is for the file of endpoints: the API reaches no private address")
        return self._save(form, secret, by.name, is_new=is_new, own=own)

    def rotate(self, endpoint_id: str, secret: str, by: Operator) -> Saved:
        """Put another secret in front; the one before signs for a day more."""
        _check_may_write(by)

        def changed(known: Known) -> Secrets:
            kind = known.endpoint.signing
            text = _checked(secret, kind) if secret else new_secret(kind)
            return self._opened(known).rotated(text, self._now())

        return self._with_secrets(endpoint_id, changed, by.name, is_told=not secret)

    def reseal(self, by: Operator) -> tuple[int, int]:
        """Write each endpoint that is under an older key as another version under the newest.

        Stopped in between it is asked again: what is done is durable, and the older key opens the rest.
        """
        _check_may_write(by)
        old = [name for name, known in self._log.known().items() if self._is_old(known)]
        for name in old:
            self._with_secrets(name, self._opened, by.name, is_told=False)
        return len(old), sum(map(self._is_old, self._log.known().values()))

    def _is_old(self, known: Known) -> bool:
        """Nobody opens one that was removed; another version would bring it back."""
        return known.state != "removed" and not self._keys().is_newest(known.saved.sealed)

    def set_state(self, endpoint_id: str, state: State, reason: str, by: Operator) -> Known:
        """Pause, resume, disable or remove."""
        _check_may_write(by)
        return self.note_state(endpoint_id, state, reason, by.name)

    def note_state(self, endpoint_id: str, state: State, reason: str, by: str) -> Known:
        """The same, of a dispatcher that was told 410 or has only seen failures."""

        def make(known: Mapping[str, Known]) -> EndpointStateSet:
            return EndpointStateSet(
                endpoint_id=endpoint_id,
                version=_found(known, endpoint_id).saved.version,
                state=state,
                reason=reason,
                by=by,
                at=self._now(),
            )

        return self._log.decide(make)[endpoint_id]

    def preview(self, endpoint_id: str, event: str) -> OutgoingRequest:
        """What would be sent for a sample event, without tokens."""
        target, delivery = self._sample(endpoint_id, event)
        request = to_request(delivery, target.endpoint, target.secrets, self._now())
        return OutgoingRequest(
            request.method, target.secrets.without(request.url), request.headers, request.body
        )

    def test(self, endpoint_id: str, event: str, by: Operator) -> Attempt:
        """Send a sample event now; it is recorded nowhere."""
        _check_may_write(by)
        target, delivery = self._sample(endpoint_id, event)
        return asyncio.run(self._try(target, delivery))

    def replay(self, endpoint_id: str, wanted: ReplayWanted, by: Operator) -> int:
        """Send again what was due there, each under its own ids; how many."""
        _check_may_write(by)
        known = _found(self._log.known(), endpoint_id)
        if known.state in ("disabled", "removed"):
            raise EndpointRefused(f"{endpoint_id} is {known.state}; resume it first")
        records = self._stored(endpoint_id, wanted, wanted.most + 1)
        if len(records) > wanted.most:
            raise EndpointRefused(f"over {wanted.most:,} events are due again; ask for a shorter time")
        asked = f"{by.name} {self._now().isoformat()}"
        self._publish([_again(record, asked) for record in records])
        return len(records)

    def load(self, written: Iterable[Written]) -> int:
        """Bring the log to what a file says; how many endpoints it changed. Who removed one removed it."""
        changed = 0
        for one in written:
            known = self._log.known().get(one.form.id)
            if known is not None and known.state == "removed":
                log.warning("endpoint %s was removed; the file does not bring it back", one.form.id)
            elif known is None or not self._is_as_written(known, one):
                self._save(one.form, one.secret, FILE, is_new=known is None)
                changed += 1
        return changed

    def end_day(self) -> bool:
        """Once a day, an hour after it in UTC: let its closed trades go where they are sent by day."""
        now = self._now()
        ended = f"{now - GRACE - timedelta(days=1):%Y-%m-%d}"
        return self._log.end_day(DayEnded(day=ended, at=now), _are_trades_daily)

    def target(self, known: Known) -> Target:
        """The endpoint with its secrets opened; raise `Unusable` where no key opens them."""
        return Target(known.endpoint, self._opened(known))

    def _is_as_written(self, known: Known, one: Written) -> bool:
        secrets = self._opened(known)
        is_same = known.endpoint == one.form.to_endpoint() and secrets.url == one.form.whole_url
        return is_same and secrets.signing[0].text == one.secret

    def relevel(self, levels: int) -> int:
        """Let IBs' own endpoints hear of so many levels below them; how many were changed.

        One whose secrets no key opens is left: nothing is sent there either.
        """
        old = [
            name
            for name, known in self._log.known().items()
            if known.endpoint.owner and known.endpoint.levels != levels and known.state != "removed"
        ]
        for name in old:
            try:
                self._with_secrets(name, self._opened, SETTINGS, is_told=False, levels=levels)
            except Unusable as error:
                log.warning("endpoint %s keeps its levels: %s", name, error)
        return len(old)

    def _save(
        self, form: EndpointForm, secret: str, by: str, *, is_new: bool, own: Own | None = None
    ) -> Saved:
        wanted = form.to_endpoint()
        text = _checked(secret, form.signing) if secret else ""

        def changed(known: Known | None) -> Secrets:
            if known is None:
                return new_secrets(form.whole_url, text or new_secret(form.signing))
            before = replace(self._opened(known), url=form.whole_url)
            if text and text != before.signing[0].text:
                return before.rotated(text, self._now())
            if not is_of(before.signing[0].text, form.signing):
                fresh = Secret(text=new_secret(form.signing))
                return replace(before, signing=(fresh,))
            return before

        def make(known: Mapping[str, Known]) -> EndpointSaved:
            found = known.get(form.id)
            if is_new and found is not None:
                raise EndpointRefused(f"there is an endpoint {form.id}, {found.state}; an id is for ever")
            if not is_new:
                found = _found(known, form.id)
            version = found.saved.version + 1 if found is not None else 1
            sealed = seal(self._keys(), changed(found), form.id, version)
            endpoint = _owned(wanted, own, found, known.values())
            return EndpointSaved(endpoint=endpoint, version=version, sealed=sealed, by=by, at=self._now())

        before = self._log.known().get(form.id)
        had = self._opened(before).signing[0].text if before is not None else ""
        return self._told(self._log.decide(make)[form.id], had, is_given=bool(text))

    def _with_secrets(
        self,
        endpoint_id: str,
        changed: Callable[[Known], Secrets],
        by: str,
        *,
        is_told: bool,
        levels: int | None = None,
    ) -> Saved:
        def make(known: Mapping[str, Known]) -> EndpointSaved:
            found = _found(known, endpoint_id)
            version = found.saved.version + 1
            sealed = seal(self._keys(), changed(found), endpoint_id, version)
            endpoint = found.endpoint if levels is None else replace(found.endpoint, levels=levels)
            return EndpointSaved(endpoint=endpoint, version=version, sealed=sealed, by=by, at=self._now())

        return self._told(self._log.decide(make)[endpoint_id], "", is_given=not is_told)

    def _told(self, known: Known, had: str, *, is_given: bool) -> Saved:
        """The endpoint, with its secret if that was made just now."""
        text = self._opened(known).signing[0].text
        return Saved(known, public_key(text), "" if is_given or text == had else text)

    def _opened(self, known: Known) -> Secrets:
        return opened(self._keys(), known.saved)

    def _sample(self, endpoint_id: str, event: str) -> tuple[Target, Delivery]:
        known = _found(self._log.known(), endpoint_id)
        if event not in EVENTS:
            raise Unusable(f"the event is one of {', '.join(EVENTS)}")
        return self.target(known), sample(known.endpoint, cast(MilestoneKind, event), self._now())

    async def _try(self, target: Target, delivery: Delivery) -> Attempt:
        client = SafeClient(target.policy, proxy=self._proxy)
        try:
            return await deliver(delivery, target, client, 1, self._now())
        finally:
            await client.close()


def _owned(wanted: Endpoint, own: Own | None, found: Known | None, known: Iterable[Known]) -> Endpoint:
    """The endpoint with whose it is: a new one as asked, within the limits; another version as it was."""
    if found is not None:
        return replace(wanted, owner=found.endpoint.owner, levels=found.endpoint.levels)
    if wanted.endpoint_id.startswith(OWN_PREFIX) is not (own is not None):
        raise EndpointRefused(f"ids that begin with {OWN_PREFIX} are of endpoints that IBs make themselves")
    if own is None:
        return wanted
    owners = [one.endpoint.owner for one in known if one.endpoint.owner and one.state != "removed"]
    if owners.count(own.ib_id) >= MAX_OWN:
        raise EndpointRefused(f"an IB has {MAX_OWN} endpoints of its own at the most; remove one first")
    if len(owners) >= MAX_OWNED:
        raise EndpointRefused(f"IBs have {MAX_OWNED} endpoints together; ask the broker to remove some")
    return replace(wanted, owner=own.ib_id, levels=own.levels)


def _are_trades_daily(known: Mapping[str, Known]) -> bool:
    endpoints = [one.endpoint for one in known.values() if one.state != "removed"]
    return any("trade.closed" in one.events and one.trades == "daily" for one in endpoints)


def _check_may_write(by: Operator) -> None:
    """One person is enough: no money moves by it."""
    if not by.may_write:
        raise NotAllowed(f"only operators do that, and {by.name} is a viewer")


def _checked(secret: str, signing: str) -> str:
    try:
        return check_secret(secret, signing)
    except ValueError as error:
        raise Unusable(str(error)) from None


def _found(known: Mapping[str, Known], endpoint_id: str) -> Known:
    found = known.get(endpoint_id)
    if found is None:
        raise UnknownEndpoint(f"there is no endpoint {endpoint_id[:64]}; `ibflow endpoints list` has them")
    return found


def _again(record: str, asked: str) -> Delivery:
    delivery = decode(record.encode())
    assert isinstance(delivery, Delivery), "the table holds deliveries"
    delivery_id = delivery_id_of(delivery.endpoint_id, delivery.event.milestone_id, asked)
    return replace(delivery, delivery_id=delivery_id, replay=asked, delay_s=0)
