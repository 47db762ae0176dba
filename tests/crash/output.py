#!/usr/bin/env python3
"""Jobs that print numbered lines while batchd is killed and restarted: no line may be missing or
doubled, and every exit status must be right.

  output.py --jobs 200 --restarts 100
  output.py --other FOLDER            each restart is of the other build: ours, then FOLDER/batchd. Both must know
                                      the store's version"""
import argparse
import itertools
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon  # noqa: E402

STATUSES = 40


def violations(daemon, ids, lines):
    jobs = daemon.wait(*ids, seconds=300)
    wanted = "".join(f"line {i}\n" for i in range(1, lines + 1))
    wrong = [f"job {job['id']}: exit status {job['outcome']['exit_code']}, not {n % STATUSES}"
             for n, job in enumerate(jobs) if job["outcome"]["exit_code"] != n % STATUSES]
    return wrong + [f"job {i}: its output is not whole" for i in ids if daemon.ctl("logs", str(i)).stdout != wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--lines", type=int, default=50)
    parser.add_argument("--other", type=pathlib.Path, help="a folder with another build")
    options = parser.parse_args()
    builds = [OUT] if options.other is None else [OUT, options.other.resolve()]
    daemon = Daemon(config="[workers]\nmax = 16\n")
    try:
        daemon.start()
        script = (f'i=0; while [ $i -lt {options.lines} ]; do i=$((i+1)); echo "line $i"; '
                  f'[ $((i % 10)) != 0 ] || sleep 0.1; done; exit $1')
        ids = [daemon.submit("sh", "-c", script, "x", str(n % STATUSES)) for n in range(options.jobs)]
        for build in itertools.islice(itertools.cycle(reversed(builds)), options.restarts):
            time.sleep(random.uniform(0, 0.1))
            daemon.batchd = build / "batchd"
            daemon.restart()
        wrong = violations(daemon, ids, options.lines)
        for text in wrong[:20]:
            print("VIOLATION:", text)
        print(f"output: {len(ids)} jobs of {options.lines} lines and {min(len(ids), STATUSES)} exit statuses, "
              f"{options.restarts} restarts of {len(builds)} build{'s' * (len(builds) > 1)}, {len(wrong)} violations")
        return 1 if wrong else 0
    finally:
        daemon.destroy()


if __name__ == "__main__":
    sys.exit(main())
