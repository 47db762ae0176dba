"""retry: a new job of what has ended; and --max-fails, which ends an array early."""
import json
import sqlite3
import time

import pytest

from daemon import Daemon, Refused, wait_until

ONE = "[workers]\nmax = 1\n"
# Fails for the indices in the file "bad".
SOME = ("sh", "-c", 'echo "$BATCHD_ARRAY_INDEX/$BATCHD_ARRAY_COUNT" >>"$0/ran"; ! grep -qx "$BATCHD_ARRAY_INDEX" "$0/bad"')


def retry(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Retry", id=job, **more)["id"]


def some(daemon, bad, **more):
    (daemon.state / "bad").write_text("".join(f"{i}\n" for i in bad))
    return daemon.submit(*SOME, str(daemon.state), **more)


def ran(daemon):
    path = daemon.state / "ran"
    lines = path.read_text().split() if path.exists() else []
    return sorted((int(a), int(b)) for a, b in (line.split("/") for line in lines))


def test_a_retry_is_a_new_job_with_the_same_content(daemon):
    facts = dict(name="n", priority="low", cpus=1, memory=1 << 20, tags={"a": "b"}, timeout_ms=60000,
                 max_attempts=2, rerun_if_lost=False, estimate_ms=5000, umask=0o27)
    job = daemon.submit("sh", "-c", 'echo "$X"; exit 3', env={"PATH": "/usr/bin:/bin", "X": "y"}, key="k", **facts)
    old = daemon.wait(job)[0]
    daemon.restart()
    again = retry(daemon, job)
    assert again > job
    new = daemon.wait(again)[0]
    assert new["retry_of"] == job and old["retry_of"] is None
    changing = {"id", "retry_of", "submitted_at", "eligible_at", "started_at", "ended_at", "usage", "worker",
                "estimate_source", "estimate_ms"}
    assert {k: v for k, v in new.items() if k not in changing} == {k: v for k, v in old.items() if k not in changing}
    shown = daemon.job(job)
    assert {k: shown[k] for k in old} == old, "what has ended never changes"
    assert daemon.ctl("logs", str(again)).stdout == "y\n"
    shown = daemon.call("io.batchd.Jobs.Show", id=again, env_values=True)["job"]
    assert shown["env"] == {"PATH": "/usr/bin:/bin", "X": "y"}
    assert retry(daemon, again) > again, "a retry is retried"
    assert daemon.submit("sh", "-c", 'echo "$X"; exit 3', env={"PATH": "/usr/bin:/bin", "X": "y"}, key="k",
                         **facts) == job, "the key stays with the first"


def test_what_has_not_ended_is_refused(daemon):
    job = daemon.submit("sleep", "600")
    daemon.wait_running(job)
    held = daemon.submit("true", hold=True)
    for one, state in ((job, "running"), (held, "pending")):
        with pytest.raises(Refused, match=f"cannot retry job {one}: it is {state}") as refused:
            retry(daemon, one)
        assert refused.value.name == "io.batchd.InvalidState" and refused.value.parameters["state"] == state
    with pytest.raises(Refused) as refused:
        retry(daemon, 999)
    assert refused.value.name == "io.batchd.NoSuchJob"
    daemon.call("io.batchd.Jobs.Cancel", id=held)
    again = retry(daemon, held)
    daemon.wait(again)
    assert daemon.job(again)["state"] == "completed", "a retry is not held again"
    with pytest.raises(Refused, match="did not fail"):
        retry(daemon, again, failed_only=True)


NO_RETRIES = [  # what is asked for, the error, its field
    ({"id": None}, "InvalidSpec", "id"), ({"id": "1"}, "InvalidSpec", "id"), ({"id": 0}, "InvalidSpec", "id"),
    ({"id": -1}, "InvalidSpec", "id"), ({"index": 7}, "NoSuchJob", None), ({"index": -1}, "InvalidSpec", "index"),
    ({"index": "1"}, "InvalidSpec", "index"), ({"indices": 1}, "InvalidSpec", "indices"),
    ({"indices": ""}, "InvalidSpec", "indices"), ({"indices": "x"}, "InvalidSpec", "indices"),
    ({"indices": "3-1"}, "InvalidSpec", "indices"), ({"indices": "7-9"}, "NoSuchJob", None),
    ({"index": 1, "indices": "1"}, "InvalidSpec", "indices"), ({"failed_only": 1}, "InvalidSpec", "failed_only"),
    ({"dry_run": "yes"}, "InvalidSpec", "dry_run"), ({"hold": 1}, "InvalidSpec", "hold"), ({"key": ""}, "InvalidSpec", "key"),
    ({"key": "k" * 300}, "InvalidSpec", "key"), ({"key": 1}, "InvalidSpec", "key"),
    ({"deadline": -1}, "InvalidSpec", "deadline"), ({"deadline": 1}, "InvalidSpec", "deadline"),
    ({"deadline": "now"}, "InvalidSpec", "deadline"), ({"begin": -1}, "InvalidSpec", "begin"),
    ({"priority": "most"}, "InvalidSpec", "priority"), ({"cpus": 0}, "InvalidSpec", "cpus"),
    ({"memory": -1}, "InvalidSpec", "memory"), ({"timeout_ms": -1}, "InvalidSpec", "timeout_ms"),
    ({"depends": "after"}, "InvalidSpec", "depends"), ({"queue": "none"}, "NoSuchQueue", "queue"),
    ({"argv": ["true"]}, "InvalidParameter", None), ({"type": "n"}, "InvalidParameter", None),
]


def test_what_cannot_be_is_refused_and_named(daemon):
    array = some(daemon, [1], array="0-3")
    daemon.wait(array)
    for more, name, field in NO_RETRIES:
        with pytest.raises(Refused) as refused:
            daemon.call("io.batchd.Jobs.Retry", **{"id": array, **more})
        given = refused.value.parameters.get("field")
        assert (refused.value.name.rpartition(".")[2], given) == (name, field), (more, refused.value)
    assert len(daemon.jobs()) == 1


def test_the_failed_tasks_of_an_array(daemon):
    job = some(daemon, (3, 5, 7, 20), array="0-9,20%4")
    daemon.wait(job)
    with pytest.raises(Refused, match="no task failed"):
        retry(daemon, job, failed_only=True, indices="0-2")
    (daemon.state / "ran").unlink()
    daemon.restart()
    again = retry(daemon, job, failed_only=True)
    ended = daemon.wait(again)[0]
    assert ended["array"]["spec"] == "3-7:2,20%4" and ended["array"]["failed"] == 4, ended
    assert ran(daemon) == [(3, 4), (5, 4), (7, 4), (20, 4)]
    (daemon.state / "bad").write_text("")
    assert daemon.wait(retry(daemon, again, failed_only=True, indices="5-20"))[0]["state"] == "completed"
    last = daemon.wait(retry(daemon, job, indices="0-3"))[0]
    assert last["array"] == {"spec": "0-3%4", "count": 4, "pending": 0, "running": 0, "completed": 4,
                             "failed": 0, "cancelled": 0}
    whole = daemon.wait(retry(daemon, job))[0]
    assert whole["array"]["spec"] == "0-9,20%4" and whole["array"]["completed"] == 11
    one = daemon.wait(retry(daemon, job, index=20))[0]
    assert one["array"]["spec"] == "20%4" and one["array"]["completed"] == 1


def test_tasks_of_an_array_that_goes_on():
    with Daemon(config="[workers]\nmax = 2\n") as daemon:
        job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" -lt 3 ] && exit "$BATCHD_ARRAY_INDEX"; sleep 600',
                            array="0-9%2")
        daemon.call("io.batchd.Jobs.Wait", ids=[{"id": job, "indices": "0-2"}])
        again = daemon.call("io.batchd.Jobs.Retry", id=job, indices="0-2", failed_only=True)["id"]
        assert daemon.job(again)["array"]["spec"] == "1-2%2"
        daemon.restart()
        for named, state in (({"indices": "2-3"}, "running|starting"), ({"index": 9}, "pending"), ({}, "running"),
                             ({"failed_only": True}, "running")):
            with pytest.raises(Refused, match=f"it is ({state})"):
                retry(daemon, job, **named)
        daemon.call("io.batchd.Jobs.Cancel", id=job, indices="8-9")
        assert daemon.job(retry(daemon, job, indices="8-9"))["array"]["count"] == 2


def test_too_scattered_tasks_name_the_limit(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    job = daemon.submit("true", array="0-9999", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    daemon.kill()
    with sqlite3.connect(daemon.state / "batchd.db") as db:  # as if: pairs of failed tasks with gaps
        columns = [row[1] for row in db.execute("PRAGMA table_info(task)")]
        values = {"job": job, "state": 5}
        for index in range(0, 9999, 7):
            for one in (index, index + 1):
                values["task_index"] = one
                db.execute(f"INSERT INTO task({','.join(columns)}) VALUES({','.join('?' * len(columns))})",
                           [values.get(name, 0) for name in columns])
    db.close()
    daemon.start()
    with pytest.raises(Refused, match="over 1000 ranges.*in parts"):
        retry(daemon, job, failed_only=True)
    assert daemon.job(retry(daemon, job, failed_only=True, indices="0-999"))["array"]["count"] == 286


def test_batchctl_retry(daemon):
    job = daemon.submit("sh", "-c", "exit 3")
    daemon.wait(job)
    refused = daemon.ctl("cancel", str(job))
    assert refused.returncode == 1 and refused.stderr.endswith(f"hint: batchctl retry {job}\n")
    done = daemon.ctl("retry", str(job))
    assert done.returncode == 0 and done.stdout.strip().isdigit()
    new = int(done.stdout)
    assert daemon.ctl("wait", str(new)).returncode == 3
    assert json.loads(daemon.ctl("retry", "--json", str(job)).stdout)["existing"] is False
    dry = daemon.ctl("retry", "--dry-run", str(job), f"{job}_[1-3]")
    assert dry.stdout == f"{job}\n" and dry.returncode == 4 and "is no array" in dry.stderr
    assert "retry of" in daemon.ctl("show", str(new)).stdout
    before = len(daemon.jobs())
    refused = daemon.ctl("retry", f"{job}_1")
    assert refused.returncode == 4 and "is no array" in refused.stderr
    assert daemon.ctl("retry", "999").returncode == 4
    assert len(daemon.jobs()) == before


def test_the_queue_must_still_be_there(daemon):
    assert daemon.ctl("queue", "add", "lane").returncode == 0
    job = daemon.submit("true", queue="lane")
    daemon.wait(job)
    assert daemon.job(retry(daemon, job))["queue"] == "lane"
    wait_until(lambda: daemon.ctl("queue", "remove", "lane").returncode == 0)
    refused = daemon.ctl("retry", str(job))
    assert refused.returncode == 4 and "which is gone" in refused.stderr


def test_the_same_key_is_the_same_retry(daemon):
    job = daemon.submit("false")
    other = daemon.submit("false")
    daemon.wait(job, other)
    first = retry(daemon, job, key="r")
    daemon.restart()
    assert retry(daemon, job, key="r") == first
    with pytest.raises(Refused) as refused:
        retry(daemon, other, key="r")
    assert refused.value.name == "io.batchd.KeyConflict"


def test_a_retry_of_an_edited_job_is_not_edited_itself(daemon):
    """Of an edited job nobody knows any more what was submitted; of its retry it is known."""
    job = daemon.submit("false", hold=True)
    daemon.call("io.batchd.Jobs.Edit", id=job, priority="high")
    daemon.call("io.batchd.Jobs.Release", id=job)
    daemon.wait(job)
    assert daemon.job(job)["edited_at"] is not None
    first = retry(daemon, job, key="r")
    made = daemon.wait(first)[0]
    assert (made["edited_at"], made["priority"]) == (None, "high")
    assert retry(daemon, job, key="r") == first
    with pytest.raises(Refused) as refused:
        daemon.submit("another", key="r")
    assert refused.value.name == "io.batchd.KeyConflict"


# ---- max_fails ----

@pytest.mark.parametrize("limit,failed", [("0", 1), ("3", 4), ("10%", 3), ("0%", 1)])
def test_too_many_failures_end_the_array(make_daemon, limit, failed):
    daemon = make_daemon(config=ONE + "prefetch = 0\n")  # none is with the worker ahead of time
    daemon.start()
    job = some(daemon, range(20), array="0-19", max_fails=limit)
    assert daemon.job(job)["max_fails"] == limit
    daemon.wait(job)
    daemon.restart()
    ended = daemon.job(job)
    assert ended["state"] == "failed" and ended["outcome"]["exit_code"] == 1, ended
    assert (ended["array"]["failed"], ended["array"]["cancelled"]) == (failed, 20 - failed)
    assert ended["outcome"]["message"].startswith(f"more failed than max_fails, {limit}, allows: {failed} of 20 tasks failed")
    assert len(ran(daemon)) == failed
    assert daemon.ctl("wait", str(job)).returncode == 1
    (daemon.state / "bad").write_text("")
    again = daemon.wait(retry(daemon, job, failed_only=True))[0]  # with those that were cancelled for it
    assert again["state"] == "completed" and again["array"]["count"] == 20 and again["max_fails"] == limit


def test_failures_within_the_limit_do_not(daemon):
    job = some(daemon, (1, 2, 3), array="0-19", max_fails="3")
    ended = daemon.wait(job)[0]
    assert ended["array"]["failed"] == 3 and ended["array"]["completed"] == 17 and ended["state"] == "failed"
    assert ended["outcome"]["message"] == "3 of 20 tasks failed, 0 were cancelled"


def test_failures_are_counted_over_kills(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    job = daemon.submit("sh", "-c", 'echo x >>"$0/ran"; until [ -e "$0/go$BATCHD_ARRAY_INDEX" ]; do sleep 0.02; done; '
                        'exit 1', str(daemon.state), array="0-9", max_fails="3", max_attempts=1)
    for index in range(4):
        wait_until(lambda: (daemon.state / "ran").exists()
                   and len((daemon.state / "ran").read_text().split()) == index + 1)
        daemon.restart()
        (daemon.state / f"go{index}").touch()
    ended = daemon.wait(job)[0]
    assert (ended["array"]["failed"], ended["array"]["cancelled"]) == (4, 6), ended


def test_running_tasks_are_stopped_and_a_kill_meanwhile_changes_nothing():
    with Daemon(config="[workers]\nmax = 3\n") as daemon:
        job = daemon.submit("sh", "-c", 'trap "" TERM; echo >>"$0/ran"; [ "$BATCHD_ARRAY_INDEX" -gt 0 ] || '
                            'until [ -e "$0/go" ]; do sleep 0.02; done; [ "$BATCHD_ARRAY_INDEX" -gt 0 ] || exit 7; '
                            'until [ -e "$0/go2" ]; do sleep 0.02; done; sleep 600', str(daemon.state),
                            array="0-9%3", max_fails="0")
        wait_until(lambda: (daemon.state / "ran").exists() and (daemon.state / "ran").read_text().count("\n") == 3)
        (daemon.state / "go").touch()
        wait_until(lambda: daemon.job(job)["cancelling"])
        daemon.restart()
        assert daemon.job(job)["state"] == "running"
        daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=0)
        ended = daemon.wait(job)[0]
        assert ended["state"] == "failed" and ended["outcome"]["exit_code"] == 7, ended
        assert ended["outcome"]["message"].startswith("more failed than max_fails, 0, allows: 1 of 10"), ended
        assert ended["array"]["cancelled"] == 9
        assert daemon.ctl("wait", f"{job}_1").returncode == 130


@pytest.mark.parametrize("value,array", [("x", "0-3"), ("101%", "0-3"), ("-1", "0-3"), (3, "0-3"), ("3", None)])
def test_bad_limits_are_refused(daemon, value, array):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", max_fails=value, **({"array": array} if array else {}))
    assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == "max_fails"
    assert daemon.jobs() == []


def test_another_limit_is_another_job(daemon):
    first = daemon.submit("true", array="0-3", key="k", max_fails="2")
    assert daemon.submit("true", array="0-3", key="k", max_fails="2") == first
    for other in ({}, {"max_fails": "3"}, {"max_fails": "2%"}):
        with pytest.raises(Refused, match="belongs to job"):
            daemon.submit("true", array="0-3", key="k", **other)
    done = daemon.ctl("submit", "-a", "0-3", "--max-fails", "5%", "true")
    assert daemon.job(int(done.stdout))["max_fails"] == "5%"


@pytest.mark.parametrize("change,text", [("UPDATE array_option SET fails_most=9", "options of array"),
                                         ("UPDATE retry SET retry_of=9", "retry")])
def test_damage_is_found(daemon, change, text):
    job = daemon.submit("true", array="0-3", max_fails="1")
    daemon.wait(job)
    retry(daemon, job)
    daemon.kill()
    daemon.damage_store(change)
    checked = daemon.check_store()
    assert checked.returncode == 65 and text in checked.stderr


def test_it_is_called_otherwise(daemon):
    """What edit changes, a retry does."""
    job = daemon.submit("false", tags={"a": "1"}, max_attempts=1)
    daemon.wait(job)
    done = daemon.ctl("retry", "-q", str(job), "--name", "again", "--tag", "b=2", "--tag", "c=3", "--nice", "3",
                      "--cpu-bind", "cores", "-C", "/")
    assert done.returncode == 0, done.stderr
    new = daemon.job(max(one["id"] for one in daemon.jobs()))
    assert (new["name"], new["tags"], new["limits"]["nice"], new["cpu_bind"], new["cwd"], new["retry_of"]) == \
        ("again", {"b": "2", "c": "3"}, 3, "cores", "/", job)
    old = daemon.job(job)
    assert (old["name"], old["tags"], old["cpu_bind"]) == ("false", {"a": "1"}, "none")


def test_one_that_was_warned_before_its_deadline(daemon):
    """It has a new one, or none, and keeps the signal; but none is asked for in vain."""
    deadline = int((time.time() + 3600) * 1e6)
    job = daemon.submit("true", deadline=deadline, timeout_signal="USR1")
    daemon.wait(job)
    for more, at in (({"deadline": deadline + 1}, deadline + 1), ({}, None)):
        again = retry(daemon, job, hold=True, **more)
        assert (daemon.job(again)["deadline_at"], daemon.job(again)["timeout_signal"]) == (at, "USR1")
    for more in ({"deadline": 0}, {"timeout_signal": "USR2"}, {"timeout_ms": 0}):
        with pytest.raises(Refused, match="timeout_signal goes with a timeout or a deadline"):
            retry(daemon, job, **more)
    plain = daemon.submit("true")
    daemon.wait(plain)
    assert daemon.ctl("retry", str(plain), "--deadline", "none").returncode == 0
