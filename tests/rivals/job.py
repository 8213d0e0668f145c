"""What a deal does in every engine: find the client, rate the deal up the tree, keep the state.

The same core and the same JSON as in ours. Left out, in the others' favour: the partner book, terms on a
topic, ClickHouse, and any guarantee beyond the engine's own.
"""

import sys
from collections.abc import Callable
from decimal import localcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from commission.books import account as account_book
from commission.books import client as client_book
from commission.draft import Draft
from commission.events import AccountLinked, Deal, RoutedDeal
from commission.money import EXACT
from commission.outputs import Transfer
from commission.terms.catalog import Terms
from schemas.wire import decode, encode
from streams.state_codec import decode_state, encode_state
from tests.synthetic import Synthetic

IN, OUT, GROUP = "rival-deals", "rival-transfers", "rival"
PARTITIONS = 4

_KINDS = {f"a/{key}": kind for key, kind in account_book.KEYS.items()} | {
    f"c/{key}": kind for key, kind in client_book.KEYS.items()
}
_TERMS = Terms().learn(Synthetic(0, 0).terms())


def key_of(record: Any) -> str:
    """Accounts and clients are one to one here, so that one key serves both books."""
    return str(record.login) if isinstance(record, (Deal, AccountLinked)) else str(int(record.client_id[2:]))


Load = Callable[[str], bytes | None]
Keep = Callable[[str, bytes], None]


def apply(line: bytes, load: Load, keep: Keep) -> list[bytes]:
    """Fold one record; the transfers it caused. State is bytes by text, as every engine can keep it."""
    record = decode(line)
    with localcontext(EXACT):
        if isinstance(record, (Deal, AccountLinked)):
            outputs = _fold("a", account_book.apply, record, load, keep)
            routed = [output for output in outputs if isinstance(output, RoutedDeal)]
        else:
            routed = [record]
        caused = [out for deal in routed for out in _fold("c", client_book.apply, deal, load, keep)]
    return encode(output for output in caused if isinstance(output, Transfer))


def _fold(book: str, fold: Callable[..., None], record: Any, load: Load, keep: Keep) -> list[Any]:
    def read(key: str) -> Any:
        found = load(f"{book}/{key}")
        return None if not found else decode_state(_KINDS[f"{book}/{key[0]}"], key, found)

    draft = Draft(read)
    fold(draft, record, _TERMS)
    for key, value in draft.writes.items():
        written = b"" if value is None else encode_state(key, value)
        keep(f"{book}/{key}", written)
    return draft.outputs
