"""What happens at a random broker: registrations, money, trading, revisions."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from msgspec.structs import replace

from commission.events import (
    LOT_E8,
    AccountLinked,
    ChargebackReceived,
    ChargebackWon,
    ClientFlagged,
    ClientReassigned,
    ClientRegistered,
    Deal,
    DepositCleared,
    KycChanged,
    WithdrawalPaid,
)
from tests.build import DAY_1, SERVER, at
from tests.oracle.dice import (
    CHANNELS,
    COUNTRIES,
    GROUPS,
    LAST_DAY,
    PRICES,
    REASONS,
    SYMBOLS,
    Dice,
    number,
    pick,
)

RELINKED, RELINKED_BACK = at(33, 11), at(53, 11)
"""When the first account gets its second owner, and perhaps its first one back."""
LONG = 0.004
"""How many brokers have a client with a history of some 1,000 events."""


def random_events(dice: Dice, clients: list[str], ibs: list[str], currencies: list[str]) -> list[Any]:
    """Registrations, links, deposits and trading of all clients."""
    found: list[Any] = []
    for n, client in enumerate(clients):
        rng = dice.of(f"client {n}")
        itself = dice.on("self_referral", 0.3) and rng.random() < 0.3
        ib_id = (
            pick(rng, ibs[len(ibs) // 2 :])
            if rng.random() < 0.9 or "unreferred" not in dice.features
            else None
        )
        identity = random_identity(dice, n)
        if identity and dice.of(f"same ib {n}").random() < 0.7:
            ib_id = ibs[-1]
        found.append(
            ClientRegistered(
                event_id=f"registered {client}",
                client_id=client,
                occurred_at=at(1, n),
                ib_id=ib_id,
                country=pick(rng, (*COUNTRIES, "")),
                click={"channel": pick(rng, CHANNELS)} if rng.random() < 0.7 else {},
                identity=f"person-{rng.randrange(len(ibs))}" if itself else identity,
            )
        )
        if dice.on("reassign", 0.4) and rng.random() < 0.4:
            found.append(
                ClientReassigned(
                    event_id=f"reassigned {client}",
                    client_id=client,
                    ib_id=pick(rng, (*ibs, None)),
                    occurred_at=at(rng.randint(10, 60), 3) + timedelta(minutes=n),
                )
            )
        found += random_money(dice, n, client, currencies)
    accounts = []
    for n in range(len(clients) + 1):
        owner = clients[n % len(clients)]
        accounts.append(Account(dice, n + 1, pick(dice.of(f"account {n}"), currencies)))
        found.append(linked(n + 1, owner, at(1, 0) + timedelta(seconds=n)))
    if dice.on("relink", 0.2):
        found.append(linked(1, clients[-1], RELINKED))
        if dice.on("relink_back", 0.4):
            back = linked(1, clients[0], RELINKED_BACK)
            found.append(replace(back, event_id="link 1 back"))
    return found + random_deals(dice, accounts)


def random_identity(dice: Dice, n: int) -> str:
    """Who the client is, often the same person as another; no IB's own."""
    rng = dice.of(f"identity {n}")
    return (
        pick(rng, ("shared-1", "shared-1", "shared-1", "shared-2", "")) if dice.on("identities", 0.5) else ""
    )


def random_told_later(dice: Dice, events: list[Any]) -> list[tuple[datetime, Any]]:
    """Registrations lose an identity that no IB has; another record of each tells it later."""
    found = []
    for place, event in enumerate(events):
        if isinstance(event, ClientRegistered) and event.identity.startswith("shared"):
            rng = dice.of(f"told later {event.client_id}")
            if dice.on("identity_later", 0.5) and rng.random() < 0.6:
                events[place] = replace(event, identity="")
                told = replace(event, event_id=f"identified {event.client_id}")
                found.append((at(rng.randint(2, 120)), told))
    return found


def linked(login: int, client: str, time: datetime) -> AccountLinked:
    """An account belongs to a client."""
    return AccountLinked(
        event_id=f"link {login} {client}", client_id=client, server=SERVER, login=login, occurred_at=time
    )


def random_money(dice: Dice, n: int, client: str, currencies: list[str]) -> list[Any]:
    """KYC, deposits, withdrawals and what is taken back, each at a time of its own."""
    rng = dice.of(f"money {n}")
    found: list[Any] = []

    def moment(low: int, high: int) -> datetime:
        return at(rng.randint(low, high), rng.randint(0, 23)) + timedelta(
            minutes=n * 7 + 1, seconds=len(found)
        )

    approved = moment(2, 40)
    if rng.random() < 0.7:
        found.append(kyc(client, "approved", approved))
        if dice.on("kyc_revoked", 0.3) and rng.random() < 0.4:
            found.append(kyc(client, "revoked", approved + timedelta(days=rng.randint(3, 20))))
            if rng.random() < 0.4:
                found.append(kyc(client, "approved", approved + timedelta(days=rng.randint(21, 30))))
    is_long = n == 0 and dice.on("long_history", LONG)
    for place in range(400 if is_long else rng.randint(0, 4)):
        deposit = DepositCleared(
            event_id=f"deposit {client} {place}",
            client_id=client,
            deposit_id=f"{client}-{place}",
            amount=Decimal(rng.randint(2, 60) * 10),
            currency=pick(rng, currencies),
            occurred_at=moment(2, 50),
        )
        found.append(deposit)
        if dice.on("told_again", 0.3) and dice.of(f"again {deposit.deposit_id}").random() < 0.3:
            again = replace(deposit, event_id=f"again {deposit.deposit_id}", source="told again")
            found.append(again)
        if dice.on("chargebacks", 0.5) and rng.random() < 0.4:
            found += chargebacks(dice, rng, deposit)
    if dice.on("withdrawals", 0.5):
        found += withdrawals(dice, client, currencies, 100 if is_long else 3)
    if dice.on("fraud", 0.3) and rng.random() < 0.3:
        verdict = pick(rng, ("fraud", "bonus_removed"))
        found.append(
            ClientFlagged(
                event_id=f"flag {client}", client_id=client, verdict=verdict, occurred_at=moment(15, 70)
            )
        )
    return found


def withdrawals(dice: Dice, client: str, currencies: list[str], most: int) -> list[WithdrawalPaid]:
    """Money that goes out again, now and then under two event ids."""
    rng = dice.of(f"withdrawals {client}")
    found = [
        WithdrawalPaid(
            event_id=f"withdrawal {client} {place}",
            withdrawal_id=f"w-{place}",
            client_id=client,
            amount=Decimal(rng.randint(1, 60) * 10),
            currency=pick(rng, currencies),
            occurred_at=at(rng.randint(3, 60), rng.randint(0, 23)) + timedelta(minutes=59, seconds=place),
        )
        for place in range(rng.randint(0, most))
    ]
    again = dice.on("told_again", 0.3)
    return found + [
        replace(one, event_id=f"again {one.event_id}", source="told again")
        for one in found
        if again and rng.random() < 0.3
    ]


def kyc(client: str, status: Any, time: datetime) -> KycChanged:
    """A new status of a client."""
    return KycChanged(
        event_id=f"kyc {client} {status} {time}", client_id=client, status=status, occurred_at=time
    )


def chargebacks(dice: Dice, rng: Random, deposit: DepositCleared) -> list[Any]:
    """All of a deposit at once, or parts of it."""
    parts: list[Decimal | None] = [None]
    if "partial_chargebacks" in dice.features and rng.random() < 0.5:
        rest = pick(rng, (deposit.amount / 2, deposit.amount / 2, deposit.amount, None))
        parts = [deposit.amount / 4, *([rest] if rng.random() < 0.5 else [])]
    found = []
    if "thirds_taken_back" not in dice.features:
        parts = parts[:1]
    named = dice.on("won_in_any_way", 0.5)
    for place, amount in enumerate(parts):
        found.append(
            ChargebackReceived(
                event_id=f"chargeback {deposit.deposit_id} {place}",
                chargeback_id=f"dispute {deposit.deposit_id} {place}" if named else "",
                client_id=deposit.client_id,
                deposit_id=deposit.deposit_id,
                occurred_at=deposit.occurred_at + timedelta(days=rng.randint(1, 20) + 20 * place, seconds=30),
                amount=amount,
                reason=pick(rng, ("chargeback", "refund", "deposit_reversal")),
            )
        )
    wins = [won for back in found for won in random_win(dice, back, deposit)]
    if named and dice.on("told_again", 0.3):
        found += [replace(e, event_id=f"again {e.event_id}") for e in found if rng.random() < 0.4]
        wins += [replace(e, event_id=f"again {e.event_id}") for e in wins if rng.random() < 0.4]
    return found + wins


def random_win(dice: Dice, back: ChargebackReceived, deposit: DepositCleared) -> list[ChargebackWon]:
    """The dispute is won some time later, wholly or in part."""
    rng = dice.of(f"win {back.event_id}")
    if not dice.on("chargeback_won", 0.4) or rng.random() < 0.4:
        return []
    part = (back.amount or deposit.amount) / 2
    any_way = dice.on("won_in_any_way", 0.5)
    return [
        ChargebackWon(
            event_id=f"won {back.event_id} {place}",
            client_id=back.client_id,
            deposit_id=back.deposit_id,
            chargeback_id=pick(rng, ("", back.chargeback_id, back.event_id)) if any_way else back.event_id,
            occurred_at=back.occurred_at + timedelta(days=rng.randint(1, 30), seconds=7 + place),
            amount=part if rng.random() < 0.5 else None,
        )
        for place in range(rng.randint(1, 2) if any_way else 1)
    ]


class Account:
    """An account that trades: what it holds, and the deals it makes next."""

    def __init__(self, dice: Dice, login: int, currency: str) -> None:
        """Its group is one of four; a netting account holds one position of a symbol."""
        self.dice, self.login, self.currency = dice, login, currency
        self.group = pick(dice.of(f"group {login}"), GROUPS)
        self.netting = dice.on("netting", 0.7) and dice.of(f"netting {login}").random() < 0.3
        self.quoted = dice.of(f"quoted {login}").random() < 0.7
        self.open: dict[str, tuple[str, str, int]] = {}
        self.next_id = login * 1000

    def trade(self, rng: Random, time: datetime) -> list[Deal]:
        """One thing the account does at a time: one deal, or the two legs of a close-by."""
        if rng.random() < 0.15 and "noise" in self.dice.features:
            return [self.noise(rng, time)]
        if self.netting:
            return [self.net(rng, time)]
        pair = self.opposites()
        if pair and rng.random() < 0.5 and "close_by" in self.dice.features:
            return self.close_by(rng, time, pair)
        if self.open and rng.random() < 0.55:
            return [self.close(rng, time, pick(rng, sorted(self.open)))]
        name, side = pick(rng, sorted(PRICES)), pick(rng, ("buy", "sell"))
        volume = rng.randint(1, 40) * LOT_E8 // 20
        deal = self.deal(rng, time, side, "in", name, volume)
        self.open[deal.position_id] = (name, side, volume)
        return [deal]

    def opposites(self) -> tuple[str, str] | None:
        """Two open positions of a symbol, against each other."""
        for first, (name, side, _) in sorted(self.open.items()):
            for second, (other, turned, _) in sorted(self.open.items()):
                if (name, side, turned) == (other, "buy", "sell"):
                    return first, second
        return None

    def close(self, rng: Random, time: datetime, position: str) -> Deal:
        """All of a position, or a part."""
        name, side, there = self.open[position]
        volume = there if rng.random() < 0.5 else max(1, there * rng.randint(1, 9) // 10)
        self.reduce(position, volume)
        return self.deal(rng, time, turned(side), "out", name, volume, position_id=position)

    def close_by(self, rng: Random, time: datetime, pair: tuple[str, str]) -> list[Deal]:
        """Two positions close each other, as far as the smaller reaches; by an order perhaps not at once."""
        volume = min(self.open[position][2] for position in pair)
        legs, of_order = [], self.dice.of(f"order {self.next_id}")
        order = str(self.next_id) if of_order.random() < 0.5 else ""
        for position in pair:
            name, side, _ = self.open[position]
            self.reduce(position, volume)
            fields = {"position_id": position, "close_by": order}
            legs.append(self.deal(rng, time, turned(side), "out_by", name, volume, **fields))
            time += timedelta(milliseconds=of_order.randint(0, 2) * 400 if order else 0)
        return legs

    def reduce(self, position: str, volume: int) -> None:
        """A position gets smaller, or is gone."""
        name, side, there = self.open.pop(position)
        if there > volume:
            self.open[position] = (name, side, there - volume)

    def net(self, rng: Random, time: datetime) -> Deal:
        """Add to the one position of a symbol, reduce it, or turn it round."""
        name, side = pick(rng, ("EURUSD", "XAUUSD", "USDJPY")), pick(rng, ("buy", "sell"))
        volume = rng.randint(1, 40) * LOT_E8 // 20
        position = next((key for key, held in self.open.items() if held[0] == name), None)
        if position is None:
            deal = self.deal(rng, time, side, "in", name, volume)
            self.open[deal.position_id] = (name, side, volume)
            return deal
        _, held, there = self.open[position]
        if held == side:
            self.open[position] = (name, side, there + volume)
            return self.deal(rng, time, side, "in", name, volume, position_id=position)
        if volume <= there:
            self.reduce(position, volume)
            return self.deal(rng, time, side, "out", name, volume, position_id=position)
        self.open[position] = (name, side, volume - there)
        is_told = rng.random() < 0.5 or "unsplit_inout" not in self.dice.features
        told = {"volume_closed_e8": there} if is_told else {}
        return self.deal(rng, time, side, "inout", name, volume, position_id=position, **told)

    def noise(self, rng: Random, time: datetime) -> Deal:
        """What is no trade of a client's: nothing of it earns."""
        kind = pick(rng, ("balance", "credit", "agent", "interest", "service", "zero"))
        if kind == "service":
            return self.deal(rng, time, "buy", "in", "EURUSD", LOT_E8, is_service=True)
        if kind == "zero":
            return self.deal(rng, time, "buy", "in", "EURUSD", 0)
        self.next_id += 1
        return Deal(
            platform="mt5",
            server=SERVER,
            login=self.login,
            deal_id=str(self.next_id),
            revision="a",
            kind=kind,
            occurred_at=time,
            profit=number(rng, "-50", "50", "1"),
            currency=self.currency,
            group=self.group,
        )

    def deal(
        self, rng: Random, time: datetime, side: str, entry: str, name: str, volume: int, **fields: Any
    ) -> Deal:
        """A deal with everything a platform may tell, or not."""
        self.next_id += 1
        pip = next(found.pip for found in SYMBOLS if found.symbol == name)
        price = PRICES[name] + pip * rng.randint(-30, 30)
        charged = rng.random() < 0.7
        spread = pip * rng.randint(0, 40) / 10
        values: dict[str, Any] = {
            "platform": "mt5",
            "server": SERVER,
            "login": self.login,
            "deal_id": str(self.next_id),
            "revision": "a",
            "kind": "trade",
            "occurred_at": time,
            "side": side,
            "entry": entry,
            "symbol": name,
            "volume_e8": volume,
            "position_id": f"p{self.next_id}",
            "price": price,
            "profit": number(rng, "-300", "300", "0.5") if entry != "in" else Decimal(0),
            "commission": -number(rng, "0.5", "10", "0.25") if charged else Decimal(0),
            "fee": -number(rng, "0", "1", "0.05") if charged and rng.random() < 0.3 else Decimal(0),
            "swap": number(rng, "-5", "3", "0.01") if rng.random() < 0.4 else Decimal(0),
            "currency": self.currency,
            "reason": pick(rng, REASONS),
            "group": self.group,
            "balance": number(rng, "-20", "200", "1") if rng.random() < 0.5 else None,
        }
        if (rng.random() < 0.7) if "slice_quotes" in self.dice.features else self.quoted:
            values |= {"bid": price, "ask": price + spread}
        if "refunds" in self.dice.features and self.dice.of(f"refund {self.next_id}").random() < 0.1:
            values |= {"commission": -values["commission"], "fee": -values["fee"]}
        if rng.random() < 0.5:
            values |= {
                "equity": Decimal(pick(rng, (100, 200, 400, 500, 800, 1000))),
                "credit": number(rng, "0", "200", "25"),
            }
        if rng.random() < 0.1 and "contract_sizes" in self.dice.features:
            values["contract_size"] = pick(rng, (Decimal(1000), Decimal(10_000), Decimal(50)))
        return Deal(**(values | fields))


def turned(side: str) -> str:
    """The other side."""
    return "sell" if side == "buy" else "buy"


def random_deals(dice: Dice, accounts: list[Account]) -> list[Deal]:
    """Ten to forty moments at which some account does something, or 300 of the first one."""
    rng = dice.of("deals")
    is_long = dice.on("long_history", LONG)
    moments = 300 if is_long else rng.randint(10, 35)
    minutes = sorted(rng.sample(range(2 * 1440, LAST_DAY * 1440), moments))
    found: list[Deal] = []
    for n, minute in enumerate(minutes):
        account = pick(rng, accounts[:1] if is_long else accounts)
        found += account.trade(dice.of(f"deal {n}"), DAY_1 + timedelta(minutes=minute, seconds=17))
    return found + [charge for account in accounts for charge in random_charges(dice, account)]


def random_charges(dice: Dice, account: Account) -> list[Deal]:
    """What an account is charged later by deals of their own, and what such deals give back."""
    rng = dice.of(f"charges {account.login}")
    if not dice.on("charges", 0.4):
        return []
    minutes = sorted(rng.sample(range(2 * 1440, (LAST_DAY + 5) * 1440), rng.randint(0, 6)))
    return [
        Deal(
            platform="mt5",
            server=SERVER,
            login=account.login,
            deal_id=str(900_000 + account.login * 1000 + n),
            revision="a",
            kind="commission",
            occurred_at=DAY_1 + timedelta(minutes=minute, seconds=17),
            commission=number(rng, "0.5", "20", "0.25") * (1 if rng.random() < 0.3 else -1),
            currency=account.currency,
            group=account.group,
        )
        for n, minute in enumerate(minutes)
    ]


def random_moves(dice: Dice, deal: Deal) -> list[Deal]:
    """Edits of a deal's time, often into another owner's days where its account has had several."""
    rng = dice.of(f"moves {deal.deal_key}")
    is_relinked = deal.login == 1 and dice.on("relink", 0.2)
    is_opening = deal.kind == "trade" and deal.entry not in ("out", "out_by")
    if not dice.on("moves", 0.5) or (is_opening and not dice.on("moved_openings", 0.3)):
        return []
    if rng.random() > (0.5 if is_relinked else 0.1):
        return []
    moments = [(rng.randrange(2 * 1440, LAST_DAY * 1440), n) for n in range(rng.randint(1, 3))]
    found = []
    for minute, n in moments:
        at_once = DAY_1 + timedelta(minutes=minute, seconds=23 + n)
        deal = replace(deal, revision=f"moved {n}", occurred_at=at_once, **random_edit(dice, rng, deal))
        found.append(deal)
    return found


def random_edit(dice: Dice, rng: Random, deal: Deal) -> dict[str, Any]:
    """What else an edit changes."""
    found: dict[str, Any] = {}
    if rng.random() < 0.3 and "edits" in dice.features:
        found["group"] = pick(rng, GROUPS)
    if deal.kind == "trade" and rng.random() < 0.3 and "edits" in dice.features:
        found["volume_e8"] = deal.volume_e8 * rng.randint(1, 4) // 2
    if deal.kind == "trade" and rng.random() < 0.2 and "edits" in dice.features:
        found["symbol"] = pick(rng, sorted(PRICES))
    return found


def renamed(dice: Dice, deal: Deal) -> str:
    """The symbol that every deal of some positions is edited to, one after the other, or nothing."""
    rng = dice.of(f"symbol of {deal.account_key} {deal.position_id}")
    is_edited = deal.kind == "trade" and deal.position_id and "edits" in dice.features and rng.random() < 0.05
    return pick(rng, sorted(PRICES)) if is_edited else ""


def random_revisions(dice: Dice, events: list[Any]) -> list[tuple[datetime, Any]]:
    """Deals edited or cancelled some time after they happened."""
    found: list[tuple[datetime, Any]] = []
    deals = [e for e in events if isinstance(e, Deal) and not e.is_service]
    for first in (e for e in deals if (e.kind == "trade" and e.volume_e8) or e.kind == "commission"):
        deal, rng = first, dice.of(f"revision {first.deal_key}")
        later = deal.occurred_at + timedelta(hours=rng.randint(1, 30 * 24))
        if dice.on("revisions", 0.5) and rng.random() < 0.1:
            profit, commission = deal.profit + 7 * (deal.kind == "trade"), deal.commission - Decimal("0.25")
            deal = replace(deal, revision="b", profit=profit, commission=commission, reason="expert")
            found.append((later, deal))
            later += timedelta(hours=1)
        for moved in random_moves(dice, deal):
            # No owner and no IB counts from before a deal that has been told.
            later = max(later, RELINKED_BACK, moved.occurred_at) + timedelta(hours=1)
            found.append((later, moved))
            deal = moved
        if symbol := renamed(dice, deal):
            later = max(later, RELINKED_BACK) + timedelta(hours=1)
            deal = replace(deal, revision="renamed", symbol=symbol)
            found.append((later, deal))
        opening = deal.entry != "out"
        if (
            dice.on("cancels", 0.5)
            and rng.random() < 0.1
            and (not opening or (dice.on("cancel_openings", 0.5) and "unknown_openings" in dice.features))
        ):
            kind = pick(rng, ("cancelled", "deleted"))
            found.append((later, replace(deal, revision="c", kind=kind)))
    return found
