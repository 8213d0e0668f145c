"""What networks call things: statuses by event, how a conversion is made void, what an answer means."""

from collections.abc import Mapping
from dataclasses import dataclass

from commission.postbacks.records import Reversal


@dataclass(frozen=True, slots=True)
class Preset:
    """A network's own vocabulary. An endpoint that names it may say otherwise in each point."""

    name: str
    query: str
    """The query of a GET with the network's own parameter names."""
    statuses: Mapping[str, str]
    """Event → status; other events have no status there."""
    reversal: Reversal
    changes: frozenset[tuple[str, str]] | None = None
    """From which status a conversion may go to which; None is any to any other."""
    must_not_match: str = ""
    """What an answer has that refuses the postback, whatever its status."""


_LEADS = ("registration", "kyc.approved")
_SALES = ("deposit", "ftd", "first_trade", "cpa.qualified")


def _statuses(lead: str, sale: str, void: str) -> dict[str, str]:
    return {**dict.fromkeys(_LEADS, lead), **dict.fromkeys(_SALES, sale), "cpa.clawback": void}


GENERIC = Preset("", "", _statuses("pending", "approved", "declined"), "event")
PRESETS: dict[str, Preset] = {
    one.name: one
    for one in (
        Preset(
            "keitaro",
            "subid={click_id}&status={status}&payout={payout}&currency={currency}&tid={txid}",
            _statuses("lead", "sale", "rejected"),
            "same",
            frozenset({("lead", "sale"), ("lead", "rejected"), ("sale", "rejected"), ("rebill", "rejected")}),
        ),
        Preset(
            "affise",
            "clickid={click_id}&action_id={txid}&status={status}&sum={payout}&goal={goal}",
            _statuses("2", "1", "3"),
            "same",
            frozenset({("2", "1"), ("2", "3"), ("5", "1"), ("5", "3"), ("1", "3")}),
        ),
        Preset(
            "binom",
            "cnv_id={click_id}&payout={payout}&cnv_status={status}",
            _statuses("lead", "approve", "reject"),
            "same",
        ),
        Preset(
            "voluum",
            "cid={click_id}&payout={payout}&currency={currency}&txid={txid}&et={event}",
            _statuses("pending", "approved", "declined"),
            "event",
        ),
        Preset(
            "everflow",
            "transaction_id={click_id}&event={event}&amount={payout}&order_id={txid}",
            _statuses("pending", "approved", "rejected"),
            "event",
        ),
        Preset(
            "tune",
            "transaction_id={click_id}&amount={payout}&adv_sub={txid}&goal_name={goal}",
            _statuses("pending", "approved", "rejected"),
            "event",
            must_not_match="success=false",
        ),
    )
}
"""By name. Keitaro's and Affise's statuses and transitions are those of their documents; a network set up
otherwise is written as `statuses` and `reversal` of the endpoint."""


def preset_of(name: str) -> Preset:
    """The preset of a name; "" is the generic one."""
    return PRESETS.get(name, GENERIC)
