#!/usr/bin/env python3
"""A second fault while batchd recovers from a first: batchd, its spawner or a worker is killed at a system
call of one life (syscalls.py), and in what comes after it a call of libc fails (run.py), of batchd, of the
spawner or of a worker. Afterwards nothing is lost, doubled or invented (world.py).

  compound.py --pairs 300       so many pairs, chosen at random

Exit 0 when nothing was violated. The seed is printed."""
import argparse
import collections
import contextlib
import ctypes
import os
import random
import subprocess
import sys
import time

from errors import faults_of
from run import ADDR_NO_RANDOMIZE
from syscalls import PHASES, Killed, first_life, one_life
from world import Violation, sanitizers

KILLED = ("batchd", "spawner", "worker")
FAILING = ("batchd", "spawner", "worker")


class Compound(Killed):
    """Once the first fault has happened the second is armed, for the next start or request."""

    def __init__(self, kill, fault):
        super().__init__(*kill, inject=True)
        self.env.update(sanitizers(self.state, leaks=False))  # who is traced cannot look for them
        self.fault, self.armed = fault, False
        self.may_lose = kill[0] != "batchd" or fault[0] != "batchd"

    def go_on(self):
        if not self.armed and self.tracer is None and self.killed():
            role, fault = self.fault
            self.armed = True
            self.control.arm(role, **fault)

    def killed(self):
        hit = self.hit()
        return hit is not None and hit[1] != "-"

    def start(self, wait=True):
        self.go_on()
        super().start(wait)

    def call(self, *words, **parameters):
        self.go_on()
        return super().call(*words, **parameters)


def one_pair(kill, fault):
    """(whether both happened, how often batchd ended, the places that called after the first)."""
    with contextlib.closing(Compound(kill, fault)) as w:
        first_life(w)
        return w.killed() and w.control.fired() > 0, len(w.ends), w.control.sites()


def find_places(random_, points, killed, failing):
    """Where calls are made after such a kill: it depends on where it was, so of a few of them."""
    found = set()
    while len(found) < 20:
        kill = (killed, random_.randint(1, points[killed]), random_.choice(PHASES))
        found |= set(one_pair(kill, (failing, {"record": True}))[2])
    return sorted(found)


def choose(random_, places, failing):
    while True:
        call, nth, place, is_glib = random_.choice(places)
        faults = faults_of(call, failing, is_glib)
        if faults:
            number, mode = random_.choice(faults)
            return failing, {"call": call, "nth": nth, "place": place, "number": number, "mode": mode}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
    random_, began = random.Random(options.seed), time.monotonic()
    print(f"compound: seed {options.seed}", flush=True)
    points = {role: one_life(role, 0, PHASES[0])[0] for role in KILLED}
    places, done, violations, ends = {}, collections.Counter(), 0, 0
    for _ in range(options.pairs):
        killed, failing = random_.choice(KILLED), random_.choice(FAILING)
        kill = (killed, random_.randint(1, points[killed]), random_.choice(PHASES))
        if (killed, failing) not in places:
            places[killed, failing] = find_places(random_, points, killed, failing)
        fault = choose(random_, places[killed, failing], failing)
        try:
            both, ended, _ = one_pair(kill, fault)
            done[killed, failing] += both
            ends += ended
        except (Violation, AssertionError, OSError, subprocess.SubprocessError) as violation:
            violations += 1
            print(f"VIOLATION: {kill} and {fault}: {str(violation)[:3000]}", flush=True)
    said = ", ".join(f"{killed} and {failing} {number}" for (killed, failing), number in sorted(done.items()))
    print(f"compound: {options.pairs} pairs, in {done.total()} both happened ({said}), batchd was started again "
          f"{ends} times, {violations} violations, {time.monotonic() - began:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
