"""`python -m bridge bridge.ini`: run the bridge until Ctrl-C."""

import configparser
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from bridge.follow import Platform, follow
from bridge.outbox import Outbox
from bridge.sender import Endpoint, send_all


def secret(variable: str) -> str:
    """A secret of the environment, so that it is in no file."""
    if value := os.environ.get(variable):
        return value
    sys.exit(f"Set the environment variable {variable}.")


def run(
    platform: Platform, outbox: Outbox, endpoint: Endpoint, stop: threading.Event, first_days: int
) -> None:
    """Follow the platform and send what it tells, until `stop`."""
    sending = threading.Thread(target=send_all, args=(outbox, endpoint, stop), name="sender")
    sending.start()
    try:
        follow(platform, outbox, stop, first_days)
    finally:
        stop.set()
        sending.join()
        outbox.close()


def main() -> None:
    """Read the configuration and run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    config = configparser.ConfigParser(interpolation=None)
    with Path(sys.argv[1] if len(sys.argv) > 1 else "bridge.ini").open(encoding="utf-8") as file:
        config.read_file(file)
    mt5, ibflow = config["mt5"], config["ibflow"]

    from bridge.mt5 import Mt5Platform  # noqa: PLC0415 # its package is for Windows only

    platform = Mt5Platform(mt5["server"], int(mt5["login"]), secret("MT5_PASSWORD"), mt5.get("groups", "*"))
    endpoint = Endpoint(ibflow["url"], secret("IBFLOW_BRIDGE_TOKEN"), "mt5-manager")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    outbox = Outbox(Path(ibflow.get("outbox", "outbox.sqlite")))
    run(platform, outbox, endpoint, stop, mt5.getint("first_days", 7))


if __name__ == "__main__":
    main()
