"""The desk of links: what people decide about them, checked and written to the log."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from api.link_desk import KnownLink, LinkChange, LinkRefused, NewLink, UnknownLink
from api.links.landing import Hosts, check_landing
from api.operators import NotAllowed, Operator
from commission.ids import digest
from commission.links.click_id import ALPHABET, CODE
from commission.links.records import MAX_PLANS, Conflict, LinkPlan, LinkSaved
from infra.links.log import LinkLog
from schemas.errors import Unusable

CODE_CHARS = 8
"""Of a code that is made: 32⁸ of them, so that guessing finds none."""
MAX_CAMPAIGN = 100
GO = "/go/"


class LinkDesk:
    """Keeps links."""

    def __init__(
        self,
        log: LinkLog,
        hosts: str,
        *,
        window_days: int = 30,
        conflict: Conflict = "crm",
        public_url: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`hosts` may be led to; `window_days` and `conflict` are those of links that say nothing of it."""
        self._log, self._hosts = log, Hosts.from_text(hosts)
        self._window_days, self._conflict = window_days, conflict
        self._public_url, self._now, self._random = public_url.rstrip("/"), now, random

    def listed(self) -> Mapping[str, KnownLink]:
        """Every link by its code."""
        return self._log.known()

    def create(self, new: NewLink, by: Operator, key: str) -> KnownLink:
        """Make a link; of the same `key` and person the same, unless it is to be another."""
        _check_may_write(by)
        if new.code and not CODE.fullmatch(new.code):
            raise Unusable("a link's code has 4 to 32 letters, digits and _")
        code = new.code or self._code(f"{by.name} {key}" if key else "")
        link = self._checked(
            LinkSaved(
                code=code,
                version=1,
                ib_id=new.ib_id,
                campaign=new.campaign,
                landing=new.landing,
                plans=new.plans,
                expires_at=new.expires_at,
                window_days=new.window_days or self._window_days,
                conflict=new.conflict or self._conflict,
                passes_query=new.passes_query,
                by=by.name,
                at=self._now(),
            )
        )
        if link.is_over(link.at):
            raise Unusable("the link would be over before it begins; let it expire later")

        def make(known: Mapping[str, KnownLink]) -> LinkSaved | KnownLink:
            found = known.get(code)
            if found is None:
                return link
            if key and (found.saved.ib_id, found.saved.campaign) == (link.ib_id, link.campaign):
                return found
            raise LinkRefused(f"there is a link {code} already; a code, and a key, are for one link")

        return self._log.decide(make)

    def change(self, code: str, change: LinkChange, by: Operator) -> KnownLink:
        """Another landing page, a plan more, or another end."""
        _check_may_write(by)

        def make(known: Mapping[str, KnownLink]) -> LinkSaved | KnownLink:
            saved = _found(known, code).saved
            plans = saved.plans
            if change.plan is not None and change.plan not in plans:
                plans = _with_plan(plans, change.plan)
            changed = replace(
                saved,
                landing=saved.landing if change.landing is None else change.landing,
                plans=plans,
                expires_at=saved.expires_at if change.expires_at is None else change.expires_at,
            )
            if changed == saved:
                return known[code]
            return self._checked(replace(changed, version=saved.version + 1, by=by.name, at=self._now()))

        return self._log.decide(make)

    def end(self, code: str, by: Operator) -> KnownLink:
        """Let clicks from now on count no more; ending it again changes nothing."""
        _check_may_write(by)

        def make(known: Mapping[str, KnownLink]) -> LinkSaved | KnownLink:
            found, now = _found(known, code), self._now()
            if found.saved.is_over(now):
                return found
            return replace(found.saved, version=found.saved.version + 1, expires_at=now, by=by.name, at=now)

        return self._log.decide(make)

    def address(self, code: str) -> str:
        """Where its redirect is; a path only, where nobody said under which address the server is known."""
        return f"{self._public_url}{GO}{code}"

    def _code(self, seed: str) -> str:
        """One that nobody guesses; of a seed always the same."""
        made = bytes.fromhex(digest("link", seed))[:CODE_CHARS] if seed else self._random(CODE_CHARS)
        return "".join(ALPHABET[byte & 31] for byte in made)

    def _checked(self, link: LinkSaved) -> LinkSaved:
        try:
            check_landing(link.landing, self._hosts)
        except ValueError as error:
            raise Unusable(str(error)) from None
        if len(link.campaign) > MAX_CAMPAIGN or not link.campaign.isprintable():
            raise Unusable(f"a campaign's name has at most {MAX_CAMPAIGN} printable characters")
        return link


def _with_plan(plans: tuple[LinkPlan, ...], plan: LinkPlan) -> tuple[LinkPlan, ...]:
    """Assignments are added behind the others: what counted stays."""
    if plans and (plan.since is None or (plans[-1].since is not None and plan.since <= plans[-1].since)):
        raise Unusable("the link has a plan from then on, or a later one; a new one begins behind it")
    if len(plans) >= MAX_PLANS:
        raise Unusable(f"the link has {MAX_PLANS} plans one after another; make another link")
    return (*plans, plan)


def _check_may_write(by: Operator) -> None:
    """One person is enough: what a link pays by is a plan that two people published."""
    if not by.may_write:
        raise NotAllowed(f"only operators do that, and {by.name} is a viewer")


def _found(known: Mapping[str, KnownLink], code: str) -> KnownLink:
    found = known.get(code)
    if found is None:
        raise UnknownLink(f"there is no link {code[:64]}; `ibflow links list` has them")
    return found
