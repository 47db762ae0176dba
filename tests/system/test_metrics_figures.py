"""Figures of /metrics that the store has, too, are the store's; those that it has not are what was done."""
import contextlib
import os
import resource
import sqlite3
import subprocess
import sys

import pytest

import gpus
from clock import Clock, at
from daemon import Refused, wait_until
from gpus import Machine, Nvidia
from test_cron import BERLIN, MONDAY, add, call, runs, settle, timed  # noqa: F401
from test_faults import fill, refused_for_space, small_disk  # noqa: F401
from test_metrics import of, scrape

LATEST = ("batchd_last_success_timestamp_seconds", "batchd_last_failure_timestamp_seconds")


def about(seconds):
    """Of a time since 1970 a millionth would be half an hour."""
    return pytest.approx(seconds, rel=0, abs=1e-3)


def rows(daemon, tmp_path, sql, *values):
    """Of a copy of the store, which batchd has to itself."""
    copy = tmp_path / "copy.db"
    copy.unlink(missing_ok=True)
    daemon.ctl("backup", str(copy))
    with contextlib.closing(sqlite3.connect(copy)) as store:
        return store.execute(sql, values).fetchall()


def test_slots_that_are_used(make_daemon, tmp_path):
    daemon = make_daemon(config="[resources]\ncpus = 8\n")
    daemon.start()
    for name, slots in (("a", 3), ("b", 0)):
        daemon.call("io.batchd.Queues.Add", name=name, slots=slots)
    jobs = [daemon.submit("sleep", "600", queue="a", array="1-5"), daemon.submit("sleep", "600", queue="b")]
    wait_until(lambda: of(scrape(daemon), "batchd_queue_slots_used", queue="a") == 3)
    wait_until(lambda: of(scrape(daemon), "batchd_queue_slots_used", queue="b") == 1)
    daemon.wait_running(jobs[-1])
    samples = scrape(daemon)
    for name in ("a", "b", "default"):
        found = rows(daemon, tmp_path, "SELECT (SELECT count(*) FROM job WHERE queue=?1 AND state IN (1,2,3) AND id NOT IN"
                     " (SELECT job FROM task)) + (SELECT count(*) FROM task WHERE state IN (1,2,3) AND job IN"
                     " (SELECT id FROM job WHERE queue=?1))", name)
        assert of(samples, "batchd_queue_slots_used", queue=name) == found[0][0], name
    assert of(samples, "batchd_queue_slots_used", queue="a") <= of(samples, "batchd_queue_slots", queue="a") == 3
    for job in jobs:
        daemon.call("io.batchd.Jobs.Cancel", id=job)


def test_refusals_by_why(daemon):
    def refused(error, **more):
        with pytest.raises(Refused) as found:
            daemon.submit("true", **more)
        assert found.value.name.endswith(error)

    refused("NoSuchQueue", queue="nowhere")
    refused("NoSuchQueue", queue="nowhere")
    refused("NoSuchQueue", queue="nowhere", dry_run=True)  # who only asks is not refused a job
    refused("InvalidSpec", cpus=-1)
    refused("NeverFits", memory=1 << 49)
    refused("InvalidParameter", colour="red")
    daemon.wait(daemon.submit("true"))
    with pytest.raises(Refused):
        daemon.call("io.batchd.Jobs.Show", id=77)
    samples = scrape(daemon)
    found = {dict(labels)["reason"]: value for (name, labels), value in samples.items() if name == "batchd_jobs_rejected_total"}
    assert {reason: value for reason, value in found.items() if value} == {
        "NoSuchQueue": 2, "InvalidSpec": 1, "NeverFits": 1, "InvalidParameter": 1}
    assert len(found) == 15


def latest(daemon, name="one"):
    samples = scrape(daemon)
    return [of(samples, one, uid=str(os.getuid()), schedule=name) for one in LATEST]


def test_when_a_schedule_went_well_last(timed, tmp_path):  # noqa: F811
    """Also after a restart, and of a run that was not the newest when it ended."""
    noon = at(BERLIN, *MONDAY, 12, 0)
    script = "until test -e go.$BATCHD_JOB_ID || test -e go; do sleep 0.05; done; test -e go || exit 0; exit $(cat go)"
    add(timed, "one", "* * * * *", "sh", "-c", script, job={"cwd": str(tmp_path)})
    call(timed, "Edit", name="one", overlap="queue")
    assert latest(timed) == [0, 0]
    timed.clock.set(noon - 20)  # that of 11:59, which is less than a minute late
    wait_until(lambda: len(runs(timed)) == 1)
    timed.clock.set(noon - 0.2)
    wait_until(lambda: len(runs(timed)) == 2)
    first, second = [job["id"] for job in runs(timed)]
    timed.restart()
    assert latest(timed) == [0, 0]
    (tmp_path / f"go.{first}").touch()
    timed.wait(first)
    assert latest(timed) == [about(timed.job(first)["ended_at"] / 1e6), 0]
    (tmp_path / "go").write_text("0\n")
    timed.wait(second)

    def stored(state):
        return rows(timed, tmp_path, "SELECT coalesce(max(ended_at), 0) FROM job WHERE key LIKE 'cron:%' AND state=?", state)[0][0] / 1e6

    assert latest(timed) == [about(stored(4)), 0] and stored(4) > noon and len(runs(timed)) == 2
    (tmp_path / "go").write_text("3\n")
    timed.clock.set(noon + 150)  # that of 12:02, and half a minute until the next
    wait_until(lambda: latest(timed)[1] > noon + 60)
    for _ in range(2):
        assert latest(timed) == [about(stored(4)), about(stored(5))] and stored(5) > stored(4)
        timed.restart()
    call(timed, "Edit", name="one", at="0 0 1 1 *")
    assert latest(timed) == [about(stored(4)), about(stored(5))]
    call(timed, "Remove", name="one")
    assert not any(name in LATEST for name, _ in scrape(timed))


def test_a_run_by_hand_counts(daemon):
    add(daemon, "one", "0 0 1 1 *", "false")
    job = call(daemon, "Run", name="one")["id"]
    daemon.wait(job)
    ended = daemon.job(job)["ended_at"] / 1e6
    assert latest(daemon) == [0, about(ended)]
    daemon.restart()
    assert latest(daemon) == [0, about(ended)]
    assert daemon.call("io.batchd.Jobs.Prune", older_ms=0)["removed"] == 1
    wait_until(lambda: not daemon.jobs())
    daemon.restart()
    assert latest(daemon) == [0, about(ended)]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_run_that_a_start_settles_counts(timed, by_hand):  # noqa: F811
    """The machine went down while it ran, and it is not to run again."""
    add(timed, "one", "0 12 * * *", "sleep", "600", job={"rerun_if_lost": False})
    if by_hand:
        call(timed, "Run", name="one")
    else:
        timed.clock.set(at(BERLIN, *MONDAY, 12, 0) - 0.2)
    wait_until(lambda: len(runs(timed)) == 1)
    [job] = runs(timed)
    timed.wait_running(job["id"])
    timed.kill()
    timed.power_off()
    timed.start()
    assert timed.wait(job["id"])[0]["outcome"]["class"] == "lost"
    for _ in range(2):
        assert latest(timed) == [0, about(timed.job(job["id"])["ended_at"] / 1e6)]
        timed.restart()


def test_runs_that_were_not_made(timed):  # noqa: F811
    noon = at(BERLIN, *MONDAY, 12, 0)
    missed = "batchd_schedule_missed_total"
    add(timed, "one", "* * * * *", "sleep", "600")
    for minute in (1, 2):
        timed.clock.set(noon + 60 * minute - 0.2)
        settle(timed)
    samples = scrape(timed)
    skipped = timed.text().count("a run was skipped: job")
    assert [of(samples, missed, reason=reason) for reason in ("late", "overlap", "refused")] == [0, skipped, 0] and skipped > 0
    call(timed, "Edit", name="one", at="*/10 12 * * *", catch_up="none")
    timed.kill()
    timed.clock.set(noon + 1990)  # 12:30 is three minutes ago
    timed.start()
    wait_until(lambda: of(scrape(timed), missed, reason="late") == 1)
    assert of(scrape(timed), missed, reason="overlap") == 0  # it began anew


def test_how_late_runs_are(timed):  # noqa: F811
    """The newest that was made; one for all whose time passed comes as late as the last of them."""
    noon, lag = at(BERLIN, *MONDAY, 12, 0), "batchd_schedule_lag_seconds"
    add(timed, "one", "*/10 12 * * *", catch_up="one")
    add(timed, "two", "5 12 * * *")  # which is not caught up
    assert of(scrape(timed), lag) == 0
    timed.clock.set(noon - 0.2)
    wait_until(lambda: len(runs(timed)) == 1)
    made = runs(timed)[0]["submitted_at"] / 1e6
    assert of(scrape(timed), lag) == pytest.approx(made - noon, abs=0.2) and 0 < made - noon < 5
    timed.kill()
    timed.clock.set(noon + 1990)
    timed.start()
    wait_until(lambda: len(runs(timed)) == 2)
    made = runs(timed)[1]["submitted_at"] / 1e6
    assert 190 < made - noon - 1800 < 200
    assert of(scrape(timed), lag) == pytest.approx(made - noon - 1800, abs=0.2)
    timed.clock.set(noon + 2400 - 0.2)
    wait_until(lambda: len(runs(timed)) == 3)
    assert 0 < of(scrape(timed), lag) < 5


def test_how_late_a_run_is_that_cannot_be_made(small_disk, tmp_path):  # noqa: F811
    """A disk that is full keeps it from it."""
    noon, lag = at(BERLIN, *MONDAY, 12, 0), "batchd_schedule_lag_seconds"
    clock = Clock(tmp_path, BERLIN)
    clock.set(noon - 100)
    small_disk.kill()
    small_disk.env.update(clock.env)
    small_disk.start()
    add(small_disk, "one", "0 12 * * *", catch_up="one")
    add(small_disk, "paused", "59 11 * * *")
    call(small_disk, "Pause", name="paused")
    ballast = fill(small_disk)
    refused_for_space(small_disk)
    assert of(scrape(small_disk), lag) == 0
    clock.set(noon + 50)
    for _ in range(2):
        least = clock.now() - noon
        assert least <= of(scrape(small_disk), lag) <= clock.now() - noon
    ballast.unlink()
    clock.set(noon + 70)
    wait_until(lambda: len(runs(small_disk)) == 1)
    made = runs(small_disk)[0]["submitted_at"] / 1e6
    assert of(scrape(small_disk), lag) == pytest.approx(made - noon, abs=0.2)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_is_told_of_no_schedule(daemon):
    add(daemon, "one", "0 0 1 1 *")
    assert latest(daemon) == [0, 0]
    daemon.state.chmod(0o711)
    (daemon.state / "http.sock").chmod(0o666)
    script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "s.sendall(b'GET /metrics HTTP/1.0\\r\\n\\r\\n')\nsys.stdout.write(s.makefile().read())")
    done = subprocess.run([sys.executable, "-c", script, daemon.state / "http.sock"], user=12345, cwd="/",
                          capture_output=True, text=True, check=True, timeout=30)
    assert "batchd_schedule_missed_total" in done.stdout and not any(name in done.stdout for name in LATEST)


def test_no_more_than_200_schedules(daemon):
    """The oldest: whoever comes later pushes none out."""
    for i in range(205):
        add(daemon, f"s{999 - i}", "0 0 1 1 *")
    call(daemon, "Remove", name="s999")
    for _ in range(2):
        found = [dict(labels)["schedule"] for name, labels in scrape(daemon) if name == LATEST[0]]
        assert found == [f"s{999 - i}" for i in range(1, 201)]
        daemon.restart()


def test_what_jobs_read_and_write(daemon, tmp_path):
    """As the kernel charges it to a process of ours that does the same."""
    def argv(path):
        return ["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=3", "conv=fsync"]

    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock
    subprocess.run(argv(tmp_path / "ours"), check=True, capture_output=True)
    ours = 512 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock - before)
    daemon.wait(daemon.submit(*argv(tmp_path / "theirs")))
    written = of(scrape(daemon), "batchd_job_io_bytes_total", queue="default", direction="write")
    if ours == 0:
        pytest.skip(f"nothing is charged to who writes to {tmp_path}")
    assert ours >= 3 << 20 and ours / 2 < written < 2 * ours
    assert of(scrape(daemon), "batchd_job_io_bytes_total", queue="default", direction="read") % 512 == 0


def test_gpus_by_index(tmp_path):
    """What the status has of those that jobs are given; one that vanished has no figures."""
    machine, nvidia = Machine(tmp_path / "machine"), Nvidia(tmp_path / "nvidia")
    machine.nvidia("65", "ca")
    lines = ["gpu A100 GPU-aaaa 65 81920 1024 37 41", "gpu L40S GPU-bbbb ca 46068 0 0 0"]
    nvidia.has(*lines)
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(daemon.call("io.batchd.Server.Status")["machine"]["gpus"]) == 2)
        samples = scrape(daemon)
        for gpu in daemon.call("io.batchd.Server.Status")["machine"]["gpus"]:
            index = str(gpu["index"])
            assert of(samples, "batchd_gpu_busy_ratio", gpu=index) == gpu["busy_percent"] / 100
            assert of(samples, "batchd_gpu_memory_bytes", gpu=index) == gpu["memory_total_bytes"]
            assert of(samples, "batchd_gpu_memory_used_bytes", gpu=index) == gpu["memory_used_bytes"]
            assert of(samples, "batchd_gpu_out", gpu=index) == 0
        assert of(samples, "batchd_gpu_temperature_celsius", gpu="0") == 41
        assert ("batchd_gpu_temperature_celsius", (("gpu", "1"),)) not in samples
        nvidia.has(lines[1])
        wait_until(lambda: of(scrape(daemon), "batchd_gpu_out", gpu="0") == 1)
        samples = scrape(daemon)
        assert of(samples, "batchd_gpu_out", gpu="1") == 0
        assert [dict(labels)["gpu"] for name, labels in samples if name == "batchd_gpu_memory_bytes"] == ["1"]


def test_gpus_that_do_not_answer_have_no_figures(tmp_path):
    """What was seen before is not how they are."""
    machine, nvidia = Machine(tmp_path / "machine"), Nvidia(tmp_path / "nvidia")
    machine.nvidia("65")
    line = "gpu A100 GPU-aaaa 65 81920 1024 37 41"
    nvidia.has(line)
    with gpus.daemon(machine, nvidia, more='gpu_deadline = "300ms"\n') as daemon:
        figures = ("batchd_gpu_memory_bytes", "batchd_gpu_memory_used_bytes")
        wait_until(lambda: {name for name, _ in scrape(daemon)}.issuperset(figures))
        nvidia.has(line, "hang memory")
        wait_until(lambda: of(scrape(daemon), "batchd_gpu_out", gpu="0") == 1)
        assert not any(name in figures for name, _ in scrape(daemon))
