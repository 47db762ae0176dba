#!/usr/bin/env python3
"""Nobody but a job's own processes is ever signalled, however fast process ids are used again.

In a namespace of process ids that has few of them (kernel.pid_max, its own since Linux 6.14) short
processes use them up all the time, canaries that note every signal take some of them again and again,
and jobs are cancelled, run out of time and end by themselves meanwhile. Exit 0 when no canary got a
signal. It needs root; without it, or on an older kernel, this says so and does nothing.

  strangers.py --cancels 10000"""
import argparse
import os
import pathlib
import platform
import signal
import subprocess
import sys
import threading
import time

PID_MAX = 400  # the kernel's least is 301

# Ends after a moment by itself, with 0; any signal it gets is noted. It knows no SIGKILL: its parent does.
CANARY = """
import signal, sys, time
def on(number, frame):
    open(sys.argv[1], "a").write(f"{number}\\n")
for number in range(1, 65):
    try:
        signal.signal(number, on)
    except (OSError, ValueError):
        pass
end = time.monotonic() + 0.3
while time.monotonic() < end:
    time.sleep(0.05)
"""


def churn(stop):
    while not stop.is_set():
        subprocess.run(["sh", "-c", "true & true & true & wait"], check=False)


def keep_canaries(stop, notes, ends):
    while not stop.is_set():
        canaries = [subprocess.Popen([sys.executable, "-S", "-c", CANARY, notes]) for _ in range(4)]
        ends.extend(canary.wait() for canary in canaries)


def cancel_jobs(daemon, count):
    """Some are told to end as they begin, some after a while, some when they have ended."""
    client, done = daemon.client(), 0
    lines = ("sleep 60", "true", "sleep 0.01", "(sleep 60 & sleep 60 & wait)", "setsid sleep 60")
    while done < count:
        ids = [client.call("io.batchd.Jobs.Submit", argv=["sh", "-c", lines[i % 5]], cwd="/",
                           timeout_ms=200 if i % 7 == 0 else 60000,
                           env={"PATH": os.environ["PATH"]})["id"] for i in range(10)]
        time.sleep(0.02)
        for ident in ids:
            client.send("io.batchd.Jobs.Cancel", id=ident, grace_ms=0 if ident % 2 else 5)
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
    from daemon import Daemon
    pathlib.Path("/proc/sys/kernel/pid_max").write_text(str(PID_MAX))
    stop, ends = threading.Event(), []
    began = time.monotonic()
    with Daemon(config="[workers]\nmax = 8\n") as daemon:
        notes = daemon.state / "signals"
        threads = [threading.Thread(target=churn, args=(stop,)) for _ in range(2)]
        threads.append(threading.Thread(target=keep_canaries, args=(stop, notes, ends)))
        for thread in threads:
            thread.start()
        try:
            done = cancel_jobs(daemon, count)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        told = notes.read_text().split() if notes.exists() else []
    killed = [end for end in ends if end != 0]
    print(f"strangers: {done} cancels with {PID_MAX} process ids, {len(ends)} canaries, {len(told)} signals to them, "
          f"{len(killed)} killed, {time.monotonic() - began:.0f} s")
    return 1 if told or killed or not ends else 0


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
