"""Whether what needs two people had two."""


def are_two_people(one: str, other: str) -> bool:
    """Whether these are the names of two people, however they are spelled."""
    return len({one.strip().casefold(), other.strip().casefold()} - {""}) == 2
