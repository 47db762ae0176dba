#!/usr/bin/env python3
"""A batchd that is killed at any moment while requests of many jobs come in: of those that were answered
all jobs are there, of the others all or none, and once they are repeated all, once.
pipelines.py --kills 300"""
import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import Daemon  # noqa: E402

MANY = "io.batchd.Jobs.SubmitMany"
SIZE = 60  # jobs of a request: some milliseconds


class Graphs:
    """Requests by their key: the ids that were answered, or None."""

    def __init__(self, daemon, chance):
        self.daemon, self.chance, self.told = daemon, chance, {"graph-0": None}
        began = time.monotonic()
        self.told["graph-0"], _ = self.submit(daemon.client(), "graph-0")
        self.seconds = time.monotonic() - began  # that one took

    @staticmethod
    def jobs(key):
        return {f"j{i}": {"argv": ["true"], "cwd": "/", "hold": True, "tags": {"g": key},
                          **({"depends": f"afterok:j{i - 1}"} if i else {})} for i in range(SIZE)}

    def submit(self, client, key):
        reply = client.call(MANY, key=key, jobs=self.jobs(key))
        return [one["id"] for one in reply["jobs"]], reply["existing"]

    def work(self, stop):
        try:
            client = self.daemon.client()
            while not stop.is_set():
                key = f"graph-{len(self.told)}"
                self.told[key] = None
                self.told[key], _ = self.submit(client, key)
        except OSError:
            pass  # it was killed

    def killed(self):
        """One more time, at a moment chosen at random of the first few requests."""
        stop = threading.Event()
        thread = threading.Thread(target=self.work, args=(stop,))
        thread.start()
        stop.wait(self.chance.uniform(0, 5 * self.seconds))
        self.daemon.kill()
        stop.set()
        thread.join()
        self.daemon.start()

    def answered(self):
        return [key for key, ids in self.told.items() if ids is not None]

    def violations(self):
        """What is not as it must be, now and after all are repeated."""
        found, wrong = {}, []
        for one in self.daemon.jobs():
            found.setdefault(one["tags"]["g"], []).append(one["id"])
        client = self.daemon.client()
        for key, ids in self.told.items():
            there = found.get(key)
            if there is not None and len(there) != SIZE:
                wrong.append(f"{key}: {len(there)} jobs of {SIZE}")
            if ids is not None and there != ids:
                wrong.append(f"{key}: answered {ids}, there are {there}")
            again, existing = self.submit(client, key)
            if existing != (there is not None) or there not in (None, again):
                wrong.append(f"{key}: repeated it is {again}, there were {there}")
        count = len(self.daemon.jobs())
        if count != SIZE * len(self.told):
            wrong.append(f"{count} jobs of {len(self.told)} requests")
        return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    options = parser.parse_args()
    # A hundred kills each: what is held stays, and each start reads it.
    requests = answered = 0
    wrong = []
    for seed in range((options.kills + 99) // 100):
        with tempfile.TemporaryDirectory(prefix="batchd-graphs-") as folder, Daemon(folder) as daemon:
            scene = Graphs(daemon, random.Random(seed))
            for _ in range(min(100, options.kills - 100 * seed)):
                scene.killed()
            wrong += scene.violations()
            requests += len(scene.told)
            answered += len(scene.answered())
    for one in wrong:
        print(one)
    print(f"{options.kills} kills, {requests} requests of {SIZE} jobs, {answered} answered: {len(wrong)} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
