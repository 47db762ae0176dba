"""batchctl as a person meets it: exit codes, hints, tables on a terminal and in a pipe, JSON."""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from daemon import OUT

CTL = OUT / "batchctl"
NOWHERE = ["--socket", "/nonexistent/batchd.sock"]


def ctl(*words, **more):
    return subprocess.run([CTL, *words], capture_output=True, text=True, timeout=60, check=False, **more)


def on_terminal(daemon, *words, columns=60, **env):
    """What batchctl writes to a terminal so wide."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(env, TERM="xterm", COLUMNS=str(columns))
        os.execv(CTL, [str(word) for word in [*daemon.ctl_words(), *words]])
    text = b""
    deadline = time.monotonic() + 20
    while True:
        assert select.select([master], [], [], deadline - time.monotonic())[0], text
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other side is closed
            piece = b""
        if not piece:
            break
        text += piece
    os.waitpid(pid, 0)
    os.close(master)
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words,code,text", [
    ([], 2, "Usage: batchctl"),
    (["lst"], 2, "hint: batchctl list"),
    (["help", "lst"], 2, "hint: batchctl list"),
    (["list", "--stat", "failed", "--frob"], 2, 'unknown option "--frob" of list'),
    (["list", "--colour=never"], 2, "did you mean --color?"),
    (["--soket", "x", "list"], 2, "did you mean --socket?"),
    (["--socket"], 2, "needs a value"),
    (["list", "--color=sometimes"], 2, "auto, always or never"),
    (["--color", "sometimes", "list"], 2, "auto, always or never"),
    (["--timeout", "soon", "list"], 2, "--timeout"),
    (["list", "--limit", "0"], 2, "--limit"),
    (["list", "-o", "xml"], 2, "table, wide, json, jsonl, tsv or id"),
    (["show"], 2, "needs a job id"),
    (["show", "x"], 2, "hint: ids: 42, 42_7, 42_[1-3,9], 40-45"),
    (["show", "4_x"], 2, "hint: ids: 42, 42_7, 42_[1-3,9], 40-45"),
    (["hold", "x"], 2, "hint: ids: 42, 40-45"),
    (["wait", "4_x"], 2, "hint: ids: 42, 42_7, 42_[1-3,9], 40-45"),
    (["submit"], 2, "a command, --shell and --type"),
    (["submit", "-C", "/nonexistent", "true"], 2, "No such file or directory"),
    (["call", "x.y", "[]"], 2, "not a JSON object"),
    (["logs", "-f", "--head", "2", "1"], 2, "give one"),
    (["events", "x"], 2, 'takes no "x"'),
    (["status", "x"], 2, 'takes no "x"'),
    ([*NOWHERE, "list"], 6, "hint: start it with: batchd --user"),
    ([*NOWHERE, "wait", "1"], 6, "cannot reach batchd: /nonexistent/batchd.sock: No such file"),
    ([*NOWHERE, "submit", "true"], 6, "cannot reach batchd"),
])
def test_errors(words, code, text):
    done = ctl(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_help_of_every_verb():
    names = [line.split()[0] for line in ctl("--help").stdout.split("\n\n")[1].split("\n")]
    assert len(names) >= 12
    for name in names:
        texts = {ctl(name, "--help").stdout, ctl("help", name).stdout, ctl(*NOWHERE, name, "-h").stdout}
        assert len(texts) == 1 and f"Usage: batchctl {name}" in texts.pop()
    assert ctl("--version").stdout == ctl("list", "--version").stdout


@pytest.mark.parametrize("words,code,text", [
    (["show", "99"], 4, "no job 99"), (["logs", "99"], 4, "no job 99"), (["cancel", "99"], 4, "no job 99"),
    (["wait", "99"], 4, "no job 99"), (["wait", "--all-ok", "99"], 4, "no job 99"),
    (["cancel", "name:x"], 4, "no job matches"),
    (["submit", "-Q", "other", "true"], 4, 'no queue "other"'),
    (["submit", "--type", "x"], 4, "x"),
    (["list", "-s", "bad"], 1, "pending, starting"),
    (["call", "io.batchd.Nope"], 7, 'no method "io.batchd.Nope"'),
    (["events", "--since", "0"], 1, "hint: batchctl events --since "),
])
def test_refusals(daemon, words, code, text):
    done = daemon.ctl(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_a_folder_that_is_gone_is_not_another(daemon, tmp_path):
    """Nothing runs elsewhere than where it was submitted; a folder that is named needs no other."""
    gone = tmp_path / "gone"

    def there(*words):
        gone.mkdir()
        return subprocess.run(["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', gone, *words],
                              capture_output=True, text=True, check=False, timeout=60)

    for verb in (["submit", "pwd"], ["cron", "add", "s", "--at", "@daily", "--", "pwd"]):
        done = there(*daemon.ctl_words(), *verb)
        assert (done.returncode, done.stdout) == (1, "")
        assert "the current folder cannot be told: No such file" in done.stderr
    assert there(*daemon.ctl_words(), "submit", "-C", "/tmp", "pwd").returncode == 0
    assert len(daemon.jobs()) == 1
    done = there(OUT / "batchd", "--state", "proc/1/x", "--check-config")  # nothing can be made below /proc
    assert done.returncode == 69
    assert 'the current folder, to which "proc/1/x" belongs, cannot be told: No such file' in done.stderr


@pytest.mark.parametrize("words,code,text", [
    (["true"], 0, ""), (["sh", "-c", "exit 7"], 7, ""),
    (["-t", "100ms", "sleep", "9"], 124, "timed out"),
    (["/nonexistent"], 127, "No such file"), (["/etc/passwd"], 126, "Permission denied"),
    (["--shell", "kill -USR1 $$"], 138, "killed by signal USR1"),
])
def test_submit_wait_mirrors(daemon, words, code, text):
    done = daemon.ctl("submit", "--wait", *words)
    assert done.returncode == code and done.stdout == "1\n"
    assert text in done.stderr and (text != "" or done.stderr == "")


def test_wait_takes_the_first_failure_by_id(daemon):
    ids = [str(daemon.submit("sh", "-c", f"exit {code}")) for code in (0, 5, 6)]
    assert daemon.ctl("wait", *reversed(ids)).returncode == 5
    assert daemon.ctl("wait", "--all-ok", *ids).returncode == 1
    assert daemon.ctl("wait", "--timeout", "50ms", str(daemon.submit("sleep", "9"))).returncode == 124


def test_wait_for_running_of_what_never_ran(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    busy = daemon.submit("sleep", "60")
    daemon.wait_running(busy)
    waiting = daemon.submit("true")
    watch = subprocess.Popen([*daemon.ctl_words(), "wait", "--for", "running", str(waiting)],
                             stderr=subprocess.PIPE, text=True)
    daemon.call("io.batchd.Jobs.Cancel", id=waiting)
    text = watch.communicate(timeout=20)[1]
    assert (watch.returncode, text) == (3, f"batchctl: job {waiting} ended without having run\n")
    for code, *words in ((0, busy), (3, waiting), (3, busy, waiting), (0, "--any", waiting, busy),
                         (3, "--any", waiting), (3, "--json", waiting)):
        assert daemon.ctl("wait", "--for", "running", *map(str, words)).returncode == code, words
    daemon.call("io.batchd.Jobs.Cancel", id=busy)
    daemon.wait(busy)
    assert daemon.ctl("wait", "--for", "running", str(busy)).returncode == 0
    array = daemon.submit("true", array="0-3")
    daemon.wait(array)
    assert daemon.ctl("wait", "--for", "running", str(array)).returncode == 0


@pytest.mark.long
def test_wait_that_lost_its_daemon(daemon):
    job = daemon.submit("sleep", "60")
    waiting = subprocess.Popen([*daemon.ctl_words(), "--timeout", "8s", "wait", str(job)],
                               stderr=subprocess.PIPE, text=True)
    daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": "running"})
    daemon.kill()
    assert waiting.communicate(timeout=40)[1].count("batchd") and waiting.returncode == 125


def test_cancel_of_what_ended(daemon):
    daemon.wait(daemon.submit("sh", "-c", "exit 3"))
    done = daemon.ctl("cancel", "1")
    assert done.returncode == 1
    assert "cannot cancel job 1: it already failed (exit 3, " in done.stderr and " ago)" in done.stderr


def test_cancel_dry_run_says_what_cancel_would(daemon):
    daemon.wait(daemon.submit("sh", "-c", "exit 3"), daemon.submit("true"))
    running = daemon.submit("sleep", "60")
    daemon.call("io.batchd.Jobs.Cancel", id=daemon.submit("sleep", "60"))
    daemon.wait(4)
    daemon.wait_running(running)
    before = daemon.jobs_kept()
    for words in (["1"], ["2"], ["3-3"], ["4"], ["5"], ["3-7"], ["1-7"]):
        dry = daemon.ctl("cancel", "--dry-run", *words)
        assert dry.stdout == ("3\n" if words[0].startswith(("3", "1-")) else ""), words
        assert daemon.jobs_kept() == before
        if words[0] in ("1", "2", "4", "5"):
            real = daemon.ctl("cancel", *words)
            assert (re.sub(r"[\w.]+ ago", "ago", real.stderr), real.returncode) == (
                re.sub(r"[\w.]+ ago", "ago", dry.stderr), dry.returncode)
    assert daemon.ctl("cancel", "--dry-run", "3", "5-7").returncode == 4


def test_json_of_every_verb(daemon):
    daemon.wait(daemon.submit("echo", "text", name="n"))

    def read(*words):
        done = daemon.ctl(*words)
        return json.loads(done.stdout)

    assert read("list", "--json")[0]["id"] == 1
    assert read("--json", "show", "1")["name"] == "n"
    assert read("logs", "--json", "1")["data"] == "text\n"
    assert read("wait", "--json", "1")[0]["state"] == "completed"
    assert read("status", "--json")["counts"]["completed"] == 1
    assert "time_us" in read("ping", "--json")
    assert read("version", "--json")["client_version"] == read("version", "--json")["version"]
    assert read("submit", "--json", "true")["id"] == 2
    assert read("submit", "--json", "--wait", "true")[0]["state"] == "completed"
    dry = read("cancel", "--json", "--dry-run", str(daemon.submit("sleep", "60")))
    assert dry["id"] == 4 and dry["dry_run"] is True
    assert read("call", "--json", "io.batchd.Server.Ping")
    assert json.loads(ctl(*NOWHERE, "version", "--json").stdout).keys() == {"client_version"}


def test_tsv_and_pipe_are_whole(daemon):
    name = "a name with blanks " + "x" * 150
    daemon.wait(daemon.submit("sh", "-c", "exit 3", "tab\there", name=name))
    header, row = daemon.ctl("list", "-o", "tsv").stdout.splitlines()
    cells = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    assert cells["NAME"] == name and cells["RESULT"] == "exit 3"
    assert cells["COMMAND"] == "sh -c 'exit 3' 'tab?here'"
    assert name in daemon.ctl("list").stdout and "\x1b" not in daemon.ctl("list").stdout
    assert "\x1b" in daemon.ctl("list", "--color=always").stdout


def test_terminal(daemon):
    daemon.wait(daemon.submit("false", name="n" * 150))
    lines = on_terminal(daemon, "list", "--color=never").splitlines()
    assert len(lines) == 2 and max(map(len, lines)) <= 60
    assert "\x1b[31m" in on_terminal(daemon, "list")
    assert "\x1b" not in on_terminal(daemon, "list", NO_COLOR="1")
    assert on_terminal(daemon, "submit", "true") == "Submitted job 2\n"
    assert on_terminal(daemon, "submit", "-q", "true") == "3\n"
    assert on_terminal(daemon, "list", "-s", "suspended") == "no jobs\n"


def test_a_narrow_terminal_has_room_for_the_name(daemon):
    daemon.call("io.batchd.Queues.Add", name="a-queue-with-a-long-name")
    parent = daemon.submit("true", hold=True)
    daemon.submit("true", name="report-of-the-week", queue="a-queue-with-a-long-name", hold=True, depends=str(parent),
                  begin=int((time.time() + 3600) * 1e6))
    lines = on_terminal(daemon, "list", "--color=never").splitlines()
    assert max(map(len, lines)) <= 60 and " rep" in lines[2] and " Held" in lines[2], lines


def test_show_is_for_people_and_tames_control_bytes(daemon):
    daemon.wait(daemon.submit("sh", "-c", "exit 3", name="\x1b[31mred", tags={"k": "v"}, max_attempts=2))
    text = daemon.ctl("show", "--attempts", "1").stdout
    assert "\x1b" not in text and "?[31mred" in text
    for line in ("outcome: exit 3", "attempt: 2 of 2", "tags: k=v", "attempt 1: exit 3 after",
                 "command: sh -c 'exit 3'"):
        assert line in text, text
    assert "{" not in text


def test_what_others_wrote_does_not_command_the_terminal(daemon):
    """ESC, DEL, and CSI as C1 in UTF-8, in every place where a job's text is shown."""
    evil = "/nonex\x1b[31m\x7f\u009b32mX"
    done = daemon.ctl("submit", "-w", "-n", evil, "--tag", f"k={evil}", "--", evil)
    assert done.returncode == 127 and "?[31m??32mX" in done.stderr
    seen = [done.stderr]
    for words in (["show", "--attempts"], ["list", "-o", "tsv"], ["list", "-o", "wide"], ["list", "-o", "table"],
                  ["wait"]):
        done = daemon.ctl(*words, "1")
        assert "/nonex?[31m??32mX" in done.stdout + done.stderr, words
        seen.append(done.stdout + done.stderr)
    seen += [daemon.ctl("status").stdout, daemon.ctl("submit", "-Q", evil, "true").stderr]
    assert "?[31m" in seen[-1] and "?[31m" in seen[-2]
    for text in seen:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text), repr(text)


def test_output_that_cannot_be_written(daemon):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([*daemon.ctl_words(), "status"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=20, check=False)
    assert done.returncode == 1 and "cannot write" in done.stderr


LINES = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done"


def test_lines_of_logs_keep_their_stream_and_time(daemon):
    daemon.wait(daemon.submit("sh", "-c", f"{LINES}; printf rest >&2"))
    done = daemon.ctl("logs", "-n", "3", "--stderr", "1")
    assert (done.stdout, done.stderr) == ("", "err 4\nerr 5\nrest")
    assert daemon.ctl("logs", "--head", "2", "--stdout", "1").stdout == "out 1\nout 2\n"
    assert daemon.ctl("logs", "--head", "99", "1").stdout == daemon.ctl("logs", "-n99", "1").stdout
    stamped = daemon.ctl("logs", "-n", "1", "--stdout", "--timestamps", "1").stdout
    assert re.fullmatch(r"\d+-\d\d-\d\d [\d:]+\.\d{3} out 5\n", stamped), stamped
    parts = [json.loads(line) for line in daemon.ctl("logs", "--json", "-n", "2", "--stderr", "1").stdout.splitlines()]
    assert "".join(part["data"] for part in parts) == "err 5\nrest"
    assert {part["stream"] for part in parts} == {"stderr"} and all(part["time_us"] for part in parts)


@pytest.mark.parametrize("attempt", [[], ["--attempt", "1"]])
def test_last_lines_are_followed_on(daemon, tmp_path, attempt):
    go = tmp_path / "go"
    script = f"{LINES}; until [ -e {go} ]; do sleep 0.02; done; echo out 6; echo err 6 >&2; echo out 7; exit 3"
    job = daemon.submit("sh", "-c", script)
    deadline = time.monotonic() + 20
    while daemon.ctl("logs", str(job)).stderr.count("\n") < 5:
        assert time.monotonic() < deadline
    follow = subprocess.Popen([*daemon.ctl_words(), "logs", "-f", "-n", "2", "--stdout", *attempt, str(job)],
                              stdout=subprocess.PIPE, text=True)
    assert [follow.stdout.readline() for _ in range(2)] == ["out 4\n", "out 5\n"]
    go.touch()
    assert follow.communicate(timeout=20)[0] == "out 6\nout 7\n"
    assert daemon.ctl("logs", "-f", "-n", "1", "--stderr", str(job)).stderr == "err 6\n"


def test_following_goes_on_with_the_next_attempt(daemon, tmp_path):
    go = tmp_path / "go"
    script = f"echo old; echo $BATCHD_ATTEMPT; until [ -e {go} ]; do sleep 0.02; done; exit 3"
    job = daemon.submit("sh", "-c", script, max_attempts=2)
    deadline = time.monotonic() + 20
    while daemon.ctl("logs", str(job)).stdout != "old\n1\n":
        assert time.monotonic() < deadline
    follow = subprocess.Popen([*daemon.ctl_words(), "logs", "-f", "-n", "1", str(job)],
                              stdout=subprocess.PIPE, text=True)
    assert follow.stdout.readline() == "1\n"
    go.touch()
    assert follow.communicate(timeout=20)[0] == "old\n2\n"


def test_who_waits_at_a_terminal_is_told_why(daemon):
    job = daemon.submit("true", hold=True)
    master, slave = pty.openpty()
    waiting = subprocess.Popen([*map(str, daemon.ctl_words()), "wait", str(job)], stderr=slave)
    os.close(slave)
    try:
        assert select.select([master], [], [], 20)[0]
        assert os.read(master, 4096).decode().strip() == f"batchctl: job {job} waits (Held); batchctl why {job}"
        daemon.call("io.batchd.Jobs.Release", id=job)
        assert waiting.wait(timeout=30) == 0
    finally:
        waiting.kill()
        waiting.wait()
        os.close(master)
