"""Why a deal pays nothing, or nothing yet, for each reason code in a sentence a partner understands."""

REASONS: dict[str, str] = {
    "unknown_account": "The trading account is not linked to a client yet; the deal is rated once it is.",
    "unregistered_client": "The client is not registered yet; the deal is rated once it is.",
    "unknown_symbol": "The broker's terms do not know the symbol yet.",
    "unknown_ib": "The broker's terms lack an IB above the client, or a plan of one.",
    "no_ib": "No IB had referred the client at the time of the deal.",
    "no_plan": "No IB above the client had a plan that pays for deals.",
    "no_rate": "A rate of exchange for the time of the deal is missing.",
    "spread_unknown": "The platform recorded no bid and ask, and no usual spread is known.",
    "price_unknown": "The platform recorded no price, so the turnover is not known.",
    "point_unknown": "The size of a point of the symbol is not known.",
    "equity_unknown": "The platform recorded no equity and credit, which the plan needs.",
    "opening_unknown": "The opening of the position has not been seen yet.",
    "position_unknown": "The position the deal reverses has not been seen.",
    "cancelled": "The platform cancelled the deal.",
    "deleted": "The platform deleted the deal.",
    "not_a_trade": "It is an operation on the account, not a trade.",
    "service_deal": "The platform executed it by itself; no client asked for it.",
    "zero_volume": "It has no volume.",
    "incomplete_deal": "The platform's record of the deal is incomplete.",
    "fraud": "The client had been found fraudulent before the deal.",
    "forfeited": "The KYC of the client was approved too late for what the deal earned.",
    "moved_too_little": "The price did not move far enough between opening and closing.",
    "same_price": "The position was closed at the price it was opened at.",
    "suspended": "The IB was suspended at the time of the deal.",
    "self_referral": "The client is the IB itself, and the plan does not pay for own trades.",
    "entry_not_paid": "The plan pays for the other side of a position: opening or closing.",
    "close_by_second_leg": "The other leg of the close-by was paid for both.",
    "hedged": "Only the larger of bought and sold volume is paid, and this volume is not part of it.",
    "held_too_short": "The position was not held long enough.",
    "conditions_not_met": "The position was not held long enough, or its price did not move enough.",
    "side_not_paid": "The plan does not pay for this side, buy or sell.",
    "result_not_paid": "The plan does not pay for deals with this result, profit or loss.",
    "reason_not_paid": "The plan does not pay for deals placed this way.",
    "group_not_paid": "The plan does not pay for this account group.",
    "country_not_paid": "The plan does not pay for clients of this country.",
    "channel_not_paid": "The plan does not pay for clients of this channel.",
    "no_commission_charged": "The client paid no commission on the deal, and the plan asks for one.",
    "negative_balance": "The deal left the account below zero.",
    "symbol_not_covered": "The plan has no rate for the symbol.",
    "level_not_paid": "The plan pays fewer levels up than this one.",
    "nothing_due": "The rule matches the deal, and what it pays comes to nothing.",
    "over_budget": "The deal brought the broker no revenue, so there was nothing to share.",
    "settled_by_period": "It counts towards what the period brings; that is posted as a true-up.",
}
"""Every code the room gives; a test collects them from the source."""


def in_words(code: str) -> str:
    """The sentence of a code; one nobody knows has none."""
    return REASONS.get(code, "")
