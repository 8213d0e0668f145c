"""Who may sign in and which keys there are, as records of one log; its order alone says what counts.

No record has a secret in plain: of passwords there is the argon2 hash, of random codes, sessions and keys
the SHA-256, and the secret of a second factor is sealed under the password.
"""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from commission.value import TaggedValue, Text, Time, Value
from schemas.views import ViewRecord

Role = Literal["admin", "finance", "manager", "auditor", "ib", "network"]
ROLES: tuple[Role, ...] = get_args(Role)
KeyRight = Literal["ingest", "read", "payouts"]
KEY_RIGHTS: tuple[KeyRight, ...] = get_args(KeyRight)
MAX_NAME = 64
NAME = r"^[A-Za-z0-9._@-]+( [A-Za-z0-9._@-]+)*$"
"""One spelling a person or key: ASCII, single spaces, none around it."""

Name = Annotated[str, Meta(max_length=MAX_NAME, pattern=NAME.replace("$", r"\Z"))]
"""Python's `$` lets a last line feed in."""
Digest = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
"""SHA-256 in hex; "" is none."""
MAX_IBS = 1_000


class Access(Value):
    """What somebody may do and see: a role, and for some of them whose."""

    role: Role
    ibs: Annotated[tuple[Text, ...], Meta(max_length=MAX_IBS)] | None = None
    """The IBs whose sub-trees are seen; None: everything."""
    endpoints: Annotated[tuple[Text, ...], Meta(max_length=MAX_IBS)] = ()
    """The postback endpoints of a network."""


class PersonAdded(TaggedValue, tag="person_added"):
    """Somebody who sets a password with a one-time code; `is_first` counts while there is nobody."""

    name: Name
    access: Access
    code: Digest
    code_until: Time
    by: Text
    at: Time
    is_first: bool = False


class AccessChanged(TaggedValue, tag="access_changed"):
    """Another role, or other IBs."""

    name: Name
    access: Access
    by: Text
    at: Time


class PersonDisabled(TaggedValue, tag="person_disabled"):
    """Nobody signs in by this name any more, and its sessions end; a reset lets it in again."""

    name: Name
    by: Text
    at: Time


class PersonReset(TaggedValue, tag="person_reset"):
    """Password and second factor are gone, sessions end, and a new code sets a password."""

    name: Name
    code: Digest
    code_until: Time
    by: Text
    at: Time


class SecretsSet(TaggedValue, tag="secrets_set"):
    """A password, and a second factor or none; with a code, or by somebody who is signed in. Sessions end."""

    name: Name
    password: Text
    totp: Text = ""
    code: Digest = ""
    at: Time


class SessionBegun(TaggedValue, tag="session_begun"):
    """Somebody signed in; `session` is the hash of what the browser has."""

    session: Digest
    name: Name
    at: Time
    until: Time
    peer: Text = ""
    agent: Text = ""
    by_provider: bool = False
    """Proved by a provider of OpenID Connect: of somebody who may have no password here."""


class SessionEnded(TaggedValue, tag="session_ended"):
    """A session that counts no more."""

    session: Digest
    by: Text
    at: Time


class KeyCreated(TaggedValue, tag="key_created"):
    """A machine's key; `digest` is the hash of what the machine has."""

    key_id: Text
    name: Name
    rights: tuple[KeyRight, ...]
    digest: Digest
    until: Time
    by: Text
    at: Time
    ibs: Annotated[tuple[Text, ...], Meta(max_length=MAX_IBS)] | None = None


class KeyRotated(TaggedValue, tag="key_rotated"):
    """Another secret of the same key; the one before counts until `old_until`."""

    key_id: Text
    digest: Digest
    until: Time
    old_until: Time
    by: Text
    at: Time


class KeyRevoked(TaggedValue, tag="key_revoked"):
    """A key that counts no more, nor does the secret before."""

    key_id: Text
    by: Text
    at: Time


class KeyUsed(TaggedValue, tag="key_used"):
    """When a key was last used, to the hour."""

    key_id: Text
    at: Time


PeopleRecord = (
    PersonAdded | AccessChanged | PersonDisabled | PersonReset | SecretsSet | SessionBegun | SessionEnded
    | KeyCreated | KeyRotated | KeyRevoked | KeyUsed | ViewRecord
)  # fmt: skip
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(PeopleRecord)


def encode_people(record: PeopleRecord) -> bytes:
    """One message of the topic."""
    return _ENCODER.encode(record)


def decode_people(message: bytes) -> PeopleRecord | None:
    """Read one message of the topic; None if it is no record of it, for everyone alike."""
    try:
        return _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def access_fault(access: Access) -> str:
    """What contradicts in a role and whose it is; "" if nothing does."""
    if access.role == "ib" and not access.ibs:
        return "an IB sees a sub-tree: say of which IB"
    if access.role not in ("ib", "manager") and access.ibs is not None:
        return f"the role {access.role} sees all IBs; only a manager or an IB has sub-trees of some"
    if access.role == "manager" and access.ibs == ():
        return "a manager of no IB sees nothing: name some, or leave them out for all"
    if (access.role == "network") != bool(access.endpoints):
        return "a network, and nobody else, has postback endpoints of its own"
    return ""
