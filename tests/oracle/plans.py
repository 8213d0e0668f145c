"""Random plans: every kind and option of the plan language, without ambiguity."""

from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from commission.terms.components import (
    CohortBonus,
    CommissionShare,
    Cpa,
    CpaAmount,
    Cpl,
    DealComponent,
    DepositShare,
    PerLot,
    Pips,
    ProfitShare,
    Rebate,
    RevenueShare,
    SpreadShare,
    SwapShare,
    Turnover,
)
from commission.terms.plans import Budget, Clawback, PlanDefined
from commission.terms.rates import Band, Caps, LotFactor, Override, RankRates, Rate, Tiers, When
from tests.build import SERVER, at
from tests.oracle.dice import (
    CANONICAL,
    CHANNELS,
    CLASSES,
    COUNTRIES,
    DEAL_KINDS,
    MODES,
    PERIOD_FEATURES,
    PREFIXES,
    RANKS,
    REASONS,
    Dice,
    number,
    pick,
)

PER = ("identity", "client")
"""Whom a CPA is paid once for."""


def random_plans(dice: Dice, currencies: list[str], clients: list[str]) -> list[PlanDefined]:
    """One to four plans; a kind has the same override mode in all of them."""
    rng = dice.of("plans")
    modes = {
        kind: pick(
            dice.of(f"mode {kind}"), [m for m in MODES if f"mode:{m}" in dice.features] or ["difference"]
        )
        for kind in DEAL_KINDS
    }
    plans = []
    clawback = random_clawback(dice)
    budget = random_budget(dice)
    dice.has_budget = budget is not None
    for n in range(rng.randint(1, 4)):
        base = PlanDefined(
            plan_id=f"plan-{n}",
            version=1,
            currency=pick(rng, currencies),
            components=random_components(dice, n, modes, clients),
            kyc_gate=rng.random() < 0.4 and (not dice.on("cpl_gate", 0.4) or "gate_and_kyc" in dice.features),
            self_referral=rng.random() < 0.3,
            clawback=clawback,
            budget=budget,
        )
        if dice.on("plan_when", 0.3):
            base = replace(base, when=random_when(dice.of(f"plan when {n}"), slices=False))
        if dice.on("lot_factors", 0.3):
            base = replace(base, lot_factors=random_lot_factors(dice.of(f"lot factors {n}")))
        settled = any(dice.on(feature, 0.4) for feature in (*PERIOD_FEATURES, "net_share"))
        if dice.on("forfeit", 0.2) and not settled:
            base = replace(base, kyc_gate=True, kyc_forfeit_days=dice.of("forfeit days").randint(3, 20))
        plans.append(base)
        if settled and dice.on("tier_versions", 0.9):
            plans += later_tiers(dice, base)
        if dice.on("versions", 0.3) and not settled and dice.of(f"version of {n}").random() < 0.5:
            later = random_components(dice.again(n), n, modes, clients)
            plans.append(
                replace(
                    base, version=2, since=at(dice.of(f"version {n}").randint(10, 60), 7), components=later
                )
            )
    return plans


def later_tiers(dice: Dice, base: PlanDefined) -> list[PlanDefined]:
    """Another version of a plan with tiers in the middle of things: other bands, other rates, or no tiers."""
    rng = dice.of(f"tier version {base.plan_id}")
    tiered = [c for c in base.components if c.kind in DEAL_KINDS and c.tiers is not None]
    if not tiered or any(c.tiers.mode == "level" for c in tiered):
        return []  # README.md, 49

    def changed(component: Any) -> Any:
        if component not in tiered:
            return component
        tiers = random_tiers(rng, pick(rng, ("slab", "graduated")), dice.features)
        rates = tuple(replace(rate, value=rate.value * 2) for rate in component.rates)
        return replace(
            component,
            tiers=pick(rng, (tiers, tiers, component.tiers, None)),
            rates=pick(rng, (rates, component.rates)),
        )

    components = tuple(map(changed, base.components))
    return [replace(base, version=2, since=at(rng.randint(5, 50), 7), components=components)]


def random_components(dice: Dice, n: int, modes: dict[str, str], clients: list[str]) -> tuple[Any, ...]:
    """One to three for deals, then those for clients and periods whose features are on."""
    rng = dice.of(f"components {n}")
    kinds = [kind for kind in DEAL_KINDS if f"kind:{kind}" in dice.features]
    chosen = [pick(rng, kinds) for _ in range(rng.randint(1, 3))] if kinds else []
    if not dice.on("two_of_a_kind", 0.3):
        chosen = sorted(set(chosen))
    found = [
        random_deal_component(dice, f"{n}.{place}", kind, modes[kind], clients, alone=chosen.count(kind) == 1)
        for place, kind in enumerate(chosen)
    ]
    if dice.on("kind:rebate", 0.3) and rng.random() < 0.7:
        found.append(random_rebate(dice, n, clients))
    return (*found, *random_client_components(dice, n))


def random_table(dice: Dice, topic: str, grid: tuple[str, str, str], clients: list[str]) -> tuple[Rate, ...]:
    """Rates without ambiguity: each place once, and there one variant by country or by date."""
    rng = dice.of(f"table {topic}")
    matches = [m for m in ("*", *CLASSES, *PREFIXES, *CANONICAL) if rng.random() < 0.25] or ["*"]
    places: list[dict[str, Any]] = [{"match": match} for match in matches]
    if "rate_details" in dice.features and rng.random() < 0.6:
        details: list[dict[str, Any]] = [
            {"group": "real\\*"},
            {"group": "real\\ecn*"},
            {"group": "real\\ecn"},
            {"login": f"{SERVER}/1"},
            {"login": f"{SERVER}/2", "group": "real\\*"},
            {"client": pick(rng, clients)},
        ]
        if "group_masks" in dice.features:
            masks = ("*\\std,!cent*", "Real\\EC?", "REAL\\STD,cent\\*")
            details += [{"group": mask} for mask in masks]
        places += [{"match": pick(rng, matches), **d} for d in details if rng.random() < 0.3]
        variants = []
        for place in places:
            if rng.random() < 0.3:
                variants.append({**place, "country": pick(rng, COUNTRIES)})
            elif rng.random() < 0.2:
                variants.append({**place, "since": at(rng.randint(5, 30)), "until": at(rng.randint(31, 70))})
        places += variants
    return tuple(Rate(value=number(rng, *grid), **place) for place in places)


GRIDS = {
    "per_lot": ("0", "10", "0.5"),
    "turnover": ("1", "40", "1"),
    "pips": ("0.1", "1.5", "0.1"),
    "spread_share": ("0.05", "0.6", "0.05"),
    "commission_share": ("0.05", "0.6", "0.05"),
    "swap_share": ("0.05", "0.6", "0.05"),
    "profit_share": ("0.01", "0.3", "0.01"),
    "revenue_share": ("0.05", "0.5", "0.05"),
}


def random_deal_component(  # noqa: C901, PLR0911 — one branch a kind
    dice: Dice,
    topic: str,
    kind: str,
    mode: str,
    clients: list[str],
    *,
    alone: bool,
) -> DealComponent:
    """A component for deals with everything a component can have."""
    rng = dice.of(f"component {topic} {kind}")
    changes = ("schedule", "versions", "reassign", "reparent", "planless", "terminated")
    hedges = "hedged_midway" in dice.features or not any(dice.on(change, 0.4) for change in changes)
    grid = GRIDS[kind]
    shared: dict[str, Any] = {
        "name": f"{kind}-{topic.split('.')[1]}",
        "rates": random_table(dice, topic, grid, clients),
        "entry": pick(rng, ("in", "out", "both")),
        "override": random_override(dice, topic, mode, grid, clients),
    }
    if dice.on("first_leg", 0.3) and kind == "per_lot":
        shared["close_by"] = "one_side" if dice.on("one_side", 0.5) else "first_leg"
    if dice.on("when", 0.4) and dice.of(f"when? {topic}").random() < 0.6:
        slices = shared["entry"] == "out" and dice.on("when_slices", 0.7)
        shared["when"] = random_when(dice.of(f"when {topic}"), slices=slices)
    if dice.on("credit_coefficient", 0.2):
        shared["credit_coefficient"] = rng.random() < 0.5
    if dice.on("hedged", 0.3) and hedges and kind in ("per_lot", "turnover", "pips"):
        shared |= {"hedged": True, "entry": "in"}
    shared |= random_limits(dice, topic, mode, alone)
    match kind:
        case "per_lot":
            return PerLot(**shared, standardised=rng.random() < 0.7 or "raw_lots" not in dice.features)
        case "turnover":
            return Turnover(**shared, unit=pick(rng, ("million", "bps")))
        case "pips":
            return Pips(**shared, unit=pick(rng, ("pip", "point")))
        case "spread_share":
            return random_spread(rng, shared, bounded="bounded_markup" in dice.features)
        case "commission_share":
            later = dice.on("charges", 0.4) and dice.of(f"charges {topic}").random() < 0.7
            return CommissionShare(**shared, charges=later)
        case "swap_share":
            return SwapShare(**shared)
    return ProfitShare(**shared, of=pick(rng, ("loss", "profit")))


def random_spread(rng: Random, shared: dict[str, Any], *, bounded: bool) -> SpreadShare:
    """Any basis, with averages of its own half of the time."""
    basis = pick(rng, ("execution", "open", "average", "table", "markup"))
    averages = (Rate(value=number(rng, "0.5", "3", "0.1"), match="class:forex"),)
    return SpreadShare(
        **shared,
        basis=basis,
        average_pips=averages if rng.random() < 0.4 and basis != "table" else (),
        markup_pips=(
            Rate(value=number(rng, "0.1", "2", "0.1")),
            Rate(value=number(rng, "0.1", "2", "0.1"), match="class:forex"),
        ),
        cap_pips=number(rng, "0.5", "3", "0.1") if rng.random() < 0.3 else None,
        at_most_average=rng.random() < 0.3 and (basis != "markup" or bounded),
        plus_pips=number(rng, "0", "0.5", "0.1") if rng.random() < 0.3 else Decimal(0),
    )


def random_limits(dice: Dice, topic: str, mode: str, alone: bool) -> dict[str, Any]:  # noqa: FBT001
    """Caps and tiers; by period only where each IB has its own plan and one component of the kind."""
    rng = dice.of(f"limits {topic}")
    found: dict[str, Any] = {}
    caps: dict[str, Decimal] = {}
    if dice.on("cap_per_deal", 0.3) and mode != "rank":
        caps["per_deal"] = number(rng, "1", "20", "0.5")
    tiers = [t for t in ("slab", "graduated", "level") if dice.on(f"tiers:{t}", 0.25)]
    own = mode == "difference" and alone and dice.single_currency
    own = own and not (dice.has_budget and "budget_and_tiers" not in dice.features)
    if own and tiers:
        found["tiers"] = random_tiers(rng, pick(rng, tiers), dice.features)
    elif own and dice.on("period_caps", 0.3):
        low = rng.randint(2, 20)
        caps |= {"per_day": Decimal(low), "per_week": Decimal(low * 2), "per_period": Decimal(low * 3)}
        for name in rng.sample(("per_day", "per_week", "per_period"), rng.randint(0, 2)):
            del caps[name]
    return found | {"caps": Caps(**caps)} if caps else found


def random_tiers(rng: Random, mode: Any, features: frozenset[str]) -> Tiers:
    """Two bands, by factor; by rates where it is no level."""
    by, start = pick(
        rng,
        (
            ("lots", Decimal(1)),
            ("count", Decimal(2)),
            ("active_clients", Decimal(1)),
            ("amount", Decimal(10)),
        ),
    )
    promote = pick(rng, ("next_day", "next_period"))
    if mode == "level" and by == "active_clients" and "level_active_clients" not in features:
        by = "count"
    if mode == "level" and "level_next_period" not in features:
        promote = "next_day"
    rates = (Rate(value=Decimal("3.5")),)
    bands = (
        Band(start=start, factor=Decimal("1.5")),
        Band(start=start * 3, rates=rates)
        if rng.random() < 0.3
        else Band(start=start * 3, factor=Decimal(2)),
    )
    return Tiers(
        by=by,
        bands=bands,
        mode=mode,
        lookback_periods=rng.randint(0, 2) if mode == "level" else 0,
        promote=promote,
        grace_periods=rng.randint(0, 1) if mode == "level" else 0,
        step=rng.randint(0, 1) if mode == "level" and "level_step" in features else 0,
        active_min_lots=Decimal("0.5"),
    )


def random_when(rng: Random, *, slices: bool) -> When:
    """A few conditions, weak enough to let deals through."""
    found: dict[str, Any] = {}
    options: list[dict[str, Any]] = [
        {"sides": (pick(rng, ("buy", "sell")),)},
        {"result": pick(rng, ("profit", "loss"))},
        {"reasons": tuple(rng.sample(REASONS, 2))},
        {"groups": ("real\\*",)},
        {"groups": ("Real\\*", "cent*", "!*gold")},
        {"countries": tuple(rng.sample(COUNTRIES, 2))},
        {"countries_not": (pick(rng, COUNTRIES),)},
        {"channels": (pick(rng, CHANNELS),)},
        {"charged": True},
        {"negative_balance": False},
    ]
    if slices:
        options += [
            {"min_holding_s": rng.randint(1, 20) * 86_400},
            {"min_pips": number(rng, "1", "40", "1")},
            {"same_price": False},
        ]
    for option in rng.sample(options, rng.randint(1, 2)):
        found |= option
    return When(**found)


def random_override(
    dice: Dice, topic: str, mode: str, grid: tuple[str, str, str], clients: list[str]
) -> Override:
    """The options of one mode."""
    rng = dice.of(f"override {topic} {mode}")
    match mode:
        case "absolute":
            tables = (
                random_table(dice, f"{topic} level {n}", grid, clients) for n in range(rng.randint(0, 3))
            )
            return Override(mode="absolute", levels=tuple(tables))
        case "cascade" if dice.on("pass_unit_rate", 0.4):
            entries = tuple(number(rng, *grid) for _ in range(rng.randint(1, 3)))
            return Override(mode="cascade", pass_up=entries, pass_unit="rate")  # noqa: S106 — no password
        case "cascade":
            entries = tuple(number(rng, "0.05", "0.9", "0.05") for _ in range(rng.randint(1, 3)))
            return Override(mode="cascade", pass_up=entries)
        case "split":
            shares = (
                (Decimal("0.7"), Decimal("0.3")),
                (Decimal("0.6"), Decimal("0.25"), Decimal("0.15")),
                (Decimal("0.333"), Decimal("0.333"), Decimal("0.334")),
            )
            return Override(mode="split", shares=pick(rng, shares))
        case "rank":
            ranks = (
                RankRates(rank=rank, rates=random_table(dice, f"{topic} {rank}", grid, clients))
                for rank in RANKS
            )
            return Override(mode="rank", ranks=tuple(ranks))
    return Override()


def random_rebate(dice: Dice, n: int, clients: list[str]) -> Rebate:
    """Money back, per lot or of the IB's accruals."""
    rng = dice.of(f"rebate {n}")
    share = dice.on("rebate_share", 0.5)
    return Rebate(
        name="rebate",
        rates=random_table(dice, f"rebate {n}", ("0.1", "0.5", "0.05"), clients),
        entry=pick(rng, ("in", "out", "both")),
        unit="share" if share else "lot",
        funded_by="ib" if dice.on("rebate_by_ib", 0.5) else "broker",
    )


def random_lot_factors(rng: Random) -> tuple[LotFactor, ...]:
    """By symbol, by group, by both."""
    options = (
        LotFactor(factor=Decimal("0.4"), group="real\\ecn*"),
        LotFactor(factor=Decimal("0.5"), match="XAUUSD"),
        LotFactor(factor=Decimal("1.5"), match="class:forex"),
        LotFactor(factor=Decimal("0.1")),
    )
    return tuple(rng.sample(options, rng.randint(1, 3)))


def random_budget(dice: Dice) -> Budget | None:
    """The same budget on every plan, so that it is on that of the lowest IB."""
    rng = dice.of("budget")
    terms = pick(rng, (("spread", "commission"), ("spread",), ("spread", "commission", "swap")))
    share = number(rng, "0.1", "0.9", "0.1")
    possible = dice.single_currency or "budget_currencies" in dice.features
    return Budget(share=share, revenue=terms) if dice.on("budget", 0.2) and possible else None


def random_clawback(dice: Dice) -> Clawback:
    """The same on every plan; the default where no feature says otherwise."""
    rng = dice.of("clawback")
    scopes = [scope for scope in ("cpa", "activity", "all", "none") if f"scope:{scope}" in dice.features]
    if "none_of_client" not in dice.features:
        scopes = [scope for scope in scopes if scope != "none"]
    chosen = [pick(rng, scopes or ["cpa"]) for _ in range(3)]
    return Clawback(
        window_days=pick(rng, (180, 30, 15)) if "broken_days" in dice.features else 180,
        chargeback=chosen[0],
        refund=chosen[1],
        deposit_reversal=chosen[2],
        kyc_revoked="all" if dice.on("kyc_revoked", 0.3) else "none",
        bonus_removed="all" if dice.on("fraud", 0.3) else "none",
        fraud=pick(rng, ("all", "all", "none")) if "fraud_none" in dice.features else "all",
    )


def random_client_components(dice: Dice, n: int) -> tuple[Any, ...]:
    """CPA in one or two stages, CPL, a share of deposits; the conditions are those of every plan."""
    rng, shared = dice.of(f"for clients {n}"), dice.of("for clients")
    found: list[Any] = []
    clawback = random_clawback(dice)
    scopes = (clawback.chargeback, clawback.refund, clawback.deposit_reversal)
    whole = "all" in (*scopes, clawback.kyc_revoked) or dice.on("fraud", 0.3)
    if whole and "all_of_client" not in dice.features:
        return () if clawback.kyc_revoked == "all" else random_period_components(dice, n)
    stages = 2 if dice.on("cpa_stages", 0.4) else 1
    conditions = [random_cpa_conditions(dice, stage) for stage in range(stages)]
    comparable = dice.single_currency or "cpa_currencies" in dice.features
    if dice.on("kind:cpa", 0.6) and comparable and rng.random() < 0.8:
        found += [
            Cpa(
                name=f"cpa-{stage}",
                amounts=random_amounts(rng, floored="cpa_country_floor" in dice.features),
                **conditions[stage],
                **random_cpa_when(dice, stage),
                cpa_per=pick(dice.of(f"cpa per {n}"), PER) if dice.on("cpa_per", 0.3) else "identity",
            )
            for stage in range(stages)
        ]
    if dice.on("kind:cpl", 0.3) and rng.random() < 0.8:
        kyc, rate = shared.random() < 0.6, Decimal("0.5") if dice.on("cpl_gate", 0.4) else Decimal(0)
        amounts = (CpaAmount(amount=number(rng, "1", "20", "1")), CpaAmount(amount=Decimal(7), country="DE"))
        found.append(Cpl(name="cpl", amounts=amounts, kyc=kyc, min_ftd_rate=rate))
    shareable = dice.single_currency or "deposit_currencies" in dice.features
    if dice.on("kind:deposit_share", 0.3) and rng.random() < 0.8 and shareable:
        of = pick(shared, ("each", "first"))
        most = number(rng, "1", "10", "1") if rng.random() < 0.3 else None
        share = number(rng, "0.005", "0.05", "0.005")
        found.append(DepositShare(name="deposits", share=share, of=of, max_amount=most))
    if dice.on("net_share", 0.3) and rng.random() < 0.8 and dice.single_currency:
        found.append(DepositShare(name="net", share=number(rng, "0.005", "0.05", "0.005"), of="net"))
    return (*found, *random_period_components(dice, n))


def random_cpa_when(dice: Dice, stage: int) -> dict[str, Any]:
    """Which deals the stage counts: the same in every plan, as the lowest IB's conditions count."""
    rng = dice.of(f"cpa when {stage}")
    if not dice.on("cpa_when", 0.3) or rng.random() < 0.4:
        return {}
    symbols = pick(rng, ((), ("EURUSD",), ("class:forex", "XAU*")))
    return {"when": random_when(rng, slices=False), "symbols": symbols}


def random_period_components(dice: Dice, n: int) -> tuple[Any, ...]:
    """A revenue share of direct clients, a bonus for cohorts; in the one currency of the broker."""
    rng = dice.of(f"for periods {n}")
    found: list[Any] = []
    if not dice.single_currency:
        return ()
    if dice.on("kind:revenue_share", 0.4) and rng.random() < 0.8:
        terms = pick(
            rng, (("spread", "commission", "swap"), ("commission", "client_result"), ("client_result",))
        )
        found.append(
            RevenueShare(
                name="revenue",
                rates=(Rate(value=number(rng, *GRIDS["revenue_share"])),),
                entry=pick(rng, ("in", "out", "both")),
                override=Override(mode="absolute"),
                terms=terms,
                carry_over=rng.random() < 0.6,
                commission_entry="as_entry" if dice.on("commission_by_entry", 0.3) else "both",
                scope=pick(rng, ("ib", "client")),
            )
        )
    if dice.on("kind:cohort_bonus", 0.4) and rng.random() < 0.8:
        lots = number(rng, "0.1", "1", "0.1")
        found.append(CohortBonus(name="cohort", amount=Decimal(50), clients=rng.randint(1, 2), min_lots=lots))
    return tuple(found)


def random_amounts(rng: Random, *, floored: bool) -> tuple[CpaAmount, ...]:
    """By deposit and country; the least deposit is above 0."""
    amounts = [CpaAmount(amount=number(rng, "50", "400", "50"), min_deposit=Decimal(100))]
    if rng.random() < 0.5:
        amounts.append(CpaAmount(amount=number(rng, "200", "600", "50"), min_deposit=Decimal(500)))
    if rng.random() < 0.3:
        floor = Decimal(200) if floored else Decimal(100)
        amounts.append(CpaAmount(amount=number(rng, "50", "600", "50"), min_deposit=floor, country="AE"))
    return tuple(amounts)


def random_cpa_conditions(dice: Dice, stage: int) -> dict[str, Any]:
    """A few of the conditions, the same in all plans."""
    rng = dice.of(f"cpa {stage}")
    can_vary = "ftd_taken_back" in dice.features or not dice.on("chargebacks", 0.5)
    found: dict[str, Any] = {
        "ftd_window_hours": pick(rng, (1, 24, 240)) if can_vary else 2400,
        "qualification_days": pick(rng, (30, 60, 90)),
        "clawback_days": pick(rng, (10, 30, 60)),
        "requalify": rng.random() < 0.7 or "no_requalify" not in dice.features,
        "business_days": dice.on("cpa_business_days", 0.3),
        "net_deposits": dice.on("net_deposits", 0.4),
    }
    options: list[dict[str, Any]] = [
        {"min_lots": number(rng, "0.5", "2", "0.5")},
        {"min_trades": rng.randint(1, 4)},
        {"min_spread": Decimal(rng.randint(1, 10))},
        {"min_turnover": Decimal(rng.randint(1, 100))},
        {"min_lots": Decimal("0.5"), "min_holding_s": 86_400 * rng.randint(1, 10)},
        {"countries": tuple(rng.sample(COUNTRIES, 2))},
    ]
    for option in rng.sample(options, rng.randint(0, 2)):
        found |= option
    if dice.on("identities", 0.5):
        return {name: asked for name, asked in found.items() if not name.startswith(("min", "countries"))}
    return found
