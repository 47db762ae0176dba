#!/usr/bin/env python3
"""Speed of the processors beside that of the tools that people use, in the same round, as ratios: as
bench.py has it. `make bench-media` runs it; `make bench-media ROUNDS=9 ONLY=serve` a part.

  serve   200 probes of a clip of a second: 200 runs of ffprobe, one after another / one processor that
          serves them. ffprobe reads the header; a probe decodes all frames and hashes the file"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(os.environ.get("OUT", ROOT / "build/release"))
CLIP = ROOT / "processors/samples/bear_vp9_161x121.webm"
JOBS, FRAMES = 200, 30


def timed(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def probe_each():
    for _ in range(JOBS):
        subprocess.run(["ffprobe", "-v", "error", "-show_streams", CLIP], check=True, stdout=subprocess.DEVNULL)


def probe_served():
    lines = "".join(json.dumps({"job": job, "params": {"mode": "probe", "input": str(CLIP)}, "cwd": "/"}) + "\n"
                    for job in range(JOBS))
    done = subprocess.run([OUT / "processors/video/video", "--serve"], check=True, input=lines, text=True,
                          stdout=subprocess.PIPE)
    results = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "result"]
    assert sorted(line["job"] for line in results) == list(range(JOBS))
    assert all(line["result"]["frames_in"] == FRAMES for line in results)


# name: what is measured, the peer, ours; the ratio is peer / ours
PARTS = {"serve": (f"{JOBS} probes", probe_each, probe_served)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=sorted(PARTS))
    chosen = parser.parse_args()
    for name, (what, peer, ours) in PARTS.items():
        if chosen.only not in (None, name):
            continue
        rounds = [(timed(peer), timed(ours)) for _ in range(chosen.rounds)]
        ratios = sorted(one / other for one, other in rounds)
        print(f"{name:8} {what}: {statistics.median(r[0] for r in rounds):.2f} s / "
              f"{statistics.median(r[1] for r in rounds):.2f} s = {statistics.median(ratios):.1f} "
              f"({ratios[0]:.1f} to {ratios[-1]:.1f}) in {chosen.rounds} rounds", flush=True)


if __name__ == "__main__":
    sys.exit(main())
