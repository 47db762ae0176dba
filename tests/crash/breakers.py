#!/usr/bin/env python3
"""Circuit breakers under what comes by chance: submits, cancels, orders by hand, a clock that jumps, workers
and batchd that are killed. What is told of starts and of breakers is one ordered stream; by it nothing
starts of what is open, and of what is half open no more than three that have not given their place back.

usage: breakers.py [--steps N] [--seed S]"""
import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from clock import Clock  # noqa: E402
from daemon import Daemon, Refused  # noqa: E402

PROBES = 3
NAMES = ("often", "seldom", "tasks")


class Watch:
    """What the events say; after a restart begun anew from what is listed."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.starts = self.opened = self.tried = 0
        self.names = {}
        self.connect()

    def connect(self):
        self.states, self.given, self.probes, self.unknown = {}, {}, {}, {}
        self.client, self.pending = self.daemon.client(), b""
        listing = self.daemon.client()
        with self.daemon.stopped():  # both are answered in one turn: nothing starts in between
            self.client.send("io.batchd.Events.Subscribe", more=True)
            listing.send("io.batchd.Breakers.List")
        for one in listing.receive()["parameters"]["breakers"]:
            key = one["breaker"]
            self.states[key], self.given[key] = one["state"], PROBES - one["room"]
            self.probes[key], self.unknown[key] = set(), one["probing"]
        listing.close()

    def name_of(self, job):
        if job not in self.names:
            self.names[job] = self.daemon.job(job)["name"]
        return "name:" + self.names[job]

    def drain(self):
        """All that was told so far."""
        self.client.socket.settimeout(0.05)
        try:
            while True:
                data = self.client.socket.recv(1 << 16)
                assert data, "batchd closed the stream"
                *lines, self.pending = (self.pending + data).split(b"\n")
                for line in lines:
                    self.take(json.loads(line)["parameters"])
        except TimeoutError:
            pass

    def take(self, event):
        if event.get("breaker"):
            key, state = event["breaker"], event["state"]
            self.states[key], self.given[key], self.probes[key], self.unknown[key] = state, 0, set(), 0
            self.opened += state == "open"
            return
        if event.get("id") is None or (event["index"] is None and self.is_array(event["id"])):
            return
        key = self.name_of(event["id"])
        state, attempt = self.states.get(key, "closed"), (event["id"], event["index"])
        if event["event"] == "starting":
            self.starts += 1
            assert state not in ("open", "forced_open"), f"{event} while {key} is {state}"
            if state == "half_open":
                self.tried += 1
                self.given[key] += 1
                self.probes[key].add(attempt)
                assert self.given[key] <= PROBES, f"{event}: {self.given[key]} of {key} are tried"
        elif state == "half_open":
            back = event["event"] == "requeued" or (
                event["event"] == "ended" and event["outcome"]["class"] in ("cancelled", "lost"))
            if back and (attempt in self.probes[key] or self.unknown[key] > 0):
                self.unknown[key] -= attempt not in self.probes[key]
                self.probes[key].discard(attempt)
                self.given[key] -= 1

    def is_array(self, job):
        return self.name_of(job) == "name:tasks"


class Chance:
    def __init__(self, daemon, rng):
        self.daemon, self.rng, self.ids = daemon, rng, []
        self.watch = Watch(daemon)

    def submit(self):
        name = self.rng.choice(NAMES)
        fails = {"often": 80, "seldom": 5, "tasks": 60}[name]
        more = {"array": f"0-{self.rng.randrange(1, 20)}"} if name == "tasks" else {}
        command = f"sleep 0.0{self.rng.randrange(10)}; exit $(( $(od -An -N1 -tu1 /dev/urandom) % 100 < {fails} ))"
        for _ in range(self.rng.randrange(1, 8)):
            self.ids.append(self.daemon.submit("sh", "-c", command, name=name, **more))

    def cancel(self):
        if self.ids:
            try:
                self.daemon.call("io.batchd.Jobs.Cancel", id=self.rng.choice(self.ids[-20:]), grace_ms=10)
            except Refused:
                pass  # it has ended

    def order(self):
        try:
            self.daemon.call("io.batchd.Breakers." + self.rng.choice(["Reset", "Open", "Disable", "Reset"]),
                             name="name:" + self.rng.choice(NAMES))
        except Refused:
            pass  # nothing is known of that name

    def advance(self):
        self.daemon.clock.set(self.daemon.clock.now() + self.rng.choice([1, 5, 30, 61, 300, -20]))
        time.sleep(self.rng.random())  # batchd looks each second

    def kill_worker(self):
        for pid in self.daemon.processes("--worker")[:1]:
            os.kill(pid, signal.SIGKILL)

    def restart(self):
        self.watch.drain()
        self.watch.client.close()
        self.daemon.restart()
        self.watch.connect()

    def step(self):
        self.rng.choices([self.submit, self.cancel, self.order, self.advance, self.kill_worker, self.restart],
                         [40, 10, 6, 35, 3, 2])[0]()
        self.watch.drain()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    print(f"breakers: seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(folder)
        with Daemon(config='[workers]\nmax = 6\n[breakers]\nqueues = "off"\n', env=clock.env) as daemon:
            daemon.clock = clock
            chance = Chance(daemon, random.Random(options.seed))
            for _ in range(options.steps):
                chance.step()
            print(f"breakers: {options.steps} steps, {chance.watch.starts} starts, {chance.watch.opened} openings, "
                  f"{chance.watch.tried} probes; nothing of what was open started")


if __name__ == "__main__":
    main()
