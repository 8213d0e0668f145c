"""Whether what needs two people had two."""

import unicodedata


def are_two_people(one: str, other: str) -> bool:
    """Whether these are the names of two people, however they are spelled."""
    return len({_spelled(one), _spelled(other)} - {""}) == 2


def _spelled(name: str) -> str:
    """A name in one case and width, with single spaces and nothing that is not seen."""
    if not name.isascii():
        wide = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        name = "".join(one for one in wide if unicodedata.category(one) != "Cf")
    return " ".join(name.casefold().split())
