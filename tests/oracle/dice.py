"""Random choices, topic by topic, and the features that can be off; symbols and words to choose from."""

from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

from tests.build import symbol

DEAL_KINDS = (
    "per_lot",
    "turnover",
    "pips",
    "spread_share",
    "commission_share",
    "swap_share",
    "profit_share",
)
MODES = ("difference", "absolute", "cascade", "split", "rank")
DEAL_FEATURES = (
    *(f"kind:{kind}" for kind in DEAL_KINDS),
    *(f"mode:{mode}" for mode in MODES),
    "two_of_a_kind",
    "rate_details",
    "currencies",
    "reparent",
    "suspended",
    "terminated",
    "schedule",
    "versions",
    "planless",
    "reassign",
    "self_referral",
    "close_by",
    "netting",
    "noise",
    "revisions",
    "cancels",
    "contract_sizes",
)
CONDITION_FEATURES = (
    "factor",
    "when",
    "when_slices",
    "plan_when",
    "cap_per_deal",
    "budget",
    "hedged",
    "lot_factors",
    "first_leg",
    "credit_coefficient",
    "kind:rebate",
    "rebate_by_ib",
    "rebate_share",
    "cancel_openings",
    "unknown_spread",
)
CLIENT_FEATURES = (
    "kind:cpa",
    "cpa_stages",
    "cpa_business_days",
    "kind:cpl",
    "cpl_gate",
    "kind:deposit_share",
    "net_deposits",
    "net_share",
    "chargebacks",
    "partial_chargebacks",
    "scope:cpa",
    "scope:activity",
    "scope:all",
    "scope:none",
    "fraud",
    "kyc_revoked",
    "forfeit",
    "fraud_none",
    "withdrawals",
    "chargeback_won",
    "won_in_any_way",
    "told_again",
    "cpa_when",
    "cpa_per",
    "identities",
    "identity_later",
)
PERIOD_FEATURES = (
    "period_caps",
    "tiers:slab",
    "tiers:graduated",
    "tiers:level",
    "kind:revenue_share",
    "kind:cohort_bonus",
    "cpa_tiers",
)
ORDER_FEATURES = ("shuffle",)
OWNER_FEATURES = ("relink_back", "moves", "moved_openings", "edits")
CALENDAR_FEATURES = ("calendars", "tier_versions", "long_history")
TERMS_FEATURES = ("dated_symbols", "group_masks", "refunds", "one_side", "commission_by_entry", "charges")
SETTLED = (
    "pass_unit_rate",
    "cpa_country_floor",
    "broken_days",
    "deposit_currencies",
    "unreferred",
    "no_requalify",
    "bounded_markup",
    "relink",
    "raw_lots",
    "none_of_client",
    "cpa_currencies",
    "level_active_clients",
    "level_step",
    "budget_currencies",
    "level_next_period",
    "slice_quotes",
    "unknown_openings",
    "ftd_taken_back",
    "gate_and_kyc",
    "hedged_midway",
    "thirds_taken_back",
)
"""Once read differently by core and oracle, now alike."""
DISPUTED = frozenset(
    (
        "unsplit_inout",
        "all_of_client",
        "budget_and_tiers",
    )
)
"""What core and oracle read differently; README.md says how, by number."""
FEATURES = frozenset(
    (
        *DEAL_FEATURES,
        *CONDITION_FEATURES,
        *CLIENT_FEATURES,
        *PERIOD_FEATURES,
        *ORDER_FEATURES,
        *OWNER_FEATURES,
        *CALENDAR_FEATURES,
        *TERMS_FEATURES,
        *SETTLED,
        *DISPUTED,
    )
)
"""Every switch; `random_broker` draws only from those it is given."""
AGREED = FEATURES - DISPUTED

LAST_DAY = 75
GROUPS = ("real\\std", "real\\ecn", "real\\ecn\\gold", "cent\\std")
COUNTRIES = ("DE", "AE", "TH")
CHANNELS = ("search", "email")
REASONS = ("client", "expert", "mobile")
RANKS = ("bronze", "silver", "gold")
PRICES = {
    "EURUSD": Decimal("1.1"),
    "EURUSDc": Decimal("1.1"),
    "USDJPY": Decimal(150),
    "XAUUSD": Decimal(2400),
    "ESZ6": Decimal(5000),
}
SYMBOLS = (
    symbol("EURUSD forex 100000 USD 0.0001", base_currency="EUR", digits=5, average_pips=Decimal("1.3")),
    symbol(
        "EURUSDc forex 1000 USD 0.0001",
        canonical="EURUSD",
        standard_contract_size=Decimal(100_000),
        base_currency="EUR",
        digits=5,
        average_pips=Decimal("1.7"),
    ),
    symbol("USDJPY forex 100000 JPY 0.01", base_currency="USD", digits=3, average_pips=Decimal("1.1")),
    symbol("XAUUSD metals 100 USD 0.01", digits=2, average_pips=Decimal(25)),
    symbol(
        "ESZ6 futures 1 USD 0.25",
        digits=2,
        average_pips=Decimal(1),
        tick_size=Decimal("0.25"),
        tick_value=Decimal("12.5"),
    ),
)
CANONICAL = ("EURUSD", "USDJPY", "XAUUSD", "ESZ6")
PREFIXES = ("EUR*", "XAU*", "USD*")
CLASSES = ("class:forex", "class:metals", "class:futures")


class Dice:
    """Random choices of one broker; each topic has its own, so that one feature moves no other."""

    def __init__(self, seed: int, features: Iterable[str]) -> None:
        """All choices follow from the seed and the features."""
        self.seed, self.features = seed, frozenset(features)
        self.single_currency = False
        self.has_budget = False

    def again(self, n: int) -> "Dice":
        """Other choices, for another version of plan n."""
        other = Dice(self.seed * 10 + n + 1_000_000, self.features)
        other.single_currency, other.has_budget = self.single_currency, self.has_budget
        return other

    def of(self, topic: str) -> Random:
        """The choices of one topic."""
        return Random(f"{self.seed}/{topic}")

    def on(self, feature: str, chance: float) -> bool:
        """Whether a feature is used: never if it is off."""
        return self.of(f"on {feature}").random() < chance and feature in self.features


def pick(rng: Random, things: Iterable[Any]) -> Any:
    """One of them."""
    return rng.choice(list(things))


def number(rng: Random, low: str, high: str, step: str) -> Decimal:
    """A decimal on a grid."""
    return Decimal(low) + Decimal(step) * rng.randint(0, int((Decimal(high) - Decimal(low)) / Decimal(step)))
