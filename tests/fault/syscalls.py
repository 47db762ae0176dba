#!/usr/bin/env python3
"""Kills batchd, its spawner and its workers at every system call that changes something (syskill.c),
before the kernel sees the call and after it returned.

  syscalls.py                     each call of one life: an empty folder, a job that ends, one that is
                                  cancelled, the stop; then it is started again and must know all.
                                  Role restart: each call of a batchd that finds running jobs
  syscalls.py --migrations        each call of batchd's start on a store of each older version
  syscalls.py --sample 20         so many of the points of each role, chosen at random

Exit 0 when nothing was violated: nothing lost, doubled or invented (world.py), and a store is of one
version or of the next, never between."""
import argparse
import contextlib
import functools
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

from world import OUT, Violation, World

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
PHASES = ("entry", "exit")
ROLES = ("batchd", "spawner", "worker", "restart")


class Killed(World):
    """The first batchd that it starts is traced, with all that comes of it."""

    def __init__(self, role, nth, phase, inject=False):
        super().__init__(inject=inject)
        self.report = self.state / "syskill"
        self.tracer = [OUT / "tests/fault/syskill", role, str(nth), phase, self.report]
        self.traced = None
        self.may_lose = role != "batchd"

    def start(self, wait=True):
        if self.tracer:
            self.down = False
            with open(self.log, "ab") as log:
                self.process = self.traced = subprocess.Popen(
                    [*map(str, self.tracer), self.batchd, "--state", self.state, "--config", self.config],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
            self.tracer = None
            if wait:
                self.wait_ready()
        else:
            super().start(wait)

    def pid(self):
        if self.process is not self.traced:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError, IndexError):
            return int(children.read_text().split()[0])
        return None

    def hit(self):
        """(count, name of the call) once the tracer has ended or has killed; None before."""
        with contextlib.suppress(OSError, ValueError):
            count, name = self.report.read_text().split()
            return int(count), name
        return None

    def note_end(self):
        if self.process is self.traced and self.process.returncode == 128 + signal.SIGKILL:
            self.ends.append(self.process.returncode)
        else:
            super().note_end()

    def stop(self):
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.kill(self.pid(), signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self):
        if self.process is self.traced:
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(self.pid(), signal.SIGKILL)
            self.process.wait()
        elif self.process.poll() is None:
            super().kill()


def live(w):
    w.begin_trial()
    w.wait_for(w.submit(code=3))
    stopped = w.submit(until="never", outcomes={("cancelled", None), ("signal", None)})
    w.wait_for(stopped, what="running")
    w.call("io.batchd.Jobs.Cancel", ("io.batchd.InvalidState",), id=stopped, grace_ms=20)
    w.wait_for(stopped)
    status = w.stop()
    if status not in (0, 128 + signal.SIGKILL):
        raise Violation(f"batchd stopped with {status}")
    w.start()
    w.check()
    w.check_store()


def first_life(w):
    """From the first start, which is traced as all that comes after it."""
    w.start(wait=False)
    w.log_at = 0
    w.trial = 0
    w.begin_trial = lambda: (setattr(w, "trial", 1), setattr(w, "keys", 0), w.wait_ready())
    live(w)


def one_life(role, nth, phase):
    """(count, name of the call that was hit)."""
    with contextlib.closing(Killed(role, nth, phase)) as w:
        first_life(w)
        return w.hit()


def one_restart(nth, phase):
    """Killed while it adopts what runs, and later; (count, name of the call that was hit)."""
    w = Killed("batchd", nth, phase)
    try:
        tracer, w.tracer = w.tracer, None
        w.start()
        w.begin_trial()
        running = [w.submit(until="go", code=code) for code in (0, 3)]
        doomed = w.submit(until="never", outcomes={("cancelled", None), ("signal", None)})
        w.wait_for(*running, doomed, what="running")
        w.kill()
        w.tracer = tracer
        w.start(wait=False)
        w.let_go("go")
        w.wait_ready()
        w.wait_for(*running)
        w.call("io.batchd.Jobs.Cancel", ("io.batchd.InvalidState",), id=doomed, grace_ms=20)
        w.wait_for(doomed)
        w.stop()
        w.start()
        w.check()
        w.check_store()
        return w.hit()
    finally:
        w.destroy()


def found(w):
    """Job 7 waits, or runs by now."""
    return [(job["id"], job["name"], job["uid"], job["id"] == 7 or (job["state"], job["outcome"]["class"]))
            for job in w.jobs()]


def one_migration(version, nth, phase):
    """Started on an older store and killed; what is there then, and after another start."""
    w = Killed("batchd", nth, phase)
    try:
        with contextlib.closing(sqlite3.connect(w.state / "batchd.db")) as db, db:
            db.executescript((DATA / f"store-{version}.sql").read_text())
        w.start(wait=False)
        deadline = time.monotonic() + 30
        while w.process.poll() is None and not w.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.003)
        if w.process.poll() is None:
            w.stop()
        hit = w.hit()
        if nth:
            with contextlib.closing(sqlite3.connect(w.state / "batchd.db")) as db:
                sound = db.execute("PRAGMA integrity_check").fetchone()[0]
                now = db.execute("PRAGMA user_version").fetchone()[0]
            if sound != "ok" or now < version:
                raise Violation(f"version {now}: {sound}")
        w.start()
        w.wait_for(6)
        jobs = found(w)
        w.check_store()
        return hit, jobs
    finally:
        w.destroy()


def walk(said, play, random_, sample, until):
    """Every point, until one is not reached any more. `play` answers (hit, what is compared)."""
    violations = points = 0
    names = {}
    for phase in PHASES:
        (count, _), right = play(0, phase)
        chosen = range(1, count + 200)
        if sample:
            chosen = sorted(random_.sample(range(1, count + 1), min(sample // 2, count)))
        for nth in chosen:
            if time.monotonic() > until:
                print(f"syscalls: {said}: out of time at {phase} of call {nth} of some {count}")
                break
            try:
                (_, name), got = play(nth, phase)
                if name == "-":
                    if nth > count or sample:
                        break
                    continue
                points += 1
                names[name] = names.get(name, 0) + 1
                if right is not None and got != right:
                    raise Violation(f"there are {got} and should be {right}")
            except (Violation, AssertionError, OSError, subprocess.SubprocessError) as violation:
                violations += 1
                print(f"VIOLATION: {said}, {phase} of call {nth}: {str(violation)[:1500]}", flush=True)
    calls = ", ".join(f"{name} {number}" for name, number in sorted(names.items(), key=lambda n: -n[1]))
    print(f"syscalls: {said}: {points} kills, {violations} violations ({calls})", flush=True)
    return points, violations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--migrations", action="store_true")
    parser.add_argument("--role", action="append", choices=ROLES)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=86400, help="stop after so long")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    random_, began = random.Random(options.seed), time.monotonic()
    walks = []
    if options.migrations:
        for path in sorted(DATA.glob("store-*.sql")):
            version = int(path.stem.split("-")[1])
            walks.append((f"store {version}", lambda n, phase, v=version: one_migration(v, n, phase)))
    else:
        for role in options.role or ROLES:
            play = one_restart if role == "restart" else functools.partial(one_life, role)
            walks.append((role, lambda n, phase, play=play: (play(n, phase), None)))
    points = violations = 0
    for said, play in walks:
        more, wrong = walk(said, play, random_, options.sample, began + options.seconds)
        points += more
        violations += wrong
    print(f"syscalls: {points} points, {violations} violations, seed {options.seed}, "
          f"{time.monotonic() - began:.0f} s")
    return 1 if violations or points == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
