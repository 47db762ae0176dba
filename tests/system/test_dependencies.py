"""Jobs that wait for others, over restarts."""
import json
import os
import random
import sqlite3
import subprocess
import sys
import time

import pytest
from daemon import Refused, wait_until, wait_until_time

OK, BAD = ["true"], ["sh", "-c", "exit 3"]


def gate(daemon, name="go"):
    return ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / name)]


def open_gate(daemon, name="go"):
    (daemon.state / name).write_text("")


def outcome_of(daemon, ident):
    job = daemon.job(ident)
    return job["state"], job["outcome"] and job["outcome"]["message"]


def cancel(daemon, ident):
    return daemon.call("io.batchd.Jobs.Cancel", id=ident)


def cancelled_parent(daemon):
    parent = daemon.submit("true", hold=True)
    cancel(daemon, parent)
    return parent


def submit_chain(daemon, first, length):
    """So many jobs, each after the one before."""
    client, page = daemon.client(), 500  # it stops reading from who does not read its replies
    for start in range(first, first + length, page):
        parents = range(start, min(start + page, first + length))
        for parent in parents:
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", depends=f"afterok:{parent}")
        last = [client.receive()["parameters"]["id"] for _ in parents][-1]
    return last


ENDS = {"completed": lambda daemon: daemon.submit(*OK), "failed": lambda daemon: daemon.submit(*BAD),
        "cancelled": cancelled_parent}
RUNS = {("after", "completed"), ("after", "failed"), ("after", "cancelled"), ("afterany", "completed"),
        ("afterany", "failed"), ("afterany", "cancelled"), ("afterok", "completed"),
        ("afternotok", "failed"), ("afternotok", "cancelled")}
HOW = {"completed": "completed", "failed": "failed (exit 3)", "cancelled": "was cancelled"}


@pytest.mark.parametrize("before", ["submitted", "ended"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["after", "afterany", "afterok", "afternotok"])
def test_types(daemon, kind, end, before):
    """The same whether the parent ends before or after the child is submitted."""
    if before == "ended":
        parent = ENDS[end](daemon)
        daemon.wait(parent)
        child = daemon.submit(*OK, depends=f"{kind}:{parent}")
    else:
        parent = daemon.submit(*(BAD if end == "failed" else OK), hold=True)
        child = daemon.submit(*OK, depends=f"{kind}:{parent}")
        assert (daemon.job(child)["state"], daemon.job(child)["reasons"]) == ("pending", ["Dependency"])
        assert daemon.job(child)["eligible_at"] is None
        daemon.call(f"io.batchd.Jobs.{'Cancel' if end == 'cancelled' else 'Release'}", id=parent)
    job = daemon.wait(child)[0]
    assert job["depends"] == f"{kind}:{parent}"
    if (kind, end) in RUNS:
        assert job["state"] == "completed"
        assert kind == "after" or job["started_at"] >= daemon.job(parent)["ended_at"]
        assert job["started_at"] >= job["eligible_at"] >= job["submitted_at"]
    else:
        assert outcome_of(daemon, child) == (
            "cancelled", f"dependency {kind}:{parent} can never be satisfied: job {parent} {HOW[end]}")
        assert job["outcome"]["class"] == "cancelled"


def test_after_is_fulfilled_by_the_start(daemon):
    held = daemon.submit(*gate(daemon), hold=True)
    child, other = daemon.submit(*OK, depends=f"after:{held}"), daemon.submit(*OK, depends=f"afterok:{held}")
    daemon.wait(daemon.submit(*OK))
    assert daemon.job(child)["state"] == "pending"
    daemon.call("io.batchd.Jobs.Release", id=held)
    assert daemon.wait(child)[0]["state"] == "completed"
    assert daemon.job(held)["state"] == "running" and daemon.job(other)["reasons"] == ["Dependency"]
    at_once = daemon.submit(*OK, depends=f"after:{held}")
    assert daemon.wait(at_once)[0]["state"] == "completed"
    open_gate(daemon)
    assert daemon.wait(other)[0]["state"] == "completed"


def test_what_ends_it_is_told_by_the_submit(daemon):
    parent = daemon.submit(*BAD)
    daemon.wait(parent)
    request = {"argv": ["true"], "cwd": "/", "depends": f"afterok:{parent}", "key": "k"}
    reply = daemon.call("io.batchd.Jobs.Submit", **request)
    assert reply["state"] == "cancelled" and not reply["existing"]
    again = daemon.call("io.batchd.Jobs.Submit", **request)
    assert again == {"id": reply["id"], "state": "cancelled", "existing": True}


@pytest.mark.parametrize("ends,expected", [
    ([OK, OK, OK], "completed"), ([OK, BAD, OK], "cancelled"), ([BAD, BAD, BAD], "cancelled")])
def test_all(daemon, ends, expected):
    parents = [daemon.submit(*end, hold=True) for end in ends]
    child = daemon.submit(*OK, depends="afterok:" + ":".join(map(str, parents)))
    for parent in parents:
        assert daemon.job(child)["state"] in ("pending", "cancelled")
        assert daemon.job(child)["eligible_at"] is None
        daemon.call("io.batchd.Jobs.Release", id=parent)
        daemon.wait(parent)
    assert daemon.wait(child)[0]["state"] == expected


@pytest.mark.parametrize("ends,expected", [
    ([OK, None, None], "completed"), ([BAD, OK, None], "completed"), ([BAD, BAD, BAD], "cancelled")])
def test_any(daemon, ends, expected):
    parents = [daemon.submit(*(end or OK), hold=True) for end in ends]
    child = daemon.submit(*OK, depends="?".join(f"afterok:{parent}" for parent in parents))
    for parent, end in zip(parents, ends):
        if end is not None:
            assert daemon.job(child)["reasons"] == ["Dependency"]
            daemon.call("io.batchd.Jobs.Release", id=parent)
            daemon.wait(parent)
    assert daemon.wait(child)[0]["state"] == expected
    daemon.restart()
    assert daemon.job(child)["state"] == expected


def test_types_mixed(daemon):
    good, bad = daemon.submit(*OK, hold=True), daemon.submit(*BAD, hold=True)
    child = daemon.submit(*OK, depends=f"afterok:{good},afternotok:{bad}")
    for parent in good, bad:
        assert daemon.job(child)["reasons"] == ["Dependency"]
        daemon.call("io.batchd.Jobs.Release", id=parent)
        daemon.wait(parent)
    assert daemon.wait(child)[0]["state"] == "completed"


def test_a_retry_is_no_end(daemon):
    parent = daemon.submit("sh", "-c", '[ "$BATCHD_ATTEMPT" = 3 ]', max_attempts=3)
    child = daemon.submit(*OK, depends=f"afterok:{parent}")
    assert daemon.wait(child)[0]["state"] == "completed"


def test_held_and_its_time_and_others(daemon):
    parent = daemon.submit(*OK, hold=True)
    child = daemon.submit(*OK, hold=True, begin=int((time.time() + 0.4) * 1e6), depends=f"afterok:{parent}")
    assert daemon.job(child)["reasons"] == ["Held", "BeginTime", "Dependency"]
    wait_until(lambda: daemon.job(child)["reasons"] == ["Held", "Dependency"])
    daemon.call("io.batchd.Jobs.Release", id=child)
    assert daemon.job(child)["reasons"] == ["Dependency"]
    daemon.call("io.batchd.Jobs.Release", id=parent)
    assert daemon.wait(child)[0]["state"] == "completed"


# ---- arrays and tasks

def test_the_end_of_an_array_is_that_of_its_tasks(daemon):
    array = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" != 3 ]', array="0-4", hold=True)
    children = {kind: daemon.submit(*OK, depends=f"{kind}:{array}")
                for kind in ("after", "afterany", "afterok", "afternotok")}
    daemon.call("io.batchd.Jobs.Release", id=array)
    states = {kind: daemon.wait(child)[0]["state"] for kind, child in children.items()}
    assert states == {"after": "completed", "afterany": "completed", "afterok": "cancelled",
                      "afternotok": "completed"}
    assert outcome_of(daemon, children["afterok"])[1].endswith(f"job {array} failed (exit 1)")
    ended = daemon.job(array)["ended_at"]
    assert daemon.job(children["afterany"])["started_at"] >= ended


def test_an_array_waits_as_a_whole(daemon):
    parent = daemon.submit(*OK, hold=True)
    array = daemon.submit(*OK, array="0-9%3", depends=f"afterok:{parent}")
    daemon.wait(daemon.submit(*OK))
    assert daemon.job(array)["reasons"] == ["Dependency"] and daemon.job(array)["array"]["pending"] == 10
    daemon.restart()
    assert daemon.job(array)["reasons"] == ["Dependency"]
    daemon.call("io.batchd.Jobs.Release", id=parent)
    job = daemon.wait(array)[0]
    assert job["state"] == "completed" and job["started_at"] >= daemon.job(parent)["ended_at"]


def test_an_array_that_can_never_start(daemon):
    parent = daemon.submit(*BAD, hold=True)
    array = daemon.submit(*OK, array="0-999", depends=f"afterok:{parent}")
    daemon.call("io.batchd.Jobs.Release", id=parent)
    job = daemon.wait(array)[0]
    assert job["state"] == "cancelled" and job["array"]["cancelled"] == 1000
    assert job["outcome"]["message"].startswith(
        f"dependency afterok:{parent} can never be satisfied: job {parent} failed (exit 3)")


@pytest.mark.parametrize("restart", [False, True])
def test_one_task(daemon, restart):
    command = 'case $BATCHD_ARRAY_INDEX in 1) exit 4;; 2) until [ -e "$0" ]; do sleep 0.02; done;; esac'
    array = daemon.submit("sh", "-c", command, str(daemon.state / "go"), array="0-2", hold=True)
    zero, one, two = [daemon.submit(*OK, depends=f"afterok:{array}_{index}") for index in range(3)]
    started = daemon.submit(*OK, depends=f"after:{array}_2")
    daemon.call("io.batchd.Jobs.Release", id=array)
    assert daemon.wait(zero)[0]["state"] == "completed"
    assert daemon.wait(one)[0]["state"] == "cancelled"
    assert outcome_of(daemon, one)[1].endswith(f"task {array}_1 failed (exit 4)")
    assert daemon.wait(started)[0]["state"] == "completed"
    if restart:
        daemon.restart()
    assert daemon.job(two)["reasons"] == ["Dependency"]
    late = [daemon.submit(*OK, depends=f"afterok:{array}_{index}") for index in range(3)]
    assert daemon.wait(late[0])[0]["state"] == "completed"
    assert daemon.wait(late[1])[0]["state"] == "cancelled"
    assert daemon.job(late[2])["reasons"] == ["Dependency"]
    open_gate(daemon)
    assert [job["state"] for job in daemon.wait(two, late[2])] == ["completed", "completed"]


def test_a_task_that_never_started(daemon):
    array = daemon.submit(*OK, array="0-9", hold=True)
    children = [daemon.submit(*OK, depends=f"{kind}:{array}_5") for kind in ("afterok", "afterany", "afternotok")]
    cancel(daemon, array)
    assert [job["state"] for job in daemon.wait(*children)] == ["cancelled", "completed", "completed"]
    assert outcome_of(daemon, children[0])[1].endswith(f"task {array}_5 was cancelled")


@pytest.mark.parametrize("running", [False, True])
def test_a_task_that_was_cancelled_before_its_start(daemon, running):
    """It has no row, and tells nothing itself."""
    array = daemon.submit(*gate(daemon), array="10-19%1", hold=not running)
    if running:
        daemon.wait_running(array)
    children = [daemon.submit(*OK, depends=f"afternotok:{array}_{index}") for index in (15, 16, 17)]
    daemon.call("io.batchd.Jobs.Cancel", id=array, indices="15-16")
    if running:
        daemon.restart()
    late = daemon.submit(*OK, depends=f"afternotok:{array}_15")
    assert daemon.job(children[2])["reasons"] == ["Dependency"]
    if not running:
        assert [job["state"] for job in daemon.wait(late, *children[:2])] == ["completed"] * 3
        return
    cancel(daemon, array)
    daemon.wait(array)
    assert [job["state"] for job in daemon.wait(late, *children)] == ["completed"] * 4


# ---- singleton

def test_singletons_run_one_by_one(daemon):
    jobs = [daemon.submit("sh", "-c", 'mkdir "$0" && sleep 0.05 && rmdir "$0"', str(daemon.state / "one"),
                          name="x", depends="singleton") for _ in range(8)]
    ended = daemon.wait(*jobs)
    assert [job["state"] for job in ended] == ["completed"] * 8  # mkdir would have failed
    started = [daemon.job(job)["started_at"] for job in jobs]
    assert started == sorted(started)


def test_a_singleton_waits_for_all_earlier_ones_only(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 4\n")
    daemon.start()
    first = [daemon.submit(*gate(daemon, f"go{i}"), name="x") for i in range(2)]
    single = daemon.submit(*OK, name="x", depends="singleton")
    later, other = daemon.submit(*OK, name="x"), daemon.submit(*OK, name="y", depends="singleton")
    daemon.wait(later, other)
    for i in (1, 0):
        assert daemon.job(single)["reasons"] == ["Dependency"]
        if i == 0:
            daemon.restart()
            assert daemon.job(single)["reasons"] == ["Dependency"]
        open_gate(daemon, f"go{i}")
        daemon.wait(first[i])
    assert daemon.wait(single)[0]["state"] == "completed"


def processor_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def requests(daemon, method, all_parameters):
    """The replies to so many calls, and the seconds of a processor they took, whatever else it does."""
    client, page, begun = daemon.client(120), 200, processor_seconds(daemon)
    replies = []
    for start in range(0, len(all_parameters), page):
        part = all_parameters[start:start + page]
        for parameters in part:
            client.send(method, **parameters)
        replies += [client.receive()["parameters"] for _ in part]
    daemon.call("io.batchd.Server.Ping")  # and what followed from the last of them is done
    return replies, processor_seconds(daemon) - begun


@pytest.mark.long
def test_one_that_goes_from_among_many_of_a_name(daemon):
    """Nothing is looked at but the next: it takes as long as if each had its own name."""
    took = {}
    for single in (False, True):
        many, _ = requests(daemon, "io.batchd.Jobs.Submit", [
            {"argv": ["true"], "cwd": "/", "hold": True, "name": "x" if single else f"y{index}",
             **({"depends": "singleton"} if single else {})} for index in range(20000)])
        ids = [reply["id"] for reply in many]
        _, took[single] = requests(daemon, "io.batchd.Jobs.Cancel",
                                   [{"id": ident} for ident in ids[10000::2][::-1]])
        if single:
            _, edits = requests(daemon, "io.batchd.Jobs.Edit", [
                {"id": ids[-1], "depends": f"singleton,afterany:{ids[-2]}"}] * 200)
    print(f"cancels: {took[False]:.2f} s, of singletons {took[True]:.2f} s; edits: {edits:.2f} s")
    assert took[True] < 2 * took[False] + 0.1
    assert edits < took[False] / 2 + 0.1


def test_a_singleton_after_its_predecessors_end_badly(daemon):
    blocker = daemon.submit(*OK, name="x", hold=True)
    single = daemon.submit(*OK, name="x", depends="singleton")
    last = daemon.submit(*OK, name="x", depends="singleton")
    cancel(daemon, single)
    daemon.wait(daemon.submit(*OK))
    assert daemon.job(last)["reasons"] == ["Dependency"]  # the blocker is still there
    cancel(daemon, blocker)
    assert daemon.wait(last)[0]["state"] == "completed"


def rename(daemon, ident, name):
    return daemon.call("io.batchd.Jobs.Edit", id=ident, name=name)


@pytest.mark.parametrize("again", [False, True])
def test_a_new_name_of_who_is_in_the_way(daemon, again):
    """It is in the way of one of its new name, and no more of one of its old name; no restart tells otherwise."""
    blocker, single = daemon.submit(*OK, name="a", hold=True), daemon.submit(*OK, name="a", depends="singleton")
    first, between = (daemon.submit(*OK, name=name, hold=True) for name in ("b", "c"))
    other, free = (daemon.submit(*OK, name=name, depends="singleton", hold=True) for name in ("b", "d"))
    rename(daemon, between, "b")
    rename(daemon, between, "d")  # `free` had nobody in its way when it was asked for
    rename(daemon, between, "b")
    cancel(daemon, first)
    if again:
        daemon.restart()
    assert daemon.job(single)["reasons"] == ["Dependency"]
    rename(daemon, blocker, "e")
    if again:
        daemon.restart()
    assert daemon.wait(single)[0]["state"] == "completed"
    assert sorted(daemon.job(other)["reasons"]) == ["Dependency", "Held"] and daemon.job(free)["reasons"] == ["Held"]
    rename(daemon, between, "c")
    assert daemon.job(other)["reasons"] == ["Held"]


@pytest.mark.parametrize("again", [False, True])
def test_a_new_name_of_a_singleton(daemon, again):
    """It waits for those of that name, and for nobody else."""
    old, new = (daemon.submit(*OK, name=name, hold=True) for name in ("a", "b"))
    single = daemon.submit(*OK, name="a", depends="singleton")
    rename(daemon, single, "b")
    if again:
        daemon.restart()
    cancel(daemon, old)
    assert daemon.job(single)["reasons"] == ["Dependency"]
    rename(daemon, single, "c")
    if again:
        daemon.restart()
    assert daemon.wait(single)[0]["state"] == "completed"
    cancel(daemon, new)


def test_a_name_by_which_a_singleton_would_wait_for_itself_is_refused(daemon):
    earlier, first, middle = (daemon.submit(*OK, name=name, hold=True) for name in ("a", "b", "c"))
    single = daemon.submit(*OK, name="b", depends="singleton")
    for parent in (earlier, middle):
        daemon.call("io.batchd.Jobs.Edit", id=parent, depends=f"afterany:{single}")
    for ident, name, path in ((single, "a", [single, earlier, single]), (middle, "b", [single, middle, single])):
        with pytest.raises(Refused) as refused:
            rename(daemon, ident, name)
        assert refused.value.name == "io.batchd.DependencyCycle"
        assert refused.value.parameters["path"] == path
        assert daemon.job(ident)["name"] != name
    cancel(daemon, first)
    assert daemon.wait(single)[0]["state"] == "completed"


def edit(daemon, ident, **parts):
    return daemon.call("io.batchd.Jobs.Edit", id=ident, **parts)


@pytest.mark.parametrize("again", [False, True])
def test_a_new_name_and_what_it_waits_for_at_once(daemon, again):
    """The one is looked at as if it had the other already: what is in order is done, and else nothing, now or at a restart."""
    first, job = (daemon.submit(*OK, name=name, hold=True) for name in ("b", "a"))
    single = daemon.submit(*OK, name="b", depends="singleton")
    behind = daemon.submit(*OK, depends=f"afterok:{single}")
    for parent, path in ((single, [single, job, single]), (behind, [single, job, behind, single])):
        for dry_run in (True, False):
            with pytest.raises(Refused) as refused:
                edit(daemon, job, name="b", depends=f"afterany:{parent}", dry_run=dry_run)
            assert refused.value.name == "io.batchd.DependencyCycle" and refused.value.parameters["path"] == path
    assert daemon.job(job)["name"] == "a" and daemon.job(job)["depends"] is None
    edit(daemon, job, name="b", depends=f"afterany:{first}")
    if again:
        daemon.restart()
    assert daemon.job(single)["reasons"] == ["Dependency"]
    cancel(daemon, first)
    daemon.wait(daemon.submit(*OK))
    assert daemon.job(single)["reasons"] == ["Dependency"]  # the job is in its way now
    daemon.call("io.batchd.Jobs.Release", id=job)
    assert [one["state"] for one in daemon.wait(job, single, behind)] == ["completed"] * 3


@pytest.mark.parametrize("again", [False, True])
def test_a_singleton_that_is_one_no_more_may_have_any_name(daemon, again):
    earlier, blocker = (daemon.submit(*OK, name=name, hold=True) for name in ("a", "b"))
    single = daemon.submit(*OK, name="b", depends="singleton")
    edit(daemon, earlier, depends=f"afterany:{single}")
    with pytest.raises(Refused):
        edit(daemon, single, name="a")
    with pytest.raises(Refused):
        edit(daemon, single, name="a", depends=f"singleton,afterany:{blocker}")
    if again:
        daemon.restart()
    edit(daemon, single, name="a", depends="")
    assert daemon.wait(single)[0]["state"] == "completed"
    assert daemon.job(earlier)["reasons"] == ["Held"] and daemon.job(blocker)["state"] == "pending"


# ---- chains and numbers

@pytest.mark.long
@pytest.mark.parametrize("asked", [False, True])
def test_an_impossible_chain_ends_at_once(daemon, asked):
    """Each waits for the one before; the end of the first runs down it, with others served between."""
    length = 20000
    first = daemon.submit(*BAD, hold=True)
    last = submit_chain(daemon, first, length)
    assert last == first + length
    daemon.call("io.batchd.Jobs.Release", id=first)
    longest, begun = 0.0, time.monotonic()
    if not asked:
        daemon.wait(last)
        assert time.monotonic() < begun + 10  # it goes on by itself, not when something comes in
    while daemon.job(last)["state"] == "pending":
        asked = time.monotonic()
        daemon.call("io.batchd.Server.Ping")
        longest = max(longest, time.monotonic() - asked)
        assert time.monotonic() < begun + 60
    print(f"{length} ended after {time.monotonic() - begun:.2f} s, longest ping {longest * 1e3:.0f} ms")
    assert longest < (time.monotonic() - begun) / 2
    assert outcome_of(daemon, last) == (
        "cancelled", f"dependency afterok:{last - 1} can never be satisfied: job {last - 1} was cancelled")
    assert daemon.job(first + 1)["outcome"]["message"].endswith("failed (exit 3)")


@pytest.mark.long
def test_a_cancel_of_one_task_does_not_look_at_all_that_are_waited_for(daemon):
    """20,000 tasks in 1,000 ranges, each of them waited for."""
    array = daemon.submit(*OK, array=",".join(f"{i * 40}-{i * 40 + 19}" for i in range(1000)), hold=True)
    indices = [i * 40 + j for i in range(1000) for j in range(20)]
    children = [daemon.submit(*OK, depends="afterok:" + ":".join(f"{array}_{i}" for i in indices[at:at + 1000]))
                for at in range(0, 20000, 1000)]
    before = daemon.cpu_seconds()
    daemon.call("io.batchd.Jobs.Cancel", id=array, index=indices[5])
    took = daemon.cpu_seconds() - before
    assert daemon.wait(children[0])[0]["state"] == "cancelled"
    daemon.call("io.batchd.Jobs.Cancel", id=array, indices="1990-2000")
    assert daemon.wait(children[1])[0]["state"] == "cancelled"
    assert f"task {array}_2000 was cancelled" in outcome_of(daemon, children[1])[1]
    assert {daemon.job(child)["state"] for child in children[2:]} == {"pending"}
    cancel(daemon, array)
    assert {job["state"] for job in daemon.wait(*children)} == {"cancelled"}
    print(f"the cancel of one task took {took * 1e3:.0f} ms of a processor")
    assert took < 0.4


@pytest.mark.parametrize("moment", range(4))
def test_a_chain_that_a_crash_cuts(daemon, moment):
    length = 4000
    first = daemon.submit(*BAD, hold=True)
    last = submit_chain(daemon, first, length)
    daemon.call("io.batchd.Jobs.Release", id=first)
    wait_until(lambda: daemon.job(first + moment * 900 + 1)["state"] != "pending")
    daemon.restart()
    assert daemon.wait(last)[0]["state"] == "cancelled"
    states = [job["state"] for job in daemon.jobs()]
    assert states == ["failed"] + ["cancelled"] * length


def test_many_children_start_in_their_order(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\nprefetch = 1\n")
    daemon.start()
    parent = daemon.submit(*OK, hold=True)
    children = [daemon.submit(*OK, depends=f"afterok:{parent}") for _ in range(50)]
    daemon.call("io.batchd.Jobs.Release", id=parent)
    started = [job["started_at"] for job in sorted(daemon.wait(*children), key=lambda job: job["id"])]
    assert started == sorted(started)


@pytest.mark.parametrize("restart", [False, True])
def test_waiting_counts_from_when_they_were_fulfilled(make_daemon, restart):
    """Else it would have waited too long when the urgent one comes, and go first."""
    daemon = make_daemon(config='[workers]\nmax = 1\nprefetch = 1\n[queues.default]\nmax_delay = "2s"\n')
    daemon.start()
    parent = daemon.submit(*OK, hold=True)
    child = daemon.submit(*OK, depends=f"afterany:{parent}", priority="background")
    wait_until_time(daemon.job(child)["submitted_at"] + 2_200_000)
    blocker = daemon.submit(*gate(daemon))
    daemon.wait_running(blocker)
    urgent = daemon.submit(*OK, priority="urgent")
    cancel(daemon, parent)
    if restart:
        daemon.restart()
    eligible = daemon.job(child)["eligible_at"]
    assert eligible >= daemon.job(parent)["ended_at"]
    open_gate(daemon)
    started = {job["id"]: job["started_at"] for job in daemon.wait(child, urgent)}
    assert started[urgent] < started[child]
    assert daemon.job(child)["eligible_at"] == eligible


# ---- restarts

@pytest.mark.parametrize("end", [OK, BAD])
def test_a_parent_ends_while_batchd_is_down(daemon, end):
    script = f'until [ -e "$0" ]; do sleep 0.02; done; {" ".join(end) if end is OK else "exit 3"}; '
    parent = daemon.submit("sh", "-c", script + "exit $?", str(daemon.state / "go"))
    kinds = ("afterok", "afternotok", "afterany")
    children = [daemon.submit(*OK, depends=f"{kind}:{parent}") for kind in kinds]
    grandchild = daemon.submit(*OK, depends=f"afterok:{children[0]}")
    daemon.wait_running(parent)
    daemon.kill()
    open_gate(daemon)
    daemon.start()
    states = [daemon.wait(job)[0]["state"] for job in (*children, grandchild)]
    good = ["completed", "cancelled", "completed", "completed"]
    bad = ["cancelled", "completed", "completed", "cancelled"]
    assert states == (good if end is OK else bad)


def test_a_graph_over_kills(daemon):
    """Random jobs with random dependencies, batchd killed in between: as a model says."""
    source = random.Random(4)
    jobs, model = [], {}
    for i in range(120):
        bad = source.random() < 0.3
        parents = source.sample(jobs, source.randrange(4)) if i >= 10 else []
        kinds = [source.choice(["afterok", "afternotok", "afterany", "after"]) for _ in parents]
        mark = source.choice(",?")
        depends = mark.join(f"{kind}:{parent}" for kind, parent in zip(kinds, parents))
        jobs.append(daemon.submit(*(BAD if bad else OK), hold=i < 10, **({"depends": depends} if depends else {})))
        fits = [{"afterok": model[parent] == "completed", "afternotok": model[parent] != "completed"}.get(kind, True)
                for kind, parent in zip(kinds, parents)]
        runs = not parents or (all(fits) if mark == "," or len(parents) == 1 else any(fits))
        model[jobs[-1]] = ("failed" if bad else "completed") if runs else "cancelled"
    for job in jobs[:10]:
        daemon.call("io.batchd.Jobs.Release", id=job)
        daemon.restart()
    daemon.wait(*jobs)
    assert {job["id"]: job["state"] for job in daemon.jobs()} == model
    daemon.stop()
    daemon.start()
    assert {job["id"]: job["state"] for job in daemon.jobs()} == model


# ---- what is refused

def test_bad_dependencies(daemon):
    plain, array = daemon.submit(*OK, hold=True), daemon.submit(*OK, array="0-4:2", hold=True)
    for depends, words in [
            ("before:1", "none of after"), ("afterok", "ids behind"), ("afterok:x", "must name jobs"),
            (f"afterok:{plain}?{plain},{plain}", "not both"), ("afterok:4711", "no such job"),
            (f"afterok:{plain}:4711_3", "no such job"), (f"afterok:{plain}_0", "no array"),
            (f"afterok:{array}_1", "no such task"), ("", "empty part"), (f"afterok:{array + 1}", "no such job"),
            ("afterok:" + ":".join([str(plain)] * 1001), "over 1000 jobs"), (5, "string")]:
        with pytest.raises(Refused) as refused:
            daemon.submit(*OK, depends=depends)
        assert refused.value.name == "io.batchd.InvalidSpec", depends
        assert refused.value.parameters["field"] == "depends" and words in refused.value.parameters["rule"], depends
    assert len(daemon.jobs()) == 2
    assert daemon.submit(*OK, depends="afterok:" + ":".join([str(plain)] * 1000)) == array + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_jobs_of_others_look_as_if_they_were_not_there(daemon):
    mine, array = daemon.submit(*OK, hold=True), daemon.submit(*OK, array="0-3", hold=True)
    ended = daemon.submit(*OK)
    daemon.wait(ended)
    daemon.state.chmod(0o711)
    daemon.socket.chmod(0o666)

    def submit_as(uid, depends):
        script = ("import json, socket, sys\n"
                  "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                  "s.sendall(sys.argv[2].encode() + b'\\n')\nprint(s.makefile().readline())")
        request = {"method": "io.batchd.Jobs.Submit",
                   "parameters": {"argv": ["true"], "cwd": "/", "hold": True, "depends": depends}}
        done = subprocess.run([sys.executable, "-c", script, daemon.socket, json.dumps(request)], user=uid,
                              capture_output=True, text=True, check=True, timeout=20)
        return json.loads(done.stdout)

    texts = set()
    for depends in (f"afterok:{mine}", f"afterok:{ended}", f"afterok:{array}_2", f"afterok:{array}_9",
                    "afterok:4711", "afterok:4711_2"):
        reply = submit_as(1234, depends)
        assert reply["error"] == "io.batchd.InvalidSpec"
        texts.add(reply["parameters"]["rule"].replace(depends, "X"))
    assert texts == {'depends "X": no such job'}
    theirs = submit_as(1234, "singleton")["parameters"]["id"]
    assert submit_as(1234, f"afterok:{theirs}")["parameters"]["state"] == "pending"
    assert submit_as(0, f"afterok:{theirs}")["parameters"]["state"] == "pending"


def test_how_a_task_ended_counts_whatever_is_looked_at_first_after_a_crash(daemon):
    """The daemon dies when an array has ended and nothing was made of that yet: at the next start
    somebody waits for the array, and is looked at before those that wait for its tasks."""
    array = daemon.submit("sh", "-c", 'exit "$BATCHD_ARRAY_INDEX"', array="0-1", hold=True)
    whole = daemon.submit(*OK, depends=f"afterany:{array}", hold=True)
    well, badly = (daemon.submit(*OK, depends=f"{kind}:{array}_{index}", hold=True)
                   for kind, index in (("afterok", 0), ("afternotok", 1)))
    wrong = daemon.submit(*OK, depends=f"afterok:{array}_1", hold=True)
    daemon.kill()
    store = daemon.state / "batchd.db"
    with sqlite3.connect(store) as db:
        rows = db.execute("SELECT * FROM dependency").fetchall()
    db.close()
    daemon.start()
    daemon.call("io.batchd.Jobs.Release", id=array)
    daemon.wait(array, wrong)
    daemon.kill()
    with sqlite3.connect(store) as db:  # as before the array ended, but for `wrong`, which has
        db.executemany("REPLACE INTO dependency VALUES(%s)" % ",".join("?" * len(rows[0])), rows)
    db.close()
    daemon.start()
    for child in (whole, well, badly):
        assert daemon.job(child)["reasons"] == ["Held"], outcome_of(daemon, child)
        daemon.call("io.batchd.Jobs.Release", id=child)
        assert daemon.wait(child)[0]["state"] == "completed"


def test_a_key_covers_them(daemon):
    first, second = daemon.submit(*OK, hold=True), daemon.submit(*OK, hold=True)
    job = daemon.submit(*OK, key="k", depends=f"{first}:{second}")
    assert daemon.submit(*OK, key="k", depends=f"{first}:{second}") == job
    for depends in ({"depends": f"afterok:{first}:{second}"}, {"depends": f"{first}"}, {}):
        with pytest.raises(Refused) as refused:
            daemon.submit(*OK, key="k", **depends)
        assert refused.value.name == "io.batchd.KeyConflict"


def test_from_the_command_line(daemon):
    parent = daemon.ctl("submit", "--hold", "--", "true").stdout.strip()
    child = daemon.ctl("submit", "-d", "afterok:@last", "--", "true").stdout.strip()
    assert daemon.job(int(child))["depends"] == f"afterok:{parent}"
    assert "Dependency" in daemon.ctl("list").stdout
    assert f"depends: afterok:{parent}" in daemon.ctl("show", child).stdout
    daemon.ctl("cancel", parent)
    assert daemon.ctl("wait", child).returncode == 130
    assert "can never be satisfied" in daemon.ctl("show", child).stdout
    bad = daemon.ctl("submit", "-d", "afterok:99", "--", "true")
    assert bad.returncode == 1 and "afterok:99" in bad.stderr and "no such job" in bad.stderr
