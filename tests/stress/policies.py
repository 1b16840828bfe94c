"""The city under one policy of matching, once for each seed, to be compared with another policy.

    python -m tests.stress.policies greedy --seeds 1 2 3
    python -m tests.stress.policies window --window 5 --seeds 1 2 3
    python manage.py simulate --city --compare var/policies/greedy.jsonl var/policies/window.jsonl

Each run has a server and a database of its own. People live `--speed` times faster than in town, and so do the
time-outs of matching: `--window` and all others are divided by it. Drivers come to the passenger at the pace of the
ride. Further settings follow the name, as `MATCH_MAX_DRIVERS=1`. Returns 1 where a run broke a promise or did not end.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR

PARSER = argparse.ArgumentParser(prog="python -m tests.stress.policies", description="The city under one policy.")
PARSER.add_argument("name", help="of the policy, and of the file")
PARSER.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="further settings of the policy")
PARSER.add_argument("--window", type=float, default=0, help="MATCH_WINDOW, in seconds of town (%(default)s)")
PARSER.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run each")
PARSER.add_argument("--drivers", type=int, default=10, help="drivers (%(default)s)")
PARSER.add_argument("--passengers", type=int, default=20, help="passengers (%(default)s)")
PARSER.add_argument("--rides", type=int, default=100, help="rides (%(default)s)")
PARSER.add_argument("--speed", type=float, default=10, help="times faster than in town (%(default)s)")
PARSER.add_argument("--folder", type=Path, default=Path("var/policies"), help="where figures are kept (%(default)s)")

LIFE = {"MATCH_RESPONSE_TIMEOUT": 30.0, "MATCH_SEARCH_INTERVAL": 3.0, "TIMERS_INTERVAL": 0.25}
"""Seconds in town."""

ENV = {
    "RIDES_MAX_SPEED_KMH": "0",
    "OFFER_RECEIPT_TIMEOUT": "2s",  # phones and machine are no faster than in town
    "SEARCH_FREE_CANCELS": "0",  # a passenger has a day's rides within minutes
}


def main() -> int:
    """Let the city live once for each seed; return 1 where anything is wrong."""
    options = PARSER.parse_args()
    times = {**LIFE, "MATCH_WINDOW": options.window}
    scaled = {name: f"{seconds / options.speed * 1000:g}ms" for name, seconds in times.items()}
    env = {**ENV, **scaled, **dict(text.split("=", 1) for text in options.settings)}
    names = ("drivers", "passengers", "rides", "speed")
    town = [f"--{name}={getattr(options, name)}" for name in names]
    code = 0
    with tempfile.TemporaryDirectory(prefix="policies-") as folder:
        empty = Path(folder) / "empty.sqlite3"
        made = ServerProcess(Path(folder), DATABASE_URL=f"sqlite:///{empty}").manage("migrate", "--verbosity=0")
        made.check_returncode()
        for seed in options.seeds:
            place = Path(folder) / str(seed)
            place.mkdir()
            server = ServerProcess(place, **env)
            shutil.copy(empty, server.database)
            server.start()
            try:
                kept = [f"--save={options.folder / options.name}.jsonl", f"--evidence={options.folder / 'evidence'}"]
                run = ["--city", "--unhurried", f"--url={server.url}", f"--seed={seed}", *town, *kept]
                command = [sys.executable, "manage.py", "simulate", *run]
                done = subprocess.run(
                    command, cwd=BASE_DIR, env=server.env, capture_output=True, text=True, check=False
                )
            finally:
                server.stop()
            sys.stdout.write(f"Seed {seed}:\n{done.stdout}{done.stderr if done.returncode else ''}\n")
            sys.stdout.flush()
            code = code or done.returncode
    return code


if __name__ == "__main__":
    sys.exit(main())
