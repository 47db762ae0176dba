#!/usr/bin/env python3
"""Checks the model of adoption (adopt.pml) with spin: every order of steps with so many disturbances
(deaths, cancels, timeouts and the like), without and with control groups. Then each planted bug must be
found, with two disturbances, and each place that the model claims to cover must be reached.

  check.py --disturbances 2      half a minute on two processors, 1 GB each
  check.py --disturbances 1      what make check runs

Exit 0 when all is as it should be. The number of states is printed."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().with_name("adopt.pml")
DEPTH = "100000"


def build(folder, name, disturbances, *defines):
    """A program that searches the model."""
    where = folder / name
    where.mkdir()
    subprocess.run(["spin", f"-DDISTURBANCES={disturbances}", "-a", MODEL], cwd=where, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048",
                    "-DMEMLIM=1900", *defines, "-o", "search", "pan.c"], cwd=where, check=True)
    return where / "search"


def search(program, **env):
    """How many states there were, and what was violated (None: nothing)."""
    with tempfile.TemporaryDirectory() as folder:  # the trail is written where it runs
        done = subprocess.run([program, "-E", f"-m{DEPTH}"], cwd=folder, check=False, text=True,
                              env=dict(os.environ, **env), capture_output=True)
    states = re.search(r"(\d+) states, stored", done.stdout)
    errors = re.search(r"errors: (\d+)", done.stdout)
    if not states or not errors or "max search depth too small" in done.stdout or "out of memory" in done.stdout:
        raise RuntimeError(f"the search was not complete: {done.stdout[-500:]}{done.stderr[-500:]}")
    violated = re.search(r"pan:\d+: (.*) \(at depth", done.stdout)
    return int(states[1]), violated and violated[1]


def numbered(kind):
    return re.findall(rf"^#define {kind}_(\w+) (\d+)", MODEL.read_text(), re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--disturbances", type=int, default=2)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="batchd-model-") as name:
        folder = pathlib.Path(name)
        whole = build(folder, "whole", options.disturbances)
        # Found soonest when the processes that were made last go first.
        hunt = build(folder, "hunt", 2, "-DREVERSE")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            everywhere = {groups: pool.submit(search, whole, GROUPS=groups) for groups in "01"}
            bugs = {bug: pool.submit(search, hunt, BUG=number) for bug, number in numbered("BUG")}
            seen = {see: pool.submit(search, hunt, SEE=number, GROUPS="1" if see == "SWEPT_LATER" else "0")
                    for see, number in numbered("SEE")}
        for groups, found in everywhere.items():
            states, violated = found.result()
            print(f"model: {states:,} states {'with' if groups == '1' else 'without'} control groups, "
                  f"{options.disturbances} disturbances: {violated or '0 errors'}")
            wrong += violated is not None
        for kind, all_found in (("planted bug", bugs), ("place", seen)):
            for what, found in all_found.items():
                states, violated = found.result()
                if violated is None:
                    print(f"model: {kind} {what} was NOT found in {states:,} states")
                    wrong += 1
        states = [found.result()[0] for found in [*bugs.values(), *seen.values()]]
        print(f"model: {len(bugs)} planted bugs, {len(seen)} places to be reached; {wrong} not as they should be "
              f"(the longest search: {max(states):,} states)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
