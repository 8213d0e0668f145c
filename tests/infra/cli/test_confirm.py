"""What deletes, replaces or cannot be taken back asks first, or is told `--yes`."""

from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from infra.cli import console
from infra.cli.app import app
from infra.processes.owner import Owner, owner_of

TERMS = Path(__file__).parents[3] / "examples" / "broker" / "terms"
WINDOW = ("--from", "2026-09-01", "--to", "2026-10-01")


def ibflow(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["statements", "export", "ib-a", "2026-09", "-o", "FILE"], "FILE would be replaced"),
        (["what-if", "--terms", TERMS, "--csv", "FILE"], "FILE would be replaced"),
        (["what-if", "--terms", TERMS, "--csv", "new.csv", "--html", "FILE"], "FILE would be replaced"),
        (
            ["book", "skip", "client-book/3", "7", "--by", "ann", "--reason", "why"],
            "out of the book for good",
        ),
        (
            ["reconcile", "--server", "mt5-live", "--terms", TERMS, *WINDOW, "--delete-extra"],
            "taken back for",
        ),
        (["kafka", "stop"], "works with this Kafka, which would stop"),
    ],
)
def test_without_a_terminal_it_needs_yes(command: list[str | Path], told: str, tmp_path: Path) -> None:
    """Exit 2, what would have been done, and how to say yes; nothing was done."""
    file = tmp_path / "file"
    file.write_text("kept")
    owner = Owner.take(tmp_path)
    filled = [file if part == "FILE" else part for part in command]
    result = ibflow(*filled, IBFLOW_DATA_DIR=str(tmp_path), IBFLOW_KAFKA="127.0.0.1:9")
    owner.leave()
    assert 2 == result.exit_code, result.output
    assert told.replace("FILE", str(file)) in result.stderr
    assert "Nothing was done: add --yes" in result.stderr
    assert "kept" == file.read_text()


@pytest.mark.parametrize("answer", [True, False, typer.Abort()], ids=str)
def test_at_a_terminal_a_person_is_asked(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A yes goes on; a no, Ctrl-C and Ctrl-D end with 2."""

    def asked(_: str, *, err: bool) -> object:
        assert err, "answers go to stdout, questions do not"
        if isinstance(answer, typer.Abort):
            raise answer
        return answer

    monkeypatch.setattr(console.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(typer, "confirm", asked)
    if answer is True:
        console.confirm("it would be gone", yes=False)
        return
    with pytest.raises(typer.Exit) as ended:
        console.confirm("it would be gone", yes=False)
    assert 2 == ended.value.exit_code


def test_asking_who_owns_a_folder_makes_nothing(tmp_path: Path) -> None:
    """Neither the folder nor a lock; and an owner that has left is none."""
    assert ("", False) == (owner_of(tmp_path / "none"), (tmp_path / "none").exists())
    owner = Owner.take(tmp_path)
    assert owner_of(tmp_path)
    owner.leave()
    assert "" == owner_of(tmp_path)


def test_kafka_is_where_the_settings_say(tmp_path: Path) -> None:
    """`ibflow kafka` looks in the data folder of the settings, as every other command does."""
    result = ibflow("kafka", "status", IBFLOW_DATA_DIR=str(tmp_path))
    assert f"No Kafka is running in {tmp_path / 'kafka'}" in result.output.replace("\n", "")
    named = ibflow("kafka", "status", "--data", tmp_path / "other", IBFLOW_DATA_DIR=str(tmp_path))
    assert f"No Kafka is running in {tmp_path / 'other'}" in named.output.replace("\n", "")
    assert [] == list(tmp_path.iterdir())
