"""Tasks of arrays by their ids: 42_7 and 42_[1-3,9] in cancel, wait, list, show."""
import json
import sqlite3

import pytest

from daemon import Daemon, Refused, wait_until

GATE = ("sh", "-c", 'echo "$BATCHD_ARRAY_INDEX" >>"$0/ran"; until [ -e "$0/go" ]; do sleep 0.02; done')
ONE = "[workers]\nmax = 1\n"


@pytest.fixture
def busy(make_daemon):
    """A daemon whose one worker is taken: what is submitted waits until `release`."""
    daemon = make_daemon(config=ONE)
    daemon.start()
    daemon.blocker = daemon.submit("sleep", "600", priority="urgent")
    daemon.wait_running(daemon.blocker)
    daemon.release = lambda: daemon.call("io.batchd.Jobs.Cancel", id=daemon.blocker)
    return daemon


def gate(daemon, **more):
    return daemon.submit(*GATE, str(daemon.state), **more)


def ran(daemon):
    path = daemon.state / "ran"
    return sorted(int(line) for line in path.read_text().split()) if path.exists() else []


def states(daemon, job):
    reply = daemon.call("io.batchd.Jobs.List", ids=[job], tasks=True, limit=1000)
    assert reply["next"] is None
    return {task["index"]: task["state"] for task in reply["jobs"]}


def cancel(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Cancel", id=job, **more)


def test_cancelled_tasks_never_start_after_kills(busy):
    job = gate(busy, array="0-9")
    (busy.state / "go").touch()
    assert cancel(busy, job, indices="1-3,9", reason="no input") == {
        "id": job, "state": "cancelled", "cancelled": 4, "stopping": 0}
    busy.restart()
    assert cancel(busy, job, indices="2-5")["cancelled"] == 2  # 2 and 3 had been
    busy.restart()
    task = busy.call("io.batchd.Jobs.Show", id=job, index=3)["job"]
    assert (task["state"], task["outcome"]["message"]) == ("cancelled", "no input"), task
    assert task["ended_at"] > 0 and task["started_at"] is None
    busy.release()
    ended = busy.wait(job)[0]
    assert ran(busy) == [0, 6, 7, 8]
    assert ended["state"] == "cancelled"
    assert ended["array"] == {"spec": "0-9", "count": 10, "pending": 0, "running": 0,
                              "completed": 4, "failed": 0, "cancelled": 6}
    want = {i: "cancelled" if i in (1, 2, 3, 4, 5, 9) else "completed" for i in range(10)}
    assert states(busy, job) == want


def test_a_million_are_cancelled_by_one_row(busy):
    job = gate(busy, array="0-999999")
    assert cancel(busy, job, indices="5-999999")["cancelled"] == 999995
    assert cancel(busy, job, indices="2")["cancelled"] == 1
    (busy.state / "go").touch()
    busy.restart()
    busy.release()
    ended = busy.wait(job)[0]
    assert ran(busy) == [0, 1, 3, 4] and ended["array"]["cancelled"] == 999996
    busy.kill()
    with sqlite3.connect(busy.state / "batchd.db") as db:
        assert db.execute("SELECT count(*) FROM task_cancelled").fetchone()[0] == 2, "not a row for each task"
        assert db.execute("SELECT count(*) FROM task").fetchone()[0] == 4


def cancel_each(daemon, job, indices, **more):
    """One by one; how many were cancelled before one was refused, and by what."""
    client, page, done = daemon.client(), 500, 0
    for at in range(0, len(indices), page):
        asked = indices[at:at + page]
        for index in asked:
            client.send("io.batchd.Jobs.Cancel", id=job, index=index, **more)
        for _ in asked:
            try:
                done += client.receive()["parameters"]["cancelled"]
            except Refused as refused:
                return done, refused
    return done, None


def stored_ranges(daemon, job):
    daemon.kill()
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        rows = db.execute("SELECT first, last, message FROM task_cancelled WHERE job=? ORDER BY first",
                          (job,)).fetchall()
    db.close()
    daemon.start()
    return rows


def test_many_cancels_that_adjoin_have_no_limit(busy):
    """The first have a row each, with their own times; beyond them those that adjoin share one."""
    job = busy.submit("true", array="0-29999", hold=True)
    assert cancel_each(busy, job, list(range(11000))) == (11000, None)
    rows = stored_ranges(busy, job)
    assert len(rows) < 1100 and sum(last - first + 1 for first, last, _ in rows) == 11000
    assert cancel_each(busy, job, [11001, 11003, 11002], reason="other") == (3, None)
    assert stored_ranges(busy, job)[-2:] == [(rows[-1][0], 10999, ""), (11001, 11003, "other")]
    assert cancel(busy, job, index=11000)["cancelled"] == 1
    assert stored_ranges(busy, job)[-2:] == [(rows[-1][0], 11000, ""), (11001, 11003, "other")]
    task = busy.call("io.batchd.Jobs.Show", id=job, index=11002)["job"]
    assert (task["state"], task["outcome"]["message"]) == ("cancelled", "other")
    assert busy.job(job)["array"]["cancelled"] == 11004


@pytest.mark.long
def test_too_many_parts_name_the_limit(busy):
    job = busy.submit("true", array="0-29999", hold=True)
    done, refused = cancel_each(busy, job, list(range(0, 29999, 2)))
    assert done == 10000 and "too many parts" in refused.parameters["message"]
    assert cancel(busy, job, index=1)["cancelled"] == 1  # it joins its neighbours
    assert cancel(busy, job, index=20000)["cancelled"] == 1  # there is room for one again
    with pytest.raises(Refused):
        cancel(busy, job, index=25000)
    assert busy.job(job)["array"]["cancelled"] == 10002


def test_all_of_them_end_the_array(busy):
    job = gate(busy, array="3-4")
    assert cancel(busy, job, index=4)["state"] == "cancelled"
    assert busy.job(job)["state"] == "pending"
    assert cancel(busy, job, index=3, reason="late")["state"] == "cancelled"
    ended = busy.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["array"]["cancelled"] == 2
    with pytest.raises(Refused, match="was already cancelled"):
        cancel(busy, job, index=3)
    with pytest.raises(Refused, match="all of them have ended"):
        cancel(busy, job, indices="3-4")


def test_a_running_task_is_stopped_and_the_others_go_on():
    with Daemon(config="[workers]\nmax = 2\n") as daemon:
        job = gate(daemon, array="0-3%2")
        wait_until(lambda: ran(daemon) == [0, 1])
        assert cancel(daemon, job, index=1)["stopping"] == 1
        wait_until(lambda: ran(daemon) == [0, 1, 2])
        (daemon.state / "go").touch()
        ended = daemon.wait(job)[0]
        assert ended["array"]["completed"] == 3 and ended["array"]["cancelled"] == 1
        assert ended["state"] == "cancelled"
        with pytest.raises(Refused, match=f"task {job}_0: it already completed"):
            cancel(daemon, job, index=0)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_task_that_waits_for_another_attempt_is_cancelled(make_daemon, restarted):
    daemon = make_daemon(config="[workers]\nmax = 2\nprefetch = 0\n")
    daemon.start()
    job = daemon.submit("sh", "-c", 'echo "$BATCHD_ARRAY_INDEX" >>"$0/ran"; until [ -e "$0/go$BATCHD_ARRAY_INDEX" ]; '
                        'do sleep 0.02; done; [ "$BATCHD_ARRAY_INDEX" = 1 ]', str(daemon.state), array="0-1",
                        max_attempts=1000, retry={"base_ms": 0})
    wait_until(lambda: ran(daemon) == [0, 1])
    blocker = daemon.submit("sleep", "600", priority="urgent")
    (daemon.state / "go0").touch()
    daemon.wait_running(blocker)
    task = daemon.call("io.batchd.Jobs.Show", id=job, index=0)["job"]
    assert (task["state"], task["attempt"]) == ("pending", 1), task
    assert cancel(daemon, job, index=0, reason="enough")["cancelled"] == 1
    if restarted:
        daemon.restart()
    (daemon.state / "go1").touch()
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["array"]["completed"] == 1, ended
    assert ran(daemon) == [0, 1]
    task = daemon.call("io.batchd.Jobs.Show", id=job, index=0)["job"]
    assert (task["state"], task["attempt"], task["outcome"]["message"]) == ("cancelled", 1, "enough"), task


@pytest.mark.parametrize("named", [
    {"indices": "4-9"}, {"indices": "3-1"}, {"indices": "0-2%1"}, {"indices": ""}, {"indices": "1,1"},
    {"index": 4}, {"index": -1}, {"index": "1"}, {"indices": 3}, {"index": 1, "indices": "1"}])
def test_tasks_that_are_none_are_refused(daemon, named):
    job = gate(daemon, array="0-3")
    with pytest.raises(Refused) as refused:
        cancel(daemon, job, **named)
    none = named in ({"indices": "4-9"}, {"index": 4})
    assert refused.value.name == ("io.batchd.NoSuchJob" if none else "io.batchd.InvalidSpec")
    if none:
        assert refused.value.parameters["id"] == job
    else:
        assert refused.value.parameters["field"] in named
    assert daemon.job(job)["array"]["cancelled"] == 0


def test_a_plain_job_has_no_tasks(daemon):
    job = daemon.submit("true")
    with pytest.raises(Refused, match="is no array"):
        cancel(daemon, job, index=0)


def test_wait_for_tasks():
    with Daemon(config="[workers]\nmax = 3\n") as daemon:
        job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" -lt 3 ] || exec sleep 600; exit $BATCHD_ARRAY_INDEX',
                            array="0-9%3")
        assert daemon.ctl("wait", f"{job}_0").returncode == 0
        assert daemon.ctl("wait", f"{job}_[0-2]").returncode == 1
        assert daemon.ctl("wait", f"{job}_2", f"{job}_1").returncode == 1, "the first by index"
        assert daemon.ctl("wait", "--all-ok", f"{job}_2").returncode == 1
        reply = daemon.call("io.batchd.Jobs.Wait", ids=[{"id": job, "index": 2}], tasks=[{"id": job, "indices": "0-1"}])
        assert [(one["id"], one["index"], one["state"]) for one in reply["jobs"]] == [
            (job, 2, "failed"), (job, 0, "completed"), (job, 1, "failed")]
        for named in ({"indices": "7-9"}, {}):  # tasks that never started; and all that is left
            client = daemon.client()
            client.send("io.batchd.Jobs.Wait", ids=[{"id": job, "indices": named.get("indices", "4-6")}])
            daemon.call("io.batchd.Server.Ping")
            cancel(daemon, job, **named)
            reply = client.receive()["parameters"]
            assert [one["state"] for one in reply["jobs"]] == ["cancelled"] * 3 and not reply["timed_out"]
            client.close()
            assert daemon.ctl("wait", f"{job}_8").returncode == 130
            assert named == {} or daemon.ctl("wait", "--timeout", "0.1", f"{job}_4").returncode == 124
        refused = daemon.ctl("wait", f"{job}_10")
        assert refused.returncode == 4 and "no task 10" in refused.stderr


def test_a_wait_for_too_many_names_the_limit(daemon):
    job = gate(daemon, array="0-20000")
    with pytest.raises(Refused, match="10000 jobs and tasks"):
        daemon.call("io.batchd.Jobs.Wait", ids=[{"id": job, "indices": "0-20000"}])


def test_list_shows_tasks(busy):
    job = gate(busy, array="0-4")
    cancel(busy, job, indices="1-2")
    lines = busy.ctl("list", f"{job}_[0-2]", f"{job}_4", "--no-header").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [f"{job}_0", "pending"], [f"{job}_1", "cancelled"], [f"{job}_2", "cancelled"], [f"{job}_4", "pending"]]
    assert "Priority" in lines[0] or "Resources" in lines[0]
    assert busy.ctl("list", "--tasks", "-o", "id", str(job)).stdout.split() == [f"{job}_{i}" for i in range(5)]
    assert busy.ctl("list", "--tasks", "-s", "cancelled", "-o", "id").stdout.split() == [f"{job}_1", f"{job}_2"]
    assert busy.ctl("list", "-o", "id", "-s", "pending").stdout.split() == [str(job)]
    shown = json.loads(busy.ctl("list", "--json", f"{job}_3").stdout)
    assert [(one["id"], one["index"]) for one in shown] == [(job, 3)]
    refused = busy.ctl("list", f"{job}_7")
    assert refused.returncode == 4 and "no task 7" in refused.stderr
    for verb in ("show", "cancel", "logs", "retry"):
        assert busy.ctl(verb, f"{job}_7").returncode == 4
    plain = busy.submit("true", hold=True)
    assert [busy.ctl(verb, f"{plain}_0").returncode for verb in ("show", "list", "wait", "cancel")] == [4] * 4


@pytest.mark.long
def test_list_of_many_tasks_comes_in_pages(busy):
    job = gate(busy, array="0-24999:2,30000")
    cancel(busy, job, indices="30000")
    assert busy.ctl("list", "--tasks", "-s", "cancelled", "-o", "id").stdout.split() == [f"{job}_30000"]
    first = busy.call("io.batchd.Jobs.List", ids=[job], tasks=True, limit=3)
    assert [one["index"] for one in first["jobs"]] == [0, 2, 4] and first["next_index"] == 4
    second = busy.call("io.batchd.Jobs.List", ids=[job], tasks=True, limit=2, after_id=first["next"],
                       after_index=first["next_index"])
    assert [one["index"] for one in second["jobs"]] == [6, 8]
    for newest in (False, True):
        found = []
        page = {"next": None}
        while True:
            page = busy.call("io.batchd.Jobs.List", tasks=True, newest=newest, limit=1000,
                             **({"after_id": page["next"], "after_index": page["next_index"]} if page["next"] else {}))
            found += [(one["id"], one["index"]) for one in page["jobs"]]
            if page["next"] is None:
                break
        assert len(found) == len(set(found)) == 12502
        assert (found[0][0] == job) == newest


def test_dry_run_of_tasks(busy):
    job = gate(busy, array="0-4")
    cancel(busy, job, index=1)
    assert busy.ctl("cancel", "--dry-run", f"{job}_[0-2]", f"{job}_4").stdout.split() == [
        f"{job}_0", f"{job}_2", f"{job}_4"]
    assert "already cancelled" in busy.ctl("cancel", "--dry-run", f"{job}_1").stderr
    done = busy.ctl("cancel", f"{job}_[0-2]")
    assert done.stdout == f"Cancelled 2 tasks of {job}_[0-2], stopping 0\n"
    assert busy.ctl("cancel", f"{job}_3").stdout == f"Cancelled job {job}_3\n"
    assert busy.ctl("show", f"{job}_[0,4]").stdout.count(f"job: {job}_") == 2


def test_tasks_held_back_by_the_limit_say_so():
    with Daemon(config="[workers]\nmax = 4\n") as daemon:
        job = gate(daemon, array="0-4%2")
        wait_until(lambda: ran(daemon) == [0, 1])
        assert daemon.job(job)["reasons"] == ["ArrayLimit"]
        assert "0/5 ArrayLimit" in daemon.ctl("list", str(job)).stdout
        lines = daemon.ctl("list", "--tasks", "--no-header", str(job)).stdout.splitlines()
        assert ["ArrayLimit" in line for line in lines] == [False, False, True, True, True]
        cancel(daemon, job, indices="2-4")
        assert daemon.job(job)["reasons"] == []
        (daemon.state / "go").touch()
        assert daemon.wait(job)[0]["array"]["completed"] == 2


def test_the_reason_of_a_cancel_outlives_the_daemon(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    job = daemon.submit("sh", "-c", "trap '' TERM; sleep 600 & wait; wait", array="0-3")
    daemon.wait_running(job)
    cancel(daemon, job, reason="wrong input", grace_ms=3600000)
    daemon.restart()
    cancel(daemon, job, grace_ms=0)
    assert daemon.wait(job)[0]["outcome"]["message"].startswith("wrong input: "), daemon.job(job)


def test_a_damaged_row_of_cancelled_tasks_is_found(busy):
    job = gate(busy, array="0-9")
    cancel(busy, job, indices="1-3")
    busy.kill()
    busy.damage_store("UPDATE task_cancelled SET last=9")
    checked = busy.check_store()
    assert checked.returncode == 65 and "cancelled tasks" in checked.stderr


def test_only_what_has_started_is_listed_when_asked_for(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 2\n")
    daemon.start()
    daemon.submit("true", hold=True)
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" != 4 ] || exec sleep 600', array="4-100004:5%1")
    other = daemon.submit("sh", "-c", "exit 3", array="0-6")
    daemon.wait(other)
    daemon.wait_running(job)
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    daemon.wait(job)

    def listed(**more):
        return [(one["id"], one["index"]) for one in
                daemon.call("io.batchd.Jobs.List", started=True, **more)["jobs"]]

    assert listed() == [(job, None), (other, None)]
    assert listed(tasks=True) == [(job, 4)] + [(other, i) for i in range(7)]
    assert listed(tasks=True, states=["failed"], limit=1000) == [(other, i) for i in range(7)]
    assert listed(ids=[{"id": job, "indices": "9-104"}, {"id": other, "indices": "2-3"}]) == [(other, 2), (other, 3)]
    pages, page = [], {"next": 0, "next_index": None}
    while page["next"] is not None:
        page = daemon.call("io.batchd.Jobs.List", started=True, tasks=True, limit=3, after_id=page["next"],
                           **({} if page["next_index"] is None else {"after_index": page["next_index"]}))
        pages += [(one["id"], one["index"]) for one in page["jobs"]]
    assert pages == listed(tasks=True)
