"""The same said of several rows: one line, with a count and the first of them."""

from dataclasses import dataclass, field

MAX_EXAMPLES = 3
"""Of what is told together: rows alike in what is wrong with them are one line."""
MAX_NOTES = 50


@dataclass(slots=True)
class Note:
    """Rows of which the same is to be said: how many there are, and the first of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)

    def __str__(self) -> str:
        """`1,576, such as 501 at line 2, 502 at line 3, 503 at line 4`."""
        such = "such as " if self.count > len(self.examples) else ""
        return f"{self.count:,}, {such}{', '.join(self.examples)}"
