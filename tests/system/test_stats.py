"""batchctl stats: sums over what ended, and how far off predictions were, against numbers worked out
here from what the jobs themselves say."""
import contextlib
import itertools
import json
import math
import os
import pwd
import select
import sqlite3
import statistics
import subprocess
import sys
import time

import pytest
from daemon import ROOT, Refused, wait_until

METHOD = "io.batchd.Server.Stats"


def run(daemon, *argv, **more):
    return daemon.wait(daemon.submit(*argv, **more))[0]


def by(reply, key, value):
    return next(line for line in reply["totals"] if line[key] == value)


def test_nothing_ended_yet(daemon):
    reply = daemon.call(METHOD)
    summary = reply.pop("summary")
    assert reply == {"since_us": 0, "by": "name", "totals": [], "left_out": 0, "depth": [], "estimates": [],
                     "machine": None}
    assert set(summary.values()) == {0, None}
    done = daemon.ctl("stats")
    assert (done.returncode, done.stdout) == (0, "") and "nothing has ended" in done.stderr


def test_sums_by_name(daemon):
    jobs = [run(daemon, "sleep", str(span), name="encode") for span in (0.05, 0.2)]
    jobs.append(run(daemon, "false", name="encode"))
    waited = daemon.submit("true", name="other", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=waited)
    daemon.submit("true", name="encode", hold=True)  # has not ended
    reply = daemon.call(METHOD, by="name")
    encode, other = by(reply, "name", "encode"), by(reply, "name", "other")
    assert (encode["completed"], encode["failed"], encode["cancelled"]) == (2, 1, 0)
    waits = [job["started_at"] - job["eligible_at"] for job in jobs]
    assert encode["wait_ms"] == pytest.approx(statistics.mean(waits) / 1000, abs=0.001)
    runs = [job["usage"]["run_us"] for job in jobs]
    assert encode["run_ms"] == pytest.approx(statistics.mean(runs) / 1000, abs=0.001)
    assert other == {"name": "other", "completed": 0, "failed": 0, "cancelled": 1, "wait_ms": None, "run_ms": None}
    assert [line["name"] for line in reply["totals"]] == ["encode", "other"]  # the most jobs first


def test_the_wait_is_from_when_it_could_start(daemon):
    job = daemon.submit("true", begin=int((time.time() + 0.5) * 1e6))
    ended = daemon.wait(job)[0]
    total = daemon.call(METHOD)["totals"][0]
    assert total["wait_ms"] == pytest.approx((ended["started_at"] - ended["begin_at"]) / 1000, abs=0.001)


def test_other_groups_and_since(daemon):
    run(daemon, "true")
    user = pwd.getpwuid(os.getuid()).pw_name
    assert by(daemon.call(METHOD, by="user"), "user", user)["completed"] == 1
    assert by(daemon.call(METHOD, by="queue"), "queue", "default")["completed"] == 1
    assert by(daemon.call(METHOD, by="type"), "type", None)["completed"] == 1
    daemon.call("io.batchd.Queues.Add", name="night")
    run(daemon, "true", queue="night")
    assert by(daemon.call(METHOD, by="queue"), "queue", "night")["completed"] == 1
    later = run(daemon, "false", name="later")
    reply = daemon.call(METHOD, since_us=later["ended_at"])
    assert [(line["name"], line["failed"]) for line in reply["totals"]] == [("later", 1)]
    assert reply["estimates"] == []  # nothing was learned since


def test_tasks_count_one_by_one(daemon):
    run(daemon, "sh", "-c", "[ $BATCHD_ARRAY_INDEX != 2 ]", array="1-4", name="frames")
    line = by(daemon.call(METHOD), "name", "frames")
    assert (line["completed"], line["failed"], line["cancelled"]) == (3, 1, 0)
    assert daemon.call(METHOD)["estimates"][0]["runs"] == 3
    held = daemon.submit("true", array="1-10", name="held", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=held)
    assert by(daemon.call(METHOD), "name", "held")["cancelled"] == 10
    assert [line["name"] for line in daemon.call(METHOD)["totals"]] == ["held", "frames"]


@pytest.mark.parametrize("restart", [False, True])
def test_errors_are_those_of_the_predictions_at_the_start(make_daemon, restart):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    pairs, published = [], 0
    runs = []
    for i, span in enumerate((0.1, 0.05, 0.3, 0.1, 0.2, 0.02)):
        job = run(daemon, "sleep", str(span), name="work")
        took = job["usage"]["run_us"]
        runs.append(took)
        if published:
            pairs.append((published, took))
            assert job["estimate_ms"] == -(-published // 1000)
        if len(runs) in (1, 2, 4):
            published = int(statistics.median(runs))
        if restart and i in (1, 3, 4):
            daemon.restart()
    run(daemon, "false", name="work")  # no run that counts
    run(daemon, "sleep", "0.01", name="own", estimate_ms=5000)  # not a prediction of ours
    logs = [math.log(predicted / took) for predicted, took in pairs]
    middle = statistics.median(logs)
    lines = {(line["kind"], line["name"]): line for line in daemon.call(METHOD)["estimates"]}
    line = lines["name", "work"]
    assert (line["runs"], line["predicted"]) == (6, 5)
    assert line["estimate_ms"] == pytest.approx(published / 1000, abs=0.001)
    assert line["error_ms"] == pytest.approx(
        statistics.mean(abs(predicted - took) for predicted, took in pairs) / 1000, abs=0.001)
    assert line["error_percent"] == pytest.approx(
        100 * math.expm1(statistics.median(map(abs, logs))), abs=0.051)
    assert line["bias_percent"] == pytest.approx(
        math.copysign(100 * math.expm1(abs(middle)), middle), abs=0.051)
    assert (lines["name", "own"]["predicted"], lines["name", "own"]["error_percent"]) == (0, None)
    assert lines["queue", "default"]["user"] is None and lines["queue", "default"]["runs"] == 7


@pytest.mark.parametrize("parameters,words", [
    ({"by": "colour"}, ["by", "colour", "user, queue, name or type"]), ({"since_us": -1}, ["since_us", "-1"])])
def test_bad_questions(daemon, parameters, words):
    with pytest.raises(Refused) as refused:
        daemon.call(METHOD, **parameters)
    assert refused.value.name == "io.batchd.InvalidSpec"
    for word in words:
        assert word in refused.value.parameters["message"]


def test_batchctl_stats(daemon):
    for _ in range(3):
        run(daemon, "sleep", "0.02", name="encode")
    done = daemon.ctl("stats", "--by", "name", "--since", "today")
    assert done.returncode == 0, done.stderr
    head, line = next((head, line) for head, line in itertools.pairwise(done.stdout.splitlines())
                      if head.startswith("NAME"))
    assert head.split() == ["NAME", "COMPLETED", "FAILED", "CANCELLED", "MEAN", "WAIT", "MEAN", "RUN"]
    assert line.split()[:4] == ["encode", "3", "0", "0"]
    learned = [line.split() for line in done.stdout.splitlines() if " name " in line][0]
    assert learned[1:4] == ["name", "encode", "3"] and "%" in done.stdout
    told, asked = json.loads(daemon.ctl("stats", "--json").stdout), daemon.call(METHOD)
    for reply in (told, asked):
        del reply["summary"]["span_ms"], reply["summary"]["per_hour"]  # time goes on
    assert told == asked
    assert daemon.ctl("stats", "--by", "colour").returncode == 1
    assert daemon.ctl("stats", "--since", "soon").returncode == 2
    assert daemon.ctl("stats", "more").returncode == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_others_see_nothing_of_it(daemon):
    run(daemon, "true", name="secret")
    for path in (daemon.state, daemon.socket):
        os.chmod(path, 0o777)
    question = "import json, sys; from daemon import Client; print(json.dumps(Client(sys.argv[1]).call(sys.argv[2])))"
    asked = subprocess.run([sys.executable, "-c", question, daemon.socket, METHOD], user=1234, text=True,
                           capture_output=True, timeout=20, check=True,
                           env={"PYTHONPATH": str(ROOT / "tests/lib"), "PYTHONDONTWRITEBYTECODE": "1"})
    reply = json.loads(asked.stdout)
    assert reply["totals"] == reply["estimates"] == [] and daemon.call(METHOD)["estimates"] != []


def copy_job(daemon, job, count):
    """So many more jobs like one that has ended, straight into the store."""
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        columns = ",".join(row[1] for row in store.execute("PRAGMA table_info(job)") if row[1] not in ("id", "key"))
        store.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{count}) "
                      f"INSERT INTO job({columns}) SELECT {columns} FROM n, job WHERE job.id={job}")
    daemon.start()


@pytest.mark.long
def test_sums_over_many_parts(daemon):
    """The rows are read in parts: none is missed or counted twice, whatever part it is in."""
    daemon.wait(daemon.submit("true", name="one"), daemon.submit("false", array="0-1199", name="two"),
                daemon.submit("true", array="0-9", name="three"), seconds=120)
    held = daemon.submit("true", array="0-99", hold=True, name="three")
    daemon.call("io.batchd.Jobs.Cancel", id=held, indices="0-4")
    daemon.call("io.batchd.Jobs.Cancel", id=held)
    copy_job(daemon, 1, 1203)
    for _ in range(2):
        reply = daemon.call(METHOD)
        found = {one["name"]: (one["completed"], one["failed"], one["cancelled"]) for one in reply["totals"]}
        assert found == {"one": (1204, 0, 0), "two": (0, 1200, 0), "three": (10, 0, 100)}
        assert reply["left_out"] == 0


@pytest.mark.long
def test_others_are_served_meanwhile(daemon):
    daemon.wait(daemon.submit("true"))
    copy_job(daemon, 1, 150000)
    asking, other = daemon.client(), daemon.client()
    other.call("io.batchd.Server.Ping")

    def ping_is_first():
        """With both questions there when the daemon goes on; this process may look late."""
        with daemon.stopped():
            asking.send(METHOD)
            other.send("io.batchd.Server.Ping")
        first = select.select([asking.socket, other.socket], [], [], 30)[0]
        other.receive()
        assert asking.receive()["parameters"]["totals"][0]["completed"] == 150001
        return first == [other.socket]

    assert any(ping_is_first() for _ in range(5)), "the answer took all of the daemon's time"
    asking.send(METHOD)
    asking.close()  # nobody waits for it any more
    other.call("io.batchd.Server.Ping")


def is_taken(client):
    try:
        return client.call(METHOD)["totals"] != []
    except Refused:
        return False


def test_so_many_of_one_user_at_a_time(daemon):
    daemon.wait(daemon.submit("true"))
    copy_job(daemon, 1, 50000)
    clients = [daemon.client() for _ in range(5)]
    for client in clients[:4]:
        client.send(METHOD)
    with pytest.raises(Refused) as refused:
        clients[4].call(METHOD)
    assert refused.value.name == "io.batchd.Busy" and refused.value.parameters["retry_after_ms"] > 0
    assert "4 sums of yours" in refused.value.parameters["message"]
    for client in clients[:4]:
        assert client.receive()["parameters"]["totals"][0]["completed"] == 50001
    clients[0].send(METHOD)
    clients[0].close()  # nobody waits for it any more, and it makes room
    for client in clients[1:4]:
        client.send(METHOD)
    wait_until(lambda: is_taken(clients[4]))


def test_what_is_too_much_for_the_list_is_counted(daemon):
    daemon.wait(daemon.submit("true"))
    copy_job(daemon, 1, 1500)
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        store.execute("UPDATE job SET name='n'||id")
    daemon.start()
    reply = daemon.call(METHOD)
    assert (len(reply["totals"]), reply["left_out"]) == (1000, 501)
