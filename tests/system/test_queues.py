"""Queues: made, changed and removed while the daemon runs and in its configuration; what each lets
start; nothing of it is forgotten over a SIGKILL."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from daemon import OUT, Refused, wait_until
from test_scheduling import gate, most_at_once, order_of


def settings(cpus, more="", workers=8):
    return f"[workers]\nmax = {workers}\nprefetch = 2\n[resources]\ncpus = {cpus}\n{more}\n"


def queues(daemon):
    return {queue["name"]: queue for queue in daemon.call("io.batchd.Queues.List")["queues"]}


def add(daemon, name, **more):
    return daemon.call("io.batchd.Queues.Add", name=name, **more)["queue"]


def change(daemon, name, **more):
    return daemon.call("io.batchd.Queues.Set", name=name, **more)["queue"]


def states(daemon, *jobs):
    return [daemon.job(job)["state"] for job in jobs]


def fill(daemon, cpus=1, **more):
    """A job that runs until its gate opens."""
    job = daemon.submit(*gate(daemon), cpus=cpus, **more)
    daemon.wait_running(job)
    return job


def test_a_queue_s_life(make_daemon):
    daemon = make_daemon(config=settings(4, '[queues.video]\nslots = 2\npolicy = "fifo"\ntimeout = "1h"'))
    daemon.start()
    made = add(daemon, "batch", policy="sjf", weight=3, max_delay_ms=60000, priority="low")
    assert made["policy"], made["weight"] == ("sjf", 3)
    change(daemon, "batch", per_user=2, policy="fair")
    change(daemon, "video", slots=1)
    daemon.call("io.batchd.Queues.Pause", name="batch")
    daemon.call("io.batchd.Queues.Drain", name="video")
    before = queues(daemon)
    for _ in range(2):
        daemon.restart()
        assert queues(daemon) == before
    assert set(before) == {"default", "video", "batch"}
    batch = before["batch"]
    assert (batch["policy"], batch["weight"], batch["per_user"], batch["max_delay_ms"], batch["priority"],
            batch["paused"], batch["draining"], batch["configured"]) == \
        ("fair", 3, 2, 60000, "low", True, False, False)
    video = before["video"]
    assert (video["slots"], video["policy"], video["timeout_ms"], video["draining"], video["configured"]) == \
        (1, "fifo", 3600000, True, True)
    daemon.call("io.batchd.Queues.Resume", name="video")
    daemon.call("io.batchd.Queues.Remove", name="batch")
    daemon.restart()
    assert set(queues(daemon)) == {"default", "video"}
    assert not queues(daemon)["video"]["draining"]
    assert add(daemon, "batch")["policy"] == "priority"  # nothing is left of the first


def test_jobs_take_what_they_do_not_say_from_their_queue(daemon):
    add(daemon, "night", priority="background", timeout_ms=5000)
    job = daemon.job(daemon.submit("true", queue="night"))
    said = daemon.job(daemon.submit("true", queue="night", priority="high", timeout_ms=7000))
    plain = daemon.job(daemon.submit("true"))
    assert (job["queue"], job["priority"], job["timeout_ms"]) == ("night", "background", 5000)
    assert (said["priority"], said["timeout_ms"]) == ("high", 7000)
    assert (plain["queue"], plain["priority"], plain["timeout_ms"]) == ("default", "normal", None)
    out = daemon.submit("sh", "-c", "echo $BATCHD_QUEUE", queue="night")
    daemon.wait(out)
    assert daemon.ctl("logs", str(out)).stdout == "night\n"
    assert [one["id"] for one in daemon.jobs(queue="night")] == [job["id"], said["id"], out]


def test_a_paused_queue_starts_nothing_and_others_go_on(make_daemon):
    daemon = make_daemon(config=settings(2))
    daemon.start()
    add(daemon, "other")
    daemon.call("io.batchd.Queues.Pause", name="other")
    waits = daemon.submit("true", queue="other")
    held = daemon.submit("true", queue="other", hold=True)
    daemon.wait(daemon.submit("true"))
    daemon.restart()
    daemon.wait(daemon.submit("true"))
    assert daemon.job(waits)["reasons"] == ["QueuePaused"]
    assert daemon.job(held)["reasons"] == ["Held", "QueuePaused"]
    assert queues(daemon)["other"]["pending"] == 2
    daemon.call("io.batchd.Queues.Resume", name="other")
    daemon.wait(waits)


def test_a_draining_queue_takes_nothing_new_and_finishes(daemon):
    add(daemon, "other")
    key = daemon.submit("true", queue="other", key="k")
    running = fill(daemon, queue="other")
    daemon.call("io.batchd.Queues.Drain", name="other")
    with pytest.raises(Refused) as refused:
        daemon.submit("true", queue="other")
    assert refused.value.name == "io.batchd.Draining"
    assert daemon.submit("true", queue="other", key="k") == key  # it was taken before
    (daemon.state / "go").touch()
    daemon.wait(running)
    daemon.call("io.batchd.Queues.Resume", name="other")
    daemon.wait(daemon.submit("true", queue="other"))


def test_slots_and_limits_of_users_hold_whatever_is_short(make_daemon):
    """Many short jobs, so that some are handed ahead; killed and started again on the way."""
    daemon = make_daemon(config=settings(6))
    daemon.start()
    add(daemon, "slots", slots=2)
    add(daemon, "users", per_user=1)
    jobs = {name: [daemon.submit("sleep", "0.02", queue=name) for _ in range(40)]
            for name in ("slots", "users", "default")}
    wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"].get("completed", 0) >= 40)
    daemon.restart()
    ran = {name: daemon.wait(*ids) for name, ids in jobs.items()}
    assert all(job["state"] == "completed" for some in ran.values() for job in some)
    most = {name: most_at_once(some, lambda job: 1) for name, some in ran.items()}
    assert most["slots"] == 2 and most["users"] == 1
    assert most_at_once(ran["slots"] + ran["users"] + ran["default"], lambda job: 1) <= 6


def test_the_reason_says_which_limit(make_daemon):
    daemon = make_daemon(config=settings(4))
    daemon.start()
    add(daemon, "slots", slots=1)
    add(daemon, "users", per_user=1)
    fill(daemon, queue="slots")
    fill(daemon, queue="users")
    first, second = daemon.submit("true", queue="slots"), daemon.submit("true", queue="slots")
    user = daemon.submit("true", queue="users")
    assert daemon.job(first)["reasons"] == ["Resources"]
    assert daemon.job(second)["reasons"] == ["Priority"]
    assert daemon.job(user)["reasons"] == ["UserLimit"]
    change(daemon, "users", per_user=2)  # takes effect at once
    daemon.wait(user)
    change(daemon, "slots", slots=0)
    daemon.wait(first, second)


def test_queues_share_by_weight(make_daemon):
    daemon = make_daemon(config=settings(8))
    daemon.start()
    add(daemon, "heavy", weight=3)
    add(daemon, "light", weight=1)
    first = fill(daemon, cpus=8)
    jobs = {name: [daemon.submit(*gate(daemon, "end"), queue=name) for _ in range(8)]
            for name in ("light", "heavy")}
    (daemon.state / "go").touch()
    daemon.wait(first)
    wait_until(lambda: queues(daemon)["heavy"]["running"] + queues(daemon)["light"]["running"] == 8)
    assert (queues(daemon)["heavy"]["running"], queues(daemon)["light"]["running"]) == (6, 2)
    (daemon.state / "end").touch()
    daemon.wait(*jobs["heavy"], *jobs["light"])


def test_a_wide_job_is_not_starved_by_another_queue(make_daemon):
    daemon = make_daemon(config=settings(2, '[queues.wide]\nbackfill = "none"'))
    daemon.start()
    first = fill(daemon)
    wide = daemon.submit("true", queue="wide", cpus=2)
    behind = daemon.submit("true", queue="wide")
    small = [daemon.submit("true") for _ in range(5)]
    assert daemon.job(wide)["reasons"] == ["Resources"]
    assert daemon.job(behind)["reasons"] == ["Priority"]
    assert states(daemon, *small) == ["pending"] * 5  # nobody knows how long they take
    (daemon.state / "go").touch()
    daemon.wait(first, *small)
    assert order_of(daemon, wide, *small)[0] == wide


@pytest.mark.parametrize("policy,order", [("fifo", [0, 1, 2, 3]), ("priority", [3, 1, 0, 2])])
def test_a_policy_changed_while_jobs_wait_reorders_them(make_daemon, policy, order):
    daemon = make_daemon(config=settings(1, workers=1))
    daemon.start()
    add(daemon, "other", policy="priority" if policy == "fifo" else "fifo")
    first = fill(daemon)
    jobs = [daemon.submit("true", queue="other", priority=level)
            for level in ("low", "high", "background", "urgent")]
    change(daemon, "other", policy=policy)
    daemon.restart()
    (daemon.state / "go").touch()
    daemon.wait(first)
    assert order_of(daemon, *jobs) == [jobs[i] for i in order]


def test_removing_moves_what_waits_and_what_runs(make_daemon):
    daemon = make_daemon(config=settings(3))
    daemon.start()
    add(daemon, "old")
    add(daemon, "new", slots=2)
    done = daemon.submit("true", queue="old")
    daemon.wait(done)
    running = fill(daemon, queue="old")
    daemon.call("io.batchd.Queues.Pause", name="old")
    waiting = [daemon.submit("true", queue="old", array=array) for array in (None, "0-3", None)]
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Queues.Remove", name="old")
    assert refused.value.name == "io.batchd.InvalidState" and "4 unfinished" in str(refused.value)
    for target, name in (("old", "InvalidSpec"), ("none", "NoSuchQueue")):
        with pytest.raises(Refused) as refused:
            daemon.call("io.batchd.Queues.Remove", name="old", move_to=target)
        assert refused.value.name == f"io.batchd.{name}"
    daemon.call("io.batchd.Queues.Remove", name="old", move_to="new")
    assert queues(daemon)["new"]["running"] >= 1
    daemon.restart()
    assert set(queues(daemon)) == {"default", "new"}
    daemon.wait(*waiting)
    (daemon.state / "go").touch()
    ended = daemon.wait(running, *waiting)
    assert {job["queue"] for job in ended} == {"new"}
    assert daemon.job(done)["queue"] == "old"  # it ran there
    assert (queues(daemon)["new"]["running"], queues(daemon)["new"]["pending"]) == (0, 0)


def test_a_queue_that_left_the_configuration_keeps_its_jobs(make_daemon):
    daemon = make_daemon(config=settings(1, "[queues.gone]\nslots = 1"))
    daemon.start()
    running = fill(daemon, queue="gone")
    waits = daemon.submit("true", queue="gone")
    daemon.kill()
    daemon.config.write_text(settings(1))
    daemon.start()
    assert queues(daemon)["gone"]["slots"] == 0
    assert 'queue "gone" has jobs and is not configured any more' in daemon.text()
    (daemon.state / "go").touch()
    daemon.wait(running, waits)
    daemon.call("io.batchd.Queues.Remove", name="gone")


def test_without_room_for_the_queue_that_left_its_jobs_are_the_default_queue_s(make_daemon):
    daemon = make_daemon(config=settings(1, "[queues.gone]\nslots = 1"))
    daemon.start()
    running = fill(daemon, queue="gone")
    waits = [daemon.submit("true", queue="gone"), daemon.submit("true", queue="gone", array="0-1")]
    for i in range(253):
        add(daemon, f"q{i}")
    daemon.kill()
    daemon.config.write_text(settings(1, "[queues.other]"))
    daemon.start()
    assert len(queues(daemon)) == 255 and "gone" not in queues(daemon)
    assert daemon.text().count('queue "gone"') == 1  # told once, not for each job
    for _ in range(2):
        assert [daemon.job(job)["queue"] for job in (running, *waits)] == ["default"] * 3
        assert (queues(daemon)["default"]["pending"], queues(daemon)["default"]["running"]) == (2, 1)
        for job in waits:
            daemon.call("io.batchd.Jobs.Edit", id=job, priority="high")
        daemon.restart()
    daemon.call("io.batchd.Jobs.Edit", id=waits[0], queue="other")
    (daemon.state / "go").touch()
    assert {job["state"] for job in daemon.wait(running, *waits)} == {"completed"}


@pytest.mark.parametrize("method,parameters,name,words", [
    ("Add", {"name": "a b"}, "InvalidSpec", ["queue", '"a b"', "letters"]),
    ("Add", {"name": ""}, "InvalidSpec", ["queue"]),
    ("Add", {"name": "x" * 65}, "InvalidSpec", ["1 to 64"]),
    ("Add", {"name": "default"}, "InvalidState", ["already"]),
    ("Add", {"name": "new", "policy": "best"}, "InvalidSpec", ['policy "best"', "fifo, priority, sjf or fair"]),
    ("Set", {"name": "default", "slots": -1}, "InvalidSpec", ["slots -1", "from 0 to 1000000"]),
    ("Set", {"name": "default", "weight": 0}, "InvalidSpec", ["weight 0", "from 1 to 1000"]),
    ("Set", {"name": "default", "ageing_ms": "1h"}, "InvalidSpec", ["ageing_ms", "integer"]),
    ("Set", {"name": "default", "max_delay_ms": 1 << 60}, "InvalidSpec", ["max_delay"]),
    ("Set", {"name": "default", "backfill": 3}, "InvalidSpec", ["backfill", "string"]),
    ("Set", {"name": "none"}, "NoSuchQueue", ['no queue "none"']),
    ("Pause", {"name": "none"}, "NoSuchQueue", ['no queue "none"']),
    ("Drain", {}, "InvalidSpec", ["name"]),
    ("Remove", {"name": "default"}, "InvalidState", ["cannot be removed"]),
    ("Remove", {"name": "kept"}, "InvalidState", ["configuration"]),
])
def test_bad_input_changes_nothing(make_daemon, method, parameters, name, words):
    daemon = make_daemon(config=settings(1, "[queues.kept]"))
    daemon.start()
    before = queues(daemon)
    with pytest.raises(Refused) as refused:
        daemon.call(f"io.batchd.Queues.{method}", **parameters)
    assert refused.value.name == f"io.batchd.{name}"
    for word in words:
        assert word in str(refused.value)
    assert queues(daemon) == before
    daemon.restart()
    assert queues(daemon) == before


def test_unknown_queue_at_submit(daemon):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", queue="none")
    assert refused.value.name == "io.batchd.NoSuchQueue"
    done = daemon.ctl("submit", "-Q", "none", "true")
    assert done.returncode == 4 and 'no queue "none"' in done.stderr


def test_there_is_an_end_to_queues(daemon):
    for i in range(254):
        add(daemon, f"q{i}")
    with pytest.raises(Refused) as refused:
        add(daemon, "more")
    assert refused.value.name == "io.batchd.QuotaExceeded" and "255" in str(refused.value)
    daemon.call("io.batchd.Queues.Remove", name="q7")
    add(daemon, "more")
    daemon.restart()
    assert len(queues(daemon)) == 255
    daemon.wait(daemon.submit("true", queue="more"), daemon.submit("true", queue="q253"))


def test_only_the_owner_changes(make_daemon):
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    daemon = make_daemon()
    daemon.start()
    os.chmod(daemon.state, 0o755)
    os.chmod(daemon.socket, 0o666)
    program = ("import os,sys;sys.path.insert(0,sys.argv[2]);os.setuid(65533)\n"
               "from daemon import Client, Refused\n"
               "c=Client(sys.argv[1]);c.call('io.batchd.Queues.List')\n"
               "try: c.call('io.batchd.Queues.Pause', name='default')\n"
               "except Refused as no: print(no.name)")
    done = subprocess.run([sys.executable, "-c", program, str(daemon.socket),
                           str(pathlib.Path(__file__).resolve().parents[1] / "lib")],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "org.varlink.service.PermissionDenied\n", done.stderr
    assert not queues(daemon)["default"]["paused"]


def test_batchctl_queue(make_daemon):
    daemon = make_daemon(config=settings(2))
    daemon.start()

    def ctl(*words):
        return daemon.ctl("queue", *words)

    assert ctl("add", "video", "--slots", "2", "--max-delay", "1h").stdout == "Added queue video\n"
    assert ctl("set", "video", "--policy", "fifo", "--per-user", "1").returncode == 0
    assert ctl("pause", "video").stdout == "Paused queue video\n"
    assert ctl("drain", "video", "-q").stdout == ""
    lines = ctl().stdout.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "POLICY", "BACKFILL", "PENDING", "RUNNING", "SLOTS", "PER", "USER",
                                "WEIGHT", "AGEING", "MAX", "DELAY", "PRIORITY", "TIMEOUT"]
    assert lines[2].split() == ["video", "paused,", "draining", "fifo", "easy", "0", "0", "2", "1", "1", "-", "1h00m",
                                "normal", "-"]
    shown = json.loads(ctl("list", "--json").stdout)
    assert [one["name"] for one in shown] == ["default", "video"]
    assert json.loads(ctl("resume", "video", "--json").stdout)["paused"] is False
    assert ctl("remove", "video", "--move-to", "default").returncode == 0
    for words, code, text in [(("pause", "none"), 4, 'no queue "none"'), (("set", "default"), 2, "needs a setting"),
                              (("set", "default", "--slots", "x"), 2, "--slots"),
                              (("set", "default", "--policy", "best"), 2, "fifo, priority, sjf or fair"),
                              (("pause", "default", "--slots", "2"), 2, "queue set does"),
                              (("set", "default", "--move-to", "x"), 2, "queue remove"),
                              (("jump", "default"), 2, "queue takes"), (("pause",), 2, "queue takes"),
                              (("remove", "default"), 1, "cannot be removed")]:
        done = ctl(*words)
        assert (done.returncode, text in done.stderr) == (code, True), (words, done)


def test_the_options_are_the_settings():
    text = subprocess.run([OUT / "batchctl", "queue", "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--([a-z-]+) [A-Z][^ ]* ", text.split("Always:")[0])) - {"move-to"}
    example = (OUT.parents[1] / "config.example.toml").read_text().split("[queues.default]")[1]
    assert options == {key.replace("_", "-") for key in re.findall(r"^#(\w+) =", example, re.M)}


def test_shares_of_the_configuration(make_daemon):
    """A user of uid 0 with shares: the file is read, a name that nobody has is told of."""
    daemon = make_daemon(config=settings(1, '[fair_share]\nhalf_life = "1h"\n[fair_share.shares]\n'
                                            'root = 2\n"12345" = 0.5\nnobody-here = 3'))
    daemon.start()
    assert "fair_share.shares.nobody-here: there is no such user" in daemon.text()
    assert "root" not in daemon.text()


def test_whose_turn_is_next_survives_a_restart(make_daemon):
    """Both queues have one job running, and by that it would be the turn of the first made; but the
    other was reserved for before."""
    daemon = make_daemon(config=settings(3, "[queues.wide]\n"))
    daemon.start()
    long = daemon.submit(*gate(daemon, "end"), queue="wide")
    first = fill(daemon, cpus=2)
    daemon.wait_running(long)
    wide = daemon.submit("true", queue="wide", cpus=2)
    wait_until(lambda: daemon.job(wide)["reasons"] == ["Resources"])
    small = [daemon.submit("true") for _ in range(4)]
    daemon.restart()
    (daemon.state / "go").touch()
    daemon.wait(first, wide, *small)
    (daemon.state / "end").touch()
    assert order_of(daemon, wide, *small)[0] == wide
    daemon.wait(long)


@pytest.mark.parametrize("restarted", [False, True])
def test_turns_of_queues_survive_a_restart(make_daemon, restarted):
    """One job at a time: the heavy queue has had less for its weight than those before it."""
    daemon = make_daemon(config=settings(1, "[queues.a]\nweight = 10\nper_user = 9\n[queues.b]\nper_user = 9\n"
                                            "[queues.c]\nper_user = 9\n"))
    daemon.start()
    first = fill(daemon)
    jobs = {}
    for turn in (1, 2, 3):
        for queue in "abc":
            argv = gate(daemon, "end") if (queue, turn) == ("a", 2) else ("true",)
            jobs[queue, turn] = daemon.submit(*argv, queue=queue)
    (daemon.state / "go").touch()
    daemon.wait_running(jobs["a", 2])
    if restarted:
        daemon.restart()
    (daemon.state / "end").touch()
    order = order_of(daemon, first, *jobs.values())
    names = {job: f"{queue}{turn}" for (queue, turn), job in jobs.items()}
    assert " ".join(names[job] for job in order[1:]) == "a1 b1 c1 a2 b2 a3 c2 b3 c3"


def test_a_job_past_its_max_delay_goes_before_other_queues(make_daemon):
    daemon = make_daemon(config=settings(1, "[queues.heavy]\nweight = 1000\nper_user = 9\n"
                                            "[queues.late]\nmax_delay = 1\nper_user = 9\n"))
    daemon.start()
    first = fill(daemon)
    before = [daemon.submit("true", queue="heavy") for _ in range(4)]
    late = [daemon.submit("true", queue="late") for _ in range(4)]
    wait_until(lambda: daemon.job(late[-1])["submitted_at"] + 1_200_000 < time.time() * 1_000_000)
    (daemon.state / "go").touch()
    assert order_of(daemon, first, *before, *late)[1:] == [*late, *before]


@pytest.mark.long
@pytest.mark.parametrize("killed", [False, True])
def test_a_queue_with_many_jobs_is_removed_by_and_by(make_daemon, killed):
    count, page = 20000, 500
    daemon = make_daemon(config="[workers]\nmax = 1\n[daemon]\nqueue_limit_per_user = 100000\n")
    daemon.start()
    for name in ("old", "new", "third"):
        daemon.call("io.batchd.Queues.Add", name=name)
        daemon.call("io.batchd.Queues.Pause", name=name)
    client = daemon.client()
    for _ in range(count // page):
        for _ in range(page):
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", queue="old")
        last = [client.receive()["parameters"]["id"] for _ in range(page)][-1]
    with pytest.raises(Refused) as refused:
        client.call("io.batchd.Queues.Remove", name="old")
    assert refused.value.parameters["hint"] == "batchctl queue remove old --move-to OTHER"
    client.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", queue="third")
    # Sent together, so that they come while it goes on.
    requests = [("Queues.Remove", {"name": "old", "move_to": "new"}), ("Queues.List", {}),
                ("Queues.Remove", {"name": "old"}), ("Queues.Remove", {"name": "new", "move_to": "third"}),
                ("Queues.Remove", {"name": "third", "move_to": "old"}),
                ("Jobs.Submit", {"argv": ["true"], "queue": "old"})]
    with daemon.stopped():
        for method, parameters in requests:
            client.send(f"io.batchd.{method}", **parameters)
    reply = client.receive()["parameters"]["queue"]
    assert (reply["moving_to"], reply["draining"]) == ("new", True)
    between = {queue["name"]: queue["pending"] for queue in client.receive()["parameters"]["queues"]}
    assert between["old"] > 0 and between["old"] + between["new"] == count
    for name in ("InvalidState", "InvalidState", "InvalidSpec", "Draining"):
        with pytest.raises(Refused) as refused:
            client.receive()
        assert refused.value.name == f"io.batchd.{name}"
    if killed:
        client.close()
        daemon.restart()
        client = daemon.client()

    def queues():
        return {queue["name"]: queue for queue in client.call("io.batchd.Queues.List")["queues"]}
    wait_until(lambda: "old" not in queues())
    assert queues()["new"]["pending"] == count
    assert daemon.job(last)["queue"] == "new"
    daemon.restart()
    client = daemon.client()
    assert set(queues()) == {"default", "new", "third"} and queues()["new"]["pending"] == count
