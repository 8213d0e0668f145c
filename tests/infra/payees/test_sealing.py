"""Payee details at rest: they open with their key, for their IB and version, and not otherwise."""

from base64 import b64decode, b64encode

import pytest
from Crypto.Cipher import AES

from infra.connect.sealing import new_key
from infra.payees.details import BankAccount
from infra.payees.sealing import PayeeKeys
from schemas.errors import Unusable

DETAILS = BankAccount(holder="Jürgen Müller", iban="DE89370400440532013000")
OLD, NEW = (b64encode(bytes(range(first, first + 32))).decode() for first in (0, 100))


def keys(*texts: str) -> PayeeKeys:
    """The newest first."""
    return PayeeKeys.from_text(",".join(texts))


def test_what_is_sealed_opens_and_shows_nothing() -> None:
    """Neither the number nor the name is in it, in any spelling; the same details never look the same."""
    sealed = keys(OLD).seal(DETAILS, "IB-1", 1)
    assert DETAILS == keys(OLD).open(sealed, "IB-1", 1)
    raw = b64decode(sealed.partition(".")[2])
    assert not any(text in raw for text in (b"DE89", b"3000", b"rgen", b"bank"))
    assert sealed != keys(OLD).seal(DETAILS, "IB-1", 1)


@pytest.mark.parametrize(("ib_id", "version"), [("IB-2", 1), ("IB-1", 2), ("IB-11", 1), ("", 1)])
def test_it_cannot_be_moved_to_another_ib_or_version(ib_id: str, version: int) -> None:
    """Whoever may write the log cannot pay one IB's money to another's account that was approved once."""
    sealed = keys(OLD).seal(DETAILS, "IB-1", 1)
    with pytest.raises(Unusable, match="was changed, or sealed for another IB or version"):
        keys(OLD).open(sealed, ib_id, version)


def test_every_changed_bit_is_found() -> None:
    """In the nonce, the text and the tag."""
    name, _, body = keys(OLD).seal(DETAILS, "IB-1", 1).partition(".")
    raw = b64decode(body)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(Unusable, match="was changed"):
            keys(OLD).open(f"{name}.{b64encode(changed).decode()}", "IB-1", 1)


@pytest.mark.parametrize("body", ["", "AAAA", "not base64!", "A" * 40])
def test_what_is_no_seal_is_refused(body: str) -> None:
    """Short, or not base64."""
    name = keys(OLD).seal(DETAILS, "IB-1", 1).partition(".")[0]
    with pytest.raises(Unusable, match="was changed"):
        keys(OLD).open(f"{name}.{body}", "IB-1", 1)


def test_a_key_is_replaced() -> None:
    """The new one in front: both open; what is sealed anew opens without the old one, which then can go."""
    sealed = keys(OLD).seal(DETAILS, "IB-1", 1)
    both = keys(NEW, OLD)
    assert not both.is_newest(sealed)
    anew = both.resealed(sealed, "IB-1", 1)
    assert both.is_newest(anew)
    assert DETAILS == keys(NEW).open(anew, "IB-1", 1)
    with pytest.raises(Unusable, match=r"is sealed with the key .*, which is not given"):
        keys(NEW).open(sealed, "IB-1", 1)


def test_a_new_key_can_be_used_and_is_no_other() -> None:
    """As `ibflow payees key` prints it."""
    key = new_key()
    assert key != new_key()
    assert DETAILS == keys(key).open(keys(key).seal(DETAILS, "IB-1", 1), "IB-1", 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ibflow payees key"),
        (" , ", "ibflow payees key"),
        ("short", "key 1 of IBFLOW_PAYEE_KEYS is not 32 bytes"),
        (f"{OLD},{OLD[:-8]}", "key 2 of IBFLOW_PAYEE_KEYS is not 32 bytes"),
        (",".join([OLD] * 17), "over 16 keys"),
    ],
)
def test_keys_that_cannot_be_used(text: str, why: str) -> None:
    """Said by their number; a key is in no message and in no `repr`."""
    with pytest.raises(Unusable, match=why) as caught:
        PayeeKeys.from_text(text)
    assert OLD not in str(caught.value)
    assert OLD not in repr(keys(OLD))


def test_the_cipher_is_the_published_one() -> None:
    """Test case 16 of the GCM specification: AES-256 with associated data, the tag as printed there."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
    cipher = AES.new(key, AES.MODE_GCM, nonce=bytes.fromhex("cafebabefacedbaddecaf888"))
    cipher.update(bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
    text = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    assert bytes.fromhex("76fc6ece0f4e1768cddf8853bb2d551b") == cipher.encrypt_and_digest(text)[1]
