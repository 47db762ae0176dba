#!/usr/bin/env python3
"""Submits whose connection breaks: at every byte of the request and of the reply, and by a batchd that
is killed between its commit and the reply. Each must be exactly one job."""
import argparse
import concurrent.futures
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon  # noqa: E402
from proxy import Proxy  # noqa: E402

LINES = 30000  # their values are more than one request holds


class Scene:
    """A daemon, a proxy in front of it, and what was submitted through it: name -> id."""

    def __init__(self, daemon, number):
        self.daemon = daemon
        self.proxy = Proxy(daemon.state / f"proxy-{number}.sock", daemon.socket)
        self.number = number
        self.count = 0
        self.submitted = {}

    def submit(self, *options, stdin=None):
        self.count += 1
        name = f"{self.number}-{self.count}"
        done = subprocess.run([OUT / "batchctl", "--socket", self.proxy.path, "--timeout", "60s", "submit", "-n", name,
                               "--hold", "--env-policy", "none", "-C", "/", *options, "--", "true"],
                              input=stdin, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        self.submitted[name] = int(done.stdout)

    def retry(self, old):
        """Of a job that has ended; its retry has no name of its own."""
        done = subprocess.run([OUT / "batchctl", "--socket", self.proxy.path, "retry", "--hold", str(old)],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    def every_byte(self, step=1, **cuts):
        """The connection breaks behind each so many bytes; how many submits that were."""
        self.submit()
        request, reply = self.proxy.passed
        assert request > 100 and reply > 20, "the lengths of an uncut submit"
        # Later ids and keys may have a digit more.
        for at in range(0, request + 2, step):
            self.proxy.cut(request=at)
            self.submit()
        for at in range(0, reply + 2, step):
            self.proxy.cut(reply=at)
            self.submit()
        return (request + 2 + step - 1) // step + (reply + 2 + step - 1) // step

    def anywhere(self, choice):
        """A break at one place, chosen at random."""
        if choice.random() < 0.5:
            self.proxy.cut(request=choice.randrange(400))
        else:
            self.proxy.cut(reply=choice.randrange(80))
        self.submit()


def killed_before_reply(scene):
    """The reply is there, so the commit was made; batchd dies and nobody gets the reply."""
    scene.proxy.before_reply = scene.daemon.restart
    scene.submit()
    assert scene.proxy.before_reply is None


def uploads(scene, choice, count):
    """An array whose values come in parts, broken off somewhere."""
    lines = "".join(f"value number {i}\n" for i in range(LINES))
    ids = []
    for _ in range(count):
        scene.proxy.cut(request=choice.randrange(len(lines) * 11 // 10))
        scene.submit("--each-line", "-", stdin=lines)
        ids.append(scene.submitted[f"{scene.number}-{scene.count}"])
    for job in ids:
        assert scene.daemon.job(job)["array"]["count"] == LINES
    return count


def retries(scene, choice, count):
    old = scene.daemon.submit("false")
    scene.daemon.wait(old)
    made = set()
    for _ in range(count):
        scene.proxy.cut(**{choice.choice(["request", "reply"]): choice.randrange(150)})
        made.add(scene.retry(old))
    assert len(made) == count, "two retries are one job"
    assert made == {job["id"] for job in scene.daemon.jobs() if job["retry_of"] == old}, "a retry is there twice"
    return count


def verdict(daemon, scenes):
    """(lost, doubled): jobs that are not there, and those that are there more than once."""
    wanted = dict(itertools.chain.from_iterable(scene.submitted.items() for scene in scenes))
    found = {}
    for job in daemon.jobs():
        found.setdefault(job["name"], []).append(job["id"])
    lost = [name for name, job in wanted.items() if job not in found.get(name, [])]
    doubled = [name for name in wanted if len(found.get(name, [])) > 1]
    return lost, doubled


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--retries", type=int, default=10000)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    count = 0
    with tempfile.TemporaryDirectory(prefix="batchd-once-") as folder, Daemon(folder) as daemon:
        scenes = [Scene(daemon, i) for i in range(1 + os.cpu_count())]
        count += scenes[0].every_byte()
        print(f"cut behind every byte of request and reply: {count}")
        for _ in range(options.kills):
            killed_before_reply(scenes[0])
        count += options.kills
        choice = random.Random(1)
        count += uploads(scenes[0], choice, 30) + retries(scenes[0], choice, 60)

        def some(scene):
            mine = random.Random(scene.number)
            for _ in range((options.retries - count) // (len(scenes) - 1) + 1):
                scene.anywhere(mine)
            return scene.count

        with concurrent.futures.ThreadPoolExecutor() as pool:
            count += sum(pool.map(some, scenes[1:]))
        lost, doubled = verdict(daemon, scenes)
    print(f"{count} submits with a broken connection: {len(lost)} lost, {len(doubled)} doubled")
    return 1 if lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
