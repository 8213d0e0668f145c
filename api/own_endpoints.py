"""Endpoints that an IB makes itself: of its own sub-tree, within limits that it cannot change.

Which events they get is decided where deliveries are made (`commission/postbacks/routing.py`), by whose an
endpoint is; here it is decided who may make, see and change one.
"""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.endpoints import OWN_PREFIX, EndpointRefused, Endpoints, Own, Saved
from api.operators import Operator
from api.postbacks.form import MAX_NAMES, MAX_URL, EndpointForm
from api.postbacks.macros import macros_of
from api.postbacks.request import NOT_OF_IBS
from api.problems import Problem
from commission.ids import digest
from commission.money import plain
from commission.postbacks.records import Known
from schemas.errors import Unusable

TIMEOUT_S = 5.0
CONCURRENCY = 2
RATE_PER_MINUTE = 300
"""Of one endpoint: a slow tracker of one IB costs the broker little."""
TESTS_A_MINUTE = 10
"""Of one person: a test is sent to wherever they say."""
REPLAYS_A_MINUTE = 1
MAX_REPLAYED = RATE_PER_MINUTE
"""Events of one replay, so that nobody asks for more than is sent meanwhile."""
DISPATCHER = "the dispatcher"


class OwnEndpointChange(BaseModel):
    """What an IB may say of an endpoint of its own, written whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, Field(max_length=MAX_URL)] = Field(
        description="With macros in its query; with a preset and no query, the preset's own."
    )
    preset: str = Field("", max_length=64, description="A network's own words; empty: a signed POST.")
    events: Annotated[list[str], Field(max_length=MAX_NAMES)] = Field(
        [], description="Empty: the usual ones."
    )
    own_only: bool = Field(default=False, description="Only what is this IB's own, nothing of IBs below it.")
    signing: Literal["hmac", "ed25519"] = "hmac"
    trades: Literal["each", "daily"] = Field(
        "each", description="How `trade.closed` comes: each, or one event a client and day."
    )


class OwnEndpointForm(OwnEndpointChange):
    """A new one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,24}$")] = Field(
        description="Part of its id, for ever.", examples=["tracker"]
    )
    ib: str = Field("", max_length=128, description="Whose it is, of who signs in for several IBs.")


def own_ibs(by: Operator) -> tuple[str, ...]:
    """The IBs that somebody is; raise `Problem` for whoever is none."""
    if by.role != "ib" or not by.ibs:
        raise Problem(
            404,
            "Own endpoints are of an IB who signs in. `/v1/endpoints` has those of all.",
            code="not_found",
        )
    return by.ibs


def owned(desk: Endpoints, ibs: Collection[str]) -> Iterator[Known]:
    """The endpoints of these IBs that were not removed."""
    return (one for one in desk.listed().values() if one.endpoint.owner in ibs and one.state != "removed")


def found(desk: Endpoints, ibs: Collection[str], endpoint_id: str) -> Known:
    """One of theirs; of somebody else's as of one that there is not."""
    known = next((one for one in owned(desk, ibs) if one.endpoint.endpoint_id == endpoint_id), None)
    if known is None:
        raise Problem(404, f"You have no endpoint {endpoint_id}.", code="unknown_endpoint")
    return known


def make(desk: Endpoints, by: Operator, wanted: OwnEndpointForm, levels: int) -> Saved:
    """Keep a new one of the IB's; its secret is told this once."""
    ibs = own_ibs(by)
    if wanted.ib not in ("" if len(ibs) == 1 else ibs[0], *ibs):
        raise Problem(422, "Name one of your own IBs as `ib`.", code="unknown_ib_named")
    ib = wanted.ib or ibs[0]
    limits = {"timeout": TIMEOUT_S, "concurrency": CONCURRENCY, "rate_per_minute": RATE_PER_MINUTE}
    form = _form(wanted, id_of(ib, wanted.name), [ib] if wanted.own_only else [], limits)
    return desk.save(form, "", by, is_new=True, own=Own(ib, levels))


def change(desk: Endpoints, by: Operator, known: Known, wanted: OwnEndpointChange) -> Saved:
    """Another version of one; what the broker made narrower or slower of it stays so."""
    one = known.endpoint
    others = [ib for ib in one.ibs if ib != one.owner]
    kept = {
        "timeout": one.timeout_ms / 1_000,
        "concurrency": one.concurrency,
        "rate_per_minute": one.rate_per_minute,
        "fields": [*one.fields],
        "countries": [*one.countries],
        "subtrees": [*one.subtrees],
        "min_payout": None if one.min_payout is None else plain(one.min_payout),
        "since": one.since,
        "delay": one.delay_s,
        "ordered": one.is_ordered,
    }
    form = _form(wanted, one.endpoint_id, [one.owner] if wanted.own_only else others, kept)
    return desk.save(form, "", by, is_new=False)


def id_of(ib: str, name: str) -> str:
    """The id of an IB's endpoint: a name that is taken tells it nothing of others."""
    return f"{OWN_PREFIX}{digest('own endpoint', ib)[:12]}-{name}"


def check_resume(known: Known, by: Operator) -> None:
    """Raise `EndpointRefused` where the broker paused it: the one who did resumes it."""
    if known.state != "active" and known.changed_by not in (by.name, DISPATCHER):
        raise EndpointRefused("the broker paused it, and resumes it")


def _first(error: ValidationError) -> str:
    message = error.errors(include_input=False, include_url=False)[0]["msg"]
    return f"{message.removeprefix('Value error, ')}."


def _form(
    wanted: OwnEndpointChange, endpoint_id: str, ibs: list[str], of_broker: dict[str, Any]
) -> EndpointForm:
    """Raise `Unusable` or `Problem` where it may not be."""
    if hidden := sorted(macros_of(wanted.url) & NOT_OF_IBS):
        raise Unusable(f"`{{{hidden[0]}}}` is not sent to IBs; `{{client_ref}}` tells clients apart")
    said = ("url", "preset", "events", "signing", "trades")
    try:
        return EndpointForm(
            id=endpoint_id, ibs=ibs, **{name: getattr(wanted, name) for name in said}, **of_broker
        )
    except ValidationError as error:
        raise Problem(422, _first(error), code="invalid_request") from None
