"""Changes of a store in bulk, and what they leave: keys that are written and deleted again."""

from streams.store import KeyValueStore

CHANGES = 6_000
"""50 MB: four of RocksDB's files, each with a value or a deletion of most keys."""
STEPS = ("flush", "set_write_options", "set_options", "compact_range", "set_options again")


def change(number: int) -> tuple[bytes, bytes | None]:
    """The key that a record writes, and its value: of 500 keys, every fifth time none."""
    return b"%03d" % (number * 7 % 500), None if number % 5 == 3 else b"%d" % number + bytes(10_000)


def after(position: int) -> dict[bytes, bytes | None]:
    """What so many records leave."""
    newest = dict(change(number) for number in range(position))
    return {key: value for key, value in newest.items() if value is not None}


def contents(store: KeyValueStore) -> dict[bytes, bytes | None]:
    """What a store holds beside what it notes of itself."""
    return {key: store.get(key) for key in store.keys(b"") if not key.startswith(b"\x00")}
