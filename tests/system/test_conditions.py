"""What keeps a job waiting beyond the jobs before it: hold and begin time, over restarts."""
import time

import pytest
from clock import Clock
from daemon import Refused, wait_until, wait_until_time

def later(seconds):
    return int((time.time() + seconds) * 1e6)


def change(daemon, method, ident):
    return daemon.call(f"io.batchd.Jobs.{method}", id=ident)


def gate(daemon):
    return ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / "go")]


def test_a_held_job_waits_until_it_is_released(daemon):
    held, free = daemon.submit("true", hold=True), daemon.submit("true")
    daemon.wait(free)
    assert (daemon.job(held)["state"], daemon.job(held)["reasons"]) == ("pending", ["Held"])
    daemon.restart()
    daemon.wait(daemon.submit("true"))
    assert daemon.job(held)["reasons"] == ["Held"]
    assert change(daemon, "Release", held)["state"] == "pending"
    job = daemon.wait(held)[0]
    assert job["state"] == "completed" and job["eligible_at"] > job["submitted_at"]
    assert job["started_at"] >= job["eligible_at"]


def test_hold_and_release_repeat_and_are_told(daemon):
    blocker = daemon.submit(*gate(daemon), cpus=daemon.call("io.batchd.Server.Status")["resources"]["cpus"])
    daemon.wait_running(blocker)
    client = daemon.client()
    client.send("io.batchd.Events.Subscribe", more=True)
    job = daemon.submit("true")
    for _ in range(2):
        assert change(daemon, "Hold", job) == {"id": job, "state": "pending"}
    assert daemon.job(job)["reasons"] == ["Held"]
    for _ in range(2):
        change(daemon, "Release", job)
    (daemon.state / "go").write_text("")
    daemon.wait(job)
    kinds = []
    while "ended" not in kinds:
        event = client.receive()["parameters"]
        kinds += [event["event"]] if event["id"] == job else []
    assert [kind for kind in kinds if kind != "started"] == ["submitted", "held", "released", "starting", "ended"]


def test_only_what_waits_can_be_held(daemon):
    running = daemon.submit(*gate(daemon))
    daemon.wait_running(running)
    for method in ("Hold", "Release"):
        with pytest.raises(Refused) as refused:
            change(daemon, method, running)
        assert refused.value.name == "io.batchd.InvalidState"
        assert refused.value.parameters["state"] == "running"
        assert refused.value.parameters["allowed"] == ["pending"]
    (daemon.state / "go").write_text("")
    daemon.wait(running)
    done = daemon.ctl("hold", str(running))
    assert done.returncode == 1 and "already ended" in done.stderr
    assert daemon.ctl("hold", "4711").returncode == 4
    assert daemon.ctl("release").returncode == 2


@pytest.mark.parametrize("restart", [False, True])
def test_a_job_does_not_start_before_its_time(timed, restart):
    begin = int((timed.clock.now() + 3600) * 1e6)
    job, first = timed.submit("true", begin=begin, priority="urgent"), timed.submit("true")
    assert timed.job(job)["reasons"] == ["BeginTime"] and timed.job(job)["begin_at"] == begin
    if restart:
        timed.restart()
    assert timed.wait(first)[0]["started_at"] < begin
    timed.clock.set(begin / 1e6 - 0.5)  # which passes
    ended = timed.wait(job)[0]
    assert begin <= ended["started_at"]
    assert ended["eligible_at"] == begin


def test_it_is_a_time_of_the_wall_clock(timed):
    """Whichever way that is set."""
    soon, late = (timed.submit("true", begin=int((timed.clock.now() + seconds) * 1e6)) for seconds in (4, 3600))
    timed.clock.set(timed.clock.now() - 1800)
    time.sleep(5.5)  # batchd looks each second; nothing else can show that nothing happens
    assert [timed.job(job)["reasons"] for job in (soon, late)] == [["BeginTime"]] * 2
    timed.clock.set(timed.clock.now() + 1810)
    assert timed.wait(soon)[0]["state"] == "completed" and timed.job(late)["reasons"] == ["BeginTime"]
    timed.clock.set(timed.clock.now() + 3600)
    assert timed.wait(late)[0]["state"] == "completed"


def test_its_time_came_while_batchd_was_down(daemon):
    begin = later(0.5)
    job = daemon.submit("true", begin=begin)
    daemon.kill()
    wait_until_time(begin)
    daemon.start()
    assert daemon.wait(job)[0]["state"] == "completed"


def test_a_time_that_is_past_is_at_once(daemon):
    assert daemon.wait(daemon.submit("true", begin=1))[0]["state"] == "completed"


def test_held_and_before_its_time(timed):
    begin = int((timed.clock.now() + 3600) * 1e6)
    job = timed.submit("true", begin=begin, hold=True)
    assert timed.job(job)["reasons"] == ["Held", "BeginTime"]
    timed.clock.set(begin / 1e6 + 0.001)
    wait_until(lambda: timed.job(job)["reasons"] == ["Held"])
    change(timed, "Release", job)
    assert timed.wait(job)[0]["state"] == "completed"


def test_cancelled_before_its_time(timed):
    """Another whose time is the same starts then: batchd has looked."""
    soon, late = (int((timed.clock.now() + seconds) * 1e6) for seconds in (3600, 7200))
    jobs = [timed.submit("true", begin=begin, array=array) for begin in (soon, late) for array in (None, "0-2")]
    for job in jobs:
        assert timed.call("io.batchd.Jobs.Cancel", id=job)["state"] == "cancelled"
    for _ in jobs:  # they take the places of those in memory
        timed.submit("true", hold=True)
    other = timed.submit("true", begin=soon)
    timed.clock.set(soon / 1e6 + 0.001)
    assert timed.wait(other)[0]["state"] == "completed"
    assert [timed.job(job)["state"] for job in jobs] == ["cancelled"] * 4
    timed.restart()
    timed.wait(timed.submit("true"))


def test_arrays_are_held_too(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    array = daemon.submit("sleep", "0.1", array="0-5", hold=True)
    assert daemon.job(array)["reasons"] == ["Held"]
    change(daemon, "Release", array)
    daemon.wait_running(array)
    change(daemon, "Hold", array)  # what runs goes on, nothing more starts
    daemon.restart()
    wait_until(lambda: daemon.job(array)["array"]["running"] == 0)
    daemon.wait(daemon.submit("true"))  # there is room, and none of its tasks took it
    tasks = daemon.job(array)["array"]
    assert tasks["pending"] > 0 and tasks["running"] == 0 and tasks["completed"] >= 1
    assert daemon.job(array)["reasons"] == ["Held"] and daemon.job(array)["eligible_at"] is None
    change(daemon, "Release", array)
    assert daemon.wait(array)[0]["state"] == "completed"


def test_a_retry_waits_in_the_queue_and_not_for_its_begin_again(daemon):
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ATTEMPT" = 2 ]', begin=later(0.2), max_attempts=2)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"]) == ("completed", 2)


def test_from_the_command_line(timed):
    submitted = timed.ctl("submit", "--hold", "--begin", "now+1h", "-n", "one", "--", "true")
    assert submitted.returncode == 0, submitted.stderr
    job = int(submitted.stdout)
    assert timed.ctl("release", "--dry-run", "name:one").stdout == f"{job}\n"
    assert "Held,BeginTime" in timed.ctl("list").stdout
    assert timed.ctl("release", "name:one").stdout == f"Released job {job}\n"
    timed.clock.set(timed.clock.now() + 3600)
    assert timed.ctl("wait", str(job)).returncode == 0
    bad = timed.ctl("submit", "--begin", "someday", "--", "true")
    assert bad.returncode == 2 and "--begin" in bad.stderr and "someday" in bad.stderr


@pytest.mark.parametrize("field,value", [("begin", -1), ("begin", "noon"), ("begin", 1 << 62),
                                         ("hold", "yes")])
def test_bad_conditions(daemon, field, value):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", **{field: value})
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == field
    assert daemon.jobs() == []


def test_many_begin_times(make_daemon, tmp_path):
    clock = Clock(tmp_path)
    daemon = make_daemon(config="[workers]\nmax = 1\n", env=clock.env)
    daemon.start()
    base = int((clock.now() + 1000) * 1e6)
    jobs = [daemon.submit("true", begin=base - 100000 * (i * 7 % 10)) for i in range(100)]
    for job in jobs[::3]:
        daemon.call("io.batchd.Jobs.Cancel", id=job)
    clock.set(base / 1e6 - 1)
    ended = {job["id"]: job for job in daemon.wait(*jobs)}
    for i, job in enumerate(jobs):
        assert ended[job]["state"] == ("cancelled" if i % 3 == 0 else "completed")
        assert i % 3 == 0 or ended[job]["started_at"] >= base - 100000 * (i * 7 % 10)


def test_waiting_counts_from_the_begin_time(make_daemon, tmp_path):
    """With a longest delay the job has an alarm in its queue after it had one for its time."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config='[workers]\nmax = 1\n[queues.default]\nmax_delay = "10m"\n', env=clock.env)
    daemon.start()
    held = daemon.submit(*gate(daemon))
    daemon.wait_running(held)
    first, second = (int((clock.now() + seconds) * 1e6) for seconds in (3600, 7200))
    old, new = (daemon.submit("true", begin=begin, priority="background") for begin in (first, second))
    for job, begin in ((old, first), (new, second)):
        clock.set(begin / 1e6 + 0.001)
        wait_until(lambda: daemon.job(job)["reasons"] != ["BeginTime"])  # noqa: B023
    urgent = daemon.submit("true", priority="urgent")
    (daemon.state / "go").write_text("")
    started = {job["id"]: job["started_at"] for job in daemon.wait(old, new, urgent)}
    assert started[old] < started[urgent] < started[new]


@pytest.mark.parametrize("first,second", [({}, {"hold": True}), ({"hold": True}, {}),
                                          ({"begin": 5}, {"begin": 6}), ({"begin": 5}, {})])
def test_a_key_covers_them(daemon, first, second):
    job = daemon.submit("true", key="k", **first)
    assert daemon.submit("true", key="k", **first) == job
    with pytest.raises(Refused) as refused:
        daemon.submit("true", key="k", **second)
    assert refused.value.name == "io.batchd.KeyConflict"
    if first.get("hold"):
        change(daemon, "Release", job)
        assert daemon.submit("true", key="k", **first) == job
