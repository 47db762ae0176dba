"""One run of a processor program by hand: the job on stdin, its lines from descriptor 3."""
import json
import os
import pathlib
import resource
import subprocess

from daemon import OUT, ROOT

MEDIA = pathlib.Path(os.environ.get("BATCHD_MEDIA", ROOT / "../shared/media"))


class Run:
    """.code, .stderr, .lines (all of descriptor 3), .result (None unless it came), .rss_kb"""

    def __init__(self, name, folder, params, fsize=None, cpus=2, job=7):
        self.news = folder / ".news"
        self.process = subprocess.Popen(
            ["sh", "-c", 'exec 3>"$0"; exec "$1"', self.news, OUT / "processors" / name / name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=fsize and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (fsize, fsize))))
        request = {"params": params, "cwd": str(folder), "job": job, "attempt": 1, "cpus": cpus}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.close()

    def end(self):
        self.stderr = self.process.stderr.read().decode()
        self.stdout = self.process.stdout.read().decode()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = self.code = os.waitstatus_to_exitcode(status)
        self.process.stderr.close()
        self.process.stdout.close()
        self.rss_kb = usage.ru_maxrss
        self.lines = [json.loads(line) for line in self.news.read_text().splitlines()]
        self.news.unlink()
        results = [line["result"] for line in self.lines if line["type"] == "result"]
        assert len(results) == (1 if self.code == 0 else 0), (self.code, self.lines)
        self.result = results[0] if results else None
        return self


def names(folder):
    return sorted(p.name for p in folder.iterdir())
