#!/usr/bin/env python3
"""Jobs that make checkpoints, killed at random moments, their trees as a whole or (twice, for a third
time would be poison) by their worker: what they make is what an uninterrupted run makes, byte for byte,
and no attempt does more than one interval anew. A processor that asks by its lines goes on while its
checkpoint is made, however long that takes: when its worker dies just then, the next attempt begins no
earlier than with what had been made. checkpoint.py --kills 20 --minutes 6"""
import argparse
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import counting  # noqa: E402
from daemon import OUT, Daemon, Refused, wait_until  # noqa: E402

INTERVAL = 25  # steps of the counting job between two checkpoints
PART_SECONDS = 5  # of the clip in one part: an interval of the transcode

# A line for each step is in the state, so that it is not only a number that comes back.
COUNT = f"""
n=0; : > sums; sum=0
if test -n "$BATCHD_CHECKPOINT"; then cp "$BATCHD_CHECKPOINT/sums" sums; . "$BATCHD_CHECKPOINT/n"; fi
echo "$BATCHD_ATTEMPT began $n" >> log
while test $n -lt $1; do
    n=$((n + 1)); sum=$((sum * 31 % 1000003 + n)); echo "$n $sum" >> sums
    echo "$BATCHD_ATTEMPT did $n" >> log; sleep 0.002
    if test $((n % {INTERVAL})) = 0; then
        mkdir -p state; cp sums state/sums; echo "n=$n sum=$sum" > state/n
        batchctl checkpoint commit state
    fi
done
cp sums "$BATCHD_OUTPUT"
"""

# A part is a file of its own, made from its place of the clip alone; at the end they are put together.
TRANSCODE = f"""
set -e
n=0; rm -rf parts; mkdir parts
if test -n "$BATCHD_CHECKPOINT"; then rm -r parts; cp -r "$BATCHD_CHECKPOINT" parts; n=$(ls parts | wc -l); fi
echo "$BATCHD_ATTEMPT began $n" >> log
run() {{ ffmpeg -v error -nostdin -y -fflags +bitexact "$@"; }}
while test $n -lt $1; do
    run -ss $((n * {PART_SECONDS})) -t {PART_SECONDS} -i clip.mp4 -an -c:v libx264 -threads 1 -preset veryfast \\
        -crf 30 -flags +bitexact -f mpegts part.tmp
    mv part.tmp parts/$(printf %05d $n).ts; n=$((n + 1))
    echo "$BATCHD_ATTEMPT did $n" >> log
    batchctl checkpoint commit parts
done
cat parts/*.ts > all.ts
run -i all.ts -c copy -flags +bitexact -map_metadata -1 -f mp4 "$BATCHD_OUTPUT"
"""


def make_clip(path, seconds):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i",
                    f"testsrc2=size=320x180:rate=15:duration={seconds}", "-c:v", "libx264", "-preset",
                    "ultrafast", "-g", str(15 * PART_SECONDS), path], check=True)


class Case:
    """One job, and what becomes of it."""

    def __init__(self, daemon, folder, name, script, steps, interval):
        self.daemon, self.folder, self.name = daemon, folder, name
        self.script, self.steps, self.interval = script, steps, interval
        self.wrong = []
        self.lost = {}  # the step that was surely kept, by the attempts that ended with their worker

    def submit(self, output):
        return self.daemon.submit(
            "/bin/sh", "-c", self.script, "sh", str(self.steps), cwd=str(self.folder),
            env={"PATH": f"{OUT}:{os.environ['PATH']}"}, outputs=[output], checks=["nonempty"],
            retry={"max_attempts": 100, "base_ms": 1, "factor": 1, "jitter": "none", "on": ["signal", "lost"]})

    def digest(self, name):
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()

    def run(self, kills, seed):
        random.seed(seed)
        began = time.monotonic()
        whole = self.submit("whole")
        assert self.daemon.wait(whole, seconds=1800)[0]["state"] == "completed"
        span = time.monotonic() - began
        (self.folder / "log").unlink()
        ident = self.submit("killed")
        done, workers = 0, 0
        while done < kills and not self.ended(ident):
            time.sleep(random.uniform(0, span / kills))  # half of its span in all: none comes too late
            by_worker = workers < 2 and random.random() < 0.2
            if self.kill(ident, by_worker):
                done += 1
                workers += by_worker
        job = self.daemon.wait(ident, seconds=1800)[0]
        self.judge(job)
        return done, workers

    def ended(self, ident):
        return self.daemon.job(ident)["state"] in ("completed", "failed", "cancelled")

    def kill(self, ident, by_worker):
        job = self.daemon.job(ident)
        if job["state"] != "running":
            return False
        try:
            if by_worker:
                pids = [pid for pid in self.daemon.processes("--worker")
                        if f"/workers/{job['worker']}/" in os.readlink(f"/proc/{pid}/fd/4")]
                self.lost[job["attempt"]] = self.kept(ident)
                os.kill(pids[0], signal.SIGKILL)
            else:
                self.daemon.call("io.batchd.Jobs.Signal", id=ident, signal="KILL")
            before = job["started_at"]
            wait_until(lambda: self.daemon.job(ident)["started_at"] not in (before, None) or self.ended(ident), 60)
        except (Refused, IndexError, OSError):
            return False  # it ended just now
        return True

    def kept(self, ident):  # by itself: it waits for its checkpoints
        return None

    def judge(self, job):
        if job["state"] != "completed":
            self.wrong.append(f"it ended as {job['state']}: {job['outcome']}")
            return
        if self.digest("whole") != self.digest("killed"):
            self.wrong.append("its output is another one")
        last, redone, doer = 0, 0, 1
        for line in (self.folder / "log").read_text().splitlines():
            attempt, what, number = line.split()
            if what == "did":
                last, doer = int(number), int(attempt)
                continue
            # One that was killed before it began is not in the log.
            kept = [self.lost[n] for n in range(doer, int(attempt)) if self.lost.get(n) is not None]
            redone = max(redone, last - int(number))
            if int(number) < min([last - self.interval, *kept]):
                self.wrong.append(f"attempt {attempt} began at {number}, and attempt {doer} did {last}")
        left = [path.name for path in self.folder.glob(".batchd-*")]
        if left:
            self.wrong.append(f"left behind: {left}")
        self.attempts, self.redone = job["attempt"], redone


class Lines(Case):
    """A processor, which asks for its checkpoints by its lines."""

    def __init__(self, daemon, folder, steps):
        super().__init__(daemon, folder, "lines", "", steps, INTERVAL)

    def kept(self, ident):
        """The last step in its newest checkpoint."""
        while True:
            numbers = [int(path.name) for path in (self.daemon.state / f"jobs/{ident}/checkpoint").glob("*")
                       if path.name.isdigit()]
            try:
                path = self.daemon.state / f"jobs/{ident}/checkpoint/{max(numbers, default=0)}/data/state"
                return int(path.read_text().splitlines()[-1].split()[0]) if numbers else 0
            except FileNotFoundError:  # there is a newer one
                continue

    def submit(self, output):
        return self.daemon.call(
            "io.batchd.Jobs.Submit", type="count", cwd=str(self.folder),
            params={"steps": self.steps, "interval": INTERVAL, "output": output},
            retry={"max_attempts": 100, "base_ms": 1, "factor": 1, "jitter": "none", "on": ["signal", "lost"]})["id"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=6, help="of the clip; 0: no transcode")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"checkpoint: seed {options.seed}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="batchd-clip-") as place, \
            Daemon(config="[workers]\nmax = 2\n[breakers]\nenabled = false\n"
                          f'[processors]\npath = "{place}/types"\n') as daemon:
        counting.install(pathlib.Path(place) / "types")
        cases = [Case(daemon, pathlib.Path(place) / "count", "count", COUNT, options.steps, INTERVAL),
                 Lines(daemon, pathlib.Path(place) / "lines", options.steps)]
        parts = int(options.minutes * 60) // PART_SECONDS
        if parts > 0:
            cases.append(Case(daemon, pathlib.Path(place) / "video", "transcode", TRANSCODE, parts, 1))
        for case in cases:
            case.folder.mkdir()
            if case.name == "transcode":
                make_clip(case.folder / "clip.mp4", parts * PART_SECONDS)
            done, workers = case.run(options.kills, options.seed)
            for text in case.wrong:
                print(f"VIOLATION: {case.name}: {text}")
            failed += bool(case.wrong) or done < options.kills
            print(f"checkpoint: {case.name}: {case.steps} steps, {done} kills ({workers} of the worker), "
                  f"{getattr(case, 'attempts', '?')} attempts, at most {getattr(case, 'redone', '?')} steps of an "
                  f"interval of {case.interval} done anew, {len(case.wrong)} violations", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
