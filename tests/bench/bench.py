#!/usr/bin/env python3
"""Speed, side by side with a peer or the machine's own limit in the same round, as ratios. Machines
are noisy: each ratio is formed within a round, and the median of the rounds counts (minimum and
maximum show the noise). `make bench` runs it; `make bench ROUNDS=9 ONLY=jobs` a part.

  jobs      3,000 x /bin/true, 8 at a time: batchd / xargs -n1 -P8, and / 8 processes that posix_spawn
  submits   durable submits by one client, one at a time / SQLite FULL commits of one row
  array     one submit of a 1,000,000-task array
  latency   p99 of a submit while 2 slots run jobs / while nothing runs
  serve     10,000 jobs of 1 ms of one type, a Python script, by two workers: with "serve" / without (1,000
            jobs, 10 times as long); and p99 of an urgent job's wait meanwhile, less the longest of them
  memory    resident bytes a queued job, from 20,000 to 120,000 queued
  scheduler one decision with 1,000 and with 1,000,000 jobs waiting, under each policy (fair: of
            1,000 users; blocked: no memory for any, with backfill); p99, and the mean in decisions a
            second, against those with 1,000 jobs; the decisions alone also with 10,000 and 100,000
  simulate  batchctl simulate of traces that trace.py makes, in seconds of a processor (it uses one, and
            does nothing else): the slowest of eight runs, fifo, priority, sjf and fair, each without and with easy backfill"""
import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import serving  # noqa: E402
from daemon import OUT, Daemon  # noqa: E402

LIMITS, LOAD = OUT / "tests/bench/limits", OUT / "tests/bench/load"
TRACE = pathlib.Path(__file__).with_name("trace.py")
DECISIONS = OUT / "tests/bench/decisions"
PROGRAM = "/bin/true"
COUNTS = (1000, 10000, 100000, 1000000)
SIMULATED = (("overload", 96), ("overload", 256), ("ordinary", 256), ("together", 100000))


def run(*words):
    """The numbers that a benchmark program prints."""
    out = subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in out.split()]


def daemon(workers, more=""):
    private = Daemon(config=f"[daemon]\nlog_level = \"warning\"\n"
                            f"[workers]\nmin = {workers}\nmax = {workers}\n"
                            f"[breakers]\nenabled = true\n{more}")
    private.start()
    deadline = time.monotonic() + 20
    while sum(w["state"] == "idle" for w in private.call("io.batchd.Server.Status")["workers"]) < workers:
        assert time.monotonic() < deadline, private.text()
        time.sleep(0.01)  # a poll with a deadline
    return private


def quiet_daemon():
    """Its one slot is taken by a job that sleeps: what is submitted is kept and not run."""
    private = daemon(1)
    private.wait_running(private.submit("sleep", "600", priority="urgent"))
    return private


def xargs(jobs):
    names = "\n".join(map(str, range(jobs)))
    start = time.monotonic()
    subprocess.run(["xargs", "-n1", "-P8", PROGRAM], input=names, text=True, check=True)
    return time.monotonic() - start


def bench_jobs(figures):
    jobs = 3000
    private = daemon(8)
    try:
        run(LOAD, "stream", private.socket, 200, PROGRAM)  # it learns that these jobs are short
        batchd = run(LOAD, "stream", private.socket, jobs, PROGRAM)[0]
        counts = private.call("io.batchd.Server.Status")["counts"]
        assert counts["completed"] == jobs + 200, counts
    finally:
        private.destroy()
    peer = xargs(jobs)
    limit = run(LIMITS, "spawn", jobs, 8, PROGRAM)[0]
    figures.add("jobs/s, 8 workers", jobs / batchd)
    figures.add("jobs/s / xargs -P8", peer / batchd)
    figures.add("jobs/s / raw posix_spawn by 8", limit / batchd)


def bench_submits(figures):
    count = 2000
    private = quiet_daemon()
    try:
        run(LOAD, "single", private.socket, 200, PROGRAM)
        batchd = run(LOAD, "single", private.socket, count, PROGRAM)[0]
    finally:
        private.destroy()
    with tempfile.TemporaryDirectory() as folder:
        limit = run(LIMITS, "commits", folder, count)[0]
    figures.add("submits/s, one at a time", count / batchd)
    figures.add("submits/s / SQLite commits/s", limit / batchd)


def bench_array(figures):
    private = quiet_daemon()
    try:
        run(LOAD, "single", private.socket, 100, PROGRAM)
        figures.add("array of 1,000,000 tasks, ms", run(LOAD, "array", private.socket, 1000000, PROGRAM)[0] * 1e3)
    finally:
        private.destroy()


def typed(server, kind, count):
    """Seconds for an array of jobs that sleep 1 ms."""
    begun = time.monotonic()
    job = server.call("io.batchd.Jobs.Submit", type=kind, params={"script": "time.sleep(0.001)"}, cwd="/",
                      array=f"0-{count - 1}")["id"]
    assert server.wait(job, seconds=600)[0]["array"]["completed"] == count
    return time.monotonic() - begun


def urgent_waits(server, count):
    """Of so many urgent jobs, one after another, while others of 1 ms run: milliseconds."""
    job = server.call("io.batchd.Jobs.Submit", type="server", params={"script": "time.sleep(0.001)"}, cwd="/",
                      array="0-9999")["id"]
    server.wait_running(job)
    waits = []
    for _ in range(count):
        ended = server.wait(server.submit(PROGRAM, priority="urgent"))[0]
        waits.append((ended["started_at"] - ended["submitted_at"]) / 1000)
    assert server.job(job)["array"]["pending"] > 0, "they were too quick"
    server.call("io.batchd.Jobs.Cancel", id=job)
    server.wait(job)
    tasks = server.call("io.batchd.Jobs.List", ids=[job], tasks=True, all=True, limit=1000)["jobs"]
    longest = max(task["usage"]["run_us"] / 1000 for task in tasks if task["usage"])
    return sorted(waits)[int(len(waits) * 0.99)] - longest


def bench_serve(figures):
    with tempfile.TemporaryDirectory() as folder:
        serving.install(pathlib.Path(folder))
        serving.install(pathlib.Path(folder), "alone", serve=False)
        server = daemon(2, f'[processors]\npath = "{folder}"\n')
        typed(server, "server", 100)
        figures.add("served jobs / each by itself", 10 * typed(server, "alone", 1000) / typed(server, "server", 10000))
        figures.add("urgent p99 wait - longest job, ms", urgent_waits(server, 100))
        server.destroy()


def bench_latency(figures):
    count = 1000
    idle, busy = quiet_daemon(), daemon(2)
    try:
        for private in (idle, busy):
            run(LOAD, "single", private.socket, 100, PROGRAM)
        quiet = run(LOAD, "single", idle.socket, count, PROGRAM)[2]
        run(LOAD, "hold", busy.socket, 20000, PROGRAM)  # both slots stay busy
        loud = run(LOAD, "single", busy.socket, count, PROGRAM)[2]
        assert busy.call("io.batchd.Server.Status")["counts"]["pending"] > 0
    finally:
        idle.destroy()
        busy.destroy()
    figures.add("submit p99 idle, us", quiet)
    figures.add("submit p99 busy, us", loud)
    figures.add("submit p99 busy / idle", loud / quiet)


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def bench_memory(figures):
    private = quiet_daemon()
    try:
        run(LOAD, "hold", private.socket, 20000, PROGRAM)  # SQLite's page cache is full by then
        before = resident(private.process.pid)
        run(LOAD, "hold", private.socket, 100000, PROGRAM)
        figures.add("bytes a queued job", (resident(private.process.pid) - before) / 100000)
    finally:
        private.destroy()


def bench_scheduler(figures):
    for policy in ("fifo", "priority", "sjf", "fair", "blocked"):
        users = 1000 if policy == "fair" else 8
        rows = {jobs: run(DECISIONS, policy, jobs, users, 20000) for jobs in COUNTS}
        few, many = rows[COUNTS[0]], rows[COUNTS[-1]]
        for jobs, (speed, p99) in rows.items():
            figures.add(f"{policy}: decisions/s, {jobs:,}", speed)
            figures.add(f"{policy}: p99 of one, ns, {jobs:,}", p99)
        figures.add(f"{policy}: mean, a million / 1,000", few[0] / many[0])
        figures.add(f"{policy}: p99, a million / 1,000", many[1] / few[1])


def simulate(trace, cpus, policy, backfill):
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([OUT / "batchctl", "simulate", "--trace", trace, "--cpus", str(cpus), "--policy", policy,
                    "--backfill", backfill, "--json"], check=True, stdout=subprocess.DEVNULL)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def bench_simulate(figures):
    with tempfile.TemporaryDirectory() as folder:
        for kind, cpus in SIMULATED:
            trace = pathlib.Path(folder) / f"{kind}.swf"
            if not trace.exists():
                with trace.open("w") as out:
                    subprocess.run([sys.executable, TRACE, kind], check=True, stdout=out)
            figures.add(f"{kind} on {cpus:,}, s", max(
                simulate(trace, cpus, policy, backfill) for policy in ("fifo", "priority", "sjf", "fair")
                for backfill in ("none", "easy")))


class Figures:
    def __init__(self):
        self.rows = {}

    def add(self, name, value):
        self.rows.setdefault(name, []).append(value)

    def print(self):
        print(f"{'figure':<34}{'median':>12}{'min':>12}{'max':>12}  aim   rounds")
        for name, values in self.rows.items():
            cells = "".join(f"{value:>12,.0f}" if value >= 1000 else f"{value:>12.4g}" for value in
                            (statistics.median(values), min(values), max(values)))
            print(f"{name:<34}{cells}  {AIMS.get(name, ''):<6}{len(values)}")


AIMS = {"jobs/s / xargs -P8": ">=1.6", "jobs/s / raw posix_spawn by 8": ">=0.9",
        "submits/s / SQLite commits/s": ">=0.6", "array of 1,000,000 tasks, ms": "<20",
        "submit p99 busy / idle": "<=3",
        "served jobs / each by itself": ">=5", "urgent p99 wait - longest job, ms": "<=50", "bytes a queued job": "<=100",
        **{f"{kind} on {cpus:,}, s": "<5" for kind, cpus in SIMULATED},
        **{f"{policy}: {what}, a million / 1,000": "<=5" if policy == "fair" else "<=3"
           for policy in ("fifo", "priority", "sjf", "fair", "blocked") for what in ("mean", "p99")}}
BENCHES = {"jobs": bench_jobs, "submits": bench_submits, "array": bench_array,
           "serve": bench_serve, "latency": bench_latency, "memory": bench_memory, "scheduler": bench_scheduler,
           "simulate": bench_simulate}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=BENCHES, action="append")
    options = parser.parse_args()
    figures = Figures()
    for number in range(options.rounds):
        for name in options.only or BENCHES:
            BENCHES[name](figures)
        print(f"round {number + 1} of {options.rounds}: load {os.getloadavg()[0]:.1f}", flush=True)
    figures.print()


if __name__ == "__main__":
    main()
