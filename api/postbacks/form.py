"""An endpoint as a person writes it, in YAML or over the API: checked before it is kept."""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from api.postbacks.macros import FACTS, PERSONAL, check_template, macros_of, masked
from api.postbacks.public_addresses import Policy, check_url
from api.postbacks.signing import decode_secret, is_of
from commission.outputs import ON_DEMAND, MilestoneKind
from commission.postbacks.presets import PRESETS, preset_of
from commission.postbacks.records import MAX_CONCURRENCY, MAX_DELAY_S, Endpoint, Reversal

TOTAL_TIMEOUT_S = 15.0
EVENTS: tuple[str, ...] = get_args(MilestoneKind)
MAX_URL = 2_000
MAX_NAMES = 200

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Names = Annotated[list[Name], Field(max_length=MAX_NAMES)]
Words = Annotated[str, Field(max_length=200)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class EndpointForm(BaseModel):
    """Everything of an endpoint but its secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Id = Field(description="For ever: attempts are remembered under it.")
    url: Annotated[str, Field(max_length=MAX_URL)] = Field(
        description="With macros in its query; with a preset and no query, the preset's own."
    )
    method: Literal["GET", "POST"] | None = Field(None, description="GET with a preset, else POST.")
    preset: str = Field("", description=f"{', '.join(PRESETS)}; empty: no network's own words.")
    events: Annotated[list[str], Field(max_length=MAX_NAMES)] = Field(
        [], description=f"Empty: all but {', '.join(sorted(ON_DEMAND))}, which are said once they are named."
    )
    ibs: Names = Field([], description="Events of these IBs' own clients; empty: all.")
    subtrees: Names = Field([], description="Events of these IBs and of all below them.")
    countries: Annotated[list[Country], Field(max_length=MAX_NAMES)] = []
    min_payout: Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$")] | None = None
    since: datetime | Literal["beginning"] | None = Field(
        None, description="Events of an earlier time are not sent."
    )
    delay: Annotated[int, Field(ge=0, le=MAX_DELAY_S)] = Field(0, description="Seconds.")
    fields: Annotated[list[str], Field(max_length=100)] = Field(
        [], description="Facts that may be sent; empty: all that are not personal."
    )
    statuses: dict[str, Words] = Field({}, description="Event → status, before the preset's.")
    reversal: Reversal | None = Field(None, description="How a conversion is made void; empty: the preset's.")
    success: Annotated[list[Annotated[int, Field(ge=200, le=599)]], Field(max_length=50)] = Field(
        [], description="Statuses that mean delivered; empty: 2xx."
    )
    must_match: Words = Field("", description="What the answer has if it was taken.")
    must_not_match: Words | None = Field(None, description="What it has if it was not; empty: the preset's.")
    timeout: Annotated[float, Field(ge=0.1, le=TOTAL_TIMEOUT_S)] = TOTAL_TIMEOUT_S
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] = 8
    rate_per_minute: Annotated[int, Field(ge=0, le=600_000)] = Field(0, description="0: no limit.")
    ordered: bool = Field(default=False, description="A client's events wait for each other.")
    trades: Literal["each", "sampled", "daily"] = Field(
        "each", description="How `trade.closed` comes: each, one of `sample`, or one event a client and day."
    )
    sample: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    signing: Literal["hmac", "ed25519"] = "hmac"
    allow_http: bool = False
    allow_private: bool = Field(default=False, description="For one's own machine only.")

    @field_validator("events")
    @classmethod
    def _known_events(cls, events: list[str]) -> list[str]:
        return [_one_of(event, EVENTS, "event") for event in events]

    @field_validator("statuses")
    @classmethod
    def _known_statuses(cls, statuses: dict[str, str]) -> dict[str, str]:
        return {_one_of(event, EVENTS, "event"): word for event, word in statuses.items()}

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, fields: list[str]) -> list[str]:
        return [_one_of(name, FACTS, "field") for name in fields]

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, preset: str) -> str:
        return _one_of(preset, tuple(PRESETS), "preset") if preset else ""

    @model_validator(mode="after")
    def _sound(self) -> "EndpointForm":
        check_template(self.whole_url)
        check_url(self.whole_url, Policy(self.allow_http, self.allow_private))
        if hidden := sorted(macros_of(self.whole_url) & PERSONAL - set(self.fields)):
            raise ValueError(f"{{{hidden[0]}}} is personal data; allow it by naming it in `fields`")
        return self

    @property
    def whole_url(self) -> str:
        """The URL with its query."""
        query = preset_of(self.preset).query
        return f"{self.url}?{query}" if query and "?" not in self.url else self.url

    def to_endpoint(self) -> Endpoint:
        """The endpoint without its secrets."""
        preset = preset_of(self.preset)
        refused = preset.must_not_match if self.must_not_match is None else self.must_not_match
        return Endpoint(
            endpoint_id=self.id,
            method=self.method or ("GET" if self.preset else "POST"),
            shown_url=masked(self.whole_url),
            preset=self.preset,
            events=tuple(sorted(set(self.events))),
            ibs=tuple(sorted(set(self.ibs))),
            subtrees=tuple(sorted(set(self.subtrees))),
            countries=tuple(sorted(set(self.countries))),
            min_payout=None if self.min_payout is None else Decimal(self.min_payout),
            since=_time(self.since),
            delay_s=self.delay,
            fields=tuple(name for name in FACTS if name in self.fields),
            statuses=self.statuses,
            reversal=self.reversal or preset.reversal,
            ok_statuses=tuple(sorted(set(self.success))),
            must_match=self.must_match,
            must_not_match=refused,
            timeout_ms=round(self.timeout * 1_000),
            concurrency=self.concurrency,
            rate_per_minute=self.rate_per_minute,
            is_ordered=self.ordered,
            trades=self.trades,
            sample=self.sample,
            signing=self.signing,
            allow_http=self.allow_http,
            allow_private=self.allow_private,
        )


def check_secret(secret: str, signing: str) -> str:
    """The secret, if it can sign; raise `ValueError`, which never repeats it."""
    decode_secret(secret)
    if not is_of(secret, signing):
        raise ValueError(f"the secret is not one of `signing: {signing}`")
    return secret


def _time(since: Any) -> datetime | None:
    if not isinstance(since, datetime):
        return None
    return since if since.tzinfo is not None else since.replace(tzinfo=UTC)


def _one_of(name: str, known: Collection[str], what: str) -> str:
    if name in known:
        return name
    close = get_close_matches(name, known, n=1)
    raise ValueError(
        f"the {what} {name} is unknown; "
        + (f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}")
    )
