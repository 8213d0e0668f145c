"""Ids are digests of causes: never random, never a clock."""

from functools import lru_cache
from hashlib import blake2b


def digest(*parts: str) -> str:
    """32 hex digits of the parts; no two lists of parts share an input, whatever they contain."""
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


recent_digest = lru_cache(maxsize=8_192)(digest)
"""The same, for ids that are asked for again soon: when what they name is kept."""
