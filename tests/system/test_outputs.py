"""Declared outputs: in their places when the job ended well and the checks are true, else as it was."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

from clock import Clock
from daemon import OUT, ROOT, Daemon, Refused, wait_until
from shell import shared_daemon, folder_of_the_test, shell as shell_in  # the first two are fixtures


def shell(daemon, folder, text, *words, **more):
    return shell_in(daemon, folder, text, *words, **{"outputs": ["out"], **more})


def end(daemon, ident, seconds=60):
    return daemon.wait(ident, seconds=seconds)[0]


def names(folder):
    return sorted(os.listdir(folder))


def test_what_its_worker_noted_is_known_after_a_reboot(folder):
    """It ended while batchd was away, and then the machine was."""
    with Daemon() as daemon:
        ident = shell(daemon, folder, "touch began; until test -e go; do sleep 0.02; done; echo x > out")
        wait_until(lambda: (folder / "began").exists())
        daemon.wait_running(ident)
        daemon.kill()
        log, = daemon.state.glob("workers/*/log")
        before = log.stat().st_size
        (folder / "go").touch()
        wait_until(lambda: log.stat().st_size > before)
        daemon.power_off()
        daemon.start()
        ended = end(daemon, ident)
        assert ended["outcome"]["class"] != "lost"
        assert "was written in its place by the job" in daemon.job(ident)["note"]


def test_appears_at_the_end(daemon, folder):
    """The path in argv is replaced, BATCHD_OUTPUT is the first; meanwhile the old one is there."""
    (folder / "out").write_text("old")
    ident = shell(daemon, folder,
                  'echo new > "$1"; test "$1" = "$BATCHD_OUTPUT" -a "$1" = "$BATCHD_OUTPUT_1";'
                  'echo $? > same; until test -e go; do sleep 0.02; done', "out")
    wait_until(lambda: (folder / "same").exists() and (folder / "same").read_text())
    assert (folder / "out").read_text() == "old"
    assert len(names(folder)) == 3
    (folder / "go").touch()
    assert end(daemon, ident)["state"] == "completed"
    assert (folder / "out").read_text() == "new\n"
    assert (folder / "same").read_text() == "0\n"
    assert names(folder) == ["go", "out", "same"]
    job = daemon.job(ident)
    assert job["outputs"] == ["out"] and job["checks"] == []


@pytest.mark.parametrize("text", ["echo half > $BATCHD_OUTPUT; exit 3",
                                  "echo half > $BATCHD_OUTPUT; kill -9 $$",
                                  "mkdir $BATCHD_OUTPUT; touch $BATCHD_OUTPUT/half; exit 1"])
def test_stays_as_it_was_when_the_job_fails(daemon, folder, text):
    (folder / "out").write_text("old")
    assert end(daemon, shell(daemon, folder, text))["state"] == "failed"
    assert (folder / "out").read_text() == "old"
    assert names(folder) == ["out"]


@pytest.mark.parametrize("text,checks,message", [
    ("true", ["exists"], 'output "out": it was not written'),
    ("true", [], 'output "out": it was not written'),
    (": > $BATCHD_OUTPUT", ["nonempty"], 'output "out": it is empty'),
    ("mkdir $BATCHD_OUTPUT", ["nonempty"], 'output "out": it is empty'),
    ("echo a > $BATCHD_OUTPUT", ["nonempty", 'grep -q b "$1"'],
     'output "out": check "grep -q b "$1"" exited 1'),
    ("echo a > $BATCHD_OUTPUT", ["kill -9 $$"], 'output "out": check "kill -9 $$" was killed by signal 9'),
    ("ln -s /etc/passwd $BATCHD_OUTPUT", [], 'output "out": it is no file and no folder'),
    ("mkfifo $BATCHD_OUTPUT", [], 'output "out": it is no file and no folder'),
    ("echo a > $BATCHD_OUTPUT", ['rm "$1"'], 'output "out": '),
    ("echo a > $BATCHD_OUTPUT", ['rm "$1"; ln -s /etc/passwd "$1"'], 'output "out": '),
])
def test_what_is_not_as_declared_fails(daemon, folder, text, checks, message):
    job = end(daemon, shell(daemon, folder, text, checks=checks))
    assert job["state"] == "failed"
    assert (job["outcome"]["class"], job["outcome"]["exit_code"]) == ("exit", 0)
    assert job["outcome"]["message"].startswith(message)
    assert names(folder) == []


def test_the_status_of_such_a_job_is_not_0(daemon, folder):
    done = daemon.ctl("submit", "-w", "--chdir", folder, "--output", "out", "--check", "nonempty", "--",
                      "/bin/true")
    assert done.returncode == 1
    assert 'output "out": it was not written' in done.stderr


def test_all_are_checked_before_the_first_is_put_in_place(daemon, folder):
    (folder / "a").write_text("old")
    job = end(daemon, shell(daemon, folder, 'echo new > "$1"', "a", outputs=["a", "b"]))
    assert job["outcome"]["message"] == 'output "b": it was not written'
    assert (folder / "a").read_text() == "old" and names(folder) == ["a"]
    job = end(daemon, shell(daemon, folder, 'echo new > "$1"; mkdir "$2"; echo in > "$2/x"', "a", "b",
                            outputs=["a", "b"], checks=["nonempty", "exists"]))
    assert job["state"] == "completed"
    assert (folder / "a").read_text() == "new\n" and (folder / "b/x").read_text() == "in\n"


def test_all_are_on_disk_before_the_first_has_its_name(folder):
    """A loss of power leaves none that is there and not whole."""
    library, told = folder / "syncs.so", folder / "told"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, ROOT / "tests/lib/syncs.c", "-ldl"],
                   check=True)
    (folder / "in/.batchd-7-1-2.b/deep").mkdir(parents=True)
    staged = [folder / ".batchd-7-1-1.a", folder / "in/.batchd-7-1-2.b/deep/file"]
    for path in staged:
        path.write_text("new")
    subprocess.run([OUT / "batchd-job", "finish", "7", "-", "1", "0", "2", "a", "in/b"], cwd=folder, check=True, timeout=60,
                   env=dict(os.environ, LD_PRELOAD=str(library), SYNCS=str(told), ASAN_OPTIONS="verify_asan_link_order=0"))
    assert ((folder / "a").read_text(), (folder / "in/b/deep/file").read_text()) == ("new", "new")
    lines = told.read_text().splitlines()
    first = lines.index("name a")
    for path in (*staged, staged[1].parent, staged[1].parent.parent):
        assert f"sync {path}" in lines[:first], lines
    assert lines[first:] == ["name a", f"sync {folder}", "name b", f"sync {folder}/in"]


def test_a_check_finds_it_where_it_was_written(daemon, folder):
    """And what it says goes to stderr; what it leaves running is ended."""
    ident = shell(daemon, folder, "echo new > $BATCHD_OUTPUT; echo job",
                  checks=['test "$1" = "$BATCHD_OUTPUT" && cat "$1" || exit 1; sleep 1000 & exit 0'])
    assert end(daemon, ident)["state"] == "completed"
    assert daemon.ctl("logs", "--stdout", str(ident)).stdout == "job\n"
    assert daemon.ctl("logs", "--stderr", str(ident)).stderr == "new\n"


def test_a_folder_is_not_replaced(daemon, folder):
    (folder / "out").mkdir()
    job = end(daemon, shell(daemon, folder, "echo new > $BATCHD_OUTPUT"))
    assert job["outcome"]["message"] == 'output "out": there is a folder, which is not replaced'
    assert names(folder) == ["out"] and names(folder / "out") == []


def test_a_link_in_its_place_is_replaced_and_not_followed(daemon, folder):
    (folder / "target").write_text("target")
    (folder / "out").symlink_to("target")
    assert end(daemon, shell(daemon, folder, "echo new > $BATCHD_OUTPUT"))["state"] == "completed"
    assert (folder / "target").read_text() == "target"
    assert (folder / "out").read_text() == "new\n" and not (folder / "out").is_symlink()


def test_a_job_may_write_it_in_its_place(daemon, folder):
    """What is there from before is not what it made."""
    (folder / "out").write_text("old")
    time.sleep(0.05)  # files are stamped by the tick
    assert end(daemon, shell(daemon, folder, "true"))["state"] == "failed"
    ended = end(daemon, shell(daemon, folder, "echo mine > out", checks=["nonempty"]))
    assert ended["state"] == "completed", ended["outcome"]
    assert (folder / "out").read_text() == "mine\n"


def test_the_folder_may_be_swapped_meanwhile(daemon, folder):
    """It goes to where it was written, not to where the path leads now."""
    (folder / "d").mkdir()
    (folder / "other").mkdir()
    check = "mv d gone; ln -s other d"
    job = end(daemon, shell(daemon, folder, "echo new > $BATCHD_OUTPUT", outputs=["d/out"], checks=[check]))
    assert names(folder / "other") == []
    assert job["state"] == "failed" or names(folder / "gone") == ["out"]


def test_a_folder_without_rights(daemon, folder):
    """There is nothing that root may not, so what lies in its way is a file."""
    (folder / "d").write_text("")
    job = end(daemon, shell(daemon, folder, "exit 0", outputs=["d/out"]))
    assert job["state"] == "failed"
    assert job["outcome"]["message"].startswith('output "d/out": its folder')
    assert " bad output " in daemon.ctl("list", "--newest", "--limit", "1").stdout


def test_an_array_has_one_each(daemon, folder):
    ident = shell(daemon, folder, 'echo $BATCHD_ARRAY_INDEX > "$1"', "out-%a.txt", array="0-3",
                  outputs=["out-%a.txt"], checks=["nonempty"])
    assert end(daemon, ident)["state"] == "completed"
    assert names(folder) == [f"out-{i}.txt" for i in range(4)]
    assert (folder / "out-3.txt").read_text() == "3\n"
    with pytest.raises(Refused) as refused:
        shell(daemon, folder, "true", array="0-3")
    assert refused.value.parameters["field"] == "outputs"


@pytest.mark.parametrize("outputs,checks,text", [
    ([""], [], "must end in the name"), (["a/"], [], "must end in the name"),
    ([".."], [], "must end in the name"), (["a", "a"], [], "is given twice"),
    (["a", "ab", "a/b"], [], '"a/b" must not be in "a"'), (["a/b/c", "a"], [], '"a/b/c" must not be in "a"'),
    ([], ["exists"], "checks go with outputs"), (["a"], [""], "a check is empty"),
    (["a"] * 65, [], "at most 64"), (["a" * 4000], [], "outputs"), ([3], [], "outputs"),
])
def test_what_cannot_be_is_refused(daemon, folder, outputs, checks, text):
    with pytest.raises(Refused) as refused:
        shell(daemon, folder, "true", outputs=outputs, checks=checks)
    assert refused.value.parameters["field"] in ("outputs", "checks")
    assert text in refused.value.parameters["message"]


def test_what_an_attempt_left_is_removed_by_the_next(daemon, folder):
    """Its worker is killed while it writes; the next one writes elsewhere and ends well."""
    ident = shell(daemon, folder, 'echo $BATCHD_ATTEMPT > $BATCHD_OUTPUT; '
                  'test $BATCHD_ATTEMPT = 2 || { touch ready; sleep 1000; }')
    wait_until((folder / "ready").exists)
    os.kill(daemon.worker_pid(ident), 9)
    assert end(daemon, ident)["state"] == "completed"
    assert names(folder) == ["out", "ready"]
    assert (folder / "out").read_text() == "2\n"


# ---- the end of a job while its outputs are looked at ----

WAITS = 'touch checking; while test -e checking; do sleep 0.02; done'


def wait_checking(folder):
    wait_until((folder / "checking").exists)


def test_the_timeout_counts_for_the_checks_too(daemon, folder):
    job = end(daemon, shell(daemon, folder, "echo new > $BATCHD_OUTPUT", timeout_ms=500,
                            checks=["trap '' TERM; sleep 1000"], ))
    assert job["outcome"]["class"] == "timeout"
    assert names(folder) == []


def test_checks_have_ten_minutes_where_the_job_has_no_timeout(folder):
    """Its worker looks at the time when it is told anything: here by a batchd that is started again."""
    clock = Clock(folder, monotonic=True)
    with Daemon(config='[workers]\nstop_grace = "1s"\n', env=clock.env) as daemon:
        ident = shell(daemon, folder, "echo new > $BATCHD_OUTPUT", checks=[WAITS])
        wait_checking(folder)
        daemon.wait_running(ident)
        for minutes, state in ((9, "running"), (2, "failed")):
            clock.set(clock.now() + 60 * minutes)
            daemon.restart()
            wait_until(lambda state=state: daemon.job(ident)["state"] == state)
        outcome = daemon.job(ident)["outcome"]
        assert (outcome["class"], outcome["message"]) == ("timeout", "its outputs: to check them took too long")
        assert not (folder / "out").exists()


def test_cancel_while_it_is_checked(daemon, folder):
    (folder / "out").write_text("old")
    ident = shell(daemon, folder, "echo new > $BATCHD_OUTPUT", checks=[WAITS])
    wait_checking(folder)
    daemon.wait_running(ident)
    daemon.call("io.batchd.Jobs.Cancel", id=ident)
    assert end(daemon, ident)["state"] == "cancelled"
    assert (folder / "out").read_text() == "old" and names(folder) == ["checking", "out"]


def test_restart_while_it_is_checked(daemon, folder):
    ident = shell(daemon, folder, "echo new > $BATCHD_OUTPUT", checks=[WAITS])
    wait_checking(folder)
    daemon.restart()
    daemon.wait_running(ident)
    (folder / "checking").unlink()
    job = end(daemon, ident)
    assert (job["state"], job["attempt"]) == ("completed", 1)
    assert names(folder) == ["out"]


def test_the_worker_dies_while_it_is_checked(daemon, folder):
    """Nobody can say how it would have ended: it is lost, and runs again."""
    ident = shell(daemon, folder, "echo $BATCHD_ATTEMPT > $BATCHD_OUTPUT",
                  checks=[f"test $BATCHD_ATTEMPT = 2 || {{ {WAITS}; }}"])
    wait_checking(folder)
    os.kill(daemon.worker_pid(ident), 9)
    job = end(daemon, ident)
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert (folder / "out").read_text() == "2\n"
    assert names(folder) == ["checking", "out"]


def test_what_is_never_executed_is_told_as_ever(daemon, folder):
    """By batchd-job, which becomes the job."""
    ident = daemon.submit("no-such-program", cwd=str(folder), outputs=["out"])
    job = end(daemon, ident)
    assert (job["outcome"]["class"], job["outcome"]["exit_code"]) == ("spawn", None)
    assert job["outcome"]["message"] == 'cannot run "no-such-program": No such file or directory'
    plain = end(daemon, daemon.submit("no-such-program", cwd=str(folder)))
    assert plain["outcome"] == job["outcome"]


def test_the_job_inherits_nothing(daemon, folder):
    """batchd-job's descriptor is not the job's."""
    ident = shell(daemon, folder, 'ls /proc/self/fd > "$BATCHD_OUTPUT"')
    assert end(daemon, ident)["state"] == "completed"
    assert pathlib.Path(folder / "out").read_text().split() == ["0", "1", "2", "3"]  # 3 is ls's own


def test_what_a_lost_job_left_is_said(make_daemon, folder):
    """Its worker is dead, and nobody else removes it."""
    daemon = make_daemon()
    daemon.start()
    ident = shell(daemon, folder, 'echo half > "$BATCHD_OUTPUT"; sleep 600', rerun_if_lost=False)
    wait_until(lambda: names(folder))
    daemon.wait_running(ident)
    left, = names(folder)
    daemon.signal("--worker", signal.SIGKILL)
    assert end(daemon, ident)["outcome"]["class"] == "lost"
    assert names(folder) == [left] and left.startswith(f".batchd-{ident}-1-")
    assert f"may be left beside them, as .batchd-{ident}-1-*" in daemon.ctl("show", str(ident)).stdout
