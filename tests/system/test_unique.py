"""submit --unique: one unfinished job of a user has a word, and the others are it."""
import concurrent.futures
import json
import shlex
import subprocess

import pytest
from daemon import OUT, Refused

SUBMIT = "io.batchd.Jobs.Submit"
JOB = {"argv": ["true"], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}}


def submit(daemon, **more):
    reply = daemon.call(SUBMIT, **{**JOB, **more})
    return reply["id"], reply["existing"]


def test_one_until_it_has_ended_then_a_new_one(daemon):
    assert submit(daemon, unique="u", hold=True) == (1, False)
    assert submit(daemon, unique="u") == (1, True)
    assert submit(daemon, unique="u", argv=["false"], array="0-3", queue="default") == (1, True)  # whatever it is
    assert submit(daemon, unique="v") == (2, False)
    assert daemon.job(1)["unique"] == "u" and daemon.jobs()[0]["unique"] == "u"
    daemon.restart()
    assert submit(daemon, unique="u") == (1, True)
    daemon.call("io.batchd.Jobs.Release", id=1)
    daemon.wait(1)
    assert submit(daemon, unique="u", hold=True) == (3, False)
    daemon.call("io.batchd.Jobs.Cancel", id=3)
    assert submit(daemon, unique="u", argv=["sleep", "1000"]) == (4, False)
    daemon.wait_running(4)
    assert submit(daemon, unique="u") == (4, True)
    daemon.call("io.batchd.Jobs.Cancel", id=4, grace_ms=0)
    daemon.wait(4)
    assert submit(daemon, unique="u", hold=True) == (5, False)


def test_an_array_has_it_until_its_last_task(daemon):
    job, _ = submit(daemon, unique="u", array="0-1%1", argv=["sh", "-c", "[ $BATCHD_ARRAY_INDEX = 0 ] || sleep 1000"])
    daemon.wait_running(job)
    assert submit(daemon, unique="u", values=["a", "b"]) == (job, True)
    daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=0)
    daemon.wait(job)
    values, existing = submit(daemon, unique="u", values=["a", "b"], hold=True)
    assert (values, existing) == (job + 1, False)
    client = daemon.client()
    upload = client.call("io.batchd.Jobs.AddValues", values=["c"])["values_id"]
    assert client.call(SUBMIT, **JOB, unique="u", values_id=upload)["id"] == values
    client.close()


def test_a_key_is_looked_for_first(daemon):
    assert submit(daemon, unique="u", key="k", hold=True) == (1, False)
    assert submit(daemon, unique="u", key="k", hold=True) == (1, True)
    assert submit(daemon, unique="u", key="other") == (1, True)  # that key was not taken
    daemon.call("io.batchd.Jobs.Cancel", id=1)
    assert submit(daemon, unique="u", key="k", hold=True) == (1, True)
    assert submit(daemon, unique="u", key="other") == (2, False)
    with pytest.raises(Refused) as refused:
        submit(daemon, unique="v", key="k", hold=True)
    assert refused.value.name == "io.batchd.KeyConflict"


def test_dry_run_and_bad_input_change_nothing(daemon):
    reply = daemon.call(SUBMIT, **JOB, unique="u", dry_run=True)
    assert (reply["id"], reply["existing"], reply["dry_run"]) == (0, False, True)
    assert submit(daemon, unique="u", hold=True) == (1, False)
    reply = daemon.call(SUBMIT, **JOB, unique="u", dry_run=True)
    assert (reply["id"], reply["existing"], reply["dry_run"]) == (1, True, True)
    for bad in ("", "x" * 300, 7):
        with pytest.raises(Refused) as refused:
            submit(daemon, unique=bad)
        assert (refused.value.name, refused.value.parameters["field"]) == ("io.batchd.InvalidSpec", "unique")
    with pytest.raises(Refused):
        submit(daemon, unique="u", queue="nope")  # what is wrong is said all the same
    assert len(daemon.jobs()) == 1


def test_a_retry_keeps_it_and_is_refused_while_another_has_it(daemon):
    job, _ = submit(daemon, unique="u", argv=["false"])
    daemon.wait(job)
    other, _ = submit(daemon, unique="u", hold=True)
    for dry_run in (True, False):
        with pytest.raises(Refused) as refused:
            daemon.call("io.batchd.Jobs.Retry", id=job, dry_run=dry_run)
        assert (refused.value.name, refused.value.parameters["id"]) == ("io.batchd.Duplicate", other)
    daemon.call("io.batchd.Jobs.Cancel", id=other)
    again = daemon.call("io.batchd.Jobs.Retry", id=job, hold=True)["id"]
    assert daemon.job(again)["unique"] == "u"
    assert submit(daemon, unique="u") == (again, True)


def test_a_schedule_leaves_out_a_run_while_there_is_one(daemon):
    assert submit(daemon, unique="u", hold=True) == (1, False)
    daemon.call("io.batchd.Schedules.Add", name="s", at="@yearly", overlap="queue",
                job=dict(JOB, unique="u", hold=True))
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Schedules.Run", name="s")
    assert "job 1" in refused.value.parameters["message"]
    daemon.call("io.batchd.Jobs.Cancel", id=1)
    assert daemon.call("io.batchd.Schedules.Run", name="s")["id"] == 2


def test_of_another_user_it_is_another(daemon):
    daemon.state.chmod(0o711)
    assert submit(daemon, unique="u", hold=True) == (1, False)
    for existing in (False, True):
        reply = daemon.as_another(SUBMIT, **JOB, unique="u", hold=True)["parameters"]
        assert (reply["id"], reply["existing"]) == (2, existing)


def test_many_at_once_are_one(daemon):
    def one(_):
        return submit(daemon, unique="u", hold=True)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(one, range(40)))
    assert {job for job, _ in replies} == {1} and sum(not existing for _, existing in replies) == 1
    assert len(daemon.jobs()) == 1


def test_batchctl(daemon):
    words = ["--json", "submit", "--hold", "--unique", "nightly", "--", "true"]
    first = json.loads(daemon.ctl(*words).stdout)
    second = json.loads(daemon.ctl(*words).stdout)
    assert (first["id"], first["existing"], second["id"], second["existing"]) == (1, False, 1, True)
    assert "nightly" in daemon.ctl("show", "1").stdout
    for words, text in (([], "nothing was submitted"), (["--test"], "nothing would be submitted")):
        line = shlex.join([str(OUT / "batchctl"), "--socket", str(daemon.socket), "submit", *words, "--unique", "nightly",
                           "--", "true"])
        done = subprocess.run(["script", "-qec", line, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=True, timeout=30)
        assert done.stdout.strip() == f"Job 1 is it already; {text}"
