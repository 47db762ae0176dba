"""Jobs that ended long ago go: rows and files together, bounded, and never what is still needed."""
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest
from daemon import OUT, Refused, wait_until

PRUNE = "io.batchd.Jobs.Prune"
CHILDREN = ("attempt", "task", "condition", "dependency", "array_option", "task_cancelled", "retry", "value_set",
            "value_chunk", "removal")


def ids(daemon):
    return [job["id"] for job in daemon.jobs()]


def folders(daemon):
    return sorted(int(entry.name) for entry in (daemon.state / "jobs").iterdir())


def rows_left(daemon):
    """Rows in the tables of what jobs have; the daemon does not run."""
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db:
        tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND sql LIKE "
                                               "'%job INTEGER%REFERENCES job(id)%'")]
        assert set(CHILDREN) - {"value_set", "value_chunk", "removal"} <= set(tables)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return {table: count for table in {*tables, *CHILDREN}
                if (count := db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])}


def nothing_left(daemon):
    """A start does some of what was left."""
    daemon.start()
    daemon.stop()
    return rows_left(daemon) == {}


def in_one_turn(daemon, *requests):
    client = daemon.client()
    with daemon.stopped():
        for method, parameters in requests:
            client.send(method, **parameters)
    replies = [client.receive()["parameters"] for _ in requests]
    client.close()
    return replies


def check_store(daemon):
    assert subprocess.run([OUT / "batchd", "--state", daemon.state, "--config", daemon.config, "--check-store"],
                          capture_output=True, timeout=60, check=False).returncode == 0


def test_each_state_has_its_age(make_daemon):
    daemon = make_daemon(config='[retention]\ncompleted = "1s"\ncancelled = "1s"\nfailed = 0\n')
    daemon.start()
    good, bad, held = (daemon.submit("sh", "-c", "echo out"), daemon.submit("sh", "-c", "echo no; exit 1"),
                       daemon.submit("true", hold=True))
    gone = daemon.submit("true", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=gone)
    daemon.submit("sh", "-c", "echo out", array="0-3")
    wait_until(lambda: ids(daemon) == [bad, held], 60)
    assert daemon.job(bad)["state"] == "failed"
    wait_until(lambda: folders(daemon) == [bad])
    assert daemon.call(PRUNE)["removed"] == 0  # failed ones are kept for ever
    with pytest.raises(Refused) as refused:
        daemon.job(good)
    assert refused.value.name == "io.batchd.NoSuchJob"
    daemon.kill()
    assert set(rows_left(daemon)) == {"condition"}
    check_store(daemon)


def test_prune_takes_states_ages_and_ids(daemon):
    good = [daemon.submit("true") for _ in range(5)]
    bad = [daemon.submit("false") for _ in range(3)]
    daemon.wait(*good, *bad)
    waiting = daemon.submit("true", hold=True)
    assert daemon.call(PRUNE) == {"removed": 0, "kept": 0}  # they ended just now
    assert daemon.call(PRUNE, older_ms=3600000)["removed"] == 0
    assert daemon.call(PRUNE, older_ms=0, dry_run=True) == {"removed": 8, "kept": 0, "dry_run": True}
    assert daemon.call(PRUNE, id=good[0])["removed"] == 1
    assert daemon.call(PRUNE, id=good[1], states=["failed"])["removed"] == 0
    assert daemon.call(PRUNE, states=["completed", "cancelled"], older_ms=0)["removed"] == 4
    assert ids(daemon) == [*bad, waiting]
    for parameters, name in [({"id": waiting}, "InvalidState"), ({"id": good[0]}, "NoSuchJob"),
                             ({"id": 99}, "NoSuchJob"), ({"states": ["running"]}, "InvalidSpec"),
                             ({"states": [1]}, "InvalidSpec"), ({"states": []}, "InvalidSpec"), ({"older_ms": -1}, "InvalidSpec")]:
        with pytest.raises(Refused) as refused:
            daemon.call(PRUNE, **parameters)
        assert refused.value.name == f"io.batchd.{name}", parameters
    assert daemon.call(PRUNE, older_ms=0)["removed"] == 3
    assert daemon.submit("true") == waiting + 1  # an id is never used twice
    assert ids(daemon) == [waiting, waiting + 1]


def test_batchctl_prune(daemon):
    daemon.wait(daemon.submit("true"), daemon.submit("false", name="x"), daemon.submit("true", name="x"))
    assert daemon.ctl("prune").stdout == "Removed 0 jobs\n"
    assert daemon.ctl("prune", "--older", "0", "--dry-run").stdout == "Would remove 3 jobs\n"
    assert daemon.ctl("prune", "name:x", "--state", "failed", "--dry-run").stdout == "2\n"
    assert daemon.ctl("prune", "name:x", "--state", "failed,cancelled").stdout == "Removed job 2\n"
    assert json.loads(daemon.ctl("--json", "prune", "--older", "0s").stdout) == {"removed": 2, "kept": 0}
    done = daemon.ctl("prune", "--state", "completed,running")
    assert done.returncode == 1 and 'states[1] "running" must be completed, failed or' in done.stderr
    done = daemon.ctl("prune", "--state", "", "--older", "0")
    assert done.returncode == 1 and "states must name one of completed" in done.stderr
    assert daemon.ctl("prune", "7").returncode == 4
    waiting = str(daemon.submit("true", hold=True))
    assert daemon.ctl("prune", waiting).stderr.endswith(f"hint: batchctl cancel {waiting}\n")
    assert daemon.ctl("prune", "--older", "x").returncode == 2


def test_others_do_not_lose_theirs(daemon):
    mine = daemon.submit("true")
    daemon.wait(mine)
    assert daemon.as_another(PRUNE, older_ms=0)["parameters"]["removed"] == 0
    assert daemon.as_another(PRUNE, id=mine)["error"] == "io.batchd.NoSuchJob"
    assert ids(daemon) == [mine]


def test_what_unfinished_jobs_depend_on_is_kept(daemon):
    parent = daemon.submit("true")
    array = daemon.submit("sh", "-c", "[ $BATCHD_ARRAY_INDEX = 0 ] || exit 1", array="0-1")
    daemon.wait(parent, array)
    blocker = daemon.submit("true", hold=True)
    child = daemon.submit("true", depends=f"afterok:{parent},afterok:{blocker}")  # the first is fulfilled already
    tasks = daemon.submit("true", array="0-1", depends=f"aftercorr:{array}", hold=True)
    one = daemon.call(PRUNE, older_ms=0)
    assert one["removed"] + one["kept"] == 2 and parent not in ids(daemon)
    daemon.restart()
    assert daemon.job(child)["state"] == "pending"
    daemon.call("io.batchd.Jobs.Release", id=blocker)
    daemon.call("io.batchd.Jobs.Release", id=tasks)
    done = daemon.wait(child, tasks)
    assert done[0]["state"] == "completed"
    assert (done[1]["array"]["completed"], done[1]["array"]["cancelled"]) == (1, 1)


def test_what_its_dependents_have_not_been_told_of_is_kept(daemon):
    parent = daemon.submit("true", hold=True)
    child = daemon.submit("true", depends=f"afterany:{parent}", hold=True)
    _, kept = in_one_turn(daemon, ("io.batchd.Jobs.Cancel", {"id": parent}), (PRUNE, {"id": parent}))
    assert kept == {"removed": 0, "kept": 1}
    assert daemon.call(PRUNE, id=parent)["removed"] == 1 and daemon.job(child)["reasons"] == ["Held"]


def test_retries_share_values_and_go_by_themselves(daemon):
    values = [f"value {i}" for i in range(5000)]
    client = daemon.client()
    upload = client.call("io.batchd.Jobs.AddValues", values=values)["values_id"]
    first = client.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={}, values_id=upload, hold=True)["id"]
    client.close()
    daemon.call("io.batchd.Jobs.Cancel", id=first)
    second = daemon.call("io.batchd.Jobs.Retry", id=first, hold=True)["id"]
    assert daemon.call(PRUNE, id=first)["removed"] == 1
    shown = daemon.call("io.batchd.Jobs.Show", id=second, index=4999)["job"]
    assert (shown["value"], shown["retry_of"]) == ("value 4999", first)
    daemon.call("io.batchd.Jobs.Cancel", id=second)
    assert daemon.call(PRUNE, id=second)["removed"] == 1
    daemon.kill()
    wait_until(lambda: nothing_left(daemon))


def test_a_key_is_free_when_its_job_is_gone(daemon):
    for more in ({}, {"array": "0-2"}):
        request = {"argv": ["true"], "cwd": "/", "env": {}, "key": "k", **more}
        first = daemon.call("io.batchd.Jobs.Submit", **request)["id"]
        daemon.wait(first)
        assert daemon.call("io.batchd.Jobs.Submit", **request)["id"] == first
        removed, again = in_one_turn(daemon, (PRUNE, {"id": first}), ("io.batchd.Jobs.Submit", request))
        assert removed["removed"] == 1
        assert (again["id"], again["existing"]) == (first + 1, False)
        daemon.wait(again["id"])
        assert daemon.call(PRUNE, older_ms=0)["removed"] == 1


def test_a_schedule_goes_on_without_its_last_run(daemon):
    daemon.call("io.batchd.Schedules.Add", name="s", at="@yearly", job={"argv": ["true"], "cwd": "/", "env": {}})
    first = daemon.call("io.batchd.Schedules.Run", name="s")["id"]
    daemon.wait(first)
    assert daemon.call(PRUNE, older_ms=0)["removed"] == 1
    daemon.restart()
    assert daemon.call("io.batchd.Schedules.List")["schedules"][0]["name"] == "s"
    assert daemon.ctl("cron", "list").returncode == 0
    assert daemon.call("io.batchd.Schedules.Run", name="s")["id"] == first + 1


def test_a_large_array_goes_in_parts_and_is_not_served_meanwhile(daemon):
    job = daemon.submit("true", array="0-1999", max_attempts=2)
    daemon.wait(job, seconds=120)
    assert daemon.call(PRUNE, id=job)["removed"] == 1
    with pytest.raises(Refused) as refused:  # although most of it is there yet
        daemon.job(job)
    assert refused.value.name == "io.batchd.NoSuchJob"
    assert ids(daemon) == []
    with pytest.raises(Refused):
        daemon.call("io.batchd.Jobs.Retry", id=job)
    daemon.kill()  # somewhere between the parts
    check_store(daemon)

    wait_until(lambda: nothing_left(daemon))


def test_killed_anywhere_neither_rows_nor_files_remain_alone(daemon):
    jobs = [daemon.submit("sh", "-c", "echo out; echo err >&2") for _ in range(40)]
    array = daemon.submit("sh", "-c", "echo out", array="0-299")
    daemon.wait(*jobs, array, seconds=120)
    for job in jobs:
        client = daemon.client()
        client.send(PRUNE, id=job)
        if job % 2:
            client.receive()
        client.close()
        if job % 5 == 0:
            daemon.restart()
    daemon.call(PRUNE, id=array)
    daemon.restart()
    left = set(ids(daemon))
    wait_until(lambda: set(folders(daemon)) <= left)
    assert set(folders(daemon)) == left  # of each that is there its output is, too
    daemon.call(PRUNE, older_ms=0)
    wait_until(lambda: folders(daemon) == [])


def test_a_spawner_that_dies_is_asked_again(make_daemon):
    daemon = make_daemon(config='[workers]\nidle_exit = "1s"\n')
    daemon.start()
    jobs = [daemon.submit("sh", "-c", "echo out") for _ in range(100)]
    daemon.wait(*jobs)
    wait_until(lambda: not daemon.processes("--worker"))  # which would outlive it
    daemon.signal("--spawner", signal.SIGSTOP)
    daemon.call(PRUNE, older_ms=0)
    time.sleep(0.2)  # it is asked, and does not answer
    assert len(folders(daemon)) == 100
    daemon.signal("--spawner", signal.SIGKILL)
    wait_until(lambda: folders(daemon) == [])


def test_links_are_not_followed_and_rights_taken_away_do_not_help(daemon, tmp_path):
    (tmp_path / "precious").write_text("x")
    job = daemon.submit("true")
    daemon.wait(job)
    folder = daemon.state / "jobs" / str(job)
    deep = folder / "checkpoint" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep / "link").symlink_to(tmp_path)
    (folder / "up").symlink_to("..")
    os.mkfifo(deep / "fifo")
    deep.chmod(0)
    other = daemon.submit("true")
    daemon.wait(other)
    (daemon.state / "jobs" / str(other)).symlink_to(tmp_path)  # in the place of a folder
    last = daemon.submit("echo", "out")
    daemon.wait(last)
    assert daemon.call(PRUNE, older_ms=0)["removed"] == 3
    wait_until(lambda: not (daemon.state / "jobs" / str(last)).exists())  # it comes after the others
    assert not os.path.lexists(folder)
    assert (tmp_path / "precious").exists()
    assert pathlib.Path(daemon.state / "jobs" / str(other)).is_symlink()  # nothing of ours: it is left alone


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_what_a_user_has_from_another_is_left_alone(daemon):
    """A folder of a job's user may hold one that was moved there, with files of somebody else in it."""
    job = daemon.submit("true")
    daemon.wait(job)
    theirs = daemon.state / "jobs" / str(job) / "checkpoint"
    moved = theirs / "shared" / "private"
    moved.mkdir(parents=True)
    (moved / "precious").write_text("x")
    for path, owner in ((theirs, 12345), (theirs / "shared", 12345), (moved, 23456)):
        os.chown(path, owner, owner)
    last = daemon.submit("echo", "out")
    daemon.wait(last)
    daemon.call(PRUNE, older_ms=0)
    wait_until(lambda: not (daemon.state / "jobs" / str(last)).exists())
    assert (moved / "precious").exists()
    os.chown(moved, 12345, 12345)
    daemon.restart()
    wait_until(lambda: folders(daemon) == [])


def test_a_prune_of_many_keeps_nobody_waiting(daemon):
    daemon.wait(daemon.submit("true", array="0-9"))
    jobs = [daemon.submit("true", hold=True) for _ in range(2000)]
    client = daemon.client()
    for job in jobs:
        client.send("io.batchd.Jobs.Cancel", id=job)
    for _ in jobs:
        client.receive()
    client.send(PRUNE, older_ms=0)
    other = daemon.client()
    before = daemon.cpu_seconds()
    other.call("io.batchd.Server.Ping")
    assert daemon.cpu_seconds() - before < 0.02  # one part, not all of them
    assert client.receive()["parameters"]["removed"] == 2001
    assert ids(daemon) == []


def test_stats_count_what_is_kept(daemon):
    daemon.wait(*[daemon.submit("true") for _ in range(4)])
    assert daemon.call("io.batchd.Server.Stats")["totals"][0]["completed"] == 4
    assert daemon.call(PRUNE, id=1)["removed"] == 1
    for _ in range(2):
        stats = daemon.call("io.batchd.Server.Stats")
        assert stats["totals"][0]["completed"] == 3 and stats["estimates"][0]["runs"] == 4
        daemon.restart()
