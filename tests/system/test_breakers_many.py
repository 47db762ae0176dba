"""Circuit breakers of very many: jobs that wait for one, and breakers of many names."""
import contextlib
import json
import os
import sqlite3
import time

from breaking import CLOSED, MINUTE, OPEN, advance, breakers, fail_until_open, make, put_breakers, submit_many  # a fixture: make
from daemon import wait_until


def longest_turn(daemon, until):
    """The most that the daemon used of a processor between two answers."""
    client, begun, longest = daemon.client(), time.monotonic(), 0
    while True:
        before = daemon.cpu_seconds()
        client.call("io.batchd.Server.Ping")
        longest = max(longest, daemon.cpu_seconds() - before)
        if until():
            return longest
        assert time.monotonic() < begun + 60


MANY = int(os.environ.get("BREAKER_JOBS", "10000"))


def test_many_that_wait_keep_nobody_waiting(make):
    daemon = make()
    sleeper = daemon.submit("sleep", "600", name="sleeper")
    daemon.wait_running(sleeper)
    submit_many(daemon, MANY - 500, name="bad")
    submit_many(daemon, 500, name="bad", priority="urgent")  # first to be chosen, and last to be told
    client, other = daemon.client(), daemon.client()
    with daemon.stopped():
        client.send("io.batchd.Breakers.Open", name="name:bad")
        other.send("io.batchd.Jobs.Cancel", id=sleeper, grace_ms=0)
    blocking = longest_turn(daemon, lambda: breakers(daemon, "bad")[0]["waiting"] == MANY)
    good = [daemon.submit("true", name="good") for _ in range(10)]
    daemon.wait(*good)
    begun = daemon.jobs(name="bad", states=["starting", "running", "completed", "failed"])
    assert begun == []
    daemon.restart()
    assert daemon.wait(daemon.submit("true", name="good"))[0]["state"] == "completed"
    assert {one["attempt"] for one in daemon.call("io.batchd.Jobs.List", limit=1000, name="bad")["jobs"]} <= {0}
    wait_until(lambda: breakers(daemon, "bad")[0]["waiting"] == MANY)
    daemon.call("io.batchd.Queues.Pause", name="default")
    daemon.call("io.batchd.Breakers.Reset", name="name:bad")
    releasing = longest_turn(daemon, lambda: all(one["waiting"] == 0 for one in breakers(daemon)))
    print(f"longest turns: {blocking * 1000:.1f} and {releasing * 1000:.1f} ms")
    assert max(blocking, releasing) < 0.05


def test_many_that_are_held_keep_no_probe_waiting(make):
    """Those in front of it are passed over in the turns that follow each other, not so many each second."""
    daemon = make()
    fail_until_open(daemon, count=5)
    submit_many(daemon, MANY, name="bad", hold=True)
    probe = daemon.submit(*daemon.runs.command(), name="bad")
    wait_until(lambda: breakers(daemon, "bad")[0]["waiting"] == MANY + 1)
    advance(daemon, MINUTE + 5)
    began = time.monotonic()
    wait_until(lambda: daemon.runs.ids()[5:] == [probe])
    assert time.monotonic() - began < MANY / 1024 / 2


def test_a_reply_has_500_and_says_how_many_more_there_are(make):
    """batchctl asks until all are changed."""
    daemon = make()
    names = [f"n{i:03}" for i in range(505)]
    daemon.wait(*[daemon.submit("false", name=name, max_attempts=1) for name in names])
    reply = daemon.call("io.batchd.Breakers.List")
    assert [one["breaker"] for one in reply["breakers"]] == [f"name:{name}" for name in names[:500]]
    assert reply["left_out"] == 5
    shown = daemon.ctl("breakers", "open", "--dry-run")
    assert shown.stdout.split() == [f"name:{name}" for name in names[:500]] and shown.stderr == "5 more are not shown\n"
    daemon.call("io.batchd.Breakers.Open", name="n504")
    assert daemon.call("io.batchd.Breakers.List")["breakers"][0]["breaker"] == "name:n504", "what is open goes first"
    changed = daemon.ctl("breakers", "open")
    assert (changed.returncode, changed.stderr) == (0, "")
    assert sorted(set(changed.stdout.splitlines()) - {"Opened breaker name:n504"}) == [f"Opened breaker name:{name}" for name in names[:504]]
    assert {one["state"] for one in daemon.call("io.batchd.Breakers.List")["breakers"]} == {"forced_open"}
    assert len(json.loads(daemon.ctl("--json", "breakers", "reset").stdout)) == 505
    assert daemon.call("io.batchd.Breakers.List") == {"breakers": [], "left_out": 0}


MOST = 8192


def test_the_one_used_longest_ago_makes_room_and_what_is_open_stays(make):
    daemon = make()
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
        put_breakers(db, [(f"n{i:04}", {"state": OPEN if i == 0 else CLOSED}) for i in range(MOST)])
    daemon.start()
    daemon.wait(daemon.submit("false", name="new", max_attempts=1))
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db:
        names = [name for name, in db.execute("SELECT name FROM breaker ORDER BY name")]
    assert names == ["n0000", *[f"n{i:04}" for i in range(2, MOST)], "new"]
