"""Answers that have not changed are not made again: `ETag`, `If-None-Match` and 304.

The tag is not of the answer, which would have to be made first, but of what it is made from: the question,
who sees what, and the newest blocks of the tables that are read, which the database knows without a row.
Rows are only ever inserted, and each insert makes a block with a number of its own. A report goes by the
marks of its days instead, so that today's rows change nothing of last month's; by blocks only while a day is
written. A tag also has what this process drew when it began: another build may word the same rows otherwise.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response

from api.answer_tags import is_given
from api.ledger import Ledger, everywhere
from api.queries.days import stamp_of
from api.queries.periods import Interval
from api.routes.context import LedgerAsItIs, ScopeHere
from api.scope import Scope
from schemas.columns import LOCAL

# Blocks are numbered in each shard.
_BLOCKS = """
SELECT toString(cityHash64(arraySort(groupArray(tuple(`table`, part, newest))))) AS stamp FROM (
    SELECT `table`, partition_id AS part, max(max_block_number) AS newest FROM {parts}
    WHERE active AND database = currentDatabase() AND `table` IN {{tables:Array(String)}}
    GROUP BY `table`, part, shardNum()
)
"""
_BEGUN = secrets.token_hex(8)
OF_ROWS = ("transfers", "taken_back", "rejections")
"""What is written into a day while its mark is open."""
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
    names = [*tables, *(table + LOCAL for table in tables)]
    parts = everywhere(ledger.cluster, "parts")
    return str(ledger.row(_BLOCKS.format(parts=parts), tables=names)["stamp"])


def tag_of(request: Request, *parts: object) -> str:
    """The tag of an answer to this question, made from these `parts`."""
    text = repr((_BEGUN, request.url.path, request.url.query, *parts))
    return f'W/"{sha256(text.encode()).hexdigest()[:32]}"'


def check(if_none_match: str, tag: str) -> dict[str, str]:
    """The headers of an answer with this tag; raise `NotModified` if the caller has it."""
    if is_given(if_none_match, tag):
        raise NotModified(tag)
    return {"ETag": tag, **HEADERS}


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one request's answer."""

    request: Request
    response: Response
    ledger: Ledger
    scope: Scope
    given: str
    """What the caller has."""

    def of_tables(self, *tables: str, of: object = None) -> dict[str, str]:
        """Of an answer that follows from its question, its scope, these tables and `of`: its headers."""
        return self._check(of, blocks(self.ledger, *tables))

    def of_days(self, intervals: Iterable[Interval], *tables: str, of: object = None) -> dict[str, str]:
        """Of a report of these intervals, which also reads these tables and goes by `of`: its headers.

        Made before the answer: a row that comes in between is in the answer and not in the tag, which then
        holds no longer.
        """
        stamps = [stamp_of(self.ledger, one) for one in intervals]
        written = OF_ROWS if any(is_open for _, is_open in stamps) else ()
        return self._check(stamps, of, blocks(self.ledger, *tables, *written))

    def _check(self, *parts: object) -> dict[str, str]:
        who = getattr(self.request.state.operator, "role", None)
        headers = check(self.given, tag_of(self.request, who, self.scope.parameters, *parts))
        self.response.headers.update(headers)
        return headers


def _tags(
    request: Request,
    response: Response,
    ledger: LedgerAsItIs,
    scope: ScopeHere,
    if_none_match: IfNoneMatch = "",
) -> Tags:
    return Tags(request, response, ledger, scope, if_none_match)


TagsHere = Annotated[Tags, Depends(_tags)]


def of_tables(*tables: str) -> Any:
    """A dependency of a route whose answer follows from its question, its scope and these tables alone."""

    def unchanged(tags: TagsHere) -> None:
        tags.of_tables(*tables)

    return Depends(unchanged)
