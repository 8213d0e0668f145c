"""What a message sees of a book's keys: the stored ones and its own, whoever they are of."""

from commission.draft import Draft, KeysByOwner


def test_keys_are_found_by_their_owner() -> None:
    """Also those that came since the last question, of one with a colon in his name, and without an owner."""
    keys = {"m:ann:1": 0, "c:ann": 0, "m:bob:1": 0, "m:a:b:1": 0}
    by_owner = KeysByOwner(":")
    assert [] == by_owner.starting({}, "m:ann:")
    assert ["m:ann:1"] == by_owner.starting(keys, "m:ann:")
    keys |= {"m:ann:2": 0, "m:ann:1": 1, "d:ann:2": 0}
    assert ["m:ann:1", "m:ann:2"] == by_owner.starting(keys, "m:ann:")
    assert ["m:ann:2"] == by_owner.starting(keys, "m:ann:2")
    assert ["m:bob:1"] == by_owner.starting(keys, "m:bob:")
    assert ["m:a:b:1"] == by_owner.starting(keys, "m:a:")
    assert ["m:a:b:1"] == by_owner.starting(keys, "m:a:b:")
    assert ["c:ann"] == by_owner.starting(keys, "c:")
    assert [] == by_owner.starting(keys, "m:eve:")
    assert [b"0/m:ann:1"] == KeysByOwner(b":").starting({b"0/m:ann:1": 0, b"0/m:bob:1": 0}, b"0/m:ann:")


def test_a_draft_scans_what_is_stored_and_what_it_wrote() -> None:
    """Without what it deleted, in the order of the keys."""
    draft = Draft.over({"m:ann:2": "two", "m:ann:1": "one", "m:bob:1": "his"})
    assert ["m:ann:1", "m:ann:2"] == draft.scan("m:ann:")
    draft.put("m:ann:0", "new")
    draft.put("m:ann:2", None)
    draft.put("m:bob:2", "his")
    assert ["m:ann:0", "m:ann:1"] == draft.scan("m:ann:")
    draft.put("m:ann:2", "again")
    draft.put("m:ann:0", None)
    assert ["m:ann:1", "m:ann:2"] == draft.scan("m:ann:")
