"""What was decided about a dead letter."""

from pydantic import Field

from api.shapes.base import Shape


class LetterBecame(Shape):
    """What its bytes would be, or were, read as."""

    records: list[str] = Field(description="By type and id, such as `deal live|7 3f2a`.")
    why: str = Field(description="Why they are nothing; empty where they are something.")


class LetterDismissed(Shape):
    """It will never be used."""

    dead_letter_id: str
