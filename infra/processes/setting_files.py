"""The files that settings name, read before anything starts: what is wrong with any is told together."""

from collections.abc import Callable
from pathlib import Path

from api.operators import read_operators
from api.postbacks.endpoints import load_endpoints
from infra.payouts.approvers import Approvers
from infra.payouts.payers import Payers
from infra.payouts.sanctions import SanctionList
from infra.statement_documents.parties import read_parties
from schemas.errors import Unusable
from schemas.settings import Settings


def _is_file(path: Path) -> None:
    if not path.is_file():
        raise Unusable(f"there is no file {path}")


def _is_folder(path: Path) -> None:
    if not path.is_dir():
        raise Unusable(f"there is no folder {path}")


READERS: dict[str, Callable[[Path], object]] = {
    "operators_file": read_operators,
    "oidc_client_secret_file": _is_file,
    "payers_file": Payers.read,
    "approvers_file": Approvers.read,
    "parties_file": read_parties,
    "sanctions_file": SanctionList.read,
    "bridges_file": _is_file,
    "terms_dir": _is_folder,
    "postbacks": load_endpoints,
}
"""By setting; each raises `Unusable`. Who needs a file reads it once more: here nothing is kept."""


def check_setting_files(settings: Settings) -> None:
    """Raise `Unusable` with all that is wrong, each with the variable that names the file."""
    wrong = []
    for name, read in READERS.items():
        path: Path | None = getattr(settings, name)
        try:
            if path is not None:
                read(path)
        except Unusable as error:
            wrong.append(f"IBFLOW_{name.upper()}={path}: {error}")
    if wrong:
        raise Unusable("\n".join(wrong))
