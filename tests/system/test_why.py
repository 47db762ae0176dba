"""batchctl why and io.batchd.Jobs.Why: each reason with what it is about and what would lift it."""
import json
import os
import time

import pytest
from daemon import Refused, wait_until
from test_plan import CONFIG, busy, hold_place  # noqa: F401
from test_scheduling import gate

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def open_gate(daemon):
    (daemon.state / "go").touch()


def why(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Why", id=job, **more)


def reasons(daemon, job, **more):
    return {one["reason"]: one for one in why(daemon, job, **more)["reasons"]}


def test_resources_name_who_holds_what(busy):
    first = hold_place(busy, cpus=3)
    wide = busy.submit("true", cpus=2)
    behind = busy.submit("true", cpus=3)
    told = reasons(busy, wide)
    assert set(told) == {"Resources"} and told["Resources"]["jobs"] == [first]
    assert told["Resources"]["detail"].startswith(
        f"it asks for 2 cpus (1 free); job {first} holds 3 cpus")
    assert "reservation" in told["Resources"]["detail"]
    told = reasons(busy, behind)
    assert set(told) == {"Resources", "Priority"}
    assert told["Priority"]["jobs"] == [wide] and "-p high" in told["Priority"]["lifts"]
    text = busy.ctl("why", str(behind))
    assert text.returncode == 0 and text.stdout.splitlines()[0] == f"job {behind} waits in queue default:"
    assert [line.split()[0] for line in text.stdout.splitlines()[1:3]] == ["Resources", "Priority"]
    open_gate(busy)
    busy.wait(first, wide, behind)


def test_a_reservation_says_when(busy):
    first = hold_place(busy, cpus=4, estimate_ms=3_600_000)
    wide = busy.submit("true", cpus=2)
    wait_until(lambda: busy.job(wide)["reasons"] == ["Resources"])
    at = reasons(busy, wide)["Resources"]["at"]
    assert abs(at - busy.job(first)["started_at"] - 3_600_000_000) < 5_000_000
    assert reasons(busy, busy.submit("true", cpus=2))["Priority"]["at"] == at
    open_gate(busy)


def test_every_reason_is_told(busy):
    busy.call("io.batchd.Queues.Add", name="night", slots=1)
    inside = hold_place(busy, queue="night", cpus=1)
    busy.call("io.batchd.Queues.Pause", name="night")
    parent = hold_place(busy, cpus=3)
    begin = int((time.time() + 3600) * 1e6)
    job = busy.submit("true", queue="night", hold=True, begin=begin, depends=f"afterok:{parent}", cpus=2)
    told = reasons(busy, job)
    assert list(told) == ["Held", "BeginTime", "Dependency", "QueuePaused", "Resources"]
    assert told["Held"]["lifts"] == f"batchctl release {job}"
    assert told["BeginTime"]["at"] == begin and "--begin now" in told["BeginTime"]["lifts"]
    assert told["Dependency"]["jobs"] == [parent]
    assert told["Dependency"]["detail"] == f"it waits for afterok:{parent} (running)"
    assert told["QueuePaused"]["lifts"] == "batchctl queue resume night"
    assert told["Resources"]["jobs"] == [parent, inside]
    assert told["Resources"]["detail"] == (
        f"it asks for 2 cpus (0 free); job {parent} holds 3 cpus; job {inside} holds 1 cpu; "
        f"queue night has 1 slot, all in use; job {inside} runs")
    assert told["Resources"]["lifts"] == ("enough of that ends, and one of those in its queue ends, "
                                          "or batchctl queue set night --slots N")
    for line, word in zip(busy.ctl("why", str(job)).stdout.splitlines()[1:], told):
        assert line.split()[0] == word
    busy.restart()
    assert list(reasons(busy, job)) == list(told)
    open_gate(busy)


def test_limits_name_the_jobs_that_use_them_up(busy):
    busy.call("io.batchd.Queues.Add", name="slots", slots=1)
    busy.call("io.batchd.Queues.Add", name="users", per_user=1)
    one, other = hold_place(busy, queue="slots"), hold_place(busy, queue="users")
    slot = reasons(busy, busy.submit("true", queue="slots"))
    assert slot["Resources"]["jobs"] == [one] and "1 slot, all in use" in slot["Resources"]["detail"]
    user = reasons(busy, busy.submit("true", queue="users"))
    assert list(user) == ["UserLimit"] and user["UserLimit"]["jobs"] == [other]
    assert user["UserLimit"]["lifts"] == "one of them ends, or batchctl queue set users --per-user N"
    open_gate(busy)


def test_limits_that_were_lowered_say_how_many_must_end(busy):
    busy.call("io.batchd.Queues.Add", name="both")
    jobs = [hold_place(busy, queue="both") for _ in range(2)]
    busy.call("io.batchd.Queues.Set", name="both", per_user=1)
    waiting = busy.submit("true", queue="both")
    told = reasons(busy, waiting)["UserLimit"]
    assert told["detail"] == ("its user has 2 jobs running in queue both, and at most 1 may; "
                              f"job {jobs[1]} runs; job {jobs[0]} runs")
    assert told["lifts"] == "2 of them end, or batchctl queue set both --per-user N"
    busy.call("io.batchd.Queues.Set", name="both", per_user=0, slots=1)
    told = reasons(busy, waiting)["Resources"]
    assert told["lifts"] == "2 of them end, or batchctl queue set both --slots N"
    texts = {one["change"]: one["text"] for one in why(busy, waiting)["starts_now_if"]}
    assert texts == {"slots": "queue both had 3 slots"}
    open_gate(busy)
    busy.wait(*jobs, waiting)


def test_counts_agree_with_their_nouns(busy):
    array = busy.submit(*gate(busy), array="0-1%1")
    wait_until(lambda: busy.job(array)["array"]["running"] == 1)
    assert reasons(busy, array)["ArrayLimit"]["detail"] == "1 of its tasks runs, and at most 1 may"
    hold_place(busy, cpus=2, resources={"licence": 2})
    waiting = busy.submit("true", cpus=2)
    assert reasons(busy, waiting)["Resources"]["detail"].startswith(
        f"it asks for 2 cpus (1 free); job {waiting - 1} holds 2 cpus; job {array}_0 holds 1 cpu")
    assert "1 more cpu were free" in [one["text"] for one in why(busy, waiting)["starts_now_if"]]
    counted = busy.submit("true", resources={"licence": 1})
    assert "it asks for 1 of licence (0 free)" in reasons(busy, counted)["Resources"]["detail"]
    open_gate(busy)


def test_arrays_and_their_tasks(busy):
    job = busy.submit(*gate(busy), array="0-4%2")
    wait_until(lambda: busy.job(job)["array"]["running"] == 2)
    assert list(reasons(busy, job)) == ["ArrayLimit"]
    told = why(busy, job, index=4)
    assert (told["index"], told["state"], [one["reason"] for one in told["reasons"]]) == (
        4, "pending", ["ArrayLimit"])
    assert "2 of its tasks run, and at most 2 may" in busy.ctl("why", f"{job}_4").stdout
    wait_until(lambda: why(busy, job, index=0)["state"] == "running")
    assert why(busy, job, index=0)["reasons"] == []
    assert busy.ctl("why", f"{job}_0").stdout.startswith(f"job {job}_0 is running since ")
    open_gate(busy)
    busy.wait(job)
    assert f"job {job} does not wait: it completed at" in busy.ctl("why", str(job)).stdout


def test_what_has_ended_says_how(busy):
    failed = busy.submit("sh", "-c", "exit 3")
    busy.wait(failed)
    told = why(busy, failed)
    assert told["reasons"] == [] and told["outcome"]["exit_code"] == 3 and told["predicted_start"] is None
    assert f"job {failed} does not wait: it failed at" in busy.ctl("why", str(failed)).stdout
    dropped = busy.submit("true", hold=True)
    busy.call("io.batchd.Jobs.Cancel", id=dropped)
    told = busy.ctl("why", str(dropped)).stdout
    assert "does not wait: it was cancelled at" in told and "(cancelled" not in told
    assert "(exit 3)" in busy.ctl("why", str(failed)).stdout
    held = busy.submit("true", hold=True)
    busy.call("io.batchd.Jobs.Cancel", id=held, reason="not needed")
    assert "it was cancelled at" in busy.ctl("why", str(held)).stdout
    assert busy.ctl("why", "4711").returncode == 4
    assert busy.ctl("why").returncode == 2
    assert json.loads(busy.ctl("why", "--json", str(failed)).stdout)["state"] == "failed"


def test_what_never_fits_says_so(make_daemon):
    daemon = make_daemon(config=CONFIG)
    daemon.start()
    job = daemon.submit("true", resources={"licence": 2}, hold=True)
    daemon.kill()
    daemon.config.write_text(CONFIG.replace("licence = 2", "licence = 1"))
    daemon.start()
    told = reasons(daemon, job)
    assert list(told) == ["Held", "Resources"]
    assert told["Resources"]["detail"] == "it asks for 2 of licence, and this machine has 1 of licence in all"


@needs_root
def test_a_user_reads_nothing_of_others(busy):
    mine = hold_place(busy, cpus=3, name="secret", estimate_ms=3_600_000)
    theirs = busy.as_another("io.batchd.Jobs.Submit", argv=["true"], cpus=4, cwd="/", env={})["parameters"]["id"]
    told = busy.as_another("io.batchd.Jobs.Why", id=theirs)["parameters"]
    assert told["reasons"][0]["reason"] == "Resources" and told["reasons"][0]["jobs"] == []
    assert "1 job of other users holds 3 cpus" in told["reasons"][0]["detail"]
    assert told["starts_now_if"][0]["change"] == "free" and told["predicted_start"] is not None
    lines = busy.as_another("io.batchd.Jobs.Plan")["parameters"]["jobs"]
    assert [(line["id"], line["predicted_start"]) for line in lines] == [(theirs, told["predicted_start"])]
    assert busy.as_another("io.batchd.Jobs.Plan", user="root")["error"].endswith("PermissionDenied")
    busy.call("io.batchd.Queues.Add", name="night")
    busy.call("io.batchd.Queues.Pause", name="night")
    small = busy.as_another("io.batchd.Jobs.Submit", argv=["true"], queue="night", estimate_ms=1000,
                       cwd="/", env={})
    paused = busy.as_another("io.batchd.Jobs.Why", id=small["parameters"]["id"])["parameters"]
    assert paused["reasons"][0]["lifts"] == "the queue is resumed"  # they cannot do it
    assert [(one["change"], one["command"]) for one in paused["starts_now_if"]] == [("resume", None)]
    seen = reasons(busy, theirs)["Resources"]  # who may see all reads whose it is
    assert seen["jobs"] == [mine] and f"job {mine} of {busy.job(mine)['user']} holds 3 cpus" in seen["detail"]
    refused = busy.as_another("io.batchd.Jobs.Why", id=mine)
    assert refused["error"] == "io.batchd.NoSuchJob" and "secret" not in json.dumps(told)
    hold_place(busy, cpus=1, estimate_ms=1000)
    told = busy.as_another("io.batchd.Jobs.Why", id=theirs)["parameters"]
    assert "2 jobs of other users hold 4 cpus" in told["reasons"][0]["detail"]
    open_gate(busy)


def test_bad_requests_are_refused(busy):
    job = busy.submit("true", hold=True)
    for parameters, name in (({"id": 0}, "InvalidSpec"), ({"id": 99}, "NoSuchJob"),
                             ({"id": job, "index": 1}, "NoSuchJob"), ({"id": "1"}, "InvalidSpec")):
        with pytest.raises(Refused) as refused:
            busy.call("io.batchd.Jobs.Why", **parameters)
        assert refused.value.name == f"io.batchd.{name}"
