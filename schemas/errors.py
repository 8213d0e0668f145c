"""Failures a person can mend: the command line prints their sentence instead of a traceback."""


class Unusable(ValueError):
    """Input as a whole cannot be used; the message says why and what to do."""


class Unavailable(RuntimeError):
    """A service this process needs is not there; the message says which and what to do."""
