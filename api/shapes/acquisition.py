"""The way of clients from registration to a CPA."""

from datetime import date

from pydantic import Field

from api.shapes.base import Shape


class Funnel(Shape):
    """How many of the clients that registered came how far by now."""

    registered: int
    verified: int = Field(description="KYC approved.")
    deposited: int = Field(description="A first deposit.")
    traded: int = Field(description="A first trade.")
    qualified: int = Field(description="For a CPA.")
    lost: int = Field(description="Of which a CPA was ever taken back.")


class Cohort(Funnel):
    """Those of one month of registration, UTC."""

    cohort: date


class Acquisition(Shape):
    """The funnel, and its cohorts, the newest first."""

    total: Funnel
    cohorts: list[Cohort]
