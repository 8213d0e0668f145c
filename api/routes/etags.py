"""Answers that have not changed are not made again: `ETag`, `If-None-Match` and 304.

The tag is not of the answer, which would have to be made first, but of what it is made from: the question,
who sees what, and the newest blocks of the tables that are read, which the database knows without a row.
Rows are only ever inserted, and each insert makes a block with a number of its own. A tag also has what this
process drew when it began: another build may word the same rows otherwise.
"""

import secrets
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response

from api.ledger import Ledger
from api.routes.context import LedgerAsItIs, ScopeHere

_BLOCKS = """
SELECT toString(cityHash64(arraySort(groupArray(tuple(`table`, part, newest))))) AS stamp FROM (
    SELECT `table`, partition_id AS part, max(max_block_number) AS newest FROM system.parts
    WHERE active AND database = currentDatabase() AND `table` IN {tables:Array(String)}
    GROUP BY `table`, part
)
"""
_BEGUN = secrets.token_hex(8)
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
"""A browser may keep the answer for whoever asked, and asks each time whether it still holds."""
MAX_TAGS = 1_000
"""Characters of `If-None-Match`."""

IfNoneMatch = Annotated[
    str, Header(max_length=MAX_TAGS, description="The `ETag` of an answer at hand; 304 says that it holds.")
]


class NotModified(Exception):
    """The answer that the caller has still holds."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def install(app: FastAPI) -> None:
    """Answer `NotModified` with 304 and nothing else."""

    def answer(_: Request, error: Exception) -> Response:
        assert isinstance(error, NotModified)
        return Response(status_code=304, headers={"ETag": error.tag, **HEADERS})

    app.add_exception_handler(NotModified, answer)


def blocks(ledger: Ledger, *tables: str) -> str:
    """What changes with every insert into one of these tables."""
    return str(ledger.row(_BLOCKS, tables=list(tables))["stamp"])


def tag_of(request: Request, *parts: object) -> str:
    """The tag of an answer to this question, made from these `parts`."""
    text = repr((_BEGUN, request.url.path, request.url.query, *parts))
    return f'W/"{sha256(text.encode()).hexdigest()[:32]}"'


def check(if_none_match: str, tag: str) -> dict[str, str]:
    """The headers of an answer with this tag; raise `NotModified` if the caller has it."""
    given = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    if "*" in given or tag.removeprefix("W/") in given:
        raise NotModified(tag)
    return {"ETag": tag, **HEADERS}


def of_tables(*tables: str) -> Any:
    """A dependency of a route whose answer follows from its question, its scope and these tables alone."""

    def unchanged(
        request: Request,
        response: Response,
        ledger: LedgerAsItIs,
        scope: ScopeHere,
        if_none_match: IfNoneMatch = "",
    ) -> None:
        who = getattr(request.state.operator, "role", None)
        tag = tag_of(request, who, scope.parameters, blocks(ledger, *tables))
        response.headers.update(check(if_none_match, tag))

    return Depends(unchanged)
