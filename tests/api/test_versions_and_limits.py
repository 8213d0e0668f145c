"""The version of the API, what a caller has left of the minute, and answers that still hold."""

from datetime import timedelta

import pytest
from clickhouse_connect.driver.client import Client

from api.caller_limits import Rates
from api.gate import Gate
from api.ledger import Ledger
from api.versions import NEWEST
from tests.api.conftest import Browser, browser, insert, statement_row
from tests.api.people_world import World

TOKEN = {"Authorization": "Bearer secret"}


def test_an_answer_tells_its_version(http: Browser) -> None:
    """Asked for or not; one that there is not is refused with those there are; so are two at once."""
    assert http.get("/v1/me").headers["Ibflow-Version"] == NEWEST
    asked = http.get("/v1/me", headers={"Ibflow-Version": NEWEST})
    assert (asked.status_code, asked.headers["Ibflow-Version"]) == (200, NEWEST)
    for wrong in ([("Ibflow-Version", "2026-01-01")], [("Ibflow-Version", NEWEST)] * 2):
        refused = http.get("/v1/me", headers=wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "unknown_version")
        assert refused.json()["detail"].endswith(f"There are {NEWEST}.")


def test_a_caller_has_so_many_requests_a_minute() -> None:
    """Of 3: two are left after the first, the fourth is too many, another caller and minute begin anew."""
    now = [100.0]
    rates = Rates(3, lambda: now[0])
    assert rates.count("a").headers == {
        "RateLimit-Limit": "3", "RateLimit-Remaining": "2", "RateLimit-Reset": "60",
    }  # fmt: skip
    now[0] += 20.5
    assert [rates.count("a").is_used_up for _ in range(3)] == [False, False, True]
    last = rates.count("a")
    assert (last.headers["RateLimit-Remaining"], last.reset_s) == ("0", 40)
    assert rates.count("b").left == 2
    now[0] += 39.5
    assert rates.count("a").left == 2


def test_one_caller_is_refused_and_others_are_not(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit 429 with the seconds to wait; whose token it is counts, not the connection."""
    began = Gate.__init__

    def with_few(self: Gate, *args: object, **more: object) -> None:
        began(self, *args, **more)  # type: ignore[arg-type]
        self.rates = Rates(2, lambda: 0.0)

    monkeypatch.setattr(Gate, "__init__", with_few)
    http = browser(ledger, api_token="secret")  # noqa: S106
    assert [http.get("/v1/me", headers=TOKEN).status_code for _ in range(3)] == [200, 200, 429]
    refused = http.get("/v1/me", headers=TOKEN)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("rate_limited", "60")
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert http.get("/health").status_code == 200
    nobody = browser(ledger)
    assert {nobody.get("/v1/me").status_code for _ in range(4)} == {200}, (
        "this machine, while nobody is added"
    )


def test_statements_are_made_again_only_if_one_came(http: Browser, chdb: Client) -> None:
    """304 with the tag at hand, until a statement is stored; another question has another tag."""
    first = http.get("/v1/statements?ib=A")
    tag = {"If-None-Match": first.headers["ETag"]}
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = http.get("/v1/statements?ib=A", headers=tag)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag["If-None-Match"])
    assert http.get("/v1/statements?ib=B", headers=tag).status_code == 200
    assert http.get("/v1/statements/withdrawn?ib=A", headers=tag).status_code == 200
    several = {"If-None-Match": f'"x", {tag["If-None-Match"]}'}
    assert http.get("/v1/statements?ib=A", headers=several).status_code == 304
    insert(chdb, "statements", statement_row("st-new", "B", "USD", "1", "1"))
    new = http.get("/v1/statements?ib=A", headers=tag)
    assert (new.status_code, new.headers["ETag"] != tag["If-None-Match"]) == (200, True)


def test_merged_parts_have_the_tag_of_their_rows(http: Browser, chdb: Client) -> None:
    """What the database does with its files by itself changes no answer, and no tag."""
    tag = {"If-None-Match": http.get("/v1/statements").headers["ETag"]}
    chdb.command("OPTIMIZE TABLE statements FINAL")
    assert http.get("/v1/statements", headers=tag).status_code == 304


def test_a_statement_file_is_not_made_again(http: Browser) -> None:
    """Its hash covers it. The archive lacks what the file needs: making it is a 409, and 304 makes none."""
    assert http.get("/v1/statements/st-A/export").status_code == 409
    made = http.get("/v1/statements/st-A/export", headers={"If-None-Match": "*"})
    assert made.status_code == 304
    assert http.get("/v1/statements/none/export", headers={"If-None-Match": "*"}).status_code == 404


def test_terms_have_a_tag_of_a_time(http: Browser, chdb: Client) -> None:
    """As of a time that was named; as of now the answer says when it was made, and is another."""
    path = "/v1/terms?as_of=2026-09-01T00:00:00Z"
    tag = {"If-None-Match": http.get(path).headers["ETag"]}
    assert http.get(path, headers=tag).status_code == 304
    of_now = {"If-None-Match": http.get("/v1/terms").headers["ETag"]}
    assert http.get("/v1/terms", headers=of_now).status_code == 200
    row = {"_topic": "terms", "_partition": 0, "_offset": 7, "source": "", "message": ""}
    insert(chdb, "books", row)
    assert http.get(path, headers=tag).status_code == 200
    chdb.command("TRUNCATE TABLE books")


def test_a_tag_is_of_what_somebody_sees(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An IB is not told 304 for the tag of a manager's answer."""
    world = World(ledger, monkeypatch)
    plain = {"Accept": "application/json"}
    seen = world.signed_in("mary").ask("GET", "/v1/statements", plain)
    iris = world.signed_in("iris")
    own = iris.ask("GET", "/v1/statements", plain | {"If-None-Match": seen.headers["ETag"]})
    assert (own.status_code, {row["ib_id"] for row in own.json()["items"]}) == (200, {"A"})
    world.now += timedelta(minutes=1)
    held = iris.ask("GET", "/v1/statements", plain | {"If-None-Match": own.headers["ETag"]})
    assert held.status_code == 304
