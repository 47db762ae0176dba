"""Circuit breakers: what keeps failing is parked and uses no attempt, then a few are tried."""
import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest
from breaking import (MINUTE, advance, breakers, fail_until_open, make, put_breakers, settle, state,  # a fixture: make
                      submit_many)
from daemon import wait_until


def test_it_opens_after_five_and_nothing_of_it_starts(make):
    daemon = make()
    ids = fail_until_open(daemon)
    assert daemon.runs.ids() == ids[:5]
    jobs = {job["id"]: job for job in daemon.jobs()}
    for ident in ids[5:]:
        assert jobs[ident]["state"] == "pending" and jobs[ident]["reasons"] == ["BreakerOpen"]
        assert jobs[ident]["attempt"] == 0
    # Others pass, and what comes later waits too.
    good = daemon.submit("true", name="good")
    late = daemon.submit(*daemon.runs.command(), name="bad")
    assert daemon.wait(good)[0]["state"] == "completed"
    assert daemon.job(late)["reasons"] == ["BreakerOpen"]
    advance(daemon, 50)
    settle(daemon)
    assert daemon.runs.count() == 5 and state(daemon) == "open"
    found = breakers(daemon, "bad")[0]
    assert (found["failures"], found["ends"], found["waiting"]) == (5, 5, 16)
    assert found["last_failure"]["class"] == "exit" and found["last_failure"]["exit_code"] == 1
    with_retries = daemon.submit(*daemon.runs.command(), name="bad", max_attempts=3, retry={"base_ms": 0})
    settle(daemon)
    assert daemon.job(with_retries)["attempt"] == 0


def test_few_are_tried_and_it_opens_for_longer_or_closes(make):
    daemon = make(workers=4)
    ids = fail_until_open(daemon, count=40)
    started, minutes = daemon.runs.count(), 1
    assert 5 <= started <= 5 + 3  # those that ran already as the fifth failed
    for _ in range(4):
        advance(daemon, minutes * MINUTE - 15)
        settle(daemon)
        assert daemon.runs.count() == started and state(daemon) == "open"
        advance(daemon, 20)
        wait_until(lambda: daemon.runs.count() == started + 3)
        wait_until(lambda: state(daemon) == "open")
        settle(daemon)
        started, minutes = started + 3, minutes * 2
        assert daemon.runs.count() == started
    daemon.runs.ends_with(0)
    advance(daemon, minutes * MINUTE + 5)
    daemon.wait(*ids[-3:])
    settle(daemon)
    assert daemon.runs.count() == 40 and state_or_closed(daemon) == "closed"
    assert sorted(daemon.runs.ids()) == ids


def state_or_closed(daemon, name="name:bad"):
    """A healthy name of which no job is left is not known any more."""
    reply = [one for one in breakers(daemon) if one["breaker"] == name]
    return reply[0]["state"] if reply else "closed"


def test_probes_that_run_are_no_more_than_three(make):
    daemon = make(workers=8)
    fail_until_open(daemon, count=12)
    started = daemon.runs.count()
    slow = [daemon.submit(*daemon.runs.command(waits=True), name="bad") for _ in range(20)]
    for one in daemon.jobs(states=["pending"]):  # only those that wait for the gate
        if one["id"] not in slow:
            daemon.call("io.batchd.Jobs.Cancel", id=one["id"])
    daemon.call("io.batchd.Queues.Pause", name="default")
    advance(daemon, MINUTE + 5)
    wait_until(lambda: state(daemon) == "half_open")
    settle_round(daemon)  # more than may start are let to the queue
    daemon.call("io.batchd.Queues.Resume", name="default")
    wait_until(lambda: daemon.runs.count() == started + 3)
    assert state(daemon) == "half_open"
    advance(daemon, 30)  # more are let to the queue each second, and none of them starts
    settle_round(daemon)
    assert daemon.runs.count() == started + 3
    assert breakers(daemon, "bad")[0]["probing"] == 3
    # One that is cancelled gives its place to another.
    daemon.call("io.batchd.Jobs.Cancel", id=daemon.runs.ids()[-1], grace_ms=100)
    wait_until(lambda: daemon.runs.count() == started + 4)
    # So does one that is lost with its worker: it, or another, is tried again.
    assert breakers(daemon, "bad")[0]["probing"] == 3
    daemon.runs.ends_with(0)
    daemon.runs.gate.touch()
    daemon.wait(*slow)
    assert daemon.runs.count() == started + 4 + 17 - 1
    assert state_or_closed(daemon) == "closed"


def settle_round(daemon):
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 2.5)  # more than two ticks of a second each


def test_tasks_of_an_array_are_probes_one_by_one(make):
    daemon = make(workers=4)
    array = daemon.submit(*daemon.runs.command(), name="bad", array="0-99")
    wait_until(lambda: breakers(daemon) and state(daemon) == "open")
    settle(daemon)
    started = daemon.runs.count()
    assert 5 <= started <= 8
    assert "BreakerOpen" in daemon.job(array)["reasons"]
    advance(daemon, MINUTE + 5)
    wait_until(lambda: daemon.runs.count() == started + 3)
    wait_until(lambda: state(daemon) == "open")
    settle(daemon)
    assert daemon.runs.count() == started + 3
    daemon.runs.ends_with(0)
    advance(daemon, 2 * MINUTE + 5)
    daemon.wait(array, seconds=60)
    assert daemon.runs.count() == 100  # each once
    failed = daemon.job(array)
    assert failed["state"] == "failed" and failed["array"]["failed"] == started + 3


def test_attempts_of_one_job_count_and_none_is_used_while_it_is_open(make):
    daemon = make()
    job = daemon.submit(*daemon.runs.command(), name="bad", max_attempts=50,
                        retry={"base_ms": 0})
    wait_until(lambda: breakers(daemon) and state(daemon) == "open")
    settle(daemon)
    assert daemon.runs.count() == 5
    assert daemon.job(job)["attempt"] == 5 and "BreakerOpen" in daemon.job(job)["reasons"]
    daemon.runs.ends_with(0)
    daemon.call("io.batchd.Breakers.Reset", name="name:bad")
    assert daemon.wait(job)[0]["attempt"] == 6


@pytest.mark.parametrize("queues", ["on", "off"])
def test_what_one_name_does_is_not_its_queues(make, queues):
    daemon = make(queues=queues)
    fail_until_open(daemon)
    assert daemon.wait(daemon.submit("true", name="good"))[0]["state"] == "completed"


def test_a_queue_in_which_everything_fails(make):
    daemon = make(queues="on")
    daemon.call("io.batchd.Queues.Add", name="side")
    names = [f"n{i}" for i in range(12)]
    ids = [daemon.submit(*daemon.runs.command(), name=name, queue="side") for name in names]
    wait_until(lambda: state(daemon, "queue:side") == "open")
    settle(daemon)
    assert daemon.runs.names() == names[:5]
    assert daemon.job(ids[-1])["reasons"] == ["BreakerOpen"]
    assert "breaker queue:side is open: 5 of its last 5 ended badly" in daemon.text()
    assert daemon.wait(daemon.submit("true", name="n11"))[0]["state"] == "completed"  # another queue
    # A job that is moved to another queue is free of it.
    daemon.call("io.batchd.Jobs.Edit", id=ids[-1], queue="default")
    daemon.wait(ids[-1])
    daemon.runs.ends_with(0)
    daemon.restart()
    assert state(daemon, "queue:side") == "open"
    daemon.call("io.batchd.Queues.Remove", name="side", move_to="default")
    daemon.wait(*ids)
    assert not [one for one in breakers(daemon) if one["breaker"] == "queue:side"]


def test_restart_in_each_state(make):
    daemon = make(workers=4)
    fail_until_open(daemon, count=8)
    started = daemon.runs.count()
    slow = [daemon.submit(*daemon.runs.command(waits=True), name="bad") for _ in range(10)]
    before = breakers(daemon, "bad")
    daemon.restart()
    after = breakers(daemon, "bad")
    assert {**after[0], "waiting": 0} == {**before[0], "waiting": 0}
    for one in daemon.jobs(states=["pending"]):
        if one["id"] not in slow:
            daemon.call("io.batchd.Jobs.Cancel", id=one["id"])
    settle(daemon)
    assert daemon.runs.count() == started
    wait_until(lambda: breakers(daemon, "bad")[0]["waiting"] == 10)
    advance(daemon, MINUTE + 5)
    wait_until(lambda: daemon.runs.count() == started + 3)
    daemon.restart()  # with its probes running
    found = breakers(daemon, "bad")[0]
    assert (found["state"], found["probing"], found["room"]) == ("half_open", 3, 0)
    settle_round(daemon)
    assert daemon.runs.count() == started + 3
    daemon.runs.gate.touch()
    wait_until(lambda: state(daemon) == "open")
    assert breakers(daemon, "bad")[0]["openings"] == 2
    for order, there in (("Open", "forced_open"), ("Disable", "disabled")):
        daemon.call(f"io.batchd.Breakers.{order}", name="bad")
        daemon.restart()
        assert state(daemon) == there
    daemon.wait(*slow)
    assert daemon.runs.count() == started + 10
    assert daemon.stop() == 0


def test_by_hand(make):
    daemon = make()
    job = daemon.submit("sleep", "300", name="other")
    daemon.wait_running(job)
    assert daemon.ctl("breakers").stdout == ""
    waiting = daemon.submit("true", name="good")
    assert daemon.ctl("breakers", "open", "name:good", "--dry-run").stdout == "name:good\n"
    assert state(daemon, "name:good") == "closed"
    assert daemon.ctl("breakers", "open", "name:good").returncode == 0
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    settle(daemon)
    advance(daemon, 24 * 60 * MINUTE)
    settle(daemon)
    assert daemon.job(waiting)["reasons"] == ["BreakerOpen"]
    why = daemon.ctl("why", str(waiting)).stdout
    assert "breaker name:good was opened by hand" in why and "batchctl breakers reset name:good" in why
    listed = json.loads(daemon.ctl("breakers", "list", "good", "--json").stdout)
    assert daemon.ctl("breakers", "-q").stdout == "name:good\n", "as reset takes it"
    assert [one["state"] for one in listed] == ["forced_open"] and listed[0]["waiting"] == 1
    assert "name:good is forced_open, 1 waiting" in daemon.ctl("status").stdout
    assert daemon.ctl("breakers", "reset", "good").stdout == "Reset breaker name:good\n"
    daemon.wait(waiting)
    for words in (["reset", "nobody"], ["list", "type:good"], ["open", "queue:none"]):
        done = daemon.ctl("breakers", *words)
        assert done.returncode == 4 and "no breaker" in done.stderr
    assert daemon.ctl("breakers", "close", "good").returncode == 2
    assert daemon.ctl("breakers", "list", "--dry-run").returncode == 2


def test_a_disabled_one_stops_nothing(make):
    daemon = make()
    fail_until_open(daemon, count=8)
    daemon.call("io.batchd.Breakers.Disable", name="name:bad")
    more = [daemon.submit(*daemon.runs.command(), name="bad") for _ in range(20)]
    daemon.wait(*more)
    assert daemon.runs.count() == 28 and state(daemon) == "disabled"


def test_what_counts(make):
    daemon = make()
    for _ in range(6):
        daemon.submit("/no/such/program", name="missing")
        daemon.submit("sh", "-c", "kill -SEGV $$", name="signal")
        daemon.submit("sleep", "60", name="timed", timeout_ms=50)
    for name in ("missing", "signal", "timed"):
        wait_until(lambda name=name: breakers(daemon) and state(daemon, f"name:{name}") == "open")
    settle(daemon)
    for name, last in (("missing", "with spawn"), ("signal", "by signal SEGV"), ("timed", "with timeout")):
        waiting = daemon.submit("true", name=name)
        assert f", the last {last};" in daemon.call("io.batchd.Jobs.Why", id=waiting)["reasons"][0]["detail"]
    # What somebody cancels does not, nor what ends well.
    for _ in range(7):
        job = daemon.submit("sleep", "300", name="stopped")
        daemon.wait_running(job)
        daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=50)
        daemon.wait(job)
    assert not [one for one in breakers(daemon) if one["name"] == "stopped"]
    daemon.wait(*[daemon.submit("true", name="fine") for _ in range(7)])
    assert not [one for one in breakers(daemon) if one["name"] == "fine"]


def test_a_job_that_a_processor_refuses_tells_nothing_of_its_type(make, tmp_path):
    """Somebody mistypes a parameter, a file is damaged; a missing one may be a disk that is not there."""
    daemon = make()
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")

    def fail(code, **params):
        job = daemon.call("io.batchd.Jobs.Submit", type="image", cwd=str(tmp_path), params=params)["id"]
        assert daemon.wait(job)[0]["outcome"]["exit_code"] == code
    for _ in range(5):
        fail(64, input="a.jpg", output="out.png", quality=3)
        fail(65, input="damaged.png", output="out.png")
    assert breakers(daemon) == []
    for _ in range(5):
        fail(66, input="none.png", output="out.png")
    assert state(daemon, "type:image") == "open"


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_another_user_is_not_affected(make):
    daemon = make(queues="off")
    fail_until_open(daemon)
    reply = daemon.as_another("io.batchd.Jobs.Submit", argv=["true"], name="bad", cwd="/",
                              env={"PATH": os.environ["PATH"]})
    theirs = daemon.wait(reply["parameters"]["id"])[0]  # where nothing changes identity it fails
    assert theirs["attempt"] == 1
    shown = daemon.as_another("io.batchd.Breakers.List")["parameters"]["breakers"]
    assert {one["uid"] for one in shown} <= {12345}
    changed = daemon.as_another("io.batchd.Breakers.Reset", name="name:bad")["parameters"]["breakers"]
    assert {one["uid"] for one in changed} <= {12345}
    refused = daemon.as_another("io.batchd.Breakers.Open", name="queue:default")
    assert refused["error"] == "org.varlink.service.PermissionDenied"
    daemon.as_another("io.batchd.Breakers.Disable")
    assert daemon.as_another("io.batchd.Breakers.List", name="name:none")["error"] == "io.batchd.NoSuchBreaker"
    assert [one["state"] for one in breakers(daemon, "bad") if one["uid"] == os.getuid()] == ["open"]


def test_events_tell_of_each_state(make):
    daemon = make()
    client = daemon.client()
    client.send("io.batchd.Events.Subscribe", more=True)
    fail_until_open(daemon, count=8)
    daemon.runs.ends_with(0)
    advance(daemon, MINUTE + 5)
    wait_until(lambda: state_or_closed(daemon) == "closed")
    last, seen = daemon.submit("true", name="last"), []
    while True:
        event = client.receive()["parameters"]
        seen += [event] if event.get("breaker") else []
        if event.get("id") == last and event["event"] == "ended":
            break
    client.close()
    assert [(one["breaker"], one["state"]) for one in seen] == [
        ("name:bad", "open"), ("name:bad", "half_open"), ("name:bad", "closed")]
    assert seen[0]["until"] > 0 and seen[1]["until"] is None


def test_what_is_held_or_paused_is_no_probe(make):
    daemon = make()
    fail_until_open(daemon, count=5)
    daemon.call("io.batchd.Queues.Add", name="side")
    daemon.call("io.batchd.Queues.Pause", name="side")
    paused = [daemon.submit(*daemon.runs.command(), name="bad", queue="side") for _ in range(4)]
    held = [daemon.submit(*daemon.runs.command(), name="bad", hold=True) for _ in range(4)]
    rest = [daemon.submit(*daemon.runs.command(), name="bad") for _ in range(4)]
    advance(daemon, MINUTE + 5)
    wait_until(lambda: daemon.runs.count() == 8)  # more are let to the queue each second
    assert daemon.runs.ids()[5:] == rest[:3]
    assert set(daemon.job(held[0])["reasons"]) == {"Held", "BreakerOpen"}
    assert set(daemon.job(paused[0])["reasons"]) == {"QueuePaused", "BreakerOpen"}
    daemon.call("io.batchd.Jobs.Release", id=held[0])
    daemon.call("io.batchd.Queues.Resume", name="side")
    settle(daemon)
    assert daemon.runs.count() == 8
    daemon.runs.ends_with(0)
    advance(daemon, 2 * MINUTE + 5)
    daemon.wait(held[0], *paused, *rest)
    assert daemon.job(held[1])["state"] == "pending"


def test_a_probe_that_is_lost_gives_its_place_back(make):
    daemon = make(workers=8)
    fail_until_open(daemon, count=5)
    started = daemon.runs.count()
    slow = [daemon.submit(*daemon.runs.command(waits=True), name="bad") for _ in range(20)]
    advance(daemon, MINUTE + 5)
    wait_until(lambda: daemon.runs.count() == started + 3)
    assert sorted(daemon.runs.ids()[-3:]) == slow[:3]  # the first in the order of the submits
    busy = [one["id"] for one in daemon.call("io.batchd.Server.Status")["workers"] if one["load"] > 0]
    assert len(busy) == 3
    daemon.signal("--worker", signal.SIGKILL)
    wait_until(lambda: daemon.runs.count() == started + 6, seconds=60)
    found = breakers(daemon, "bad")[0]
    assert (found["state"], found["probing"], found["room"]) == ("half_open", 3, 0)
    settle_round(daemon)
    assert daemon.runs.count() == started + 6
    daemon.runs.ends_with(0)
    daemon.runs.gate.touch()
    daemon.wait(*slow)


def test_why_and_plan_name_the_time(make):
    daemon = make()
    waiting = fail_until_open(daemon, count=6)[-1]
    until = breakers(daemon, "bad")[0]["until"]
    told = daemon.call("io.batchd.Jobs.Why", id=waiting)
    reason = [one for one in told["reasons"] if one["reason"] == "BreakerOpen"][0]
    assert reason["at"] == until and "5 of its last 5 ended badly, the last with exit 1" in reason["detail"]
    assert "batchctl breakers reset name:bad" in reason["lifts"]
    assert told["prediction"] == "starts" and told["predicted_start"] == until
    later = daemon.submit("true", name="bad", begin=until + 3600 * 10**6)
    line = [one for one in daemon.call("io.batchd.Jobs.Plan")["jobs"] if one["id"] == later][0]
    assert line["predicted_start"] == until + 3600 * 10**6
    shown = daemon.ctl("why", str(waiting)).stdout
    assert "BreakerOpen" in shown and "starts about" in shown


def test_what_was_handed_ahead_is_asked_back(make):
    daemon = make(config="[daemon]\nevent_backlog = 100000\n")
    submit_many(daemon, 2000, name="good")
    client, back, state = daemon.client(), 0, None
    client.send("io.batchd.Events.Subscribe", more=True)
    for _ in range(12):
        daemon.call("io.batchd.Breakers.Open", name="name:good")
        settle(daemon)
        ended = len(daemon.jobs(name="good", states=["completed"]))
        settle(daemon)
        assert len(daemon.jobs(name="good", states=["completed"])) == ended
        daemon.call("io.batchd.Breakers.Reset", name="name:good")
        wait_until(lambda ended=ended: len(daemon.jobs(name="good", states=["completed"])) > ended)
    daemon.call("io.batchd.Breakers.Open", name="name:good")
    last = daemon.submit("true", name="last")
    while True:
        event = client.receive()["parameters"]
        state = event["state"] if event.get("breaker") else state
        back += event.get("event") == "requeued" and state == "forced_open"
        if event.get("id") == last and event["event"] == "ended":
            break
    assert back > 0


@pytest.mark.parametrize("change", ["state=0", "window=window+1", "until=until+1", "state=7", "uid=uid+1",
                                    "name='other'", "ends=65"])
def test_a_damaged_row_is_found(make, change):
    daemon = make()
    fail_until_open(daemon, count=5)
    daemon.stop()
    daemon.damage_store(f"UPDATE breaker SET {change}")
    checked = daemon.check_store()
    assert checked.returncode == 65 and "breaker" in checked.stderr
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=30) == 65


@pytest.mark.parametrize("change", [{}, {"state": 5}, {"state": -1}, {"kind": 3}, {"ends": 65}, {"ends": -1}, {"good": 101},
                                    {"bad": 101}])
def test_a_row_out_of_range_is_found(make, change):
    """Although its sum is right."""
    daemon = make()
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
        put_breakers(db, [("bad", change)])
    checked = daemon.check_store()
    assert checked.returncode == (65 if change else 0), checked


def test_a_probe_that_never_began_gives_its_place_back(make):
    daemon = make()
    fail_until_open(daemon, count=5)
    started = daemon.runs.count()
    slow = [daemon.submit(*daemon.runs.command(), name="bad") for _ in range(8)]
    daemon.signal("--worker", signal.SIGSTOP)
    advance(daemon, MINUTE + 5)
    wait_until(lambda: breakers(daemon, "bad")[0]["probing"] == 1)
    daemon.signal("--worker", signal.SIGKILL)
    wait_until(lambda: state(daemon) == "open", seconds=60)
    assert daemon.runs.count() == started + 3 and sorted(daemon.runs.ids()[-3:]) == slow[:3]


def test_what_is_parked_keeps_no_room_for_itself(make):
    daemon = make(workers=2)
    fail_until_open(daemon, count=5)
    sleeper = daemon.submit("sleep", "600", name="sleeper")
    daemon.wait_running(sleeper)
    daemon.submit(*daemon.runs.command(), name="bad", cpus=2, priority="urgent")
    assert daemon.wait(daemon.submit("true", name="good", estimate_ms=10**9))[0]["state"] == "completed"
