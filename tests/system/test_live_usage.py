"""What jobs use: while they run, and in all; where there is no control group, by their processes."""
import pytest
import serving
from daemon import wait_until

MIB = 1 << 20
PYTHON = "/usr/bin/python3"
BURN = """import time
end = time.process_time() + {0}
while time.process_time() < end: pass
"""
HOLD = """import sys, time
data = bytearray({0} << 20)
time.sleep({1})
"""
HELD = """import os, time
data = bytearray(60 << 20)
while not os.path.exists('{0}'): time.sleep(0.05)
"""


@pytest.fixture
def watched(make_daemon):
    daemon = make_daemon(config='[monitor]\ninterval = "200ms"\n')
    daemon.start()
    return daemon


def live(daemon, job):
    return daemon.job(job)["live"] or {"cpu_percent": -1, "memory_bytes": 0, "processes": 0, "cpu_ms": 0}


def test_a_job_that_runs_is_seen(watched):
    """All of its tree: one child computes, another, in a session of its own, holds memory."""
    job = watched.submit("sh", "-c", f'{PYTHON} -c "{BURN.format(600)}" & setsid {PYTHON} -c "{HOLD.format(80, 600)}"; wait')
    wait_until(lambda: live(watched, job)["memory_bytes"] > 80 * MIB and live(watched, job)["cpu_ms"] > 300)
    wait_until(lambda: 5 < live(watched, job)["cpu_percent"] < 130)  # at first both begin
    seen = live(watched, job)
    assert seen["processes"] == 3 and seen["memory_source"] == "sampled"
    assert seen["max_rss_bytes"] >= seen["memory_bytes"] > 0
    assert seen["memory_bytes"] < 160 * MIB
    assert watched.job(job)["usage"] is None
    shown = watched.ctl("show", str(job)).stdout
    assert " % now, " in shown and "3 processes" in shown and "(seen now and then)" in shown
    head, line = watched.ctl("list", "--columns", "id,cpu,used,peak").stdout.splitlines()
    assert head.split() == ["ID", "CPU", "USED", "PEAK"] and line.split()[1].endswith("%") and line.count("M") == 2
    top = watched.ctl("top", "--once").stdout
    assert "USED" in top and "%" in top.split("running:")[1]
    watched.call("io.batchd.Jobs.Suspend", id=job)
    wait_until(lambda: live(watched, job)["cpu_percent"] == 0)
    watched.call("io.batchd.Jobs.Cancel", id=job, grace_ms=0)
    ended = watched.wait(job)[0]
    assert ended["live"] is None and ended["usage"]["memory_source"] == "sampled"
    assert ended["usage"]["max_rss_bytes"] >= seen["max_rss_bytes"] and ended["usage"]["cpu_ms"] >= seen["cpu_ms"]


def test_a_new_batchd_sees_it_too(watched):
    job = watched.submit(PYTHON, "-c", HOLD.format(50, 600))
    wait_until(lambda: live(watched, job)["memory_bytes"] > 50 * MIB)
    watched.kill()
    watched.start()
    wait_until(lambda: live(watched, job)["memory_bytes"] > 50 * MIB)
    watched.call("io.batchd.Jobs.Cancel", id=job, grace_ms=0)


def test_what_nobody_waited_for_counts(watched, tmp_path):
    """An orphan's processor time, and its memory; also of one that is killed at the end."""
    burns = BURN.format(0.8)
    goes_on = BURN.format(0.4) + "open('told', 'w').write('x')\n" + BURN.format(600)
    job = watched.submit("sh", "-c", "mkfifo told; read -r ready <told & "
                         f'(setsid {PYTHON} -c "{burns}open(\'first\', \'w\')" &); (setsid {PYTHON} -c "{goes_on}" &); wait; '
                         "while ! [ -e first ]; do sleep 0.2; done", cwd=str(tmp_path))
    usage = watched.wait(job)[0]["usage"]
    assert usage["cpu_ms"] >= 1100


def test_a_short_job_has_that_of_one_process(watched):
    job = watched.submit(PYTHON, "-c", "bytearray(60 << 20)")
    usage = watched.wait(job)[0]["usage"]
    assert usage["memory_source"] == "process" and 60 * MIB < usage["max_rss_bytes"] < 100 * MIB
    assert "(of one process)" in watched.ctl("show", str(job)).stdout


def test_it_is_kept_for_every_attempt(watched, tmp_path):
    """After a restart, too; the peak of several processes is more than that of one."""
    hold = f'{PYTHON} -c "{HELD.format("seen-$BATCHD_ATTEMPT")}"'
    job = watched.submit("sh", "-c", f"{hold} & {hold}; wait; exit 1", max_attempts=2, retry={"base_ms": 1}, cwd=str(tmp_path))
    for attempt in (1, 2):
        wait_until(lambda: watched.job(job)["attempt"] == attempt and live(watched, job)["memory_bytes"] > 120 * MIB)  # noqa: B023
        (tmp_path / f"seen-{attempt}").touch()
    watched.wait(job)
    watched.kill()
    watched.start()
    shown = watched.call("io.batchd.Jobs.Show", id=job, attempts=True)["job"]
    assert len(shown["attempts"]) == 2
    for attempt in shown["attempts"]:
        assert attempt["usage"]["memory_source"] == "sampled" and attempt["usage"]["max_rss_bytes"] > 120 * MIB
    assert shown["usage"]["memory_source"] == "sampled"
    watched.check_store()


@pytest.fixture
def serves(make_daemon, tmp_path):
    """A daemon whose one worker has jobs of the type "server" done by one, and how to submit one: those that do
    not make the file `lasts` end, and are followed by the next; which is served cannot be known before."""
    serving.install(tmp_path / "types")
    daemon = make_daemon(config='[monitor]\ninterval = "200ms"\n[workers]\nmin = 1\nmax = 1\n'
                                f'[processors]\npath = "{tmp_path}/types"\n')
    daemon.start()
    lasts = tmp_path / "lasts"

    def submit(script):
        for _ in range(60):  # a server ends behind a job that was slow, and they are counted anew
            job = daemon.call("io.batchd.Jobs.Submit", type="server", params={"script": script}, cwd=str(tmp_path))["id"]
            wait_until(lambda: lasts.exists() or daemon.job(job)["state"] == "completed")  # noqa: B023
            if lasts.exists():
                return job
        raise AssertionError("none was served")

    return daemon, submit


def test_what_a_server_tells_of_a_job_is_its_usage(serves, tmp_path):
    """While it runs its server and batchd-job are seen with it, whose memory the end is to be without."""
    daemon, submit = serves
    job = submit("if served:\n    data = bytearray(60 << 20); open('lasts', 'w')\n"
                 "    while not os.path.exists('enough'): time.sleep(0.05)\n"
                 "answered = True; say(type='result', result={'processor': 'server'}, "
                 "usage={'user_us': 40000, 'system_us': 20000, 'max_rss_bytes': 40 << 20})")
    wait_until(lambda: live(daemon, job)["memory_bytes"] > 60 * MIB)
    assert live(daemon, job)["processes"] == 2
    (tmp_path / "enough").touch()
    usage = daemon.wait(job)[0]["usage"]
    assert usage["max_rss_bytes"] == 40 * MIB and usage["memory_source"] == "process"
    assert usage["cpu_ms"] < 200


def test_a_served_job_is_seen_without_what_its_server_did_before(serves, tmp_path):
    """By the processes of the server, too; what one of a few milliseconds used is told when it ends, as before.
    It begins to compute when it was seen: till then the worker has looked at what its server used before."""
    daemon, submit = serves
    burn = "end = time.process_time() + {0}\n    while time.process_time() < end: pass"
    wait = "while not os.path.exists('{0}'): time.sleep(0.05)"
    job = submit(f"if count <= 6:\n    {burn.format(0.2)}\nelse:\n    open('lasts', 'w')\n    data = bytearray(80 << 20)\n"
                 f"    {wait.format('seen')}\n    {burn.format(0.8)}\n    {wait.format('enough')}\n"
                 f"    import subprocess; subprocess.run(['{PYTHON}', '-c', {HELD.format('done')!r}])")
    wait_until(lambda: live(daemon, job)["memory_bytes"] > 80 * MIB)
    assert live(daemon, job)["cpu_ms"] < 600
    (tmp_path / "seen").touch()
    wait_until(lambda: live(daemon, job)["cpu_ms"] > 600)
    wait_until(lambda: live(daemon, job)["cpu_percent"] < 20)
    seen = live(daemon, job)
    assert 600 < seen["cpu_ms"] < 1500
    assert 80 * MIB < seen["memory_bytes"] <= seen["max_rss_bytes"] < 160 * MIB
    assert seen["processes"] == 2 and seen["memory_source"] == "sampled"
    (tmp_path / "enough").touch()
    wait_until(lambda: live(daemon, job)["processes"] == 3 and live(daemon, job)["memory_bytes"] > 140 * MIB)
    assert "%" in daemon.ctl("top", "--once").stdout.split("running:")[1]
    (tmp_path / "done").touch()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["live"]) == ("completed", None)
    assert ended["usage"]["max_rss_bytes"] > 140 * MIB and seen["cpu_ms"] <= ended["usage"]["cpu_ms"] < 2000
