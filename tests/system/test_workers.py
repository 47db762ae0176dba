"""Workers: as many as there is work for and no more than there may be, up at once and down later; those that
are drained finish their job first, also over a restart of batchd; what is ordered is kept."""
import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest
from daemon import Refused, wait_until, worker_sum
from test_ahead import NOTHING, make_short, submit
from test_queues import settings
from test_scheduling import gate, most_at_once

LIST = "io.batchd.Workers.List"
DRAIN = "io.batchd.Workers.Drain"
SET = "io.batchd.Workers.Set"


def workers(daemon):
    return {worker["id"]: worker for worker in daemon.call(LIST)["workers"]}


def states(daemon):
    return sorted(worker["state"] for worker in workers(daemon).values())


def scaling(daemon):
    return daemon.call(LIST)["scaling"]


@pytest.fixture
def four(make_daemon):
    daemon = make_daemon(config='[workers]\nmax = 4\nidle_exit = "1s"\n[resources]\ncpus = 8\n')
    daemon.start()
    return daemon


def busy(daemon, count):
    """Jobs that run until the file `go` is there."""
    jobs = [daemon.submit(*gate(daemon)) for _ in range(count)]
    daemon.wait_running(*jobs)
    return jobs


def release(daemon, name="go"):
    (daemon.state / name).touch()


def worker_of(daemon, job):
    found, = [ident for ident, worker in workers(daemon).items() if worker["job"] == job]
    return found


def test_up_with_the_work_and_down_after_a_while(four):
    assert workers(four) == {} and scaling(four)["reason"] == "minimum"
    begun = time.time() * 1e6
    jobs = busy(four, 4)
    waits = four.submit("true")
    found = workers(four)
    assert {worker["job"] for worker in found.values()} == set(jobs)
    for worker in found.values():
        assert (worker["state"], worker["load"], worker["why"], worker["attempt"]) == ("busy", 1, "jobs", 1)
        assert worker["waiting"] >= 1 and begun < worker["made_at"] < time.time() * 1e6
        assert worker["memory_bytes"] > 100000
        os.kill(worker["pid"], 0)
    told = scaling(four)
    assert (told["wanted"], told["max"], told["reason"]) == (4, 4, "maximum")
    assert "4 wanted, from 0 to 4: there is work for more" in four.ctl("status").stdout
    before = time.monotonic()
    release(four)
    four.wait(*jobs, waits)
    wait_until(lambda: workers(four) == {})
    assert time.monotonic() - before >= 1  # idle_exit
    assert scaling(four)["reason"] == "minimum"
    assert four.call("io.batchd.Server.Status")["workers_health"]["deaths"] == 0


def test_what_lacks_a_gpu_gets_no_worker(make_daemon):
    """Its turn is that of one that gets the GPU, and there are processors for all of them."""
    daemon = make_daemon(config='[workers]\nmax = 4\nidle_exit = "60s"\n[resources]\ncpus = 8\ngpus = 1\n[monitor]\ngpus = "off"\n')
    daemon.start()
    daemon.call("io.batchd.Queues.Pause", name="default")
    jobs = [daemon.submit(*gate(daemon), resources={"gpus": 1}) for _ in range(4)]
    daemon.call("io.batchd.Queues.Resume", name="default")
    wait_until(lambda: [daemon.job(job)["state"] for job in jobs].count("running") == 1)
    assert len(workers(daemon)) == 1
    release(daemon)
    daemon.wait(*jobs)


def test_what_is_kept_ready_is_there_at_once_and_stays(make_daemon):
    daemon = make_daemon(config='[workers]\nmin = 2\nmax = 3\nidle_exit = "1s"\n')
    daemon.start()
    wait_until(lambda: states(daemon) == ["idle", "idle"])
    kept = workers(daemon)
    assert {worker["why"] for worker in kept.values()} == {"minimum"}
    jobs = busy(daemon, 3)
    release(daemon)
    daemon.wait(*jobs)
    wait_until(lambda: states(daemon) == ["idle", "idle"])
    assert "from 2 to 3: as few as there may be" in daemon.ctl("workers").stdout


def test_what_a_worker_did_is_known_over_restarts(make_daemon):
    daemon = make_daemon(config='[workers]\nmax = 1\nidle_exit = "60s"\n')
    daemon.start()
    for command in ("true", "false", "true"):
        daemon.wait(daemon.submit(command, max_attempts=1))
    before, = workers(daemon).values()
    assert (before["done"], before["failed"], before["state"], before["job"]) == (3, 1, "idle", None)
    daemon.restart()
    wait_until(lambda: states(daemon) == ["idle"])
    after, = workers(daemon).values()
    assert after == dict(before, memory_bytes=after["memory_bytes"])
    job = daemon.submit(*gate(daemon))
    daemon.wait_running(job)
    daemon.kill()
    release(daemon)
    wait_until(lambda: not daemon.processes("until"))
    daemon.start()  # its end is told again, and counts once
    daemon.wait(job)
    wait_until(lambda: [worker["done"] for worker in workers(daemon).values()] == [4])


@pytest.mark.parametrize("restart", [False, True])
def test_one_that_is_drained_finishes_its_job_and_takes_no_more(four, restart):
    first, = busy(four, 1)
    drained = worker_of(four, first)
    told = four.ctl("workers", "drain", str(drained)).stdout
    assert told == f"Worker {drained} leaves after job {first}\n"
    assert four.ctl("workers", "drain", str(drained)).stdout == told  # again: it is so already
    if restart:
        four.restart()
        wait_until(lambda: workers(four)[drained]["job"] == first)
    assert (workers(four)[drained]["state"], workers(four)[drained]["drain"]) == ("draining", "order")
    others = [four.submit("sh", "-c", f'until [ -e "{four.state}/go2" ]; do sleep 0.02; done')
              for _ in range(3)]
    four.wait_running(*others)
    assert drained not in {worker_of(four, job) for job in others}
    waits = four.submit("true")
    assert len(workers(four)) == 4  # what leaves counts until it is gone
    release(four)
    job, = four.wait(first)
    assert (job["state"], job["attempt"]) == ("completed", 1)
    wait_until(lambda: drained not in workers(four))
    release(four, "go2")
    ended = four.wait(*others, waits)
    assert {(job["state"], job["attempt"]) for job in ended} == {("completed", 1)}
    assert most_at_once([job, *ended], lambda one: 1) <= 4
    assert four.call("io.batchd.Server.Status")["workers_health"]["deaths"] == 0


def drain_untold(daemon):
    """batchd died between its commit and telling the worker."""
    daemon.kill()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
        db.create_function("checksum", -1, worker_sum)
        db.execute("UPDATE worker SET drain=1, drain_at=made_at, "
                   "sum=checksum(boot_id,made_at,why,waiting,1,made_at)")
    daemon.start()


@pytest.mark.parametrize("how", ["told", "restarted", "untold"])
def test_what_a_drained_one_has_ahead_runs_elsewhere(make_daemon, how):
    daemon = make_daemon(config=settings(1).replace("prefetch = 2", 'prefetch = 6\nbatch_target = "10s"'))
    daemon.start()
    make_short(daemon)
    drained, = workers(daemon)
    daemon.signal("--worker", signal.SIGSTOP)
    # As many as it takes: no other waits, which would have them taken back. What is not told in time has
    # them taken back as the first turns out to be long.
    jobs = submit(daemon, 1, *(gate(daemon) if how == "untold" else NOTHING)) + submit(daemon, 6, *NOTHING)
    wait_until(lambda: workers(daemon)[drained]["load"] == 7)
    if how == "untold":
        drain_untold(daemon)
    else:
        daemon.call(DRAIN, ids=[drained])
    if how == "restarted":
        daemon.restart()
    daemon.signal("--worker", signal.SIGCONT)
    if how == "untold":
        wait_until(lambda: workers(daemon)[drained]["load"] == 1)
        release(daemon)
    ended = daemon.wait(*jobs, seconds=60)
    assert [job["id"] for job in ended if job["worker"] == drained] == jobs[:1]
    wait_until(lambda: drained not in workers(daemon))


def test_one_that_is_killed_while_it_is_drained(four):
    job = four.submit(*gate(four), rerun_if_lost=True)
    four.wait_running(job)
    drained = worker_of(four, job)
    four.call(DRAIN, ids=[drained])
    os.kill(workers(four)[drained]["pid"], signal.SIGKILL)
    wait_until(lambda: four.job(job)["attempt"] == 2 and four.job(job)["state"] == "running")
    assert worker_of(four, job) != drained
    release(four)
    assert four.wait(job)[0]["state"] == "completed"
    assert drained not in workers(four)


def test_all_are_drained(four):
    jobs = busy(four, 3)
    before = set(workers(four))
    assert four.ctl("workers", "drain", "--dry-run", "all").stdout.split() == [str(ident) for ident in sorted(before)]
    assert states(four) == ["busy"] * 3
    assert len(four.ctl("workers", "drain", "all").stdout.splitlines()) == 3
    assert states(four) == ["draining"] * 3
    release(four)
    four.wait(*jobs, four.submit("true"))
    wait_until(lambda: not before & set(workers(four)))


@pytest.mark.parametrize("restart", [False, True])
def test_fewer_are_allowed(four, restart):
    jobs = busy(four, 4)
    told = four.ctl("workers", "limit", "2").stdout
    assert "from 0 to 2 (set by command)" in told
    if restart:
        four.restart()
    wait_until(lambda: states(four) == ["busy", "busy", "draining", "draining"])
    assert {worker["drain"] for worker in workers(four).values()} == {None, "limit"}
    more = [four.submit("sleep", "0.05") for _ in range(8)]
    release(four)
    assert {job["state"] for job in four.wait(*jobs, *more)} == {"completed"}
    found = [job for job in four.jobs() if job["id"] in more]
    assert most_at_once(found, lambda one: 1) <= 2
    assert four.call("io.batchd.Server.GetInfo")["limits"]["workers"] == 2
    four.ctl("workers", "set", "default")
    assert (scaling(four)["max"], scaling(four)["ordered"]) == (4, False)
    four.restart()
    assert (scaling(four)["max"], scaling(four)["ordered"]) == (4, False)


def test_more_are_allowed(four):
    four.call(SET, min=1, max=1)
    wait_until(lambda: states(four) == ["idle"])
    first, second = (four.submit(*gate(four)) for _ in range(2))
    four.wait_running(first)
    assert four.job(second)["state"] == "pending"
    four.call(SET, max=2)
    four.wait_running(second)
    told = four.call(SET, min=2)["scaling"]
    assert (told["min"], told["max"], told["ordered"], told["configured_max"]) == (2, 2, True, 4)
    release(four)
    four.wait(first, second)


def test_what_cannot_be_is_refused(four):
    for parameters, field in (({}, "max"), ({"min": 3, "max": 2}, "min"), ({"max": 0}, "max"), ({"min": -1}, "min"),
                              ({"max": 4097}, "max"), ({"min": 5}, "min")):
        with pytest.raises(Refused) as refused:
            four.call(SET, **parameters)
        assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == field, parameters
    for parameters in ({}, {"all": True, "ids": [1]}, {"ids": ["1"]}, {"ids": [0]}):
        with pytest.raises(Refused) as refused:
            four.call(DRAIN, **parameters)
        assert refused.value.parameters["field"] == "ids", parameters
    job, = busy(four, 1)
    with pytest.raises(Refused) as refused:
        four.call(DRAIN, ids=[worker_of(four, job), 99])
    assert refused.value.name == "io.batchd.NoSuchWorker"
    assert states(four) == ["busy"]  # nothing was done
    for words in (["set"], ["set", "two"], ["set", "1", "2", "3"], ["limit"], ["drain"], ["drain", "x"], ["grow"],
                  ["list", "1"], ["--dry-run", "set", "1"]):
        done = four.ctl("workers", *words)
        assert done.returncode == 2 and done.stderr.startswith("batchctl: "), words
    for words, least in ((["limit", "0"], 1), (["set", "0", "0"], 1), (["set", "x", "1"], 0)):
        assert f"from {least} to 4096" in four.ctl("workers", *words).stderr, words
    assert scaling(four)["ordered"] is False
    release(four)


def test_others_see_them_and_change_nothing(four):
    job, = busy(four, 1)
    for method, parameters in ((SET, {"max": 1}), ("io.batchd.Workers.Reset", {}), (DRAIN, {"all": True})):
        reply = four.as_another(method, **parameters)
        assert reply["error"] == "org.varlink.service.PermissionDenied", reply
    worker, = four.as_another(LIST)["parameters"]["workers"]
    assert (worker["state"], worker["job"], worker["attempt"], worker["started_at"]) == ("busy", None, None, None)
    assert workers(four)[worker["id"]]["job"] == job
    release(four)


def test_as_a_table_and_as_json(four):
    job, = busy(four, 1)
    table = four.ctl("workers").stdout.splitlines()
    assert table[0].split() == ["ID", "STATE", "JOB", "AHEAD", "DONE", "FAILED", "UP", "MEMORY", "MADE"]
    assert table[1].split()[1:6] == ["busy", str(job), "0", "0", "0"] and table[1].endswith("1 job waited")
    told = json.loads(four.ctl("workers", "--json").stdout)
    assert told["workers"][0]["job"] == job and told["scaling"]["max"] == 4
    assert four.ctl("workers", "-q").stdout.split() == [str(told["workers"][0]["id"])]
    array = four.submit(*gate(four), array="5-5")
    four.wait_running(array)
    wait_until(lambda: f"{array}_5" in four.ctl("workers").stdout)
    release(four)


def test_memory_is_that_of_its_job_too(four):
    script = f"x = bytearray(100 << 20)\nimport os, time\nwhile not os.path.exists('{four.state}/go'): time.sleep(0.02)"
    job = four.submit("python3", "-c", script)
    four.wait_running(job)
    wait_until(lambda: 100 << 20 < workers(four)[worker_of(four, job)]["memory_bytes"] < 200 << 20)
    release(four)


def test_a_row_of_nonsense_is_damage(four):
    busy(four, 1)
    release(four)
    four.kill()
    four.damage_store("UPDATE worker SET drain=1")
    found = four.check_store()
    assert found.returncode == 65 and "fails its checksum" in found.stderr
