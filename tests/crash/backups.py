#!/usr/bin/env python3
"""Backups while jobs are submitted, run and removed: each must be a sound store that has every job
that was acknowledged before it was asked for, and none twice. backups.py --count 1000"""
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


class Load:
    """Submits jobs, arrays and edits, and removes what has ended, until it is told to stop."""

    def __init__(self, daemon, most):
        self.daemon = daemon
        self.most = most
        self.acknowledged = []  # ids that stay
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = self.daemon.client(timeout=120)
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
            client.call("io.batchd.Jobs.Edit", id=self.acknowledged[number % len(self.acknowledged)],
                        priority="high" if number % 2 else "low")
            if number % 50 == 0:
                client.call("io.batchd.Jobs.Prune", states=["completed"], older_ms=0)
        client.close()

    def stop(self):
        self.over.set()
        self.thread.join()


def check(path, before, folder):
    """What is wrong with a backup."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        if db.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            return "the integrity check fails"
        if db.execute("PRAGMA foreign_key_check").fetchall():
            return "a row belongs to no job"
        found = {job for job, in db.execute("SELECT id FROM job")}
    if missing := set(before) - found:
        return f"{len(missing)} acknowledged jobs are missing"
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
            before = list(load.acknowledged)
            done = daemon.ctl("-q", "backup", str(target))
            text = done.stderr if done.returncode else check(target, before, folder)
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
    with tempfile.TemporaryDirectory(prefix="batchd-backups-") as folder, Daemon() as daemon:
        wrong = backups(daemon, options.count, folder)
        jobs = daemon.call("io.batchd.Server.Status")["counts"]["pending"]
    for text in wrong[:20]:
        print("VIOLATION:", text)
    print(f"backups: {options.count} under load, {jobs} jobs at the end, {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
