#!/usr/bin/env python3
"""Backups while jobs are submitted, edited, run and removed: each must be a sound store that has every job
and every edit that was acknowledged before it was asked for. backups.py --count 1000"""
import argparse
import contextlib
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon  # noqa: E402

OFTEN = '[store]\nwal_limit = "1M"\n'  # the log goes into the file again and again, also while that is copied


LARGE, EDITS = 40, 50


class Load:
    """Submits jobs, arrays and edits, and removes what has ended, until it is told to stop."""

    def __init__(self, daemon, most):
        self.daemon = daemon
        self.most = most
        self.acknowledged = []  # ids that stay
        self.edits = {}  # id -> the newest estimate that it was given, which only grows
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = self.daemon.client(timeout=120)
        for _ in range(LARGE):  # so that a copy takes many turns
            client.call("io.batchd.Jobs.Submit", argv=["x" * 100000], cwd="/", env={}, hold=True)
        base = {"argv": ["true"], "cwd": "/", "env": {"PATH": "/bin:/usr/bin", "FILLER": "x" * 500}}
        number = 0
        while not self.over.is_set():
            number += 1
            kept = 4 if len(self.acknowledged) < self.most else 0
            for _ in range(kept):
                client.send("io.batchd.Jobs.Submit", **base, hold=True, tags={"n": str(number)})
            client.send("io.batchd.Jobs.Submit", **base, name="runs")
            for _ in range(kept):
                self.acknowledged.append(client.receive()["parameters"]["id"])
            client.receive()
            some = [self.acknowledged[(number * EDITS + i) % len(self.acknowledged)] for i in range(EDITS)]
            for edited in some:
                client.send("io.batchd.Jobs.Edit", id=edited, priority="high" if number % 2 else "low", estimate_ms=number)
            for edited in some:
                client.receive()
                self.edits[edited] = number
            if number % 50 == 0:
                client.call("io.batchd.Jobs.Prune", states=["completed"], older_ms=0)
        client.close()

    def stop(self):
        self.over.set()
        self.thread.join()


def check(path, before, edits, folder):
    """What is wrong with a backup."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "the integrity check fails"
        if db.execute("PRAGMA foreign_key_check").fetchall():
            return "a row belongs to no job"
        found = dict(db.execute("SELECT id, estimate_us / 1000 FROM job"))
    if missing := set(before) - set(found):
        return f"{len(missing)} acknowledged jobs are missing"
    if old := [job for job, estimate in edits.items() if found[job] < estimate]:
        return f"{len(old)} acknowledged edits are missing"
    state = pathlib.Path(folder) / "restored"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700)
    shutil.copy(path, state / "batchd.db")
    done = subprocess.run([OUT / "batchd", "--state", state, "--check-store"], capture_output=True, text=True,
                          timeout=120, check=False)
    return "" if done.returncode == 0 else done.stderr


def backups(daemon, count, folder):
    """Violations."""
    load = Load(daemon, min(10 * count, 2000))
    target = pathlib.Path(folder) / "copy.db"
    wrong = []
    try:
        for number in range(count):
            before, edits = list(load.acknowledged), dict(load.edits)
            done = daemon.ctl("-q", "backup", str(target))
            text = done.stderr if done.returncode else check(target, before, edits, folder)
            if text:
                wrong.append(f"backup {number}: {text}")
            if number % 100 == 99:
                print(f"{number + 1} backups, {len(wrong)} violations", flush=True)
        if len(load.acknowledged) < min(count, 1000):
            wrong.append("there was no load")
    finally:
        load.stop()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchd-backups-") as folder, Daemon(config=OFTEN) as daemon:
        wrong = backups(daemon, options.count, folder)
        jobs = daemon.call("io.batchd.Server.Status")["counts"]["pending"]
    for text in wrong[:20]:
        print("VIOLATION:", text)
    print(f"backups: {options.count} under load, {jobs} jobs at the end, {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
