"""A daemon with circuit breakers, and jobs that fail as it is needed. Who imports `make` has it as a fixture."""
import os
import struct
import time

import pytest

from clock import Clock
from daemon import wait_until
from records import crc32c

MINUTE = 60
CLOSED, OPEN = 0, 1
ON = "[breakers]\nenabled = true\n"


@pytest.fixture
def make(make_daemon, tmp_path):
    """A daemon with breakers whose wall clock is the test's, and what its jobs leave behind."""
    def made(workers=1, config="", queues="off"):
        clock = Clock(tmp_path)
        daemon = make_daemon(config=f"[workers]\nmax = {workers}\n{ON}queues = \"{queues}\"\n{config}",
                             env=clock.env)
        daemon.start()
        daemon.clock = clock
        daemon.runs = Runs(tmp_path)
        return daemon

    return made


class Runs:
    """Each run of a job adds a line to its file; it ends as the file `verdict` says."""

    def __init__(self, folder):
        self.log, self.verdict = folder / "runs", folder / "verdict"
        self.gate = folder / "gate"
        folder.chmod(0o777)
        self.log.touch()
        self.log.chmod(0o666)
        self.ends_with(1)

    def ends_with(self, code):
        self.verdict.write_text(str(code))

    def command(self, waits=False):
        wait = f"until [ -e {self.gate} ]; do sleep 0.02; done; " if waits else ""
        return ["sh", "-c", f"echo $BATCHD_JOB_NAME:$BATCHD_JOB_ID >> {self.log}; {wait}exit $(cat {self.verdict})"]

    def names(self):
        return [line.split(":")[0] for line in self.log.read_text().splitlines()]

    def ids(self):
        return [int(line.split(":")[1]) for line in self.log.read_text().splitlines()]

    def count(self):
        return len(self.names())


def breakers(daemon, name=None):
    return daemon.call("io.batchd.Breakers.List", **({"name": name} if name else {}))["breakers"]


def state(daemon, name="name:bad"):
    found = breakers(daemon, name)
    assert len(found) == 1
    return found[0]["state"]


def settle(daemon):
    """Until nothing runs, and what can start has: two more rounds have found nothing."""
    def quiet():
        return all(one["load"] == 0 for one in daemon.call("io.batchd.Server.Status")["workers"])

    wait_until(quiet)
    for _ in range(3):
        daemon.call("io.batchd.Server.Ping")
    wait_until(quiet)


def fail_until_open(daemon, name="bad", count=20, **more):
    ids = [daemon.submit(*daemon.runs.command(), name=name, **more) for _ in range(count)]
    wait_until(lambda: state(daemon, f"name:{name}") == "open")
    settle(daemon)
    return ids


def advance(daemon, seconds):
    daemon.clock.set(daemon.clock.now() + seconds)


def submit_many(daemon, count, **request):
    client = daemon.client(timeout=120)
    ids = []
    for _ in range(count // 500):
        for _ in range(500):
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={"PATH": "/bin"}, **request)
        ids += [client.receive()["parameters"]["id"] for _ in range(500)]
    client.close()
    return ids


def put_breakers(db, breakers):
    """Rows of the store with sums that are right: of (name, what is not as in one that failed once)."""
    for name, change in breakers:
        row = {"kind": 0, "uid": os.getuid(), "state": CLOSED, "window": 1, "ends": 1, "openings": 0, "good": 0, "bad": 0,
               "changed_at": 1, "until": int((time.time() + 3600) * 1e6), "failed_at": 1, "failed_class": 2,
               "exit_code": 1, "signal": 0, **change}
        numbers = list(row.values())
        summed = struct.pack("<q", len(name)) + name.encode() + struct.pack(f"<{len(numbers)}q", *numbers)
        values = [*numbers[:2], name, *numbers[2:], crc32c(summed)]
        db.execute(f"INSERT INTO breaker VALUES({','.join('?' * len(values))})", values)
