"""The feed of a server in broker.yaml: every mistake is told with its line, and no secret is repeated."""

import shutil
from pathlib import Path

import pytest

from infra.sources.live import interval_s, open_source
from ingest.mt4.sql import Mt4Sql
from ingest.mt5.sql import Mt5Sql
from ingest.mt5.web_access import WebApi
from ingest.mt5.web_api import Mt5WebApi
from ingest.sources import UnreadableSource
from ingest.terms.feeds import SqlFeed, WebFeed
from ingest.terms.folder import InvalidTerms, load_terms
from ingest.terms.servers import BrokerServer

EXAMPLE = Path(__file__).parents[3] / "examples/broker/terms"
FEED = "kind: mt5-sql, host: db.example.com, database: mt5, user: ibflow, password_env: MT5_PASSWORD"

WEB = "kind: mt5-web-api, url: https://mt5.example.com, login: 7, password_env: MT5_PASSWORD, groups: [real*]"

API = WebApi(url="https://mt5.example.com", login=7, groups=("real*",), password_env="MT5_PASSWORD")  # noqa: S106


def server(folder: Path, feed: str, name: str = "mt5-live") -> BrokerServer:
    """A server of the example broker with this feed."""
    terms = folder / "terms"
    shutil.copytree(EXAMPLE, terms, dirs_exist_ok=True)
    lines = (terms / "broker.yaml").read_text().splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{name}:")]
    lines[at] = lines[at].rstrip("}") + f",\n    feed: {{{feed}}}}}"
    (terms / "broker.yaml").write_text("\n".join(lines))
    return load_terms(terms).servers[name]


def test_a_feed_is_read(tmp_path: Path) -> None:
    """What is left out has the usual values."""
    expected = SqlFeed(
        kind="mt5-sql", host="db.example.com", database="mt5", user="ibflow", port=3306, tls_ca="",
        interval_s=5, password_env="MT5_PASSWORD",  # noqa: S106 - the name of a variable
    )  # fmt: skip
    assert expected == server(tmp_path, FEED).feed
    more = server(tmp_path, FEED + ", port: 3307, tls_ca: /etc/ca.pem, interval_s: 60").feed
    assert more is not None
    assert (3307, "/etc/ca.pem", 60) == (more.port, more.tls_ca, more.interval_s)


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        (FEED.replace("mt5-sql", "mt4-sql"), "is mt4-sql, but mt5-live is MT5"),
        (FEED.replace("mt5-sql", "sql"), "kind is 'sql'; choose one of mt5-sql"),
        (FEED.replace("host: db.example.com, ", ""), "needs the key host"),
        (FEED.replace("db.example.com", "http://db"), "host is 'http://db'; write a name"),
        (FEED + ", port: 0", "port is '0'; write 1 to 65535"),
        (FEED + ", interval_s: 0", "write 1 to 3600"),
        (FEED + ", password: hunter2", "has no key password"),
        (WEB.replace("https", "http"), "write https://"),
        (WEB.replace("groups: [real*]", "interval_s: 9"), "name either groups or logins"),
        (WEB.replace("groups: [real*]", "logins: [x]"), "logins are numbers"),
        (WEB + ", connections: 9", "connections is '9'; write 1 to 5"),
        (WEB + ", password: hunter2", "has no key password"),
        (FEED.replace("MT5_PASSWORD", "hunter2"), "password_env is not the name of an environment variable"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, feed: str, told: str) -> None:
    """Each names its line; a password written in the wrong place is not repeated."""
    with pytest.raises(InvalidTerms, match=r"broker\.yaml:7") as caught:
        server(tmp_path, feed)
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_feed_opens_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind chooses the source, and the password comes from the environment, or its name is told."""
    mt5, mt4 = server(tmp_path, FEED), server(tmp_path, FEED.replace("mt5-sql", "mt4-sql"), "mt4-real")
    with pytest.raises(UnreadableSource, match="MT5_PASSWORD is not set"):
        open_source(mt5)
    monkeypatch.setenv("MT5_PASSWORD", "hunter2")
    assert isinstance(open_source(mt5), Mt5Sql)
    assert isinstance(open_source(mt4), Mt4Sql)
    assert 5 == interval_s(mt5)
    web = server(tmp_path, WEB + ", interval_s: 9")
    assert WebFeed(api=API, interval_s=9) == web.feed
    with open_source(web) as opened:  # type: ignore[attr-defined]
        assert isinstance(opened, Mt5WebApi)
    with pytest.raises(UnreadableSource, match="no feed for mt5-net"):
        open_source(load_terms(EXAMPLE).servers["mt5-net"])
