#!/usr/bin/env python3
"""A store that is damaged is refused, never served: every byte changed, every length, pages of zeros, each
size of pages, several bytes at once in a larger store, the log of another store and of this one at another
time (damage.c), and batchd itself started on some of them.

  damage.py                 every case
  damage.py --sample 2000   so many of each way
  damage.py --flips 100000  so many times several bytes at once
  damage.py --starts 200    so many starts of batchd
  damage.py --way swap      one way only

Exit 0 when nothing was violated."""
import argparse
import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

from world import OUT, Refused, Violation, World

WAYS = ("flip", "cut", "zero", "size", "multi", "wal-flip", "wal-cut", "wal-size", "swap")
# Whose log is put beside which store: "later" is "one" after another stop and start, "copy" a backup of it.
SWAPS = (("one", "two"), ("one", "later"), ("later", "one"), ("copy", "one"), ("copy", "later"), ("copy", "two"))
BIG_JOBS = 800


def fill(w, word):
    w.begin_trial()
    for code in range(3):
        w.submit(code=code, name=f"{word}{code}")
    w.submit(array="0-4", code=1, indices=range(5))
    w.wait_for(*w.acknowledged.values())
    parent = w.submit(hold=True, name=f"{word}held")
    w.submit(depends=f"afterok:{parent}")
    w.submit(values=["a", "b"], hold=True, indices=range(2))
    w.call("io.batchd.Queues.Add", name=f"{word}queue", slots=2)
    w.call("io.batchd.Schedules.Add", name=word, at="@yearly", job={"argv": ["true"]})


def more(w):
    for code in range(2):
        w.wait_for(w.submit(code=code, name="later"))
    w.call("io.batchd.Jobs.Cancel", id=w.submit(hold=True), reason="why")


def killed(w, folder, word):
    """Started, and killed: the store with its log."""
    w.start()
    more(w)
    w.kill()
    shutil.copy(w.state / "batchd.db", folder / f"{word}-open.db")
    shutil.copy(w.state / "batchd.db-wal", folder / f"{word}.wal")


def store_of(folder, word, later=None):
    """A closed store, one as a kill leaves it, and the same later on; and a backup from before the kill."""
    w = World(inject=False)
    try:
        w.start()
        fill(w, word)
        w.check_store()
        w.stop()
        shutil.copy(w.state / "batchd.db", folder / f"{word}.db")
        killed(w, folder, word)
        if later:
            w.start()
            subprocess.run([*w.ctl_words(), "-q", "backup", folder / "copy-open.db"], check=True)
            w.stop()
            killed(w, folder, later)
    finally:
        w.destroy()


def big_store(folder):
    w = World(inject=False)
    try:
        w.start()
        fill(w, "big")
        for number in range(BIG_JOBS):
            w.submit(hold=True, name=f"job {number}")
        w.stop()
        shutil.copy(w.state / "batchd.db", folder / "big.db")
    finally:
        w.destroy()


def make_stores(folder):
    store_of(folder, "one", "later")
    store_of(folder, "two")
    big_store(folder)
    for name in ("empty", "copy.wal"):
        (folder / name).touch()
    (folder / "work").mkdir()


def run(folder, way, db, wal, other, step, seed, *more_):
    words = [way, folder / db, folder / wal, folder / other, folder / "work", step, seed, *more_]
    return subprocess.run([OUT / "tests/fault/damage", *map(str, words)], check=False).returncode != 0


def damage(folder, way, options):
    """How many of its runs were wrong."""
    def step(count):
        return max(1, count // options.sample) if options.sample else 1

    if way == "swap":
        return sum(run(folder, way, f"{db}-open.db", f"{db}.wal", f"{log}.wal", 1, options.seed) for db, log in SWAPS)
    if way == "multi":
        return run(folder, way, "big.db", "empty", "empty", 1, options.seed, options.sample or options.flips)
    if way.startswith("wal"):
        count = 1 if way == "wal-size" else (folder / "one.wal").stat().st_size
        return run(folder, way, "one-open.db", "one.wal", "empty", step(count), options.seed)
    count = {"zero": 1, "size": 65536}.get(way, (folder / "one.db").stat().st_size)
    return run(folder, way, "one.db", "empty", "empty", step(count), options.seed)


def served(w):
    """What batchd says of its jobs; None when it refuses to."""
    client = w.client(timeout=30)
    try:
        jobs = client.call("io.batchd.Jobs.List", limit=1000, all=True)["jobs"]
        return [(j["id"], j["state"], j["name"], j["argv"], j["outcome"]) for j in jobs]
    except Refused as refused:
        if "checksum" in str(refused) or "malformed" in str(refused):
            return None
        raise Violation(f"it refuses otherwise: {refused}") from None
    finally:
        client.close()


def start_on(db, right):
    """One of: refused, right. Raises Violation."""
    w = World(inject=False)
    try:
        (w.state / "batchd.db").write_bytes(db)
        w.process = None
        super(World, w).start(wait=False)
        deadline = time.monotonic() + 30
        got = None
        while w.process.poll() is None:
            try:
                got = served(w)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise Violation(f"it hangs: {w.text()}") from None
                time.sleep(0.003)
        status = w.process.poll()
        if status is not None and status != 65:
            raise Violation(f"batchd ended with {status}: {w.text()}")
        if status == 65 and "restore a backup" not in w.text():
            raise Violation(f"it does not say what to do: {w.text()}")
        if status is None and got is not None and got != right:
            raise Violation(f"it serves {set(map(str, got)) ^ set(map(str, right))}")
        return "refused" if status == 65 or got is None else "right"
    finally:
        w.destroy()


def starts(folder, count, random_):
    """Of the closed store, in which nothing waits that a start changes but by its state."""
    whole = (folder / "one.db").read_bytes()
    w = World(inject=False)
    with contextlib.closing(w):
        (w.state / "batchd.db").write_bytes(whole)
        w.start()
        right = served(w)
    verdicts = {"refused": 0, "right": 0}
    wrong = 0
    for number in range(count):
        at = random_.randrange(len(whole))
        if number % 4 == 3:
            db = whole[:at]
        else:
            db = whole[:at] + bytes([whole[at] ^ random_.randrange(1, 256)]) + whole[at + 1:]
        try:
            verdicts[start_on(db, right)] += 1
        except (Violation, AssertionError, OSError) as violation:
            wrong += 1
            print(f"VIOLATION: start, {'cut' if number % 4 == 3 else 'flip'} at {at}: {str(violation)[:900]}", flush=True)
    print(f"damage: {count} starts of batchd, {verdicts['refused']} refused, {verdicts['right']} served what was there, "
          f"{wrong} wrong")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--flips", type=int, default=1000000)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--way", action="append", choices=WAYS)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options = parser.parse_args()
    random_, began = random.Random(options.seed), time.monotonic()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="batchd-damage-", dir="/dev/shm"))
    wrong = 0
    try:
        make_stores(folder)
        for way in options.way or WAYS:
            wrong += damage(folder, way, options)
        wrong += starts(folder, options.starts, random_)
    finally:
        shutil.rmtree(folder)
    print(f"damage: {wrong} violations, seed {options.seed}, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
