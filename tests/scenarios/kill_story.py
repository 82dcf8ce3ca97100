"""kill -9 at random for minutes of wall time, over real sockets: the promises hold, or it says where they did not.

`python -m tests.scenarios.kill_story --minutes 5 [--seed N]` runs `bracketeer sim` and a manager, each in its own
process. Signals come, prices move through stops and targets, requests and streams fail, and the manager is killed and
started again on the same audit folder. A judge in this process looks at the exchange's books all the while. The seed
gives the same choices; what they meet is the machine's business. Exit code 1: a promise was broken, and the evidence is
kept.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .kill_acts import SYMBOLS, Acts
from .kill_judge import Judge
from .kill_processes import Exchange, Manager

ACT_EVERY_S = (0.05, 0.4)
LOOK_EVERY_S = 0.1
BOOKS_EVERY_S = 5.0
QUIET_EVERY_S = 25.0
QUIET_WITHIN_S = 30.0
READY_WITHIN_S = 60.0
AMID_ENTRY = 0.7
DOWN_S = (0.0, 0.0, 0.3, 2.0)
"""For how long nobody is at work after a kill, besides what starting takes."""


class KillStory:
    """One run."""

    def __init__(self, seed: int, folder: Path, exchange: Exchange) -> None:
        self.dice = random.Random(seed)
        self.folder = folder
        self.exchange = exchange
        self.judge = Judge(folder / "audit")
        self.counts: Counter[str] = Counter()  # of what the managers said
        self.slowest_return_ms = 0
        self.told: dict[str, Any] = {}
        self.answers: Counter[str] = Counter()
        self.acts = Acts(self.dice, exchange, lambda signal: self.manager.tell(signal=signal), folder / "acts.jsonl")
        self._pause = threading.Event()
        self._returning_since_ms: int | None = None
        # A person's order: not ours to touch.
        exchange.control("order", symbol="XRPUSDT", side="BUY", quantity="900", price="0.4")
        self.manager = Manager(exchange, folder, 0)
        self._await_ready()

    def play(self, seconds: float) -> None:
        """All of it, ending with a quiet point and everything closed."""
        now_s = time.monotonic()
        end_s, quiet_s, books_s = now_s + seconds, now_s + QUIET_EVERY_S, now_s
        while (now_s := time.monotonic()) < end_s and not self.judge.violations:
            if not self.acts.one():
                self._kill()
            self._look_for(self.dice.uniform(*ACT_EVERY_S))
            if now_s > quiet_s:
                self._be_quiet()
                quiet_s = time.monotonic() + QUIET_EVERY_S
            if now_s > books_s:
                self._check_books()
                books_s = now_s + BOOKS_EVERY_S
        self._be_quiet()
        for symbol in SYMBOLS:
            self.acts.signal(symbol, "CLOSE")
        self._be_quiet()
        self._conclude()

    def close(self) -> None:
        """Leave nothing running."""
        if not self.manager.ended():
            self.manager.kill()
        self.acts.close()

    def _kill(self) -> None:
        """kill -9, often amid an entry; what it left on disk is proven; start again."""
        if self.dice.random() < AMID_ENTRY:
            self.acts.entry(self.dice.choice(SYMBOLS))
            self._pause.wait(self.dice.uniform(0, 0.06))
        self.acts.note("kill")
        self.manager.kill()
        self.judge.manager_left(self._look())
        self.judge.check_log()
        self._listen()
        self._look_for(self.dice.choice(DOWN_S))
        self._start_again()

    def _start_again(self) -> None:
        self._returning_since_ms = self._look()
        self.manager = Manager(self.exchange, self.folder, self.acts.counts["kill"])
        self._await_ready()
        self.judge.manager_came(self._look())

    def _await_ready(self) -> None:
        deadline_s = time.monotonic() + READY_WITHIN_S
        self.told = {}
        while "ready" not in self.told:
            if time.monotonic() > deadline_s or self.manager.ended():
                raise RuntimeError(f"the manager does not start; see {self.folder}")
            self._look_for(LOOK_EVERY_S / 4)

    def _look_for(self, seconds: float) -> None:
        """Let time pass, looking."""
        end_s = time.monotonic() + seconds
        while True:
            self._look()
            self._listen()
            remaining_s = end_s - time.monotonic()
            if remaining_s <= 0:
                return
            self._pause.wait(min(LOOK_EVERY_S, remaining_s))

    def _look(self) -> int:
        """The judge's glance; the exchange's time."""
        view = self.exchange.view()
        self.judge.look(view)
        now_ms = int(view["serverTime"])
        self.acts.unmute_if_due()
        if self._returning_since_ms is not None and "ready" in self.told and not self.judge.is_bare():
            self.slowest_return_ms = max(self.slowest_return_ms, now_ms - self._returning_since_ms)
            self._returning_since_ms = None
        return now_ms

    def _listen(self) -> None:
        while not self.manager.heard.empty():
            said = self.manager.heard.get()
            self.told.update(said)
            if "report" in said:
                self.answers[said["status"]] += 1
            if "alert" in said:
                self.counts["alert " + said["alert"]] += 1
            if "start_failed" in said:
                self.counts["start failed " + said["start_failed"]] += 1
                if self.judge.is_bare():
                    self.judge.fail(f"P2: the start gave up ({said['start_failed']}) while a position was bare")

    def _be_quiet(self) -> None:
        """Lift every fault, do nothing, and wait until all stands still: then books and beliefs have to agree."""
        self.acts.calm()
        deadline_s = time.monotonic() + QUIET_WITHIN_S
        while True:
            self._look_for(0.3)
            self.told.pop("fingerprint", None)
            self.manager.tell(look=True)
            while "fingerprint" not in self.told and not self.manager.ended() and time.monotonic() < deadline_s:
                self._look_for(LOOK_EVERY_S / 4)
            moving = (
                self.judge.check_quiet(self.exchange.state(), self.told) if "fingerprint" in self.told else ["mute"]
            )
            if not moving:
                break
            if time.monotonic() > deadline_s or self.manager.ended():
                for text in moving:
                    self.judge.fail(f"not settled: {text}")
                return
        self._check_books()
        self.judge.check_replay()

    def _check_books(self) -> None:
        self.judge.check_books(self.exchange.state(), self.exchange.ask("orders")["orders"])

    def _conclude(self) -> None:
        state = self.exchange.state()
        (self.folder / "books.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        if state["positions"] or [row["price"] for row in state["openOrders"]] != ["0.4000"]:
            self.judge.fail(f"P3, P4: left at the end: {state['positions']}, {state['openOrders']}")
        code = self.manager.end()
        self._listen()
        if code != 0:
            self.judge.fail(f"the manager ended with exit code {code}")
        self.judge.check_log()
        self.judge.check_replay()
        self.judge.check_secrets(self.folder)


def run(seconds: float, seed: int, folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Play for so long; the violations, and the figures. Evidence is left in the folder."""
    with Exchange(folder) as exchange:
        started_s = time.monotonic()
        story = KillStory(seed, folder, exchange)
        try:
            story.play(seconds)
            history = exchange.state()["history"]
        finally:
            story.close()
        figures = {
            "seed": seed,
            "seconds": round(time.monotonic() - started_s),
            "signals": story.acts.counts["signal"],
            "repeated": story.acts.counts["repeated"],
            "entries executed": story.judge.entries,
            "orders": history["orders"] + history["algoOrders"],
            "requests": history["requests"],
            "kills and restarts": story.acts.counts["kill"],
            "decisions replayed": story.judge.decisions,
            "streams dropped": story.acts.counts["stream_drop"],
            "worst naked, outages included": f"{story.judge.worst_naked_ms} ms",
            "worst naked while a manager was at work": f"{story.judge.worst_at_work_ms} ms",
            "worst time to protected after a restart, start-up of Python included": f"{story.slowest_return_ms} ms",
            "answers": dict(story.answers.most_common()),
            "everything done": dict((story.acts.counts + story.counts).most_common()),
            "violations": len(story.judge.violations),
        }
        return story.judge.violations, figures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seconds", type=float, help="instead of minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the evidence of a run without a violation too")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-story-"))
    try:
        violations, figures = run(chosen.seconds or chosen.minutes * 60, chosen.seed, folder)
    except BaseException:
        sys.stderr.write(f"evidence: {folder}\n")
        raise
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value}\n")
    for text in violations:
        sys.stdout.write(f"BROKEN {text}\n")
    if violations or chosen.keep:
        sys.stdout.write(f"evidence: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
