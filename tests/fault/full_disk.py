#!/usr/bin/env python3
"""A disk that fills up at each of many places of the work, and has room again later: nothing that was
acknowledged is lost, no result is, batchd goes on by itself.

  full_disk.py --offsets 1000     so many: the room that is left goes up by a page each time
  full_disk.py --sample 10        so many of them, chosen at random

Each of them with a reserve file and without one (store.reserve). The disk is a tmpfs of its own, which
needs root; without it this says so and does nothing."""
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

from world import Refused, Violation, World

PAGE = 4096
ROOMY = 1 << 30  # the store of 1,000 trials and what their jobs said are some 300 MiB
NOISE = ['head -c 30000 /dev/zero | tr "\\0" x', "exit"]


class Disk:
    """Stands in the place of Control: a fault is that little room is left."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="batchd-full-"))
        self.limited = False
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY}", "none", self.folder], check=True)

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def leave(self, room):
        """Processes write on meanwhile, so that the size asked for may be under what is used by then."""
        self.limited = True
        while True:
            info = os.statvfs(self.folder)
            used = (info.f_blocks - info.f_bfree) * info.f_frsize
            with contextlib.suppress(subprocess.CalledProcessError):
                self.resize(used + room)
                return

    def disarm(self):
        if self.limited:
            self.resize(ROOMY)
        self.limited = False

    def armed(self):
        return self.limited

    def remove(self):
        subprocess.run(["umount", "-l", self.folder], check=False)
        self.folder.rmdir()


class Tight(World):
    def __init__(self, disk, reserve):
        super().__init__(f'[store]\nreserve = "{reserve}"\n', inject=False, folder=disk.folder / "state")
        self.control = disk
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="batchd-work-"))  # what jobs say has room

    def destroy(self):
        super().destroy()
        shutil.rmtree(self.work, ignore_errors=True)

    def attempt(self, method, **parameters):
        """One that may fail; its answer, or None."""
        with contextlib.suppress(OSError, ValueError, Refused):
            client = self.client(timeout=0.4)
            return client.call(method, **parameters)
        return None


def trial(w, disk, room):
    """Work is there, the disk fills up, work goes on as far as it can, and then there is room again."""
    w.begin_trial()
    pid = w.process.pid
    first = [w.submit(argv=["sh", "-c", f'while [ ! -e "$0" ]; do sleep 0.01; done; {NOISE[0]}; exit {code}',
                            str(w.work / f"go{w.trial}")],
                      outcomes={("exit" if code else "success", code), ("disk_full", code)}, max_attempts=1)
             for code in range(4)]
    doomed = w.submit(until="never", outcomes={("cancelled", None), ("signal", None)})
    w.wait_for(*first, what="running")
    disk.leave(room)
    requests = [w.request(code=i, env={"PATH": os.environ["PATH"], "BIG": "x" * size})
                for i, size in enumerate((10, 60000, 3000, 90000, 100))]
    told = {r["key"]: w.attempt("io.batchd.Jobs.Submit", **r) for r in requests[:3]}
    (w.work / f"go{w.trial}").touch()
    w.attempt("io.batchd.Jobs.Cancel", id=doomed, reason="r" * 150)
    told.update({r["key"]: w.attempt("io.batchd.Jobs.Submit", **r) for r in requests[3:]})
    time.sleep(0.02)
    disk.disarm()
    for i, request in enumerate(requests):
        ident = w.call("io.batchd.Jobs.Submit", **request)["id"]
        before = told[request["key"]]
        if before is not None and before["id"] != ident:
            raise Violation(f"key {request['key']} was job {before['id']} and is job {ident}")
        w.acknowledged[request["key"]] = ident
        w.expect(ident, {("exit" if i else "success", i)})
    w.call("io.batchd.Jobs.Cancel", ("io.batchd.InvalidState",), id=doomed)
    w.check()
    if w.process.pid != pid or w.ends:
        raise Violation(f"batchd ended: {w.ends}")
    return sum(answer is None for answer in told.values())


def sweep(reserve, offsets):
    """(refused requests, violations)"""
    disk = Disk()
    w = None
    refused = violations = 0
    try:
        for number, offset in enumerate(offsets):
            try:
                if w is None:
                    w = Tight(disk, reserve)
                    w.start()
                refused += trial(w, disk, offset * PAGE)
                if number % 50 == 49:
                    w.check_store()
            except (Violation, AssertionError, OSError, subprocess.SubprocessError) as violation:
                violations += 1
                print(f"VIOLATION: reserve {reserve}, {offset} pages left: {str(violation)[:1500]}", flush=True)
                disk.disarm()
                w.destroy()
                w = None
        if w is not None:
            w.check_store()
            w.destroy()
    finally:
        disk.remove()
    return refused, violations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--offsets", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("full disk: skipped, mounting a tmpfs needs root")
        return 0
    random_, began = random.Random(options.seed), time.monotonic()
    offsets = list(range(options.offsets))
    if options.sample:
        offsets = sorted(random_.sample(offsets, options.sample))
    refused = violations = 0
    for reserve in ("256K", "0"):
        more, wrong = sweep(reserve, offsets)
        refused += more
        violations += wrong
    print(f"full disk: {2 * len(offsets)} places, {refused} requests got no answer or a refusal, "
          f"{violations} violations, seed {options.seed}, {time.monotonic() - began:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
