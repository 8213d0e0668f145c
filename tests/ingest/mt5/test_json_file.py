"""MT5 deals saved as JSON files: both dialects, healed backslashes, bounds, damage."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.counts import Counts
from ingest.formats import json_text
from ingest.formats.json_text import read_json
from ingest.mt5.json_file import read
from ingest.readers.detect import detect, read_any
from ingest.sources import UnreadableSource
from schemas.wire import decode, encode
from tests.effort import tries
from tests.ingest.ingest_exports import RECEIVED, damage, ledger, mt4, mt5, sorted_out
from tests.ingest.mt5.records import cash, manager, terminal

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
USD = mt5(currency="USD")
OURS = mt5(currency="USC", login=5001)
FUZZ = settings(
    max_examples=tries(37), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def json_file(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def answer(*records: Any) -> dict[str, Any]:
    return {"retcode": "0 Done", "answer": list(records)}


@pytest.mark.parametrize("wrap", [answer, lambda *records: list(records)])
def test_deals_of_the_web_api(tmp_path: Path, wrap: Any) -> None:
    """An answer and a bare array are the same deals, in order, each with its place in the file."""
    path = json_file(tmp_path / "a.json", wrap(manager(2), cash(1, "500.00"), manager(3, Price="?")))
    counts = Counts()
    deals, letters = sorted_out(read(path, USD, RECEIVED, counts))
    assert ledger(deals, "deal_id", "kind", "source") == [
        ("1", "balance", "mt5-web-api-json a.json:record 2"),
        ("2", "trade", "mt5-web-api-json a.json:record 1"),
    ]
    assert [(letter.position, letter.code) for letter in letters] == [("record 3", "bad_amount")]
    assert (counts.rows, counts.deals.total(), counts.dead_letters.total()) == (3, 2, 1)


def test_one_deal_alone(tmp_path: Path) -> None:
    """`/api/deal/get` answers with one object."""
    path = json_file(tmp_path / "a.json", {"retcode": "0 Done", "answer": manager(7)})
    assert [deal.deal_id for deal in sorted_out(read(path, USD, RECEIVED))[0]] == ["7"]


def test_deals_of_a_terminal_find_their_contract_sizes(tmp_path: Path) -> None:
    """A terminal's deals take contract sizes from the symbols saved beside them, and none if not there."""
    path = json_file(tmp_path / "my-deals.json", [terminal(1, symbol="XAUUSDc"), terminal(2, symbol="OTHER")])
    assert ledger(sorted_out(read(path, OURS, RECEIVED))[0], "contract_size") == [("None",), ("None",)]
    json_file(tmp_path / "my-symbols.json", [{"name": "XAUUSDc", "trade_contract_size": 1.0}])
    deals, _ = sorted_out(read(path, OURS, RECEIVED))
    assert ledger(deals, "contract_size", "login", "currency") == [
        ("1.0", "5001", "USC"),
        ("None", "5001", "USC"),
    ]
    for broken in ("{", '[{"name": 5}]', '[{"name": "X", "trade_contract_size": "big"}]'):
        json_file(tmp_path / "my-symbols.json", broken)
        with pytest.raises(UnreadableSource, match=r"my-symbols\.json"):
            read(path, OURS, RECEIVED)


def test_the_same_file_twice_is_the_same(tmp_path: Path) -> None:
    """Reading is a function of the file: ids, revisions and dead letters are equal."""
    path = json_file(tmp_path / "a.json", answer(manager(1), manager(2, Price="?")))
    assert list(read(path, USD, RECEIVED)) == list(read(path, USD, RECEIVED))


@pytest.mark.parametrize(
    ("comment", "meant"),
    [
        (r"C:\Users", r"C:\Users"),
        (r"ends with \\", "ends with \\"),
        (r"a \" quote", 'a " quote'),
        (r"\u0041 and \x", r"A and \x"),
        ("a tab\tinside", "a tab\tinside"),
    ],
)
def test_backslashes_are_healed(tmp_path: Path, comment: str, meant: str) -> None:
    """A server that forgets to escape a backslash loses no deal; right escapes keep their meaning."""
    text = json.dumps(answer(manager(1, Comment="HERE"), manager(2))).replace("HERE", comment)
    deals, letters = sorted_out(read(json_file(tmp_path / "a.json", text), USD, RECEIVED))
    assert ([deal.deal_id for deal in deals], letters) == (["1", "2"], [])
    assert deals[0].comment == meant


def test_a_backslash_before_the_closing_quote_is_healed(tmp_path: Path) -> None:
    """A comment that ends with a bare backslash hides its closing quote; doubling all finds it."""
    text = json.dumps(answer(manager(1, Comment="HERE"), manager(2))).replace("HERE", "path\\")
    deals, _ = sorted_out(read(json_file(tmp_path / "a.json", text), USD, RECEIVED))
    assert [(deal.deal_id, deal.comment) for deal in deals] == [("1", "path\\"), ("2", "")]


def test_bytes_that_are_not_utf8_stay_in_their_comment(tmp_path: Path) -> None:
    """One comment in another code page costs no deal."""
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(answer(manager(1, Comment="HERE"))).encode().replace(b"HERE", b"\xd6\xd0"))
    deals, letters = sorted_out(read(path, USD, RECEIVED))
    assert ([deal.comment for deal in deals], letters) == (["\ufffd\ufffd"], [])


def test_numbers_without_quotes_are_exact(tmp_path: Path) -> None:
    """Numbers as JSON numbers never pass through a float, and one that is no number costs one deal."""
    text = json.dumps([manager(1, Profit="HERE"), manager(2)])
    path = json_file(tmp_path / "a.json", text.replace('"HERE"', "99999999999999.12345678"))
    assert sorted_out(read(path, USD, RECEIVED))[0][0].profit == Decimal("99999999999999.12345678")
    for broken in ("NaN", "-Infinity", "1e99999999999999999999", "9" * 5000):
        json_file(path, text.replace('"HERE"', broken))
        deals, letters = sorted_out(read(path, USD, RECEIVED))
        assert ([deal.deal_id for deal in deals], [x.code for x in letters]) == (["2"], ["bad_amount"])


def test_a_field_said_twice_is_refused(tmp_path: Path) -> None:
    """Of two profits in one record nobody knows which counts."""
    text = json.dumps([manager(1), manager(2)]).replace('"Profit": "0.00"', '"Profit": "1", "Profit": "2"', 1)
    deals, letters = sorted_out(read(json_file(tmp_path / "a.json", text), USD, RECEIVED))
    assert ([deal.deal_id for deal in deals], [x.code for x in letters]) == (["2"], ["repeated_field"])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "empty"),
        ("[]", "no deals"),
        ('{"retcode":"13 Invalid account","answer":[]}', "refusal of the server: `13 Invalid"),
        ('{"retcode":"0 Done"}', "neither"),
        ('{"retcode":"0 Done","answer":"none"}', "neither"),
        (json.dumps([manager(1)])[:-1], "not whole JSON, line 1"),
        (json.dumps([manager(1)])[:300] + "\\", "not whole JSON"),
        ('[{"Deal":1,"Action":0,"Entry":0}' + "[" * 100_000, "not whole JSON"),
        ('[{"deal":"1","volume":1.00,"volumeExt":1.00,"action":"0"}]', "gateways of others"),
    ],
)
def test_other_files_are_refused_at_once(tmp_path: Path, content: str, match: str) -> None:
    """A file that is cut off, a refusal or of another dialect fails at the call, and says why."""
    path = json_file(tmp_path / "a.json", content)
    with pytest.raises(UnreadableSource, match=match):
        read(path, USD, RECEIVED)


def test_login_and_currency_must_be_known(tmp_path: Path) -> None:
    """Where neither file nor profile says them, the file is refused naming the option."""
    path = json_file(tmp_path / "a.json", [terminal(1)])
    with pytest.raises(UnreadableSource, match="--login"):
        read(path, USD, RECEIVED)
    with pytest.raises(UnreadableSource, match="--currency"):
        read(path, mt5(login=5001), RECEIVED)
    with pytest.raises(UnreadableSource, match="MT4"):
        read(path, mt4(), RECEIVED)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of too many bytes, objects or values is refused before it is parsed."""
    deal = json.dumps([manager(1), manager(2)])
    for name, limit in (("MAX_JSON_BYTES", 100), ("MAX_OPENED", 2), ("MAX_COMMAS", 20)):
        with monkeypatch.context() as patch:
            patch.setattr(json_text, name, limit)
            with pytest.raises(UnreadableSource, match="shorter period"):
                read_json(deal.encode(), "a.json")
    assert read_json(deal.encode(), "a.json")


@FUZZ
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bytes are flipped, cut or put in, no other failure, and every deal can be sent."""
    for valid, profile in (([manager(n) for n in range(1, 4)], USD), ([terminal(n) for n in (1, 2)], OURS)):
        path = tmp_path / "a.json"
        path.write_bytes(data.draw(st.composite(damage(json.dumps(valid).encode()))()))
        try:
            deals, letters = sorted_out(read(path, profile, RECEIVED))
        except UnreadableSource:
            continue
        assert len(deals) + len(letters) >= 1
        assert [decode(line) for line in encode(deals)] == deals


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="real exports are not part of the project")
def test_real_exports() -> None:
    """A real terminal's 140 deals and a real Web API answer are read whole."""
    counts = Counts()
    path = SAMPLES / "mt5-terminal-deals.json"
    assert detect(path) == "mt5-terminal-json"
    deals, letters = sorted_out(read(path, OURS, RECEIVED, counts))
    assert (len(deals), letters, dict(counts.deals)) == (
        140, [], {"trade": 136, "balance": 3, "correction": 1},
    )  # fmt: skip
    # Counted beside, with jq: the facts verified reason 4 and the comment `[sl …]` on this file.
    assert [d.reason == "stop_loss" for d in deals] == [d.comment.startswith("[sl") for d in deals]
    assert {d.contract_size for d in deals if d.symbol == "XAUUSDc"} == {Decimal(1)}
    assert detect(SAMPLES / "mt5-webapi-deal.json") == "mt5-web-api-json"
    (deal,) = sorted_out(read(SAMPLES / "mt5-webapi-deal.json", USD, RECEIVED))[0]
    assert ledger([deal], "deal_id", "volume_e8", "reason", "server_time", "bid") == [
        ("19090", "25000000", "mobile", "2022.08.02 16:02:00.804", "1783.190")
    ]


def test_what_a_file_says_must_agree_with_what_is_said_of_it(tmp_path: Path) -> None:
    """A file of login 5001 read with `--login 9` is refused, as every other source refuses it."""
    path = json_file(tmp_path / "a.json", [manager(1)])
    with pytest.raises(UnreadableSource, match="login 5001"):
        list(read_any(path, mt5(login=9, currency="USD"), RECEIVED))
