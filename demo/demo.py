#!/usr/bin/env python3
"""make demo: a private batchd takes a dozen real media jobs. One of them, a film made in chunks, is
killed and goes on from its checkpoint; half way batchd itself is killed with SIGKILL and comes back. Every
job ends right, and each film is compared with its source. Everything is done by batchctl, as you would do
it; what was made lies in demo-out/ afterwards."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = pathlib.Path(os.environ.get("OUT", ROOT / "build/release"))
SAMPLES = ROOT / "processors/samples"
MADE = ROOT / "demo-out"
TTY = sys.stdout.isatty()
BAR = 24
FILM = "film"  # the one that is killed

# priority, name, type, parameters; "output" is a file name in demo-out/
JOBS = [
    ("urgent", FILM, "video", {"input": "film-source.mp4", "output": "film.mp4", "preset": "slow"}),
    ("low", "bbb-720p", "video", {"input": "bbb_480p24_8s.mp4", "output": "bbb-720p.mp4",
                                  "height": 720, "preset": "veryfast"}),
    ("normal", "bbb-small", "video", {"input": "bbb_480p24_8s.mp4", "output": "bbb-small.mp4",
                                      "width": 320, "preset": "veryfast", "crf": 28}),
    ("normal", "bear", "video", {"input": "bear_vp9_161x121.webm", "output": "bear.mp4"}),
    ("normal", "rotate", "video", {"input": "sample_rotate_reflect.mp4", "output": "rotate.mp4",
                                   "height": 360}),
    ("high", "roadtrip", "video", {"input": "roadtrip_vp9_10bit.webm", "output": "roadtrip.mp4"}),
    ("high", "av1", "video", {"input": "sample_av1_aac.mp4", "output": "av1.mp4", "height": 480,
                              "preset": "veryfast"}),
    ("background", "bbb-best", "video", {"input": "bbb_480p24_8s.mp4", "output": "bbb-best.mp4",
                                         "preset": "slow", "crf": 20}),
    ("urgent", "probe-bbb", "video", {"mode": "probe", "input": "bbb_480p24_8s.mp4"}),
    ("urgent", "probe-ts", "video", {"mode": "probe", "input": "sample_mpeg2_mp2.ts"}),
    ("normal", "coffee", "image", {"input": "coffee.png", "output": "coffee.jpg", "clahe": "true",
                                   "sharpen": "true"}),
    ("normal", "landscape", "image", {"input": "landscape_exif6.jpg", "output": "landscape.png",
                                      "width": 300, "auto_levels": "true"}),
    ("low", "rocket", "image", {"input": "rocket.jpg", "output": "rocket-large.webp", "width": 1280,
                                "denoise": "true", "sharpen": "true"}),
    ("high", "camera", "image", {"input": "camera_gray.png", "output": "camera.png", "clahe": "true"}),
]


def say(text=""):
    print(text, flush=True)


class Batch:
    """A private daemon in a folder of its own."""

    def __init__(self):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="batchd-demo-"))
        self.log = open(self.state / "demo.log", "ab")
        self.daemon = None

    def start(self):
        self.daemon = subprocess.Popen([OUT / "batchd", "--user", "--state", self.state],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 20
        while self.ctl("ping", check=False).returncode != 0:
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit("batchd did not start: " + (self.state / "demo.log").read_text())
            time.sleep(0.02)  # a poll with a deadline

    def ctl(self, *words, check=True):
        done = subprocess.run([OUT / "batchctl", "--socket", self.state / "batchd.sock", *map(str, words)],
                              capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            sys.exit(f"batchctl {' '.join(map(str, words))}: {done.stderr}")
        return done

    def jobs(self):
        return json.loads(self.ctl("list", "--all", "--json").stdout)

    def processes(self):
        """Job processes of this daemon that live, by job id."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                arguments = (entry / "cmdline").read_bytes()
            except (OSError, ValueError):
                continue
            values = dict(word.split(b"=", 1) for word in environment if b"=" in word)
            # A processor that serves is of no one job: each that it does has a process beside it.
            if arguments and b"BATCHD_JOB_ID" in values and values[b"BATCHD_SOCKET"].startswith(str(self.state).encode()):
                found[int(values[b"BATCHD_JOB_ID"])] = int(entry.name)
        return found

    def close(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait()
        self.log.close()
        for entry in pathlib.Path("/proc").iterdir():  # the spawner ends its workers and itself
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"--spawner" in words and str(self.state).encode() in words:
                os.kill(int(entry.name), signal.SIGTERM)
        shutil.rmtree(self.state, ignore_errors=True)


def make_source():
    """Long enough for several chunks: a sample four times over, 776 frames."""
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "3", "-i", SAMPLES / "bbb_480p24_8s.mp4", "-c", "copy",
                    "-an", MADE / "film-source.mp4"], check=True)


def path_of(key, value):
    if key == "output" or value == "film-source.mp4":
        return MADE / value
    return SAMPLES / value if key == "input" else value


def submit_all(batch):
    for priority, name, kind, params in JOBS:
        words = ["submit", "--type", kind, "-n", name, "-p", priority, "-c", 2 if name == FILM else 1]
        for key, value in params.items():
            words += ["--param", f"{key}={path_of(key, value)}"]
        number = batch.ctl(*words).stdout.strip()
        shown = " ".join(f"{key}={value}" for key, value in params.items())
        say(f"  batchctl submit --type {kind:<5} -p {priority:<10} {shown}  -> job {number}")


class Picture:
    """Draws the jobs in place on a terminal; elsewhere one line for each job that ended."""

    def __init__(self):
        self.drawn = 0
        self.told = set()

    def line(self, job):
        fraction = (job["progress"] or {}).get("fraction", 0) or 0
        if job["state"] == "completed":
            fraction = 1
        bar = "#" * int(fraction * BAR + 0.5)
        return (f"  {job['id']:>3} {job['name']:<10} {job['priority']:<10} {job['state']:<9} "
                f"[{bar:<{BAR}}] {fraction:4.0%}")

    def draw(self, jobs):
        if TTY:
            if self.drawn:
                sys.stdout.write(f"\x1b[{self.drawn}A")
            for job in jobs:
                sys.stdout.write("\x1b[2K" + self.line(job) + "\n")
            self.drawn = len(jobs)
            sys.stdout.flush()
            return
        for job in jobs:
            if job["ended_at"] and job["id"] not in self.told:
                self.told.add(job["id"])
                say(self.line(job))

    def leave(self):
        """What is written next stays below."""
        self.drawn = 0


def watch(batch, picture, until):
    deadline = time.monotonic() + 300
    while True:
        jobs = batch.jobs()
        picture.draw(jobs)
        if until(jobs):
            picture.leave()
            return jobs
        if time.monotonic() > deadline:
            sys.exit("the jobs do not end: " + json.dumps(jobs))
        time.sleep(0.2)


def half_way(jobs):
    ended = sum(bool(job["ended_at"]) for job in jobs)
    running = [job for job in jobs if job["state"] == "running"]
    moving = [job for job in running if (job["progress"] or {}).get("fraction")]
    return all_ended(jobs) or ended >= len(jobs) // 2 and moving


def all_ended(jobs):
    return all(job["ended_at"] for job in jobs)


def has_checkpoint(batch):
    """Of the film: some of its chunks are done, some are not."""
    job = json.loads(batch.ctl("show", "1", "--json").stdout)
    return job["ended_at"] or (job["state"] == "running" and (job["checkpoint"] or {}).get("number", 0) >= 1)


def kill_film(batch, picture):
    """Its worker with all its processes, as when the machine's memory runs out."""
    watch(batch, picture, lambda _: has_checkpoint(batch))
    pid = batch.processes().get(1)
    if pid is None:
        return ["the film ended before it could be killed"]
    job = json.loads(batch.ctl("show", "1", "--json").stdout)
    worker = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    say(f"\nkill -9 {worker}: the worker of job 1 ({FILM}), at {job['progress']['fraction']:.0%}. Its processes are "
        "swept away; it is run again and goes on from its checkpoint.\n")
    os.kill(worker, signal.SIGKILL)
    return []


def kill_and_restart(batch, before):
    running = {job["id"]: job for job in before if job["state"] in ("running", "starting")}
    say(f"\nHalf way. kill -9 {batch.daemon.pid}: batchd is dead, without a chance to tidy up.")
    batch.daemon.send_signal(signal.SIGKILL)
    batch.daemon.wait()
    alive = batch.processes()
    going = [f"job {number} (pid {alive[number]})" for number in running if number in alive]
    say(f"Its jobs go on: {', '.join(going) or 'they ended in this moment'}.")
    time.sleep(1)  # without a daemon, to be seen
    batch.start()
    after = {job["id"]: job for job in batch.jobs()}
    say(f"batchd is back (pid {batch.daemon.pid}); it took up again what was running:\n")
    return [f"job {number} was begun again" for number in running
            if after[number]["attempt"] != running[number]["attempt"]]


def similarity(job):
    """SSIM of a film with its source, by the processor quality; "-" for the rest."""
    if job[2] != "video" or "output" not in job[3]:
        return "-"
    params = {"reference": str(path_of("input", job[3]["input"])), "distorted": str(MADE / job[3]["output"]),
              "metrics": "ssim", "align": "scale"}
    done = subprocess.run([OUT / "processors/quality/quality"], input=json.dumps({"params": params, "cwd": str(MADE)}),
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return "NO: " + done.stderr.strip()
    return f"{json.loads(done.stdout)['result']['metrics']['ssim']['mean']:.4f}"


def verify(job, number):
    """Decodes what the job made, in a process of its own; the text for the table."""
    name = job[3].get("output")
    if name is None:
        return "-"
    program = OUT / "processors" / job[2] / job[2]
    params = {"mode": "probe", "input": str(MADE / name)}
    if job[2] == "image":
        params = {"input": str(MADE / name), "output": str(MADE / f".again-{number}.png")}
    done = subprocess.run([program], input=json.dumps({"params": params, "cwd": str(MADE)}) + "\n",
                          capture_output=True, text=True, check=False)
    (MADE / f".again-{number}.png").unlink(missing_ok=True)
    if done.returncode != 0:
        return "NO: " + done.stderr.strip()
    return f"{json.loads(done.stdout)['result']['frames_in']} decoded"


def report(batch):
    wrong = []
    say(f"\n  {'job':>3}  {'name':<10} {'result':<9} {'attempts':>8} {'chunks':<17} {'frames':>6} {'SSIM':>7} "
        f"{'size':>6} {'seconds':>7}  {'verified':<12} output")
    for number, job in enumerate(JOBS, 1):
        shown = json.loads(batch.ctl("show", number, "--attempts", "--json").stdout)
        result = shown["result"] or {}
        seconds = (shown["ended_at"] - shown["started_at"]) / 1e6
        frames = result.get("frames_out") or result.get("frames_in")
        checked = verify(job, number)
        chunks = result.get("checkpoints") or {}
        kept = chunks.get("reused", 0)
        alike = similarity(job)
        killed = job[1] == FILM and len(shown["attempts"]) == 2 and kept > 0
        if shown["state"] != "completed" or not (killed or len(shown["attempts"]) == 1):
            wrong.append(f"job {number} {shown['state']}, {len(shown['attempts'])} attempts: {shown['outcome']}")
        if checked.startswith("NO") or checked not in ("-", f"{frames} decoded"):
            wrong.append(f"job {number}: {frames} frames, verified: {checked}")
        if alike.startswith("NO"):
            wrong.append(f"job {number}: {alike}")
        sizes = [sum(file["bytes"] for file in result.get(which) or []) for which in ("inputs", "outputs")]
        size = f"{sizes[1] / sizes[0]:.2f}" if all(sizes) else "-"
        said = f"{chunks['made']} made, {kept} kept" if chunks else "-"
        say(f"  {number:>3}  {job[1]:<10} {shown['outcome']['class']:<9} {len(shown['attempts']):>8} {said:<17} "
            f"{frames:>6} {alike:>7} {size:>6} {seconds:>7.2f}  {checked:<12} {job[3].get('output', '-')}")
    return wrong


def main():
    began = time.monotonic()
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir()
    batch = Batch()
    try:
        batch.start()
        say(f"A private batchd runs (pid {batch.daemon.pid}, state in {batch.state}).\n")
        make_source()
        submit_all(batch)
        say(f"\nEach of these was on disk before its number came back. {len(os.sched_getaffinity(0))} run "
            "at a time, urgent ones first:\n")
        picture = Picture()
        wrong = kill_film(batch, picture)
        wrong += kill_and_restart(batch, watch(batch, picture, half_way))
        watch(batch, picture, all_ended)
        wrong += report(batch)
        for text in wrong:
            say("WRONG: " + text)
        say(f"\n{len(JOBS)} jobs, two SIGKILLs, {len(wrong)} wrong, {time.monotonic() - began:.0f} s. "
            f"The files are in {MADE}")
        return 1 if wrong else 0
    finally:
        batch.close()


if __name__ == "__main__":
    sys.exit(main())
