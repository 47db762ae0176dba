"""A processor run by hand, and an independent judge of its output."""
import json
import os
import pathlib
import resource
import subprocess
import threading

import results
from daemon import OUT, ROOT

SAMPLES = ROOT / "processors/samples"
SHARED = ROOT.parent / "shared/media"


class Run:
    """One run: .code, .error (its stderr), .lines (descriptor 3), .result (or None), .rss_kb, .cpu_seconds.
    fsize: the largest file it may write; data: its private memory; seconds: it is killed after those."""

    def __init__(self, name, params, cwd, cpus=2, job=1, attempt=1, env=None, fsize=None, data=None,
                 seconds=None, **popen):
        program = OUT / "processors" / name / name
        reading, writing = os.pipe()

        def open_three():
            os.dup2(writing, 3)
            for limit, most in ((resource.RLIMIT_FSIZE, fsize), (resource.RLIMIT_DATA, data)):
                if most is not None:
                    resource.setrlimit(limit, (most, most))

        line = json.dumps({"params": params, "cwd": str(cwd), "cpus": cpus, "job": job,
                           "attempt": attempt})
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            close_fds=False, preexec_fn=open_three, env=dict(os.environ, **(env or {})), **popen)
        os.close(writing)
        self.limit = threading.Timer(seconds or 0, self.process.kill)
        if seconds is not None:
            self.limit.start()
        self.news = os.fdopen(reading)
        self.process.stdin.write(line.encode())
        self.process.stdin.close()

    def end(self):
        self.lines = [json.loads(line) for line in self.news]
        self.news.close()
        self.output = self.process.stdout.read()
        self.error = self.process.stderr.read().decode(errors="replace").strip()
        if self.process.returncode is None:  # not waited for by the test yet
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.rss_kb = usage.ru_maxrss
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.limit.cancel()
        self.code = self.process.returncode
        told = [line["result"] for line in self.lines if line["type"] == "result"]
        self.result = told[-1] if told else None
        for result in told:
            results.check(result)
        return self


def run(name, cwd, cpus=2, job=1, **params):
    return Run(name, params, cwd, cpus, job).end()


def left_behind(folder):
    return [p.name for p in pathlib.Path(folder).iterdir() if p.name.endswith(".part")]


def ffprobe(path, *words):
    done = subprocess.run(["ffprobe", "-v", "error", *words, "-of", "json", str(path)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def frames(path):
    """By decoding, with another program than the one under test."""
    found = ffprobe(path, "-select_streams", "v:0", "-count_frames", "-show_streams")["streams"][0]
    return int(found["nb_read_frames"])


def frame_times(path):
    """Times in seconds of the shown frames as exact fractions, from the first one on."""
    from fractions import Fraction
    found = ffprobe(path, "-select_streams", "v:0", "-show_frames", "-show_streams",
                    "-show_entries", "frame=best_effort_timestamp:stream=time_base")
    base = Fraction(found["streams"][0]["time_base"])
    times = [frame["best_effort_timestamp"] * base for frame in found["frames"]]
    return [time - times[0] for time in times]


def names(folder):
    return sorted(entry.name for entry in pathlib.Path(folder).iterdir())
