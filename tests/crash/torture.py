#!/usr/bin/env python3
"""Kills batchd (and, with --workers, its workers) at random moments under submitting clients, and
then compares what was acknowledged with what is there.

  torture.py --kills 1000                 every acknowledged job present once, started at most once,
                                          every result right
  torture.py --kills 200 --workers        the same, and a killed worker's job ends lost or is run
                                          again as its policy says

Each job takes a file named by its id with O_EXCL when it starts: a second start of the same attempt
shows, and two at once show. Exit 0 when nothing was violated. The seed is printed."""
import argparse
import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import Daemon, Refused  # noqa: E402

# The job: one append is one write; the folder shows that it runs; it ends with its id (and index, of
# a task) modulo 50.
SHELL = ('me="$BATCHD_JOB_ID${BATCHD_ARRAY_INDEX:+_$BATCHD_ARRAY_INDEX}"; '
         'echo "$me $BATCHD_ATTEMPT" >>"$0/starts"; '
         'mkdir "$0/running.$me" || echo "$me double" >>"$0/starts"; '
         '[ "$1" = 0 ] || sleep "$1"; rmdir "$0/running.$me"; '
         'exit $(((BATCHD_JOB_ID + ${BATCHD_ARRAY_INDEX:-0}) % 50))')
TASKS = 3  # of an array


class Submitter(threading.Thread):
    """Submits with a key of its own, again and again until it is acknowledged."""

    def __init__(self, daemon, number, folder, pauses):
        super().__init__(daemon=True)
        self.batchd, self.number, self.folder, self.pauses = daemon, number, folder, pauses
        self.acknowledged = {}  # key -> id
        self.failures = []
        self.halt = False

    def submit(self, client, key, pause, rerun, array):
        more = {"array": f"0-{TASKS - 1}"} if array else {}
        return client.call("io.batchd.Jobs.Submit", key=key, cwd="/", rerun_if_lost=rerun,
                           env={"PATH": os.environ["PATH"]}, tags={"rerun": str(rerun)},
                           argv=["sh", "-c", SHELL, self.folder, str(pause)], **more)["id"]

    def run(self):
        random_ = random.Random(self.number)
        client, count = None, 0
        while not self.halt:
            count += 1
            key, pause = f"{self.number}-{count}", random_.choice(self.pauses)
            rerun, array = random_.random() < 0.5, random_.random() < 0.1
            while not self.halt:
                try:
                    client = client or self.batchd.client(timeout=10)
                    first = self.acknowledged.get(key)
                    got = self.submit(client, key, pause, rerun, array)
                    if first not in (None, got):
                        self.failures.append(f"key {key}: {first} then {got}")
                    self.acknowledged[key] = got
                    break
                except Refused as refused:
                    self.failures.append(str(refused))
                    break
                except (OSError, ValueError):
                    client = None
                    time.sleep(0.002)
            time.sleep(0.03)  # some 200 jobs a second in all: less than the workers end


def kill_one(daemon, random_, workers):
    pids = daemon.processes("--worker") if workers and random_.random() < 0.5 else []
    if pids:
        with contextlib.suppress(ProcessLookupError):  # its jobs had ended and so had it
            os.kill(random_.choice(pids), signal.SIGKILL)
            return "worker"
    daemon.kill()
    daemon.start(wait=False)
    return "batchd"


def rage(daemon, options, random_, submitters):
    kills = {"batchd": 0, "worker": 0}
    started = time.monotonic()
    for submitter in submitters:
        submitter.start()
    daemon.wait_ready()
    while sum(kills.values()) < options.kills:
        time.sleep(random_.uniform(0, options.interval))
        kills[kill_one(daemon, random_, options.workers)] += 1
        if sum(kills.values()) % 100 == 0:
            print(f"  {sum(kills.values())} kills, {time.monotonic() - started:.0f} s", flush=True)
    for submitter in submitters:
        submitter.halt = True
    for submitter in submitters:
        submitter.join()
    return kills


def settle(daemon, seconds):
    """Until the last job has ended; no more than `seconds` in which none does."""
    daemon.wait_ready()
    least, deadline = None, 0
    while True:
        live = daemon.call("io.batchd.Server.Status")["counts"]
        count = sum(live[state] for state in ("pending", "starting", "running"))
        if not count:
            return []
        if least is None or count < least:
            least, deadline = count, time.monotonic() + seconds
        if time.monotonic() > deadline:
            first = daemon.jobs(states=["pending", "starting", "running"])[0]
            return [f"{count} jobs do not end, job {first['id']} is {first['state']}"]
        time.sleep(0.2)


def with_tasks(daemon, jobs):
    """The plain jobs, and in the place of each array its tasks; by the name that a job calls itself."""
    found, client = {}, daemon.client()
    for job in jobs:
        if job["array"] is None:
            found[str(job["id"])] = job
        for index in range(TASKS if job["array"] else 0):
            task = client.call("io.batchd.Jobs.Show", id=job["id"], index=index)["job"]
            found[f"{job['id']}_{index}"] = task
    client.close()
    return found


def check_starts(folder, jobs, workers):
    wrong, seen = [], {}
    for line in (folder / "starts").read_text().split("\n")[:-1]:
        job, attempt = line.split()
        if attempt == "double":
            if not workers:
                wrong.append(f"job {job} ran twice at once")
            continue
        seen.setdefault(job, []).append(attempt)
        if seen.get((job, attempt)):
            wrong.append(f"job {job} attempt {attempt} started twice")
        seen[(job, attempt)] = True
    for name, job in jobs.items():
        starts = seen.get(name, [])
        lost = job["outcome"]["class"] == "lost"
        if not workers and len(starts) != 1:
            wrong.append(f"job {name} started {len(starts)} times")
        if workers and job["tags"]["rerun"] == "False" and len(starts) > 1:
            wrong.append(f"job {name} must never be rerun and started {len(starts)} times")
        if not lost and not starts:
            wrong.append(f"job {name} has a result and never started")
    return wrong


def check_counts(daemon, jobs):
    """What was counted of each minute is what there is: nothing twice, nothing forgotten."""
    told = daemon.call("io.batchd.Server.Stats", by="queue")["summary"]
    found = {state: sum(job["state"] == state for job in jobs.values())
             for state in ("completed", "failed", "cancelled")}
    found["submitted"] = len(jobs)
    return [f"{told[name]} are counted as {name}, and {count} are" for name, count in found.items()
            if told[name] != count]


def check(daemon, submitters, folder, workers):
    wrong = [text for s in submitters for text in s.failures]
    jobs = {job["id"]: job for job in daemon.jobs()}
    ids = [i for s in submitters for i in s.acknowledged.values()]
    wrong += [f"acknowledged job {i} is gone" for i in ids if i not in jobs]
    if len(set(ids)) != len(ids):
        wrong.append("two keys got one id")
    each = with_tasks(daemon, jobs.values())
    for name, job in each.items():
        outcome = job["outcome"]
        if outcome["class"] == "lost" and workers:
            if job["tags"]["rerun"] == "True" and job["attempt"] < 3:
                wrong.append(f"job {name} was to be rerun and is lost: {outcome}")
            continue
        code = outcome["exit_code"]
        if code != (job["id"] + (job["index"] or 0)) % 50 or outcome["signal"] is not None:
            wrong.append(f"job {name}: wrong result {outcome}")
    wrong += check_counts(daemon, each)
    return wrong + check_starts(folder, each, workers), len(jobs), len(ids)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--interval", type=float, default=0.2, help="most seconds between kills")
    parser.add_argument("--workers", action="store_true", help="kill workers too")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--settle", type=float, default=120, help="seconds in which none of the last jobs ends")
    parser.add_argument("--batchd", help="another batchd, such as a mutant")
    options = parser.parse_args()
    random_ = random.Random(options.seed)
    print(f"torture: {options.kills} kills, {options.clients} clients, seed {options.seed}", flush=True)
    daemon = Daemon(config="[workers]\nmax = 4\n", batchd=options.batchd)
    try:
        folder = daemon.state / "work"
        folder.mkdir()
        daemon.start()
        submitters = [Submitter(daemon, n, str(folder), [0] * 16 + [0.05, 0.05, 0.3])
                      for n in range(options.clients)]
        kills = rage(daemon, options, random_, submitters)
        wrong = settle(daemon, options.settle)
        more, present, acknowledged = ([], 0, 0) if wrong else \
            check(daemon, submitters, folder, options.workers)
        wrong += more
        for text in wrong[:20]:
            print("VIOLATION:", text)
        print(f"torture: {kills['batchd']} kills of batchd, {kills['worker']} of workers; "
              f"{acknowledged} acknowledged, {present} present, {len(wrong)} violations")
        if wrong:
            print(daemon.text())
        return 1 if wrong else 0
    finally:
        daemon.destroy()


if __name__ == "__main__":
    sys.exit(main())
