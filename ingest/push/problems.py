"""Why a push is refused as a whole: a status and a sentence that says what to do."""

from starlette.requests import Request
from starlette.responses import JSONResponse

from schemas.problems import PROBLEM_JSON, problem_body


class Refused(Exception):
    """A request that is not taken; nothing of it was kept."""

    def __init__(self, status: int, detail: str, retry_after_s: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def refusal(_: Request, error: Exception) -> JSONResponse:
    """The answer for a `Refused`."""
    assert isinstance(error, Refused)
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="ibflow"'
    body = problem_body(error.status, error.detail)
    return JSONResponse(body, error.status, headers, media_type=PROBLEM_JSON)
