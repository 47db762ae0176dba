#!/usr/bin/env python3
"""Jobs that print numbered lines while batchd is killed and restarted: no line may be missing or
doubled, and every exit code must be right. output.py --jobs 200 --restarts 100"""
import argparse
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import Daemon  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--lines", type=int, default=50)
    options = parser.parse_args()
    daemon = Daemon(config="[workers]\nmax = 16\n")
    try:
        daemon.start()
        script = (f'i=0; while [ $i -lt {options.lines} ]; do i=$((i+1)); echo "line $i"; '
                  f'[ $((i % 10)) != 0 ] || sleep 0.1; done; exit $1')
        ids = [daemon.submit("sh", "-c", script, "x", str(n % 40)) for n in range(options.jobs)]
        for _ in range(options.restarts):
            time.sleep(random.uniform(0, 0.1))
            daemon.restart()
        jobs = daemon.wait(*ids, seconds=300)
        wanted = "".join(f"line {i}\n" for i in range(1, options.lines + 1))
        wrong = [f"job {job['id']}: exit {job['outcome']['exit_code']}" for n, job in enumerate(jobs)
                 if job["outcome"]["exit_code"] != n % 40]
        wrong += [f"job {i}: its output is not whole" for i in ids
                  if daemon.ctl("logs", str(i)).stdout != wanted]
        for text in wrong[:20]:
            print("VIOLATION:", text)
        print(f"output: {len(ids)} jobs of {options.lines} lines, {options.restarts} restarts, "
              f"{len(wrong)} violations")
        return 1 if wrong else 0
    finally:
        daemon.destroy()


if __name__ == "__main__":
    sys.exit(main())
