"""Who gets in and how, and what a browser, or somebody who writes requests by hand, may not."""

import time
from typing import Any

import pyotp
import pytest

from api.browser import COOKIE, csrf_of, safe_next
from api.ledger import Ledger
from api.people import SignInFailed, Wanted
from infra.people import passwords
from infra.people.sign_in import digest_of
from tests.api.people_world import HERE, ORIGIN, ROLES, WORDS, Visitor, World


@pytest.fixture
def world(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> World:
    """People of all roles over the hand-written ledger."""
    return World(ledger, monkeypatch)


def wrong(answer: Any) -> bool:
    return answer.status_code == 401 and COOKIE not in answer.headers.get("set-cookie", "")


# In and out


def test_a_page_asks_who_one_is_and_goes_on_to_where_one_wanted(world: World) -> None:
    visitor = world.browser()
    answer = visitor.ask("GET", "/?period=2026-09")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2F%3Fperiod%3D2026-09")
    answer = visitor.sign_in("anna", next="/?period=2026-09")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?period=2026-09")
    assert "September" in visitor.page("/") or "All periods" in visitor.page("/")
    assert world.browser().get("/v1/partners").status_code == 401, "programs are not sent to a page"


def test_the_session_ends_with_sign_out_rest_and_age(world: World) -> None:
    """30 minutes of rest, 12 hours in any case; after sign-out the cookie opens nothing."""
    visitor = world.signed_in("anna")
    for _ in range(20):
        world.later(minutes=29)
        assert visitor.ask("GET", "/account").status_code == 200
    kept = dict(visitor.cookies)
    world.later(minutes=31)
    assert visitor.ask("GET", "/account").status_code == 303

    visitor = world.signed_in("anna")
    for _ in range(24):
        world.later(minutes=29)
        visitor.ask("GET", "/account")
    world.later(minutes=29)
    assert visitor.ask("GET", "/account").status_code == 303, "12 hours and 5 minutes"

    visitor = world.signed_in("anna")
    kept = dict(visitor.cookies)
    assert visitor.send("/account", "/sign-out").status_code == 303
    assert COOKIE not in visitor.cookies
    visitor.cookies = kept
    assert visitor.ask("GET", "/account").status_code == 303


def test_a_session_that_the_browser_brought_is_not_used_on(world: World) -> None:
    """Fixation: whoever planted a cookie has nothing once its owner signed in; each sign-in is a new one."""
    victim = world.browser()
    victim.cookies = {COOKIE: "planted"}
    victim.sign_in("anna")
    first = victim.cookies[COOKIE]
    assert first != "planted"
    attacker = world.browser()
    attacker.cookies = {COOKIE: "planted"}
    assert attacker.ask("GET", "/account").status_code == 303
    again = world.signed_in("anna")
    assert again.cookies[COOKIE] != first


def test_what_the_cookie_and_the_log_have(world: World) -> None:
    """The cookie is for HTTP on this site alone; no log has a token, a code, a password or a key."""
    visitor = world.browser()
    answer = visitor.sign_in("anna")
    (line,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert "HttpOnly" in line
    assert "SameSite=lax" in line
    assert "Secure" not in line, "this machine, without TLS"
    elsewhere = Visitor(world.app, "https://portal.broker.example")
    token = elsewhere.token_of("/sign-in")
    answer = elsewhere.ask(
        "POST", "/sign-in", {"Origin": "https://portal.broker.example"},
        data={"csrf": token, "name": "anna", "password": WORDS},
    )  # fmt: skip
    (line,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(COOKIE)]
    assert "Secure" in line
    _, secret = world.desk.create_key(Wanted("erp", ("read",), 9), "anna")
    code = world.desk.reset("fred", "anna")
    logs = b"".join(world.people_messages + world.audit_messages).decode()
    assert digest_of(secret) in logs
    for told in (visitor.cookies[COOKIE], secret, code, WORDS):
        assert told not in logs


# Guessing


def test_a_wrong_answer_says_nothing_and_too_many_wait(world: World) -> None:
    """Unknown, wrong password and disabled look alike; the sixth try of a name is not looked at."""
    world.desk.disable("ned", "anna")
    visitor = world.browser()
    answers = [
        visitor.sign_in("anna", "wrong words entirely"),
        visitor.sign_in("nobody"),
        visitor.sign_in("ned"),
    ]
    assert all(map(wrong, answers))
    texts = {
        answer.text.replace(name, "") for answer, name in zip(answers, ("anna", "nobody", "ned"), strict=True)
    }
    assert len(texts) == 1
    for _ in range(4):
        assert wrong(visitor.sign_in("anna", "wrong words entirely"))
    answer = visitor.sign_in("anna")
    assert wrong(answer)
    assert "Too many wrong answers" in answer.text
    assert world.browser().sign_in("fred").status_code == 303, "others sign in"
    tried = [one for one in world.done() if one[1] == "sign_in_failed"]
    assert [name for name, _, _ in tried].count("anna") == 5


def test_an_unknown_name_takes_as_long_as_a_known_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared: a password is hashed once in either case."""
    hashed: list[str] = []
    real = passwords._hasher.verify

    class Counting:
        def verify(self, known: str, password: str) -> bool:
            hashed.append(known)
            return real(known, password)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    for name in ("anna", "nobody"):
        with pytest.raises(SignInFailed, match="wrong"):
            world.sign_ins.sign_in(name, "wrong words entirely", "", HERE)
    assert len(hashed) == 2


def test_a_second_factor_is_asked_for_and_counts_once(world: World) -> None:
    visitor = world.signed_in("anna")
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).now()
    bad = visitor.send("/account", "/account/second-factor", old=WORDS, secret=secret, code="000000")
    assert "wrong" in bad.text
    assert f'id="secret">{secret}<' in bad.text, "an app has it already: another one would need it anew"
    good = visitor.send("/account", "/account/second-factor", old=WORDS, secret=secret, code=code)
    assert good.status_code == 303
    assert secret not in b"".join(world.people_messages).decode()
    assert wrong(world.browser().sign_in("anna"))
    assert wrong(world.browser().sign_in("anna", code=code)), "it was used to turn it on"
    code = pyotp.TOTP(secret).at(int(time.time()) + 30)
    assert world.browser().sign_in("anna", code=f"{code[:3]} {code[3:]}").status_code == 303
    assert wrong(world.browser().sign_in("anna", code=code)), "the same code again"
    # Another password keeps it: it is sealed under the new one.
    new = {"password": "other quiet words here", "again": "other quiet words here"}
    changed = visitor.send(
        "/account", "/account/password", old=WORDS, **new
    )  # fmt: skip
    assert changed.status_code == 303
    person = next(one for one in world.desk.people() if one.name == "anna")
    assert passwords.unsealed(person.totp, "other quiet words here") == secret
    assert passwords.unsealed(person.totp, WORDS) == ""


def test_a_new_password_forgets_the_wrong_answers_before_it(world: World) -> None:
    """Four wrong ones, a reset, and two more: each alone is below the six that wait."""
    for _ in range(4):
        assert wrong(world.browser().sign_in("fred", "wrong words entirely"))
    code = world.desk.reset("fred", "anna")
    sent = {"name": "fred", "code": code, "password": "other quiet words here"}
    sent |= {"again": "other quiet words here"}
    assert world.browser().send("/set-password", "/set-password", **sent).status_code == 303
    for _ in range(2):
        assert wrong(world.browser().sign_in("fred", "wrong words entirely"))
    assert world.browser().sign_in("fred", "other quiet words here").status_code == 303


def test_a_reset_ends_everything_and_its_code_counts_once(world: World) -> None:
    visitor = world.signed_in("fred")
    code = world.desk.reset("fred", "anna")
    assert visitor.ask("GET", "/account").status_code == 303
    assert wrong(world.browser().sign_in("fred"))
    new = {"password": "other quiet words here", "again": "other quiet words here"}
    assert wrong(world.browser().send("/set-password", name="fred", code="0" * 16, **new))
    short = world.browser().send("/set-password", name="fred", code=code, **dict.fromkeys(new, "short"))
    assert "12 to 256" in short.text
    assert world.browser().send("/set-password", name="fred", code=code, **new).status_code == 303
    assert wrong(world.browser().send("/set-password", name="fred", code=code, **new))
    code = world.desk.reset("fred", "anna")
    world.later(hours=72)
    assert wrong(world.browser().send("/set-password", name="fred", code=code, **new))


def test_the_first_admin_needs_the_code_of_the_log(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then this machine asks as before; afterwards the page is gone and everybody signs in."""
    world = World(ledger, monkeypatch, with_people=False)
    visitor = world.browser()
    assert visitor.ask("GET", "/v1/partners").status_code == 200
    assert visitor.ask("GET", "/sign-in").headers["location"] == "/first-run"
    new = {"password": WORDS, "again": WORDS}
    assert wrong(visitor.send("/first-run", name="anna", code="f" * 16, **new))
    assert visitor.send("/first-run", name="anna", code=world.sign_ins.first_code, **new).status_code == 303
    assert "anna" in visitor.page("/users")
    other = world.browser()
    assert other.ask("GET", "/v1/partners", {"Accept": "application/json"}).status_code == 401
    assert other.ask("GET", "/first-run").headers["location"] == "/sign-in"
    token = other.token_of("/sign-in")
    form = {"csrf": token, "name": "eve", "code": world.sign_ins.first_code, **new}
    assert wrong(other.ask("POST", "/first-run", {"Origin": ORIGIN}, data=form))


# Other sites, and requests by hand


def test_a_form_of_another_site_changes_nothing(world: World) -> None:
    """Another origin, no origin, no token, another session's token."""
    visitor, other = world.signed_in("anna"), world.signed_in("anna")
    form = {"do": "disable", "name": "fred", "csrf": visitor.token_of("/users")}
    for headers in (
        {"Origin": "https://evil.example"},
        {},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    ):
        assert visitor.ask("POST", "/users", headers, data=form).status_code == 403, headers
    for token in ("", other.token_of("/users"), csrf_of("")):
        answer = visitor.ask("POST", "/users", {"Origin": ORIGIN}, data=form | {"csrf": token})
        assert answer.status_code == 403
    twice = visitor.ask(
        "POST", "/users", {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"},
        content=f"csrf={form['csrf']}&do=end&do=disable&name=fred",
    )  # fmt: skip
    assert twice.status_code == 403
    assert {one.state for one in world.desk.people()} == {"active"}
    assert visitor.ask("POST", "/users", {"Origin": ORIGIN}, data=form).status_code == 200
    assert {one.name for one in world.desk.people() if one.is_disabled} == {"fred"}


def test_a_script_sends_the_token_of_its_page(world: World) -> None:
    visitor = world.signed_in("anna")
    body = {"name": "gina", "role": "auditor"}
    for headers in ({"X-CSRF-Token": "0" * 64}, {"Origin": "https://evil.example"}):
        assert visitor.call("/v1/users", body, **headers).status_code == 403
    assert visitor.call("/v1/users", body).status_code == 201
    form = visitor.ask("POST", "/v1/users", {"Origin": ORIGIN}, data=body)
    assert form.status_code == 403, "no form reaches the API"


def test_a_sign_in_form_is_of_the_browser_that_opened_it(world: World) -> None:
    """Nobody signs a visitor in to an account of their own."""
    mine = world.browser()
    token = mine.token_of("/sign-in")
    victim = world.browser()
    form = {"csrf": token, "name": "anna", "password": WORDS}
    assert victim.ask("POST", "/sign-in", {"Origin": ORIGIN}, data=form).status_code == 403
    assert mine.ask("POST", "/sign-in", {"Origin": "https://evil.example"}, data=form).status_code == 403


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/a\nb",
     "http:/x", "/sign-in?next=/x", "x"],
)  # fmt: skip
def test_sign_in_leads_nowhere_else(world: World, wanted: str) -> None:
    assert safe_next(wanted) == "/"
    answer = world.browser().sign_in("anna", next=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_headers_that_two_would_read_differently(world: World) -> None:
    """Two of one header are refused, whichever is right; so are two cookies of ours."""
    visitor = world.signed_in("anna")
    cookie = visitor.cookies[COOKIE]
    two = [("Cookie", f"{COOKIE}={cookie}"), ("Authorization", "Bearer x"), ("Authorization", "Bearer y")]
    assert visitor.get("/v1/me", headers=two).status_code == 400
    assert visitor.get("/v1/me", headers=[("Host", "a"), ("Host", "b")]).status_code == 400
    twice = {"Cookie": f"{COOKIE}=planted; {COOKIE}={cookie}"}
    assert visitor.get("/v1/me", headers=twice).status_code == 401
    both = {"Cookie": f"{COOKIE}={cookie}", "Authorization": "Bearer wrong"}
    assert visitor.get("/v1/me", headers=both).status_code == 401
    assert (
        visitor.get("/v1/me", headers={"X-Forwarded-User": "anna", "X-Remote-User": "anna"}).status_code
        == 401
    )


def test_one_s_own_sessions_are_one_s_own(world: World) -> None:
    """Nobody ends another's by its id, but an admin."""
    fred, iris = world.signed_in("fred"), world.signed_in("iris")
    (session,) = [one.session for one in world.desk.sessions("fred")][:1]
    assert iris.send("/account", "/account/sessions", session=session).status_code == 404
    assert iris.call(f"/v1/sessions/{session}/end", {}).status_code == 403
    assert fred.ask("GET", "/account").status_code == 200
    anna = world.signed_in("anna")
    assert anna.send("/users", do="end", session=session).status_code == 200
    assert len(world.desk.sessions("fred")) == 1, "that of setting the password"


@pytest.mark.parametrize("name", ROLES)
def test_names_and_errors_are_text(world: World, name: str) -> None:
    """What comes back into a page is escaped."""
    visitor = world.browser()
    answer = visitor.sign_in(f"<script>{name}</script>")
    assert wrong(answer)
    assert "<script>" not in answer.text
