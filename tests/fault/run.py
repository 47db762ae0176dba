#!/usr/bin/env python3
"""Makes every call of libc that the programs make fail, in scenes of their use (scenarios.py), and
checks after each that nothing was lost, doubled or invented (world.py).

  run.py                     each place that calls (told apart by its callers), each errno, once and
                             from then on
  run.py --every             not the first call of each place alone, but each call
  run.py --sample 60         so many of these trials, chosen at random
  run.py --scene client --place 2ec083c5
                             what a violation names, again
  run.py --imports           which functions the programs import, and which are covered

Exit 0 when nothing was violated. The seed is printed."""
import argparse
import collections
import contextlib
import ctypes
import errno
import os
import random
import signal
import subprocess
import sys
import time

import scenarios
import upkeep  # noqa: F401  its scenes
from errors import ERRORS, NOT_INJECTED, faults_of
from world import OUT, Control, Violation, World

ADDR_NO_RANDOMIZE = 0x0040000
ASAN_SAW_SIGNAL = 1  # it ends the program with this status instead
TRIALS_A_WORLD = 100  # each looks at all that those before it have stored
GLIB_CALLS = 2000  # fail until a stack is full; nothing of ours asks so often for what it does not get
# Where the store is closed or opened: what is copied from the log to the database stays in the log
# until the copy is synced, so that there an error costs nothing.
CLOSES = ("restart", "adoption", "recovery", "backup")


def imports(program):
    done = subprocess.run(["nm", "-D", "--undefined-only", OUT / program], capture_output=True,
                          text=True, check=True)
    return {line.split()[1].partition("@")[0] for line in done.stdout.split("\n") if " " in line}


def libc_names():
    path = next(line.split()[2] for line in subprocess.run(
        ["ldd", OUT / "batchd"], capture_output=True, text=True, check=True).stdout.split("\n")
        if "libc.so" in line)
    done = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True)
    return {line.split()[2].partition("@")[0] for line in done.stdout.split("\n") if line.count(" ") > 1}


def show_imports():
    """Every function of libc that a program imports is made to fail, or it is said why not."""
    libc, unknown = libc_names(), set()
    for program in ("batchd", "batchd-worker", "batchd-job", "batchctl"):
        mine = {name for name in imports(program) & libc if not name.startswith("__")}
        covered = mine & set(ERRORS)
        unknown |= mine - covered - set(NOT_INJECTED)
        print(f"{program}: {len(mine)} functions of libc, {len(covered)} made to fail, "
              f"{len(mine & set(NOT_INJECTED))} cannot fail or not in a way that is told")
    if unknown:
        print("neither covered nor explained:", " ".join(sorted(unknown)))
    return 0


def play(world, scene, role, **fault):
    """One trial."""
    world.may_lose = role in ("worker", "spawner")
    world.role = role
    world.begin_trial()
    steps = scene(world)
    next(steps)
    world.control.arm(role, **fault)
    next(steps, None)
    world.settle()
    fired = world.control.fired()
    world.check()
    unsynced = fault.get("call") in ("fsync", "fdatasync") and role == "batchd" and fired
    if unsynced and fault["number"] == errno.EIO and not world.ends and scene.__name__ not in CLOSES:
        raise Violation("it went on after its disk said that it had not kept what was written")
    return fired


def places(world, name, role, every):
    """(call, nth, place, whether it is GLib's) to fail, from a run in which nothing does."""
    scene = scenarios.ALL[name][0]
    play(world, scene, role)  # what is done only once is done
    play(world, scene, role, record=True)
    if not every:
        return world.control.sites()
    return [(call, n, 0, False) for call, most in world.control.counts().items() for n in range(1, most + 1)]


class Tally:
    def __init__(self):
        self.trials = collections.Counter()  # by scene
        self.calls = collections.Counter()
        self.fired = self.restarts = self.glib = 0
        self.lost = collections.Counter()  # runs, by the function that failed
        self.slowest = (0, "")
        self.violations = []


def is_of_glib(world):
    """Whether it ended by a signal because GLib, which got no memory, got none to say so: it calls itself
    until its stack is full."""
    return world.ends and world.ends[-1] in (-signal.SIGSEGV, ASAN_SAW_SIGNAL) and world.control.fired() > GLIB_CALLS


def try_one(world, tally, trial):
    name, role, call, nth, place, number, mode = trial
    said = f"{name}: {role}'s {call} number {nth} (place {place:x}) fails {mode} with " \
           f"{os.strerror(number) if number else 'one byte'}"
    tally.trials[name] += 1
    began = time.monotonic()
    try:
        fired = play(world, scenarios.ALL[name][0], role, call=call, nth=nth, place=place, mode=mode,
                     number=number)
        tally.fired += fired > 0
        tally.calls[call] += fired > 0
        tally.restarts += len(world.ends) > 0
        tally.lost[call] += world.lost
        tally.slowest = max(tally.slowest, (time.monotonic() - began, said))
        if world.ends or world.trial % 40 == 0 or role in ("worker", "spawner") and "died" in world.text():
            world.check_store()
        return True
    except Violation as violation:
        if mode == "on" and is_of_glib(world):
            tally.glib += 1
            return False
        tally.violations.append(said)
        print(f"VIOLATION: {said}\n    {violation}", flush=True)
        return False
    except (AssertionError, OSError, subprocess.SubprocessError) as problem:
        tally.violations.append(said)
        print(f"VIOLATION: {said}\n    {problem!r} {world.text()}", flush=True)
        return False


def make_trials(options, random_, stage):
    """All of them; found out scene by scene."""
    trials = []
    names = options.scene or random_.sample(sorted(scenarios.ALL), options.scenes or len(scenarios.ALL))
    for name in names:
        for role in scenarios.ALL[name][1]:
            if options.role and role not in options.role:
                continue
            for call, nth, place, is_glib in places(stage.set_for(name), name, role, options.every):
                if options.call and call not in options.call or options.place and f"{place:x}" not in options.place:
                    continue
                trials += [(name, role, call, nth, place, *fault) for fault in faults_of(call, role, is_glib)]
    if options.sample and len(trials) > options.sample:
        kept = random_.sample(trials, options.sample)
        print(f"fault: {len(kept)} of {len(trials)} trials", flush=True)
        trials = kept
    return sorted(trials, key=lambda trial: config_of(trial[0]))  # else each has another batchd


def config_of(name):
    return scenarios.ALL[name][2]


def fresh(name):
    """A world for this scene."""
    world = World(config_of(name))
    world.start()
    return world


class Stage:
    """One world at a time: the scenes of one configuration share it, until something is wrong with it."""

    def __init__(self):
        self.world = None

    def set_for(self, name):
        if self.world is not None and self.world.asked_config != config_of(name):
            self.close()
        self.world = self.world or fresh(name)
        return self.world

    def close(self):
        if self.world is not None:
            self.world.destroy()
        self.world = None


def try_all(options, tally, trials, stage, began):
    for trial in trials:
        if options.seconds and time.monotonic() - began > options.seconds:
            print(f"fault: stopped after {options.seconds:.0f} s")
            break
        world = stage.set_for(trial[0])
        if not try_one(world, tally, trial) or world.trial >= TRIALS_A_WORLD:
            stage.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--scene", action="append", choices=list(scenarios.ALL))
    parser.add_argument("--scenes", type=int, default=0, help="so many scenes, chosen at random")
    parser.add_argument("--role", action="append")
    parser.add_argument("--call", action="append")
    parser.add_argument("--place", action="append")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    if options.imports:
        return show_imports()
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)  # places have the same addresses everywhere
    random_, began = random.Random(options.seed), time.monotonic()
    print(f"fault: seed {options.seed}", flush=True)
    tally = Tally()
    with contextlib.closing(Stage()) as stage:
        try_all(options, tally, make_trials(options, random_, stage), stage, began)
    print(f"fault: {sum(tally.trials.values())} trials in {len(tally.trials)} scenes, {tally.fired} calls "
          f"of {len(tally.calls)} functions failed, batchd ended and was started again {tally.restarts} "
          f"times, {len(tally.violations)} violations, {time.monotonic() - began:.0f} s")
    if tally.glib:
        print(f"fault: GLib ended batchd by a signal {tally.glib} times for want of any memory")
    lost = ", ".join(f"{call} {number}" for call, number in tally.lost.most_common() if number)
    print(f"fault: runs of jobs that were lost with their worker: {lost or 'none'}")
    print(f"fault: the slowest took {tally.slowest[0]:.1f} s: {tally.slowest[1]}")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
