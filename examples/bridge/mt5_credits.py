"""Balance operations on an MT5 server through MetaQuotes' `MT5Manager` package (Windows only)."""

import time
from decimal import Decimal

import MT5Manager  # type: ignore[import-not-found] # a package for Windows

from bridge.credits import Refused

CONNECT_MS = 30_000
LOOK_BACK_S = 92 * 86_400
"""How old an operation is whose ticket is looked up."""


class Mt5Credits:
    """One server; a manager login that may change balances."""

    def __init__(self, name: str, server: str, login: int, password: str) -> None:
        """`name` is the server's in ibflow: an operation for another is refused."""
        self._name, self._manager = name, MT5Manager.ManagerAPI()
        modes = MT5Manager.ManagerAPI.EnPumpModes
        if not self._manager.Connect(server, login, password, modes.PUMP_MODE_NONE, CONNECT_MS):
            raise SystemExit(f"MT5 does not answer: {MT5Manager.LastError()}")

    def credit(self, operation: dict[str, str]) -> str:
        """Do it; what was certainly not done is refused, anything else is an error."""
        if operation["server"] != self._name:
            raise Refused(f"this bridge is of {self._name}")
        login = int(operation["login"])
        user = self._manager.UserRequest(login)
        if not user:
            raise Refused("no account has this login")
        group = self._manager.GroupRequest(user.Group)
        if not group or group.Currency != operation["currency"]:
            raise Refused("the account is in another currency")
        action = MT5Manager.MTDeal.EnDealAction.DEAL_BALANCE
        amount = float(Decimal(operation["amount"]))  # the package takes no other
        ticket = self._manager.DealerBalance(login, amount, action, operation["comment"])
        if not ticket:
            raise RuntimeError(f"DealerBalance: {MT5Manager.LastError()}")
        return str(ticket)

    def find(self, operation: dict[str, str]) -> str:
        """By its comment, among the login's deals of three months."""
        now = int(time.time())
        found = self._manager.DealRequest(int(operation["login"]), now - LOOK_BACK_S, now + 86_400) or []
        mine = [deal for deal in found if deal.Comment == operation["comment"]]
        return str(mine[0].Deal) if mine else ""
