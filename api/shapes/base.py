"""What the API answers with; money is text, so that no reader's floats touch it."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from commission.money import plain

Amount = Annotated[Decimal, PlainSerializer(plain, return_type=str)]


class Shape(BaseModel):
    """Frozen, and nothing beside the fields named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")
