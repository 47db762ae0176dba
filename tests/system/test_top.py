"""batchctl top: on a real terminal (tmux), in a pipe, and while the daemon is away."""
import json
import shlex
import subprocess
import uuid

import pytest
from daemon import wait_until

COLUMNS, ROWS = 110, 30


class Terminal:
    """A shell in a terminal of its own."""

    def __init__(self, columns=COLUMNS, rows=ROWS):
        self.name = f"batchd-{uuid.uuid4().hex}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), "env", "PS1=$ ", "sh")
        self.until(lambda text: text.strip() == "$")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, timeout=20,
                              check=True).stdout

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def key(self, name):
        self.tmux("send-keys", name)

    def text(self):
        return self.tmux("capture-pane", "-p")

    def shows(self, *texts):
        self.until(lambda text: all(wanted in text for wanted in texts))

    def until(self, true):
        """Of what is on the screen."""
        try:
            wait_until(lambda: true(self.text()), seconds=30)
        except AssertionError:
            raise AssertionError(self.text()) from None

    def prompts(self):
        """The shell has the terminal again: what is typed before that is not shown."""
        self.until(lambda text: text.rstrip().endswith("\n$"))

    def lacks(self, text):
        self.until(lambda shown: text not in shown)

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal():
    made = Terminal()
    yield made
    made.close()


def begin(terminal, daemon, *words):
    terminal.type(shlex.join(map(str, [*daemon.ctl_words(), "top", *words])))
    terminal.key("Enter")


def sleeper(daemon, name):
    return daemon.submit("sleep", "1000", name=name, cpus=1)


def test_it_follows_and_leaves_no_trace(daemon, terminal):
    terminal.type("echo what was here")
    terminal.key("Enter")
    terminal.shows("\nwhat was here")
    first = sleeper(daemon, "first-one")
    begin(terminal, daemon)
    terminal.shows("running:", "first-one", "machine:", "q ends")
    assert "what was here" not in terminal.text()
    sleeper(daemon, "second-one")
    terminal.shows("second-one")
    daemon.call("io.batchd.Jobs.Cancel", id=first, grace_ms=0)
    terminal.lacks("first-one")
    terminal.key("q")
    terminal.shows("what was here")
    assert "second-one" not in terminal.text()
    terminal.prompts()
    terminal.type("echo 'still'' typed'")
    terminal.key("Enter")
    terminal.shows("\nstill typed")  # and its keys are shown again


@pytest.mark.parametrize("end", ["C-c", "SIGTERM", "SIGHUP"])
def test_every_end_gives_the_terminal_back(daemon, terminal, end):
    begin(terminal, daemon)
    terminal.shows("q ends")
    if end == "C-c":
        terminal.key(end)
    else:
        pid = subprocess.run(["pgrep", "-f", f"{daemon.socket} top$"], capture_output=True, text=True, check=True).stdout
        subprocess.run(["kill", "-s", end.removeprefix("SIG"), *pid.split()], check=True)
    terminal.lacks("q ends")
    terminal.prompts()
    terminal.type("echo 'still'' typed'")
    terminal.key("Enter")
    terminal.shows("echo 'still'' typed'", "\nstill typed")


def test_it_stops_and_goes_on(daemon, terminal):
    begin(terminal, daemon)
    terminal.shows("q ends")
    terminal.key("C-z")
    terminal.lacks("q ends")
    terminal.prompts()
    terminal.type("fg")
    terminal.key("Enter")
    terminal.shows("q ends", "jobs: none")


def test_what_does_not_fit_is_cut(daemon, terminal):
    for number in range(40):
        sleeper(daemon, f"job-{number}-" + "x" * 60)
    begin(terminal, daemon)
    terminal.shows("waiting:")
    whole, = [line for line in terminal.text().splitlines() if line.startswith("resources:")]
    terminal.tmux("resize-window", "-x", "50", "-y", "12")
    wait_until(lambda: len(terminal.text().splitlines()) == 12 and "q ends" in terminal.text())
    assert all(len(line) <= 50 for line in terminal.text().splitlines())
    terminal.shows("\n" + whole[:50])  # and not the line's last letter in the last column
    terminal.tmux("resize-window", "-x", str(COLUMNS), "-y", str(ROWS))
    terminal.shows("waiting:", "q ends")


def test_names_cannot_write_on_the_terminal(daemon, terminal):
    daemon.submit("sleep", "1000", name="red\033[31m\033]0;title\007")
    begin(terminal, daemon)
    terminal.shows("running:", "red")
    assert terminal.tmux("display-message", "-p", "#{pane_title}") != "title\n"


def test_a_daemon_that_goes_and_comes(daemon, terminal):
    begin(terminal, daemon)
    terminal.shows("jobs: none")
    daemon.stop()
    terminal.shows("cannot reach batchd")
    daemon.start()
    terminal.shows("jobs: none")
    terminal.key("q")
    terminal.lacks("q ends")


def test_once_is_plain_in_a_pipe(daemon):
    ident = sleeper(daemon, "only-one")
    daemon.wait_running(ident)
    done = daemon.ctl("top", "--once")
    assert done.returncode == 0 and "\033" not in done.stdout and "only-one" in done.stdout
    shown = json.loads(daemon.ctl("top", "--once", "--json").stdout)
    assert [job["id"] for job in shown["running"]] == [ident] and shown["waiting"] == [] and "machine" in shown


def test_without_a_terminal_it_says_what_to_do(daemon):
    done = daemon.ctl("top", stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "top is for a terminal" in done.stderr and "batchctl top --once" in done.stderr
    assert daemon.ctl("top", "all").returncode == 2
