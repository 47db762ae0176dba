#!/usr/bin/env python3
"""Nobody but a job's own processes is ever signalled, however fast process ids are used again.

In a namespace of process ids that has few of them (kernel.pid_max, its own since Linux 6.14) short
processes use them up all the time, most ids by a canary that notes every signal (canaries.c). Jobs are
cancelled, run out of time and end by themselves meanwhile, and their workers pause for so long that all ids
are used again, before they find or signal somebody (pauses.c). Exit 0 when no canary got a signal. It needs
root; without it, or on an older kernel, this says so and does nothing.

  strangers.py --cancels 10000"""
import argparse
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

PID_MAX = 500  # the kernel's least is 301
CANARIES = 150
# Of the last ones the shell lives, and its children go and come.
LINES = ("sleep 60", "true", "sleep 0.01", "(sleep 60 & sleep 60 & wait)", "setsid sleep 60",
         *["while :; do for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1 & done; wait; done"] * 5)


def cancel_jobs(daemon, count):
    """Some are told to end as they begin, some after a while, some when they have ended."""
    client, done = daemon.client(timeout=120), 0
    while done < count:
        ids = [client.call("io.batchd.Jobs.Submit", argv=["sh", "-c", line], cwd="/",
                           timeout_ms=200 if i == 1 else 60000,
                           env={"PATH": os.environ["PATH"]})["id"] for i, line in enumerate(LINES)]
        time.sleep(0.05)
        for ident in ids:
            client.send("io.batchd.Jobs.Cancel", id=ident, grace_ms=0 if ident % 2 else 20)
        for _ in ids:
            try:
                client.receive()
            except ConnectionError:
                raise
            except Exception:  # it has ended already
                pass
        done += len(ids)
    return done


def inside(count):
    """As the first process of the namespace."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
    from daemon import OUT, Daemon
    from preload import preloadable
    pathlib.Path("/proc/sys/kernel/pid_max").write_text(str(PID_MAX))
    began = time.monotonic()
    folder = tempfile.mkdtemp(prefix="batchd-")
    pauses = preloadable(OUT / "tests/fault/pauses.so", f"{folder}/pauses.so")
    with Daemon(folder, "[workers]\nmax = 8\nprefetch = 0\n", env={"LD_PRELOAD": pauses}) as daemon:
        notes = daemon.state / "signals"
        canaries = subprocess.Popen([OUT / "tests/fault/canaries", notes, str(CANARIES)], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        try:
            done = cancel_jobs(daemon, count)
        finally:
            born = int(canaries.communicate()[0])
        told = notes.read_text().split()
    print(f"strangers: {done} cancels with {PID_MAX} process ids, {born} canaries, {len(told)} signals to them, "
          f"{time.monotonic() - began:.0f} s")
    return 1 if told or born < PID_MAX else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cancels", type=int, default=10000)
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if options.inside:
        return inside(options.cancels)
    kernel = tuple(int(part) for part in platform.release().split(".")[:2])
    if os.geteuid() != 0 or kernel < (6, 14):
        print("strangers: skipped, it needs root and a kernel.pid_max of each namespace (Linux 6.14)")
        return 0
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, __file__,
                           "--inside", "--cancels", str(options.cancels)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
