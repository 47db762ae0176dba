"""Real jobs through a real daemon: results, output, environment, cancel, adoption."""
import base64
import contextlib
import os
import pathlib
import signal
import subprocess

import pytest
from daemon import Refused, wait_until


def outcome(job):
    return job["outcome"]["class"], job["outcome"]["exit_code"], job["outcome"]["signal"]


@pytest.mark.parametrize("argv,expected", [
    (["true"], ("success", 0, None)),
    (["false"], ("exit", 1, None)),
    (["sh", "-c", "exit 77"], ("exit", 77, None)),
    (["sh", "-c", "kill -9 $$"], ("signal", None, 9)),
    (["no-such-program"], ("spawn", None, None)),
    (["/etc/passwd"], ("spawn", None, None)),
])
def test_results(daemon, argv, expected):
    assert outcome(daemon.wait(daemon.submit(*argv))[0]) == expected


def test_unreadable_cwd_is_named(daemon):
    job = daemon.wait(daemon.submit("true", cwd="/nonexistent"))[0]
    assert outcome(job)[0] == "spawn" and '"/nonexistent"' in job["outcome"]["message"]


def test_output_keeps_its_order_and_bytes(daemon, tmp_path):
    """Each piece is written when the one before has been read."""
    script = ('shown() { until [ -e "$1" ]; do sleep 0.02; done; }\n'
              'for i in 1 2 3; do echo out$i; shown out$i; echo err$i >&2; shown err$i; done; printf "\\377\\000x"')
    job = daemon.submit("sh", "-c", script, cwd=str(tmp_path))
    client = daemon.client()
    client.send("io.batchd.Logs.Follow", more=True, id=job)
    parts = []
    while True:
        reply = client.receive()
        if not reply["continues"]:
            break
        data = reply["parameters"]["data"]
        parts.append((reply["parameters"]["stream"],
                      base64.b64decode(data["b64"]) if isinstance(data, dict) else data.encode()))
        if isinstance(data, str):
            (tmp_path / data.strip()).touch()
    assert reply["parameters"]["state"] == "completed"
    assert [p for p in parts if b"\xff" not in p[1]] == [
        (s, f"{s[3:]}{i}\n".encode()) for i in (1, 2, 3) for s in ("stdout", "stderr")]
    assert parts[-1] == ("stdout", b"\xff\x00x")


def test_silent_job_makes_no_file(daemon):
    daemon.wait(daemon.submit("true"))
    assert not list((daemon.state / "jobs").iterdir())


def test_output_cap_keeps_head_and_tail(make_daemon):
    daemon = make_daemon(config='[workers]\noutput_max = "8k"\n')
    daemon.start()
    job = daemon.wait(daemon.submit("seq", "1", "20000"))[0]
    text = daemon.ctl("logs", str(job["id"])).stdout
    assert text.startswith("1\n2\n3\n") and text.endswith("\n19999\n20000\n")
    left = job["usage"]["cut_bytes"]
    assert f"[batchd: {left} bytes left out here: the cap is 8192]" in text
    written = len("".join(f"{i}\n" for i in range(1, 20001)))
    assert job["usage"]["stdout_bytes"] == written and left == written - 8192


def test_only_three_descriptors_and_null_stdin(daemon):
    job = daemon.submit("sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0; cat")
    daemon.wait(job)
    # ls itself opens the folder it lists: 3
    assert daemon.ctl("logs", str(job)).stdout == "0 1 2 3 /dev/null\n"


def test_environment_and_bytes_in_argv(daemon):
    raw = {"b64": base64.b64encode(b"\xff\xfe").decode()}
    job = daemon.call("io.batchd.Jobs.Submit", cwd="/tmp", priority="high",
                      argv=["sh", "-c", 'printf "%s|" "$1"; env | sort', "x", raw],
                      env={"PATH": os.environ["PATH"], "A": "b"})["id"]
    daemon.wait(job)
    out = subprocess.run([*daemon.ctl_words(), "logs", str(job)], capture_output=True, check=True).stdout
    assert out.startswith(b"\xff\xfe|")
    lines = out.split(b"|", 1)[1].decode().split("\n")
    assert {"A=b", f"BATCHD_JOB_ID={job}", "BATCHD_ATTEMPT=1", "BATCHD_PRIORITY=high"} <= set(lines)
    assert not any(line.startswith(("NOTIFY_SOCKET", "HOME=")) for line in lines)


def naming(word):
    """The processes in whose words this is."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and word.encode() in (entry / "cmdline").read_bytes():
                yield entry.name


def test_cancel_kills_a_hostile_tree(daemon):
    marker = f"{daemon.state}/alive"
    script = (f"trap '' TERM; (setsid sh -c \"trap '' TERM; while :; do touch {marker}; sleep 0.02; done\" &)"
              " ; while :; do sleep 0.1; done")
    job = daemon.submit("sh", "-c", script)
    daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": "running"})
    wait_until(lambda: os.path.exists(marker))
    assert len(list(naming(marker))) >= 2
    daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=100)
    assert outcome(daemon.wait(job)[0])[0] == "cancelled"
    assert list(naming(marker)) == []


def test_priority_order(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\nprefetch = 0\n")
    daemon.start()
    first = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / "go"))
    daemon.wait_running(first)
    ids = {p: daemon.submit("true", priority=p) for p in ("background", "low", "normal", "high", "urgent")}
    (daemon.state / "go").touch()
    jobs = {j["id"]: j for j in daemon.wait(first, *ids.values())}
    order = sorted(ids, key=lambda p: jobs[ids[p]]["started_at"])
    assert order == ["urgent", "high", "normal", "low", "background"]


def test_timeout(daemon):
    job = daemon.wait(daemon.submit("sleep", "60", timeout_ms=200))[0]
    assert outcome(job) == ("timeout", None, signal.SIGTERM)


def test_restart_keeps_running_jobs_and_their_output(daemon):
    job = daemon.submit("sh", "-c", "for i in $(seq 40); do echo line $i; [ $i -lt 40 ] || until [ -e \"$0\" ]; do sleep 0.02; "
                                    "done; sleep 0.02; done; exit 7", str(daemon.state / "go"))
    daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": "running"})
    for _ in range(3):
        daemon.restart()
    (daemon.state / "go").touch()
    assert outcome(daemon.wait(job)[0]) == ("exit", 7, None)
    assert daemon.ctl("logs", str(job)).stdout == "".join(f"line {i}\n" for i in range(1, 41))


def test_job_that_ends_while_the_daemon_is_down(daemon):
    go = str(daemon.state / "go")
    job = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done; exit 9', go)
    daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": "running"})
    daemon.kill()
    pathlib.Path(go).touch()
    wait_until(lambda: list(naming(go)) == [])
    daemon.start()
    assert outcome(daemon.wait(job)[0]) == ("exit", 9, None)


@pytest.mark.parametrize("rerun", [True, False])
def test_killed_worker(daemon, rerun):
    job = daemon.submit("sh", "-c", "[ $BATCHD_ATTEMPT -gt 1 ] || sleep 600", rerun_if_lost=rerun)
    daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": "running"})
    shown = daemon.call("io.batchd.Jobs.Show", id=job)["job"]
    daemon.signal("--worker", signal.SIGKILL)
    ended = daemon.wait(job)[0]
    if rerun:
        assert outcome(ended) == ("success", 0, None) and ended["attempt"] == shown["attempt"] + 1
    else:
        assert ended["state"] == "failed" and outcome(ended) == ("lost", None, None)


def test_key_makes_submit_repeatable(daemon):
    first = daemon.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", key="k")
    again = daemon.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", key="k")
    assert again["existing"] and again["id"] == first["id"]
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Jobs.Submit", argv=["false"], cwd="/", key="k")
    assert refused.value.name == "io.batchd.KeyConflict" and refused.value.parameters["id"] == first["id"]


def test_follow_shows_every_attempt(daemon):
    """Attempts that end faster than a follower looks are not left out."""
    job = daemon.submit("sh", "-c", 'echo "attempt $BATCHD_ATTEMPT"; exit 1',
                        max_attempts=40, retry={"base_ms": 0})
    followed = daemon.ctl("logs", "-f", str(job)).stdout
    assert followed == "".join(f"attempt {i}\n" for i in range(int(followed.split()[1]), 41))
    daemon.wait(job)
