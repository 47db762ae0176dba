"""batchctl plan, and what why and show predict: by estimates, in a copy of the daemon that holds nobody up."""
import contextlib
import json
import os
import pathlib
import random
import resource
import select
import signal
import time
from statistics import median

import pytest
from daemon import Refused, wait_until
from test_metrics import pairs, scrape
from test_scheduling import gate

CONFIG = "[workers]\nmax = 4\n[resources]\ncpus = 4\nmemory = \"8G\"\nlicence = 2\n"
SECOND = 1_000_000


@pytest.fixture
def busy(make_daemon):
    daemon = make_daemon(config=CONFIG)
    daemon.start()
    return daemon


def hold_place(daemon, **more):
    job = daemon.submit(*gate(daemon), **more)
    daemon.wait_running(job)
    return job


def why(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Why", id=job, **more)


def plan(daemon, **more):
    return daemon.call("io.batchd.Jobs.Plan", **more)


def lines(daemon, **more):
    return [(one["id"], one["predicted_start"], one["predicted_end"]) for one in plan(daemon, **more)["jobs"]]


def changes(daemon, job, **more):
    return {one["change"]: one for one in why(daemon, job, **more)["starts_now_if"]}


def children(daemon):
    """Processes that are copies of the daemon."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split() if entry.name.isdigit() else ()
            if fields and int(fields[1]) == daemon.process.pid and fields[0] != "Z":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


# ---- what is predicted ----

def test_starts_follow_from_estimates(busy):
    first = hold_place(busy, cpus=3, estimate_ms=600_000)
    began = busy.job(first)["started_at"]
    wide = busy.submit("true", cpus=2, estimate_ms=60_000)
    behind = busy.submit("true", cpus=3, estimate_ms=120_000)
    after = busy.submit("true", depends=f"afterok:{behind}", estimate_ms=5000)
    begin = int((time.time() + 7200) * 1e6)
    later, held = busy.submit("true", begin=begin, cpus=4, estimate_ms=1000), busy.submit("true", hold=True)
    array = busy.submit("true", array="0-9%1", cpus=2, estimate_ms=90_000, priority="low", hold=True)
    busy.call("io.batchd.Jobs.Cancel", id=array, indices="1-4")
    busy.call("io.batchd.Jobs.Release", id=array)
    starts = {wide: 600, behind: 660, after: 780, array: 780}
    for job, seconds in starts.items():
        told = why(busy, job)
        assert told["prediction"] == "starts" and told["predicted_start"] == began + seconds * SECOND
        shown = busy.call("io.batchd.Jobs.Show", id=job, predict=True)["job"]
        assert shown["predicted_start"] == told["predicted_start"]
        assert busy.job(job)["predicted_start"] is None  # nobody asked
    assert why(busy, wide)["predicted_end"] == began + 660 * SECOND
    assert why(busy, later)["predicted_start"] == begin
    assert (why(busy, held)["prediction"], why(busy, held)["predicted_start"]) == ("none", None)
    told = plan(busy)
    assert [one["id"] for one in told["jobs"]] == [first, wide, behind, after, array, later, held]
    assert told["jobs"][4]["tasks"] == 6
    assert told["jobs"][4]["predicted_end"] == told["jobs"][4]["predicted_start"] + 6 * 90 * SECOND
    assert told["complete"] and not told["more"]
    assert told["jobs"][0]["started_at"] == began and told["jobs"][0]["predicted_start"] is None
    assert told["jobs"][0]["predicted_end"] == began + 600 * SECOND
    assert told["jobs"][-1]["reasons"] == ["Held"] and told["jobs"][-1]["predicted_end"] is None
    text = busy.ctl("plan").stdout.splitlines()
    assert [line.split()[0] for line in text[1:]] == [str(one["id"]) for one in told["jobs"]]
    assert text[5].split()[:3] == [str(array), "(6", "tasks)"]
    assert "-" in text[1].split() and not any(word[0] == "-" for word in text[1].split() if word != "-"), "it runs"
    assert text[-1].split()[-2:] == ["Held", "true"]
    assert "starts about " in busy.ctl("why", str(wide)).stdout
    assert "starts about: " in busy.ctl("show", str(wide)).stdout
    one = json.loads(busy.ctl("show", "--json", str(wide)).stdout)
    assert one["predicted_start"] == began + 600 * SECOND and one["prediction"] == "starts"
    both = json.loads(busy.ctl("show", "--json", str(wide), str(behind)).stdout)
    assert [job["predicted_start"] for job in both] == [None, None]
    both = json.loads(busy.ctl("show", "--json", "--predict", str(wide), str(behind)).stdout)
    assert [job["predicted_start"] for job in both] == [began + 600 * SECOND, began + 660 * SECOND]
    assert "by estimates, nothing lets it start" in busy.ctl("why", str(held)).stdout
    # A restart changes neither order nor predictions.
    before = lines(busy)
    busy.restart()
    wait_until(lambda: busy.job(first)["state"] == "running")
    assert lines(busy) == before


def test_deadlines_end_what_they_come_before(busy):
    first = hold_place(busy, cpus=3, estimate_ms=600_000, deadline=int((time.time() + 300) * 1e6))
    deadline = busy.job(first)["deadline_at"]
    wide = busy.submit("true", cpus=2, estimate_ms=60_000)
    late = busy.submit("true", cpus=4, estimate_ms=1000, deadline=deadline + 10 * SECOND)
    child = busy.submit("true", cpus=4, estimate_ms=1000, depends=f"afterany:{late}")
    never = busy.submit("true", cpus=4, estimate_ms=1000, depends=f"afterok:{late}")
    told = {one["id"]: (one["predicted_start"], one["predicted_end"]) for one in plan(busy)["jobs"]}
    assert told == {first: (None, deadline), wide: (deadline, deadline + 60 * SECOND), late: (None, None),
                    child: (deadline + 60 * SECOND, deadline + 61 * SECOND), never: (None, None)}
    assert why(busy, late)["prediction"] == "none"
    (busy.state / "go").touch()
    busy.wait(first, wide, late, child, never)


def test_lines_can_be_chosen(busy):
    busy.call("io.batchd.Queues.Add", name="night")
    running = hold_place(busy, cpus=4, estimate_ms=60_000)
    jobs = [busy.submit("true", queue=queue, estimate_ms=1000) for queue in ("night", "default") * 3]
    night = [job for job in jobs if busy.job(job)["queue"] == "night"]
    assert [one["id"] for one in plan(busy, queue="night")["jobs"]] == night
    some = plan(busy, limit=3)
    assert len(some["jobs"]) == 3 and some["jobs"][0]["id"] == running and some["more"]
    assert plan(busy, limit=7)["more"] is False
    done = busy.ctl("plan", "--limit", "2")
    assert len(done.stdout.splitlines()) == 3 and "--limit gives more" in done.stderr
    assert [one["id"] for one in json.loads(busy.ctl("plan", "--json", "-Q", "night").stdout)] == night
    assert [one["id"] for one in plan(busy, user=busy.job(running)["user"])["jobs"]][0] == running
    assert busy.ctl("plan", "-Q", "nowhere").returncode == 4
    for parameters, field in (({"limit": 0}, "limit"), ({"limit": 10001}, "limit"), ({"user": "no one"}, "user"),
                              ({"user": 3}, "user"), ({"queue": ["night"]}, "queue")):
        with pytest.raises(Refused) as refused:
            plan(busy, **parameters)
        assert refused.value.parameters["field"] == field
    assert busy.ctl("plan", "--limit", "0").returncode == 2
    assert busy.ctl("plan", "42").returncode == 2


def test_arrays_have_a_line_for_what_is_to_come(busy):
    busy.submit(*gate(busy), estimate_ms=3_600_000)
    array = busy.submit(*gate(busy), array="0-9%2", estimate_ms=60_000)
    busy.call("io.batchd.Jobs.Wait", ids=[], tasks=[{"id": array, "indices": "0-1"}], **{"for": "running"})
    told = [one for one in plan(busy)["jobs"] if one["id"] == array]
    told[:2] = sorted(told[:2], key=lambda one: one["index"])  # either may have begun first
    assert [(one["index"], one["tasks"]) for one in told] == [(0, 0), (1, 0), (None, 8)]
    ends = sorted(one["predicted_end"] for one in told[:2])
    assert told[2]["predicted_start"] == ends[0]
    assert told[2]["predicted_end"] == ends[1] + 4 * 60 * SECOND
    for index, turn in ((2, 0), (3, 0), (4, 1), (9, 3)):
        assert why(busy, array, index=index)["predicted_start"] == ends[index % 2] + turn * 60 * SECOND
    assert changes(busy, array)["array"]["amount"] == 1 and changes(busy, array, index=5) == {}
    (busy.state / "go").touch()
    busy.wait(array)


def test_an_array_that_follows_another_task_by_task(busy):
    parent = busy.submit(*gate(busy), array="0-2%1", estimate_ms=60_000)
    busy.call("io.batchd.Jobs.Wait", ids=[], tasks=[{"id": parent, "index": 0}], **{"for": "running"})
    child = busy.submit("true", array="0-2", estimate_ms=10_000, depends=f"aftercorr:{parent}")
    began = plan(busy)["jobs"][0]["started_at"]
    wait_until(lambda: why(busy, child)["predicted_start"] == began + 60 * SECOND)
    told = [one for one in plan(busy)["jobs"] if one["id"] == child]
    assert [(one["tasks"], one["predicted_end"] - began) for one in told] == [(3, 190 * SECOND)]
    assert why(busy, child, index=2)["predicted_start"] == began + 180 * SECOND
    before = lines(busy)
    busy.restart()
    busy.call("io.batchd.Jobs.Wait", ids=[], tasks=[{"id": parent, "index": 0}], **{"for": "running"})
    wait_until(lambda: lines(busy) == before)
    (busy.state / "go").touch()
    busy.wait(parent, child)


@pytest.mark.parametrize("policy", ["fifo", "priority", "sjf", "fair"])
def test_a_restart_changes_neither_order_nor_predictions(busy, policy):
    chance = random.Random(policy)
    for name in ("one", "two"):
        busy.call("io.batchd.Queues.Add", name=name, policy=policy, weight=chance.randint(1, 3),
                  backfill=chance.choice(["none", "easy"]), slots=chance.choice([0, 2]))
    busy.wait(*[busy.submit("true", queue=queue) for queue in ("one", "two", "two", "default")])
    running = [hold_place(busy, queue=queue, cpus=cpus, estimate_ms=chance.randint(60, 900) * 1000)
               for queue, cpus in (("one", 1), ("two", 2), ("default", 1))]
    jobs = []
    for _ in range(40):
        more = {"cpus": chance.randint(1, 4), "queue": chance.choice(["one", "two", "default"]),
                "priority": chance.choice(["high", "normal", "low"])}
        if chance.random() < 0.8:
            more["estimate_ms"] = chance.randint(10, 300) * 1000
        if chance.random() < 0.2:
            more["array"] = "0-4%2"
        if chance.random() < 0.2 and jobs:
            more["depends"] = f"afterany:{chance.choice(jobs)}"
        if chance.random() < 0.1:
            more["begin"] = int((time.time() + chance.randint(3600, 7200)) * 1e6)
        jobs.append(busy.submit("true", **more))
    before = lines(busy)
    assert len(before) == len(jobs) + len(running)
    for _ in range(2):
        busy.restart()
        wait_until(lambda: all(busy.job(job)["state"] == "running" for job in running))
        assert lines(busy) == before
    (busy.state / "go").touch()


def test_reality_follows_the_plan(make_daemon):
    """Jobs that take as long as is said start in the order of the plan, and at its times or a little later."""
    daemon = make_daemon(config="[workers]\nmax = 4\nmin = 4\nprefetch = 0\n[resources]\ncpus = 4\n")
    daemon.start()
    first = hold_place(daemon, cpus=4, estimate_ms=3_600_000)
    wide, all_, beside, one, other = [
        daemon.submit("sleep", str(ms / 1000), cpus=cpus, estimate_ms=ms)
        for cpus, ms in ((3, 1000), (4, 800), (1, 700), (2, 900), (2, 1900))]
    after = daemon.submit("sleep", "0.5", cpus=2, estimate_ms=500, depends=f"afterok:{one}")
    last = daemon.submit("sleep", "0.4", cpus=2, estimate_ms=400)
    told = {line["id"]: line["predicted_start"] for line in plan(daemon)["jobs"]}
    expected = {wide: 0, beside: 0, all_: 1.0, one: 1.8, other: 1.8, after: 2.7, last: 3.2}
    assert {job: (told[job] - told[wide]) / SECOND for job in expected} == expected
    (daemon.state / "go").touch()
    ran = {job["id"]: job["started_at"] for job in daemon.wait(*expected)}
    daemon.wait(first)
    for job, seconds in expected.items():  # what it takes to start a process comes on top
        assert ran[job] - min(ran.values()) > (seconds - 0.1) * SECOND
    for before, behind in ((wide, all_), (beside, all_), (all_, one), (all_, other), (one, after), (after, last)):
        assert ran[before] < ran[behind]


# ---- what would make it start now ----

def test_the_named_change_is_enough(busy):
    first = hold_place(busy, cpus=3, estimate_ms=600_000)
    wide = busy.submit("true", cpus=4, estimate_ms=60_000)
    told = changes(busy, wide)
    assert (told["free"]["resource"], told["free"]["amount"]) == ("cpus", 3) and list(told) == ["free"]
    assert "starts now if 3 more cpus were free" in busy.ctl("why", str(wide)).stdout
    # Beside the wide job nothing is left over: what passes it ends before its start.
    slow = busy.submit("true", cpus=1, estimate_ms=7_200_000)
    told = changes(busy, slow)
    assert 500_000 < told["estimate"]["amount"] <= 600_000 and told["free"]["amount"] > 0
    urgent = busy.submit("true", cpus=1, estimate_ms=7_200_000, priority="low")
    assert changes(busy, urgent)["priority"]["command"] == f"batchctl edit {urgent} -p high"
    assert busy.ctl("edit", str(urgent), "-p", "high").returncode == 0
    busy.wait(urgent)
    ms = told["estimate"]["amount"] - 60_000  # the end of the first comes nearer
    assert busy.ctl("edit", str(slow), "-e", f"{ms}ms").returncode == 0
    busy.wait(slow)
    held = busy.submit("true", hold=True, estimate_ms=1000)
    command = changes(busy, held)["release"]["command"]
    assert command == f"batchctl release {held}"
    assert busy.ctl(*command.split()[1:]).returncode == 0
    busy.wait(held)
    (busy.state / "go").touch()
    busy.wait(first, wide)


def test_commands_do_what_they_say(busy):
    busy.call("io.batchd.Queues.Add", name="slots", slots=1)
    busy.call("io.batchd.Queues.Add", name="users", per_user=1)
    busy.call("io.batchd.Queues.Add", name="night")
    busy.call("io.batchd.Queues.Pause", name="night")
    hold_place(busy, queue="slots")
    hold_place(busy, queue="users")
    jobs = {"slots": busy.submit("true", queue="slots"), "per_user": busy.submit("true", queue="users"),
            "resume": busy.submit("true", queue="night"),
            "begin": busy.submit("true", begin=int((time.time() + 3600) * 1e6))}
    for change, job in jobs.items():
        told = changes(busy, job)
        assert list(told) == [change], (change, told)
        done = busy.ctl(*told[change]["command"].split()[1:])
        assert done.returncode == 0, done.stderr
        busy.wait(job)
    (busy.state / "go").touch()


def test_reasons_are_said_where_no_prediction_can_be_made(busy):
    job = busy.submit("true", hold=True)
    client = busy.client()
    client.call("io.batchd.Server.Ping")
    before = resource.prlimit(busy.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(busy.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    told = client.call("io.batchd.Jobs.Why", id=job)
    with pytest.raises(Refused) as refused:
        client.call("io.batchd.Jobs.Plan")
    resource.prlimit(busy.process.pid, resource.RLIMIT_NOFILE, before)
    assert [one["reason"] for one in told["reasons"]] == ["Held"] and told["prediction"] == "unknown"
    assert refused.value.name == "io.batchd.Internal" and "cannot make a pipe" in str(refused.value)
    assert why(busy, job)["prediction"] == "none"
    assert pairs(scrape(busy))["io.batchd.Jobs.Plan", "internal"] == 1


# ---- it holds nobody up ----

@pytest.fixture
def full(make_daemon):
    """One long job runs and 100,000 wait."""
    daemon = make_daemon(config="[daemon]\nqueue_limit_per_user = 1000000\n[workers]\nmax = 2\n"
                                "[resources]\ncpus = 2\n")
    daemon.start()
    hold_place(daemon, cpus=2, estimate_ms=600_000)
    client = daemon.client(timeout=120)
    count, ahead = 100_000, 500
    for i in range(count + ahead):
        if i < count:
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={}, estimate_ms=1000 + i % 977,
                        cpus=1 + i % 2)
        if i >= ahead:
            client.receive()
    client.close()
    return daemon


def last_of(daemon):
    return daemon.call("io.batchd.Jobs.List", newest=True, limit=1)["jobs"][0]["id"]


def ping(client):
    """The seconds that it takes."""
    began = time.monotonic()
    client.call("io.batchd.Server.Ping")
    return time.monotonic() - began


def check_others_are_answered(full):
    last = last_of(full)
    asking, other = full.client(timeout=120), full.client()
    usual = median(ping(other) for _ in range(50))
    asking.send("io.batchd.Jobs.Why", id=last)
    waits = []
    asking.socket.setblocking(False)
    answer = b""
    while b"\n" not in answer:
        waits.append(ping(other))
        try:
            answer += asking.socket.recv(65536)
        except BlockingIOError:
            pass
    told = json.loads(answer)["parameters"]
    assert told["prediction"] == "starts" and told["predicted_start"] > time.time() * 1e6
    assert len(waits) > 5  # else it would be two at most, and one of them as long as the answer takes
    assert median(waits) < max(0.05, 10 * usual)
    asking.close()


def is_gone(pid):
    """It has ended; who has its corpse now is not batchd's."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def stop_child(daemon, client, job):
    """Asks, and stops the copy of the daemon that is to answer: its pid."""
    while True:
        before = set(children(daemon))
        client.send("io.batchd.Jobs.Why", id=job)
        client.socket.settimeout(0.001)
        while True:
            new = set(children(daemon)) - before
            try:
                for pid in new:
                    os.kill(pid, signal.SIGSTOP)
                    wait_until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] in "TZ")
                if new & set(children(daemon)):
                    client.socket.settimeout(30)
                    return new.pop()
            except (OSError, IndexError):
                pass  # it had answered before
            if select.select([client.socket], [], [], 0)[0]:
                client.socket.settimeout(30)
                client.receive()
                break


def check_it_is_behind_the_jobs(full):
    """The copy's priority is its own, whatever the daemon's."""
    client = full.client()
    os.setpriority(os.PRIO_PROCESS, full.process.pid, 1)
    client.send("io.batchd.Jobs.Why", id=last_of(full))

    def is_behind():
        if select.select([client.socket], [], [], 0)[0]:  # it had answered before
            client.receive()
            client.send("io.batchd.Jobs.Why", id=last_of(full))
        for pid in children(full):
            with contextlib.suppress(ProcessLookupError):
                return os.getpriority(os.PRIO_PROCESS, pid) == 10
        return False
    wait_until(is_behind)
    client.close()
    wait_until(lambda: children(full) == [])


def check_bounds(full):
    last = last_of(full)
    clients = [full.client() for _ in range(3)]
    for client in clients[:2]:
        stop_child(full, client, last)
    with pytest.raises(Refused) as refused:
        clients[2].call("io.batchd.Jobs.Plan")
    assert refused.value.name == "io.batchd.Busy" and refused.value.parameters["retry_after_ms"] > 0
    shown = clients[2].call("io.batchd.Jobs.Show", id=last, predict=True)["job"]
    assert (shown["prediction"], shown["predicted_start"]) == ("unknown", None)
    for client in clients[:2]:
        client.close()  # who leaves takes the question along
    wait_until(lambda: children(full) == [])
    told = clients[2].call("io.batchd.Jobs.Plan", limit=10000)
    assert len(told["jobs"]) == 10000 and told["more"] and told["complete"]
    starts = [one["predicted_start"] for one in told["jobs"][1:]]
    assert starts == sorted(starts)


def check_what_is_not_answered(full):
    last, client = last_of(full), full.client()
    pid = stop_child(full, client, last)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # for its time
    answer = client.receive()["parameters"]
    assert answer["prediction"] == "unknown" and answer["reasons"]  # what is known is said
    pid = stop_child(full, client, last)
    full.kill()  # nothing is left behind
    wait_until(lambda: is_gone(pid))


@pytest.mark.long
def test_a_long_forecast_holds_nobody_up(full):
    check_others_are_answered(full)
    check_it_is_behind_the_jobs(full)
    check_bounds(full)
    check_what_is_not_answered(full)
