"""Who is asking: tokens of their own, read from a file that is right or refused."""

from hashlib import sha256
from pathlib import Path

import pytest

from api.exposure import check_exposure
from api.operators import SHARED, Operators, OperatorsError
from schemas.settings import Settings

OLA, BEA = sha256(b"secret").hexdigest(), sha256(b"another").hexdigest()


def operators(tmp_path: Path, text: str, token: str = "") -> Operators:
    path = tmp_path / "operators.yaml"
    path.write_text(text, encoding="utf-8")
    return Operators.from_settings(Settings(_env_file=None, operators_file=path, api_token=token))


def test_a_token_tells_whose_it_is(tmp_path: Path) -> None:
    """The person's, the shared one, nobody's."""
    text = f"operators:\n  - {{name: ola, token_sha256: {OLA}, role: viewer}}\n"
    known = operators(tmp_path, text, "shared")
    ola, shared = known.of_token("secret"), known.of_token("shared")
    assert ola is not None
    assert (ola.name, ola.is_person, ola.may_write) == ("ola", True, False)
    assert shared is not None
    assert (shared.name, shared.is_person) == (SHARED, False)
    assert known.of_token("") is known.of_token("Secret") is known.of_token(OLA) is None
    assert known.need_a_token
    assert not Operators().need_a_token


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("operators: [", "not YAML"),
        ("operators:\n  - {name: ola, token_sha256: secret}", "token_sha256"),
        (f"operators:\n  - {{name: ola, token_sha256: {OLA}, role: king}}", "role"),
        (f"operators:\n  - {{name: {SHARED}, token_sha256: {OLA}}}", "name"),
        (
            f"operators:\n  - {{name: ola, token_sha256: {OLA}}}\n  - {{name: Ola, token_sha256: {BEA}}}",
            "name of their own",
        ),
        (
            f"operators:\n  - {{name: ola, token_sha256: {OLA}}}\n  - {{name: bea, token_sha256: {OLA}}}",
            "token_sha256 of their own",
        ),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """Nobody is two people, and no token is written down as it is."""
    with pytest.raises(OperatorsError, match=why):
        operators(tmp_path, text)


def test_operators_are_enough_to_listen_beyond_this_machine(tmp_path: Path) -> None:
    """Everybody has a token then."""
    check_exposure(Settings(_env_file=None, operators_file=tmp_path / "o.yaml", api_host="0.0.0.0"))  # noqa: S104
