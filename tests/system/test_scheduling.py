"""What the daemon starts and when: resources are never over-committed, whatever happens to it; order,
backfill and bounds as the queue's settings say."""
import json
import random

import pytest
from clock import Clock
from daemon import Refused, wait_until


def settings(cpus, queue="", memory=None, workers=8):
    memory = "" if memory is None else f'memory = "{memory}"\n'
    return (f"[workers]\nmax = {workers}\n[resources]\ncpus = {cpus}\n{memory}"
            f"[queues.default]\n{queue}\n")


def gate(daemon, name="go"):
    """A command that ends once the file is there."""
    return ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / name)]


def most_at_once(jobs, amount):
    """The highest sum of `amount` over jobs that ran at the same time."""
    changes = []
    for job in jobs:
        changes += [(job["started_at"], 1, amount(job)), (job["ended_at"], 0, -amount(job))]
    used = most = 0
    for _, _, change in sorted(changes):
        used += change
        most = max(most, used)
    return most


def cpus(job):
    return job["resources"]["cpus"]


def order_of(daemon, *jobs):
    return [job["id"] for job in sorted(daemon.wait(*jobs), key=lambda job: job["started_at"])]


@pytest.mark.long
@pytest.mark.parametrize("backfill,workers", [("none", 8), ("easy", 8), ("easy", 3)])
def test_nothing_is_ever_over_committed(make_daemon, backfill, workers):
    """Short and longer jobs, so that some are handed ahead; killed and started again on the way."""
    daemon = make_daemon(config=settings(4, f'backfill = "{backfill}"', "1G", workers))
    daemon.start()
    dice = random.Random(3)
    jobs = [daemon.submit("sleep", dice.choice(["0", "0.01", "0.05", "0.2"]),
                          cpus=dice.choice([1, 1, 1, 2, 3, 4]),
                          memory=dice.choice([0, 0, 0, 300, 600]) << 20) for _ in range(150)]
    for ended in (30, 60, 90):
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"].get("completed", 0) >= ended)
        daemon.kill()
        daemon.start()
    ended = daemon.wait(*jobs)
    assert all(job["state"] == "completed" for job in ended)
    assert most_at_once(ended, cpus) <= 4
    assert most_at_once(ended, lambda job: 1) >= 3
    assert most_at_once(ended, lambda job: job["resources"]["memory_bytes"]) <= 1 << 30
    left = daemon.call("io.batchd.Server.Status")["resources"]
    assert (left["cpus"], left["cpus_free"]) == (4, 4)


def test_memory_is_given_out_too(make_daemon):
    daemon = make_daemon(config=settings(8, memory="1G"))
    daemon.start()
    jobs = [daemon.submit("sleep", "0.1", memory=400 << 20) for _ in range(6)]
    free = [daemon.submit("sleep", "0.1") for _ in range(3)]
    ended = daemon.wait(*jobs)
    assert most_at_once(ended, lambda job: job["resources"]["memory_bytes"]) == 800 << 20
    assert all(job["state"] == "completed" for job in daemon.wait(*free))


def test_tasks_of_an_array_have_its_resources(make_daemon):
    daemon = make_daemon(config=settings(4))
    daemon.start()
    array = daemon.submit("sleep", "0.05", array="1-12", cpus=2)
    assert daemon.wait(array)[0]["state"] == "completed"
    tasks = [daemon.call("io.batchd.Jobs.Show", id=array, index=i)["job"] for i in range(1, 13)]
    assert most_at_once(tasks, lambda _: 2) == 4


def test_what_never_fits_is_refused(make_daemon):
    daemon = make_daemon(config=settings(4, memory="1G"))
    daemon.start()
    with pytest.raises(Refused) as refused:
        daemon.submit("true", cpus=5)
    assert refused.value.name == "io.batchd.NeverFits"
    assert refused.value.parameters["resource"] == "cpus"
    assert (refused.value.parameters["requested"], refused.value.parameters["largest"]) == (5, 4)
    done = daemon.ctl("submit", "-m", "2G", "--", "true")
    assert done.returncode == 1 and "memory = 2.0G never fits: this machine has 1.0G" in done.stderr
    assert daemon.jobs() == []
    for odd in ((1 << 30) - 1, 1):
        assert daemon.wait(daemon.submit("true", memory=odd))[0]["state"] == "completed"
    assert daemon.wait(daemon.submit("true", cpus=4, memory=1 << 30))[0]["state"] == "completed"


def test_all_of_an_odd_memory_can_be_asked_for(make_daemon):
    daemon = make_daemon(config=settings(1, memory=str(1000000001)))
    daemon.start()
    total = daemon.call("io.batchd.Server.Status")["resources"]["memory_bytes"]
    for bytes_ in (1000000001, total):
        assert daemon.wait(daemon.submit("true", memory=bytes_))[0]["state"] == "completed"
    with pytest.raises(Refused) as refused:
        daemon.submit("true", memory=total + 1)
    assert (refused.value.parameters["requested"], refused.value.parameters["largest"]) == (total + 1, total)


def test_a_smaller_machine_keeps_what_it_cannot_run(make_daemon):
    daemon = make_daemon(config=settings(4))
    daemon.start()
    held = daemon.submit(*gate(daemon), cpus=4)
    daemon.wait_running(held)
    big, small = daemon.submit("true", cpus=4), daemon.submit("true", priority="low")
    daemon.kill()
    daemon.config.write_text(settings(2))
    daemon.start()
    assert daemon.job(held)["state"] == "running"  # more is used than there is
    assert daemon.call("io.batchd.Server.Status")["resources"]["cpus_free"] == 0
    assert daemon.job(small)["state"] == "pending"
    (daemon.state / "go").write_text("")
    daemon.wait(held, small)
    assert daemon.job(big)["state"] == "pending" and daemon.job(big)["reasons"] == ["Resources"]
    daemon.kill()
    daemon.config.write_text(settings(4))
    daemon.start()
    assert daemon.wait(big)[0]["state"] == "completed"


@pytest.mark.parametrize("backfill,passes", [("easy", True), ("none", False)])
def test_backfill(make_daemon, backfill, passes):
    """Three of four are taken; the first in order wants three, and one fits beside that."""
    daemon = make_daemon(config=settings(4, f'backfill = "{backfill}"'))
    daemon.start()
    held = daemon.submit(*gate(daemon), cpus=3)
    daemon.wait_running(held)
    first, beside = daemon.submit("true", cpus=3), daemon.submit("true", cpus=1)
    if passes:
        assert daemon.wait(beside)[0]["state"] == "completed"
        both = daemon.submit("true", cpus=2)  # beside the first there is no room for two
    assert daemon.job(first)["state"] == "pending" and daemon.job(first)["reasons"] == ["Resources"]
    if passes:
        assert daemon.job(both)["reasons"] == ["Priority"]
    else:
        assert daemon.job(beside)["reasons"] == ["Priority"]
    (daemon.state / "go").write_text("")
    daemon.wait(first, beside)


def test_small_jobs_never_starve_a_wide_one(make_daemon):
    """Nobody knows how long they run. The wide one starts when enough of those before it ended."""
    daemon = make_daemon(config=settings(4))
    daemon.start()
    until_go = 'until [ -e "$0" ]; do sleep 0.02; done; '
    small = [daemon.submit("sh", "-c", f"{until_go if i < 4 else ''}sleep 0.{2 + i % 3}", str(daemon.state / "go"),
                           priority="background") for i in range(60)]
    daemon.wait_running(*small[:4])
    wide = daemon.submit("true", cpus=3, priority="urgent")
    (daemon.state / "go").write_text("")
    started = daemon.wait(wide)[0]["started_at"]
    before = [job for job in daemon.jobs() if job["id"] in small and job["started_at"] is not None
              and job["started_at"] < started]
    assert len(before) <= 8
    assert all(job["state"] == "completed" for job in daemon.wait(*small))


@pytest.mark.parametrize("policy", ["fifo", "priority"])
def test_order(make_daemon, policy):
    daemon = make_daemon(config=settings(1, f'policy = "{policy}"'))
    daemon.start()
    held = daemon.submit(*gate(daemon))
    daemon.wait_running(held)
    levels = ["low", "urgent", "background", "normal", "high", "urgent"]
    jobs = [daemon.submit("true", priority=level) for level in levels]
    daemon.kill()
    daemon.start()
    (daemon.state / "go").write_text("")
    ranks = ["urgent", "high", "normal", "low", "background"]
    expected = list(jobs) if policy == "fifo" else sorted(
        jobs, key=lambda job: (ranks.index(levels[jobs.index(job)]), job))
    assert order_of(daemon, *jobs) == expected


@pytest.fixture
def after_a_wait(make_daemon, tmp_path):
    """One processor is taken; a job of this level has waited for 70 minutes. The daemon and the job."""

    def wait(queue, level):
        clock = Clock(tmp_path)
        daemon = make_daemon(config=settings(1, queue), env=clock.env)
        daemon.start()
        daemon.wait_running(daemon.submit(*gate(daemon)))
        job = daemon.submit("true", priority=level)
        clock.set(daemon.job(job)["eligible_at"] / 1e6 + 4200)
        return daemon, job

    return wait


def test_who_has_waited_long_enough_goes_first(after_a_wait):
    daemon, last = after_a_wait('max_delay = "1h"', "background")
    urgent = daemon.submit("true", priority="urgent")
    (daemon.state / "go").write_text("")
    assert order_of(daemon, last, urgent) == [last, urgent]


def test_ageing_lifts(after_a_wait):
    daemon, old = after_a_wait('ageing = "1h"', "low")
    normal, high = daemon.submit("true"), daemon.submit("true", priority="high")
    (daemon.state / "go").write_text("")
    assert order_of(daemon, old, normal, high) == [high, old, normal]


def test_status_tells_what_is_free(make_daemon):
    daemon = make_daemon(config=settings(4))
    daemon.start()
    daemon.wait_running(daemon.submit(*gate(daemon), cpus=3))
    assert "4 cpus (1 free)" in daemon.ctl("status").stdout
    resources = json.loads(daemon.ctl("status", "--json").stdout)["resources"]
    assert (resources["cpus"], resources["cpus_free"]) == (4, 1)
    (daemon.state / "go").write_text("")


@pytest.mark.parametrize("line,words", [
    ('policy = "lifo"', ["queues.default", 'policy "lifo" must be fifo, priority, sjf or fair', ":6:10"]),
    ('backfill = "hard"', ["queues.default", 'backfill "hard" must be none or easy']),
    ('ageing = "-1s"', ["queues.default", 'ageing "-1s"']), ("slots = -3", ["slots -3", "from 0 to 1000000"]),
    ('slots = "three"', ["slots", "whole number"]), ("policy = 3", ["policy", "string"]),
    ("slot = 3", ['unknown key "queues.default.slot"; did you mean "slots"', ":6:1"]),
    ("[queues.x]\nfoo = 1", ['unknown key "queues.x.foo"']),
    ("[retry.types.x]\nmax_attempts = 0", ["retry.types.x: max_attempts 0 must be from 1 to 1000", ":7:16"]),
    ("[retry.types.x]\nfoo = 1", ['unknown key "retry.types.x.foo"; it must be max_attempts,']),
    ("[queues.\"a b\"]", ['queue "a b" must have']), ("[fair_share.shares]\nroot = 0", ["fair_share.shares.root"])])
def test_bad_settings(make_daemon, line, words):
    daemon = make_daemon(config=settings(1, line))
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 78
    for word in words:
        assert word in daemon.text()
