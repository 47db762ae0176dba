"""Checkpoints: made inside a job, found by the next attempt, passed over when damaged, asked for."""
import hashlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from daemon import OUT, Refused, wait_until
from shell import shared_daemon, folder_of_the_test, shell  # the first two are fixtures

COUNT = """trap 'touch "asked-$BATCHD_ATTEMPT"; save' USR1
save() { echo $n > state && batchctl checkpoint commit state; }
n=0
test -z "$BATCHD_CHECKPOINT" || n=$(cat "$BATCHD_CHECKPOINT")
echo "from $n" >> began
until test $n -ge ${STEPS:-6}; do
    n=$((n + 1)); echo $n >> steps; save
    while test -e "stop-$n" -a "$BATCHD_ATTEMPT" = "$(cat stop-$n)"; do sleep 0.02; done
done
echo $n > "$BATCHD_OUTPUT"
"""


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def checkpoints(daemon, ident):
    return daemon.state / "jobs" / str(ident) / "checkpoint"


def stop_at(daemon, folder, ident, step, attempt=1):
    """Runs until there, and its worker dies."""
    wait_until(lambda: len(lines(folder / "steps")) >= step and
               (checkpoints(daemon, ident) / str(step)).exists(), 60)
    wait_until(lambda: (daemon.job(ident)["checkpoint"] or {}).get("number") == step)
    os.kill(daemon.worker_pid(ident), signal.SIGKILL)


def test_the_next_attempt_goes_on(daemon, folder):
    (folder / "stop-4").write_text("1")
    ident = shell(daemon, folder, COUNT, outputs=["total"])
    stop_at(daemon, folder, ident, 4)
    job = daemon.wait(ident, seconds=60)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert lines(folder / "began") == ["from 0", "from 4"]
    assert lines(folder / "steps") == ["1", "2", "3", "4", "5", "6"]
    assert (folder / "total").read_text() == "6\n"
    job = daemon.job(ident)
    assert job["resumed_from"] == {"number": 4, "attempt": 1} and job["note"] is None
    made = job["checkpoint"]
    assert (made["number"], made["attempt"], made["bytes"], made["count"]) == (6, 2, 2, 6)
    assert 0 <= time.time() - made["made_at"] / 1e6 < 60
    shown = daemon.ctl("show", str(ident)).stdout
    assert "resumed from: checkpoint 4 of attempt 1\n" in shown
    assert re.search(r"checkpoint: 6 by attempt 2, size 2; 6 made\n", shown)
    attempts = daemon.call("io.batchd.Jobs.Show", id=ident, attempts=True)["job"]["attempts"]
    assert [attempt["resumed_from"] for attempt in attempts] == [None, {"number": 4, "attempt": 1}]


@pytest.mark.parametrize("damage,why", [
    (lambda path: (path / "data/state").write_text("9\n"), "its files are damaged"),
    (lambda path: os.truncate(path / "manifest", 30), "its manifest is damaged"),
])
def test_a_damaged_one_is_passed_over_with_a_note(daemon, folder, damage, why):
    (folder / "stop-4").write_text("1")
    ident = shell(daemon, folder, COUNT + "batchctl checkpoint path > path", outputs=["total"])
    wait_until(lambda: (checkpoints(daemon, ident) / "4").exists(), 60)
    damage(checkpoints(daemon, ident) / "4")
    os.kill(daemon.worker_pid(ident), signal.SIGKILL)
    job = daemon.wait(ident, seconds=60)[0]
    assert job["state"] == "completed"
    assert lines(folder / "began") == ["from 0", "from 3"]
    job = daemon.job(ident)
    assert job["resumed_from"] == {"number": 3, "attempt": 1}
    assert job["note"] == f"checkpoint 4 was passed over: {why}"
    assert f"note: checkpoint 4 was passed over: {why}\n" in daemon.ctl("show", str(ident)).stdout
    stderr = daemon.ctl("logs", "--stderr", str(ident)).stderr
    assert f"batchd: checkpoint 4 is passed over: {why}\n" in stderr
    assert (folder / "path").read_text().strip() == str(checkpoints(daemon, ident) / "7/data/state")


def test_outside_a_job_there_is_none(daemon):
    done = daemon.ctl("checkpoint", "path")
    assert done.returncode == 1 and "there is no BATCHD_CHECKPOINT_DIR" in done.stderr
    done = daemon.ctl("checkpoint", "forget")
    assert done.returncode == 2


def test_a_job_without_one_is_told_by_the_status(daemon, folder):
    """And it leaves no folder, which would cost every job."""
    ident = shell(daemon, folder, "batchctl checkpoint path > path; echo $? >> path; env > env")
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert (folder / "path").read_text() == "3\n"
    env = dict(line.split("=", 1) for line in lines(folder / "env") if "=" in line)
    assert env["BATCHD_CHECKPOINT_DIR"] == str(checkpoints(daemon, ident))
    assert env["BATCHD_JOB_DIR"] == str(daemon.state / "jobs" / str(ident))
    assert "BATCHD_CHECKPOINT" not in env
    assert not checkpoints(daemon, ident).exists()
    assert daemon.job(ident)["checkpoint"] is None


def test_it_is_made_while_the_daemon_is_away(daemon, folder):
    ident = shell(daemon, folder, "until test -e go; do sleep 0.02; done; echo 1 > s;"
                  "batchctl checkpoint commit s; echo $? > status")
    daemon.wait_running(ident)
    daemon.kill()
    (folder / "go").touch()
    wait_until(lambda: lines(folder / "status"))
    daemon.start()
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert lines(folder / "status") == ["0"]
    assert (checkpoints(daemon, ident) / "1/data/s").read_text() == "1\n"


def test_each_task_has_its_own(daemon, folder):
    text = "echo $BATCHD_ARRAY_INDEX > s-$BATCHD_ARRAY_INDEX; batchctl checkpoint commit s-$BATCHD_ARRAY_INDEX"
    ident = shell(daemon, folder, text, array="3-4")
    assert daemon.wait(ident)[0]["state"] == "completed"
    for index in (3, 4):
        made = daemon.state / "jobs" / str(ident) / str(index) / "checkpoint/1/data" / f"s-{index}"
        assert made.read_text() == f"{index}\n"
        job = daemon.call("io.batchd.Jobs.Show", id=ident, index=index)["job"]
        assert job["checkpoint"]["number"] == 1


def test_a_linked_folder_is_the_users_own_affair(daemon, folder):
    """It is followed with the rights of the user alone: nothing privileged is there."""
    (folder / "elsewhere").mkdir()
    ident = shell(daemon, folder, 'mkdir -p "$BATCHD_JOB_DIR"; ln -s "$PWD/elsewhere" "$BATCHD_CHECKPOINT_DIR";'
                  "echo 1 > s; batchctl checkpoint commit s")
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert (folder / "elsewhere/1/data/s").read_text() == "1\n"


def test_the_example_of_the_manual(daemon, folder):
    """As it is printed; killed once, and asked for a checkpoint."""
    page = subprocess.run(["mandoc", "-Tutf8", OUT / "man/batchctl.1"], capture_output=True, text=True, check=True)
    text = re.sub(r".\x08", "", page.stdout)
    script = text[text.index("#!/bin/sh"):text.index("$ batchctl submit --checkpoint-signal")]
    script = "".join(line[5:] if line.startswith("     ") else line for line in script.splitlines(True))
    assert len(script.strip().splitlines()) == 10
    (folder / "add.sh").write_text(script)
    (folder / "add.sh").chmod(0o755)
    (folder / "bin").mkdir()  # the first attempt does not get beyond its second checkpoint
    (folder / "bin/batchctl").write_text(f"""#!/bin/sh
"{OUT}/batchctl" "$@" || exit
test $BATCHD_ATTEMPT != 1 -o ! -e "$BATCHD_CHECKPOINT_DIR/2" || sleep 1000
""")
    (folder / "bin/batchctl").chmod(0o755)
    ident = daemon.submit("./add.sh", cwd=str(folder), env={"PATH": f"{folder}/bin:{os.environ['PATH']}"},
                          outputs=["sum"], checkpoint_signal="USR1")
    wait_until(lambda: (checkpoints(daemon, ident) / "2").exists(), 60)
    os.kill(daemon.worker_pid(ident), signal.SIGKILL)
    job = daemon.wait(ident, seconds=60)[0]
    assert job["state"] == "completed"
    assert (folder / "sum").read_text() == "5000050000\n"
    assert daemon.job(ident)["resumed_from"] == {"number": 2, "attempt": 1}


# ---- asked for ----

def test_a_job_is_asked_for_one(daemon, folder):
    (folder / "stop-2").write_text("1")
    ident = shell(daemon, folder, COUNT, outputs=["total"], checkpoint_signal="USR1")
    wait_until(lambda: len(lines(folder / "steps")) >= 2)
    daemon.wait_running(ident)
    done = daemon.ctl("checkpoint", "request", str(ident))
    assert (done.returncode, done.stdout) == (0, f"Asked job {ident}\n")
    wait_until((folder / "asked-1").exists)
    (folder / "stop-2").unlink()
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert daemon.job(ident)["checkpoint_signal"] == "USR1"
    assert "asked by: USR1\n" in daemon.ctl("show", str(ident)).stdout


def test_what_is_asked_too_early_is_no_harm(folder):
    """While batchd-job looks at a large checkpoint the job is not there, and cannot catch anything."""
    data = folder / "kept/1/data"
    data.mkdir(parents=True)
    (data / "large").touch()
    os.truncate(data / "large", 1 << 40)  # a hole; nobody waits for the end of it
    lines = f"batchd-checkpoint 1\nnumber 1\nattempt 1\nmade_at 1\nbytes {1 << 40}\nsha256 {'0' * 64}\n"
    check = hashlib.sha256(lines.encode()).hexdigest()
    (folder / "kept/1/manifest").write_text(f"{lines}manifest {check}\n")
    with subprocess.Popen([OUT / "batchd-job", "begin", "7", "-", "2", "0", "", "true"], cwd=folder,
                          env={"BATCHD_CHECKPOINT_DIR": str(folder / "kept"), "PATH": os.environ["PATH"]}) as step:
        wait_until(lambda: any("large" in os.readlink(entry) for entry in
                               pathlib.Path(f"/proc/{step.pid}/fd").iterdir() if entry.is_symlink()))
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
            step.send_signal(number)
        status = pathlib.Path(f"/proc/{step.pid}/status")
        wait_until(lambda: re.search(r"^ShdPnd:\t0+$", status.read_text(), re.M))  # it has them
        assert step.poll() is None
        step.terminate()
        assert step.wait(timeout=30) == -signal.SIGTERM


def test_a_job_that_knows_no_signal_is_not_asked(daemon, folder):
    """It would die of it."""
    ident = shell(daemon, folder, "sleep 1000")
    daemon.wait_running(ident)
    done = daemon.ctl("checkpoint", "request", str(ident))
    assert done.returncode == 1
    assert done.stderr == (f"batchctl: cannot ask job {ident} for a checkpoint: it was submitted without a "
                           "signal for it\nhint: batchctl submit --checkpoint-signal USR1 -- COMMAND\n")
    assert daemon.job(ident)["state"] == "running"
    daemon.call("io.batchd.Jobs.Cancel", id=ident)
    assert daemon.wait(ident)[0]["state"] == "cancelled"


def test_it_is_asked_before_its_time_is_over(daemon, folder):
    (folder / "stop-2").write_text("1")
    ident = shell(daemon, folder, COUNT, outputs=["total"], checkpoint_signal="USR1", timeout_ms=3000)
    job = daemon.wait(ident)[0]
    assert job["outcome"]["class"] == "timeout"
    assert (folder / "asked-1").exists()


@pytest.mark.parametrize("name", ["KILL", "TERM", "STOP", "CONT", "none", "0", 10, ["USR1"]])
def test_signals_with_another_meaning_are_refused(daemon, name):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", checkpoint_signal=name)
    assert refused.value.parameters["field"] == "checkpoint_signal"
    assert refused.value.parameters["message"].startswith("checkpoint_signal ")


def test_a_signal_that_is_none_is_refused_as_the_option(daemon):
    done = daemon.ctl("submit", "--checkpoint-signal", "FOO", "--", "true")
    assert done.returncode == 2
    assert done.stderr.startswith('batchctl: --checkpoint-signal: "FOO" is not a signal')


def test_what_is_told_is_of_ones_own_running_attempt(daemon, folder):
    ident = shell(daemon, folder, "sleep 1000")
    daemon.wait_running(ident)
    fact = {"id": ident, "attempt": 1, "number": 5, "bytes": 10, "made_at": 1}
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Jobs.Checkpointed", **dict(fact, attempt=2))
    assert refused.value.name == "io.batchd.InvalidState"
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Jobs.Checkpointed", **dict(fact, number=0))
    assert refused.value.parameters["field"] == "number"
    reply = daemon.as_another("io.batchd.Jobs.Checkpointed", **fact)
    assert reply["error"] == "io.batchd.NoSuchJob"
    assert daemon.job(ident)["checkpoint"] is None
    daemon.call("io.batchd.Jobs.Checkpointed", **fact)
    daemon.restart()
    assert daemon.job(ident)["checkpoint"]["number"] == 5
    daemon.wait_running(ident)
    daemon.call("io.batchd.Jobs.Cancel", id=ident)
    daemon.wait(ident)
