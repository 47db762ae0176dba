#!/usr/bin/env python3
"""Loss of power. A batchd under load by several clients is recorded: what it writes to its store and
when it syncs, and what it says meanwhile (recorder.c). From the record the disks are made that a loss
of power could have left at many moments: all that was synced and some of the rest, torn and out of
order. Each is opened by the store's own code and compared with what was said until then (images.c).

  power.py --jobs 2000 --images 10000       no image may be damaged, lack what was acknowledged, or
                                            hold what was not asked for
  power.py --jobs 150 --images 300          the same, short: part of make check

Exit 0 when nothing was violated. The seed is printed."""
import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon, Refused  # noqa: E402
from preload import preloadable  # noqa: E402

PRIORITIES = ["urgent", "high", "normal", "low", "background"]
SLEEPS = 9  # the exit code of those that sleep until they are cancelled
# A job's content follows from its number; images.c knows the same rule.
COMMAND = f'[ "$0" != {SLEEPS} ] || exec sleep 60; exit "$0"'


def content(number):
    code = SLEEPS if number % 10 == 3 else number % 7
    return {"key": str(number), "name": f"job-{number}", "priority": PRIORITIES[number % 5],
            "argv": ["/bin/sh", "-c", COMMAND, str(code), str(number)],
            "cwd": "/", "env": {"PATH": "/bin"}, "tags": {"number": str(number)}}


class Person(threading.Thread):
    """Submits, waits for some, cancels those that sleep; again after each restart of batchd."""

    def __init__(self, daemon, number, jobs, seed):
        super().__init__(daemon=True)
        self.batchd, self.number, self.jobs = daemon, number, jobs
        self.random = random.Random(seed * 100 + number)
        self.client = None
        self.acknowledged = {}  # id -> number of the job
        self.failures = []

    def call(self, method, **parameters):
        """Until there is an answer: batchd may be away for a while."""
        while True:
            try:
                self.client = self.client or self.batchd.client(timeout=60)
                return self.client.call(method, **parameters)
            except (OSError, ValueError):
                self.client = None
                time.sleep(0.01)

    def run(self):
        batch = []
        for count in range(self.jobs):
            number = self.number * 100000 + count
            try:
                ident = self.call("io.batchd.Jobs.Submit", **content(number))["id"]
                self.acknowledged[ident] = number
                batch.append((ident, number))
                if len(batch) >= 8 or count == self.jobs - 1:
                    self.look_after(batch)
                    batch = []
            except Refused as refused:
                self.failures.append(str(refused))

    def cancel(self, ident):
        try:
            self.call("io.batchd.Jobs.Cancel", id=ident, grace_ms=50)
        except Refused as refused:  # done before batchd was killed, and not told
            if refused.name != "io.batchd.InvalidState":
                raise

    def look_after(self, batch):
        for ident, number in batch:
            if number % 10 == 3:
                if self.random.random() < 0.5:
                    self.call("io.batchd.Jobs.Wait", ids=[ident], timeout_ms=2000, **{"for": "running"})
                self.cancel(ident)
        self.call("io.batchd.Jobs.Wait", ids=[ident for ident, _ in batch], timeout_ms=120000)


class Listener(threading.Thread):
    """Is told of every event, so that the record has them."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.batchd = daemon
        self.over = False

    def run(self):
        while not self.over:
            try:
                client = self.batchd.client(timeout=60)
                client.send("io.batchd.Events.Subscribe", more=True)
                while not self.over:
                    client.receive()
            except (OSError, ValueError, Refused):
                time.sleep(0.05)


def record(options, state, trace, restarts=2):
    """Runs the load. What was acknowledged, or None when it went wrong."""
    recorder = preloadable(OUT / "tests/power/recorder.so", f"{trace}.so")
    env = {"LD_PRELOAD": recorder, "BATCHD_POWER_TRACE": str(trace),
           "BATCHD_POWER_STATE": str(state)}
    config = "[workers]\nmax = 4\n[store]\nwal_limit = \"1M\"\n"
    daemon = Daemon(folder=state, config=config, batchd=options.batchd, env=env)
    people = [Person(daemon, n, -(-options.jobs // options.clients), options.seed)
              for n in range(1, options.clients + 1)]
    listener = Listener(daemon)
    acknowledged = lambda: sum(len(p.acknowledged) for p in people)
    try:
        daemon.start()
        for thread in [*people, listener]:
            thread.start()
        for restart in range(restarts):
            while acknowledged() < options.jobs * (restart + 1) // (restarts + 1):
                time.sleep(0.01)  # a poll: the people go on whatever happens
            if restart % 2 == 0:
                daemon.kill()
            else:
                daemon.stop()
            daemon.start()
        for person in people:
            person.join()
        listener.over = True
        daemon.stop()
    finally:
        daemon.destroy()
    failures = [text for person in people for text in person.failures]
    if failures:
        print("VIOLATION:", failures[0])
        return None
    return {ident: number for p in people for ident, number in p.acknowledged.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--batchd", help="another batchd, such as a mutant")
    parser.add_argument("--parallel", type=int, default=1, help="processes that look at images")
    parser.add_argument("--keep", help="a folder to keep the record in")
    options = parser.parse_args()
    print(f"power: {options.jobs} jobs, {options.clients} clients, seed {options.seed}", flush=True)
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = pathlib.Path(options.keep or tempfile.mkdtemp(prefix="batchd-power-"))
    (work / "state").mkdir(parents=True)
    try:
        began = time.monotonic()
        acknowledged = record(options, work / "state", work / "trace")
        if acknowledged is None:
            return 1
        (work / "acknowledged").write_text("".join(f"{i} {n}\n" for i, n in acknowledged.items()))
        print(f"power: {len(acknowledged)} jobs acknowledged, {(work / 'trace').stat().st_size >> 20} MiB "
              f"recorded in {time.monotonic() - began:.0f} s", flush=True)
        share = options.images // options.parallel
        runs = []
        for part in range(options.parallel):
            folder = tempfile.mkdtemp(prefix="batchd-image-", dir=memory)
            words = [OUT / "tests/power/images", work / "trace", work / "acknowledged", folder,
                     str(share), str(options.seed + part * 1000003)]
            runs.append((folder, subprocess.Popen(words)))
        codes = [run.wait() for _, run in runs]
        for folder, _ in runs:
            shutil.rmtree(folder, ignore_errors=True)
        return 1 if any(codes) else 0
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
