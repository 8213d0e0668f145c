"""Which version of the API a request is written for: a date, as in `Ibflow-Version: 2026-11-30`.

Within a version fields, routes, codes of problems and parameters that may be left out are added, and nothing
is taken away or changes its meaning. What would do that becomes a version of its own.
"""

HEADER = "Ibflow-Version"
VERSIONS = ("2026-11-30",)
"""Every version that is answered, the newest last."""
NEWEST = VERSIONS[-1]


def why_unknown(asked: list[str]) -> str:
    """Why the version asked for is not answered, in words; "" if it is, or none was asked for."""
    if not asked or (len(asked) == 1 and asked[0].strip() in VERSIONS):
        return ""
    return f"There is no version {', '.join(asked)[:64]} of the API. There are {', '.join(VERSIONS)}."
