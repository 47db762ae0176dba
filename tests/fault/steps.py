#!/usr/bin/env python3
"""Kills what works on a user's files at every system call that changes something (syskill.c): a commit
of a checkpoint and the placing of two outputs. Afterwards the newest checkpoint is the old one or the new
one, whole, and another can be made; each output is the old one or the new one, whole."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT  # noqa: E402

OLD, NEW = "old\n" * 3000, "new\n" * 3000  # more than one write of a library's buffer


def run(place, *words, nth=None, phase="entry", env=None):
    report = place / "report"
    if nth is not None:
        words = [OUT / "tests/fault/syskill", "step", str(nth), phase, report, *words]
    subprocess.run(words, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                   env=dict(os.environ, BATCHD_SOCKET=str(place / "nobody"), **(env or {})))
    return report.read_text().split() if nth is not None else None


class Commit:
    name = "checkpoint commit"

    def __init__(self, place):
        self.place = place
        self.env = {"BATCHD_CHECKPOINT_DIR": str(place / "kept"), "BATCHD_ATTEMPT": "1"}
        (place / "state/deep").mkdir(parents=True)
        for text in (OLD, NEW):
            (place / "state/one").write_text(text)
            (place / "state/deep/two").write_text(text)
            if text == OLD:
                run(place, OUT / "batchctl", "checkpoint", "commit", "state", env=self.env)

    def act(self, nth, phase):
        return run(self.place, OUT / "batchctl", "checkpoint", "commit", "state", nth=nth, phase=phase, env=self.env)

    def newest(self):
        done = subprocess.run([OUT / "batchctl", "checkpoint", "path"], capture_output=True, text=True, timeout=60,
                              check=False, env=dict(os.environ, **self.env))
        path = pathlib.Path(done.stdout.strip())
        return [(path / "one").read_text(), (path / "deep/two").read_text()] if done.returncode == 0 else None

    def judge(self, hit):
        found = self.newest()
        if found not in ([OLD, OLD], [NEW, NEW]):
            return "the newest checkpoint is neither the old nor the new one"
        if hit == "-" and found != [NEW, NEW]:
            return "it was made and is not there"
        run(self.place, OUT / "batchctl", "checkpoint", "commit", "state", env=self.env)
        left = [name for name in os.listdir(self.place / "kept") if not name.isdigit()]
        return f"left behind: {left}" if left else None if self.newest() == [NEW, NEW] else "no other can be made"


class Finish:
    name = "placing of outputs"

    def __init__(self, place):
        self.place = place
        for number, name in enumerate("ab", 1):
            (place / name).write_text(OLD)
            (place / f".batchd-7-1-{number}.{name}").write_text(NEW)

    def act(self, nth, phase):
        return run(self.place, OUT / "batchd-job", "finish", "7", "-", "1", "0", "2", "a", "b", "nonempty",
                   'cmp "$1" "$1"', nth=nth, phase=phase)

    def judge(self, hit):
        found = [(self.place / name).read_text() if (self.place / name).exists() else None for name in "ab"]
        if any(text not in (OLD, NEW) for text in found):
            return "an output is neither the old nor the new one"
        if hit == "-" and found != [NEW, NEW]:
            return "they were placed and are not there"
        run(self.place, OUT / "batchd-job", "begin", "7", "-", "2", "2", "a", "b", "", "true")
        left = [name for name in os.listdir(self.place) if name.startswith(".batchd-7")]
        return f"left behind: {left}" if left else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    failed = 0
    for scene in (Commit, Finish):
        points, wrong = 0, 0
        for phase in ("entry", "exit"):
            nth, hit = 0, ""
            while hit != "-":
                nth += 1
                with tempfile.TemporaryDirectory(prefix="batchd-steps-") as name:
                    case = scene(pathlib.Path(name))
                    hit = case.act(nth, phase)[1]
                    problem = case.judge(hit)
                points += hit != "-"
                if problem:
                    wrong += 1
                    print(f"VIOLATION: {scene.name}, call {nth} ({hit}, {phase}): {problem}")
        print(f"steps: {scene.name}: killed at {points} points, {wrong} violations", flush=True)
        failed += wrong + (points == 0)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
