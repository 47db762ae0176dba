"""Arrays: one record, tasks one by one as they start."""
import os
import signal
import sqlite3
import threading
import time

import pytest

from clock import Clock
from daemon import OUT, Daemon, Refused, wait_until

ECHO = ("sh", "-c", 'echo "$BATCHD_ARRAY_INDEX of $BATCHD_ARRAY_COUNT"; exit $((BATCHD_ARRAY_INDEX % ${1:-1000}))')


def rows(daemon, table):
    """Read from the store of a daemon that is not running."""
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def show(daemon, job, index=None):
    where = {"id": job} if index is None else {"id": job, "index": index}
    return daemon.call("io.batchd.Jobs.Show", **where)["job"]


def test_every_task_runs_once_with_its_own_output(daemon):
    job = daemon.submit(*ECHO, array="1-9:2,20")
    ended = daemon.wait(job)[0]
    assert ended["state"] == "failed", ended  # index 1 exits 1
    assert ended["array"] == {"spec": "1-9:2,20", "count": 6, "pending": 0, "running": 0,
                              "completed": 0, "failed": 6, "cancelled": 0}
    assert ended["outcome"]["exit_code"] == 1
    for index in (1, 3, 5, 7, 9, 20):
        task = show(daemon, job, index)
        assert (task["index"], task["state"], task["outcome"]["exit_code"]) == (index, "failed", index)
        assert daemon.ctl("logs", f"{job}_{index}").stdout == f"{index} of 6\n"
    assert daemon.ctl("logs", str(job)).returncode == 1


def test_ends_well_when_all_do(daemon):
    job = daemon.submit("true", array="0-29")
    assert daemon.wait(job)[0]["outcome"]["class"] == "success"
    assert daemon.ctl("wait", str(job)).returncode == 0


def test_limit_of_tasks_at_a_time():
    with Daemon(config="[workers]\nmax = 4\n") as daemon:
        job = daemon.submit("sleep", "600", array="0-9%2")
        daemon.wait_running(job)
        other = daemon.submit("true")  # the limit leaves room for others
        daemon.wait(other)
        assert show(daemon, job)["array"]["running"] == 2
        daemon.call("io.batchd.Jobs.Cancel", id=job)
        ended = daemon.wait(job)[0]
        assert ended["state"] == "cancelled"
        assert ended["array"]["cancelled"] == 10


def test_a_large_array_is_one_row_and_survives_kills():
    with Daemon(config="[workers]\nmax = 2\n") as daemon:
        job = daemon.submit("sh", "-c", 'echo "$BATCHD_ARRAY_INDEX" >>"$0"', str(daemon.state / "ran"),
                            array="0-999999", priority="background")
        daemon.wait_running(job)
        for _ in range(6):
            daemon.restart()
            daemon.wait(daemon.submit("true"))
        daemon.call("io.batchd.Jobs.Cancel", id=job)
        ended = daemon.wait(job)[0]
        tasks = ended["array"]
        assert tasks["completed"] + tasks["failed"] + tasks["cancelled"] == 1000000, tasks
        ran = (daemon.state / "ran").read_text().split()
        assert len(ran) == len(set(ran)), "a task ran twice"
        assert len(ran) >= tasks["completed"] > 0
        daemon.kill()
        assert rows(daemon, "job") == 7
        assert rows(daemon, "task") < 100000


def begun(path):
    """It has written its line."""
    return path.exists() and path.stat().st_size > 0


def test_lost_tasks_run_again_and_the_array_completes(daemon):
    job = daemon.submit("sh", "-c", 'echo x >>"$0.$BATCHD_ARRAY_INDEX"; '
                        '[ "$(wc -l <"$0.$BATCHD_ARRAY_INDEX")" -gt 1 ] || sleep 600',
                        str(daemon.state / "task"), array="0-1")
    for index in (0, 1):
        # Not before it has begun: what was only handed over is no attempt that is lost.
        wait_until(lambda: begun(daemon.state / f"task.{index}") and show(daemon, job, index)["worker"])
        os.kill(daemon.worker_pid(job, index=index), signal.SIGKILL)
    ended = daemon.wait(job)[0]
    assert ended["array"]["completed"] == 2, ended
    attempts = [daemon.call("io.batchd.Jobs.Show", id=job, index=i, attempts=True)["job"]["attempts"]
                for i in (0, 1)]
    assert [len(history) for history in attempts] == [2, 2], attempts


@pytest.mark.parametrize("spec", ["", "5-3", "0-5,5-9", "0-9%0", "0-1099511627776", "x"])
def test_bad_specs_name_the_field(daemon, spec):
    before = len(daemon.jobs())
    with pytest.raises(Refused) as refused:
        daemon.submit("true", array=spec)
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == "array"
    assert len(daemon.jobs()) == before


def test_the_limit_is_configured_and_says_so():
    with Daemon(config="[daemon]\narray_max = 10\n") as daemon:
        daemon.submit("true", array="0-9")
        with pytest.raises(Refused, match="daemon.array_max"):
            daemon.submit("true", array="0-10")


def test_tasks_that_are_none(daemon):
    job = daemon.submit("true")
    array = daemon.submit("true", array="0-3")
    for target, index in ((job, 0), (array, 4)):
        with pytest.raises(Refused) as refused:
            show(daemon, target, index)
        assert refused.value.name == "io.batchd.NoSuchJob" and refused.value.parameters["id"] == target
    refused = daemon.ctl("hold", f"{array}_1")
    assert refused.returncode == 2 and "hold takes whole jobs" in refused.stderr


def test_the_same_key_with_another_array_is_a_conflict(daemon):
    first = daemon.submit("true", array="0-3", key="k")
    assert daemon.submit("true", array="0-3", key="k") == first
    with pytest.raises(Refused, match="belongs to job"):
        daemon.submit("true", array="0-4", key="k")


def test_table_shows_how_far_it_is(daemon):
    job = daemon.submit("sleep", "600", array="0-4", name="frames")
    daemon.wait_running(job)
    assert "0/5" in daemon.ctl("list").stdout
    assert "frames" in daemon.ctl("show", str(job)).stdout
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    daemon.wait(job)


@pytest.mark.long
def test_many_waiting_arrays_cost_what_jobs_cost():
    """20,000 of them, each as wordy as it may be: memory as of queued jobs, and nothing slows down."""
    with Daemon(config="[workers]\nmax = 1\n") as daemon:
        daemon.wait_running(daemon.submit("sleep", "600", priority="urgent"))
        wordy = ",".join(str(2 * i) for i in range(1000))
        client = daemon.client()

        def submit(count, array):
            for _ in range(count // 500):  # a client that never reads is not read from either
                for _ in range(500):
                    client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", array=array)
                for _ in range(500):
                    client.receive()

        submit(2000, wordy)  # SQLite's page cache is full by then
        before = daemon.resident_bytes()
        submit(2000, wordy)
        submit(18000, "0-1")
        if OUT.name != "san":  # a sanitizer keeps what was freed
            assert (daemon.resident_bytes() - before) / 20000 < 200
        jobs = client.call("io.batchd.Jobs.List", limit=1000, all=True)["jobs"]
        assert jobs[-1]["array"]["pending"] == jobs[-1]["array"]["count"] == 1000
        client.close()


def test_cancel_and_end_in_one_turn_tell_the_truth(daemon):
    """The task ends well while the daemon is stopped; the cancel comes in the same turn."""
    import os
    import signal
    import time
    go = daemon.state / "go"
    job = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.01; done', str(go), array="0-0")
    daemon.wait_running(job)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    client = daemon.client()
    client.send("io.batchd.Jobs.Cancel", id=job)
    go.touch()
    deadline = time.monotonic() + 10
    while b"/go" in b"".join(cmdlines()) and time.monotonic() < deadline:
        time.sleep(0.01)  # a poll with a deadline
    os.kill(daemon.process.pid, signal.SIGCONT)
    ended = daemon.wait(job)[0]
    tasks = ended["array"]
    assert (ended["state"] == "cancelled") == (tasks["cancelled"] > 0), ended
    assert (ended["state"] == "completed") == (tasks["completed"] > 0), ended


def cmdlines():
    import pathlib
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            yield words


def test_a_cancel_shows_at_once(daemon):
    job = daemon.submit("sleep", "600", array="0-9%1")
    daemon.wait_running(job)
    client = daemon.client()
    client.send("io.batchd.Jobs.Cancel", id=job, reason="enough")
    client.send("io.batchd.Jobs.Show", id=job)
    client.send("io.batchd.Jobs.Show", id=job, index=5)
    client.receive()
    shown, task = (client.receive()["parameters"]["job"] for _ in range(2))
    assert shown["cancelling"] and shown["array"]["pending"] == 0, shown
    assert task["state"] == "cancelled", task
    assert daemon.wait(job)[0]["outcome"]["message"].startswith("enough: ")


def test_a_cancel_of_a_waiting_array_keeps_its_reason():
    with Daemon(config="[workers]\nmax = 1\n") as daemon:
        daemon.wait_running(daemon.submit("sleep", "600"))
        job = daemon.submit("true", array="0-3", priority="low")
        assert daemon.call("io.batchd.Jobs.Cancel", id=job, reason="wrong input")["state"] == "cancelled"
        ended = daemon.wait(job)[0]
        assert ended["outcome"]["message"].startswith("wrong input"), ended
        assert ended["array"]["cancelled"] == 4 and ended["started_at"] is None


def test_a_long_specification_is_refused(daemon):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", array="0" * 100000 + "1-5")
    assert refused.value.parameters["field"] == "array"


def test_an_array_that_cannot_be_read_stops_the_start(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    daemon.wait_running(daemon.submit("sleep", "600", array="0-3%1"))
    daemon.kill()
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute("UPDATE job SET array='zzz'")
    db.close()
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 65
    assert "job 1" in daemon.text()


def test_retries_with_a_limit_over_kills():
    """Each task fails twice and then succeeds, two at a time, through restarts."""
    script = ('echo x >>"$0/$BATCHD_ARRAY_INDEX"; [ "$(wc -l <"$0/$BATCHD_ARRAY_INDEX")" -ge 3 ]')
    with Daemon(config="[workers]\nmax = 3\n") as daemon:
        folder = daemon.state / "tasks"
        folder.mkdir()
        job = daemon.submit("sh", "-c", script, str(folder), array="0-39%2", max_attempts=5,
                            retry={"base_ms": 0})
        for _ in range(10):
            daemon.restart()
        ended = daemon.wait(job)[0]
        assert ended["array"]["completed"] == 40 and ended["state"] == "completed", ended
        assert [len((folder / str(i)).read_text()) for i in range(40)] == [6] * 40
        history = daemon.call("io.batchd.Jobs.Show", id=job, index=7, attempts=True)["job"]["attempts"]
        assert [one["outcome"]["class"] for one in history] == ["exit", "exit", "success"]


@pytest.mark.long
@pytest.mark.parametrize("why", ["deadline", "dependency"])
def test_others_are_served_while_arrays_of_many_parts_end(make_daemon, tmp_path, why):
    """What is read of each of them counts, so a turn ends a few: some are over while some wait."""
    clock = Clock(tmp_path)
    daemon = make_daemon(env=clock.env)
    daemon.start()
    at = int((clock.now() + 3600) * 1e6)
    parent = daemon.submit("true", hold=True)
    how = {"deadline": at} if why == "deadline" else {"depends": f"afterok:{parent}"}
    arrays = [daemon.submit("true", array="0-29999", hold=True, **how) for _ in range(12)]
    for array in arrays:
        for part in range(0, 27000, 3000):
            daemon.call("io.batchd.Jobs.Cancel", id=array,
                        indices=",".join(map(str, range(part, part + 3000, 3))))

    def end_all():
        if why == "deadline":
            clock.set(at / 1e6 + 0.001)
        else:
            daemon.call("io.batchd.Jobs.Cancel", id=parent)

    ender, seen = threading.Thread(target=end_all), set()
    ender.start()
    begun = time.monotonic()
    while 0 not in seen:
        seen.add(sum(job["state"] == "pending" for job in daemon.jobs() if job["id"] in arrays))
        assert time.monotonic() < begun + 60
    ender.join()
    assert seen - {0, len(arrays)}
