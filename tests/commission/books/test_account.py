"""The account book: no deal without an owner is paid, none is lost, none is paid to two clients."""

from msgspec.structs import replace

from tests.build import ANNA, at, deal, linked, registered, run

ANNA_REGISTERED, BEN_REGISTERED = registered("anna ib-north"), registered("ben ib-north")


def owners(*records: object) -> list[str]:
    """The clients of the direct IB's rows, in order."""
    told = run(ANNA_REGISTERED, BEN_REGISTERED, *records)  # type: ignore[arg-type] # builders give records
    return [row.client_id for row in told.transfers if row.depth == 0]


def test_a_deal_of_an_unknown_account_waits() -> None:
    """It is visible with its reason and pays nobody."""
    told = run(deal("1 buy 1 EURUSD out"))
    assert told.reasons == {"1": "waiting unknown_account"}
    assert told.transfers == []


def test_waiting_deals_are_released_in_the_order_of_their_time() -> None:
    """The link releases them once, whatever order they came in."""
    late, early = deal("1 buy 1 EURUSD out", day=9), deal("2 buy 1 EURUSD out", day=5)
    told = run(ANNA_REGISTERED, late, early, linked("1 anna"), linked("1 anna"))
    assert [row.caused_by for row in told.transfers if row.depth == 0] == ["live|2", "live|1"]


def test_the_newest_revision_of_a_waiting_deal_counts() -> None:
    """Also if the newer one has an earlier time: the order of arrival makes it the newer."""
    first = deal("1 buy 1 EURUSD out", day=9)
    second = replace(first, revision="b", volume_e8=2 * 10**8, occurred_at=at(5))
    told = run(first, second, *ANNA)
    assert told.owed == {"ib:ib-master:pending": "4.00 USD", "ib:ib-north:pending": "10.00 USD"}
    assert run(*ANNA, first, second).owed == told.owed


def test_an_account_has_its_owner_of_the_time() -> None:
    """The first owner also has what came before; the second what came from its day on."""
    links = linked("1 anna", day=5), linked("1 ben", day=10)
    days = {"1": 2, "2": 5, "3": 9, "4": 10}
    deals = [deal(f"{number} buy 1 EURUSD out", day=day) for number, day in days.items()]
    assert owners(*links, *deals) == ["anna", "anna", "anna", "ben"]


def test_a_deal_sent_again_after_a_corrected_link_has_no_second_effect() -> None:
    """A later link that reaches back must not pay the same deal to a second client."""
    bought = deal("1 buy 1 EURUSD out", day=5)
    assert owners(linked("1 anna"), bought, linked("1 ben", day=3), bought) == ["anna"]


def test_the_same_login_of_two_servers_is_two_accounts() -> None:
    """A login is unique only with its server."""
    elsewhere = deal("1 buy 1 EURUSD out", server="other")
    told = run(*ANNA, elsewhere)
    assert told.reasons == {"1": "waiting unknown_account"}


def test_a_link_under_another_event_id_gives_the_account_to_nobody_again() -> None:
    """Anna's from day 1, Ben's from day 5; the first link comes again after a deal of his: it stays his."""
    links = linked("1 anna"), linked("1 ben", day=5)
    again = replace(links[0], event_id="another", source="a second file")
    one, two = deal("1 buy 1 EURUSD out", day=6), deal("2 buy 1 EURUSD out", day=7)
    assert owners(*links, one, again, two) == ["ben", "ben"]
    back = linked("1 anna", day=7)  # a link of its own
    assert owners(*links, one, again, back, two) == ["ben", "anna"]
