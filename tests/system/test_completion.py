"""batchctl completion: real shells complete verbs, options, words and ids; the words are what the
daemon takes."""
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time

import pytest
from daemon import OUT

CTL = OUT / "batchctl"


def help_of(*verb):
    return subprocess.run([CTL, *verb, "--help"], capture_output=True, text=True, check=True).stdout


def verbs():
    lines = help_of().split("\n\n")[1].split("\n")
    return [line.split()[0] for line in lines]


def options(verb):
    words = set()
    for line in help_of(verb).splitlines():
        if line.startswith(("  -", "      --")):
            name = line.strip().split("  ")[0]
            words |= {word.split()[0] for word in name.split(", ")}
    return words


class Shell:
    """Completion of a command line by one shell: environment with batchctl first in PATH."""

    def __init__(self, socket=None):
        self.env = dict(os.environ, PATH=f"{OUT}:{os.environ['PATH']}", TERM="dumb")
        self.env["BATCHD_SOCKET"] = str(socket or "/nonexistent")

    def run(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, env=self.env, check=True, timeout=20)
        return done.stdout.split("\n")[:-1]

    def bash(self, *words):
        """What it makes of the last of these words. As bash does, they are broken at = : and @."""
        parts = [part for word in words for part in re.findall("[=:@]+|[^=:@]+", word) or [""]]
        script = (f'eval "$(batchctl completion bash)"; COMP_WORDS=({shlex.join(parts)}); '
                  f"COMP_LINE={shlex.quote(' '.join(words))}; COMP_CWORD={len(parts) - 1}; _batchctl batchctl; "
                  """[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}" """)
        return self.run("bash", "--norc", "-c", script)

    def fish(self, line):
        lines = self.run("fish", "--no-config", "-c",
                         f"batchctl completion fish | source; complete -C {shlex.quote(line)}")
        return [one.split("\t")[0] for one in lines]

    def typed(self, shell, setup, text, wanted):
        """Types into an interactive shell until it shows `wanted`."""
        pid, master = pty.fork()
        if pid == 0:
            os.execvpe(shell[0], shell, self.env)
        seen = b""
        try:
            os.write(master, setup.encode() + b"; echo 'rea''dy'\n")
            deadline = time.monotonic() + 20
            asked = False
            while wanted.encode() not in seen:
                if not asked and b"ready\r\n" in seen:
                    os.write(master, text.encode() + b"\t")
                    asked, seen = True, b""
                left = deadline - time.monotonic()
                assert left > 0 and select.select([master], [], [], left)[0], seen
                seen += os.read(master, 4096)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(master)


def test_bash_completes_every_verb_and_option():
    shell = Shell()
    assert set(shell.bash("batchctl", "")) == {*verbs(), "help"}
    assert shell.bash("batchctl", "subm") == ["submit"]
    assert shell.bash("batchctl", "--socket", "x", "-q", "canc") == ["cancel"]
    for verb in verbs():
        assert options(verb) <= set(shell.bash("batchctl", verb, "-")), verb


@pytest.mark.parametrize("words,first", [
    (("submit", "-p", "h"), ["high"]),
    (("submit", "--priority=back"), ["background"]),
    (("submit", "-n", "a:b=c", "-p", "hi"), ["high"]),
    (("list", "--state", "fa"), ["failed"]),
    (("list", "-s", "failed,ca"), ["failed,cancelled"]),
    (("list", "--color", "n"), ["never"]),
    (("wait", "--for", "r"), ["running"]),
    (("completion", "z"), ["zsh"]),
    (("queue", "pa"), ["pause"]),
    (("queue", "set", "default", "--backfill", "e"), ["easy"]),
    (("submit", "-n", "list", "--env-p"), ["--env-policy"]),
    (("submit", "--cpu-bind", ""), ["none", "cores"]),
    (("edit", "1", "--io-priority", "i"), ["idle"]),
    (("submit", "--io-priority", "best-effort:7"), ["7"]),
    (("submit", "--type", "video", "--params-file", "/etc/debian_ver"), ["/etc/debian_version"]),
    (("submit", "-C", "/et"), ["/etc"]),
    (("submit", "--", "true", "--priority", ""), []),
    (("submit", "true", "-p", ""), []),
    (("submit", "--cpus", ""), []),
    (("retry", "-p", "h"), ["high"]),
    (("list", "--sort", "su"), ["submitted"]),
    (("list", "--columns", "id,pri"), ["id,priority"]),
    (("list", "-u", "roo"), ["root"]),
    (("submit", "-d", "aftero"), ["afterok:"]),
    (("submit", "-d", "afterok:1,afterno"), ["1,afternotok:"]),
    (("cron", "ad"), ["add"]),
    (("cron", "add", "name", "--", "batchct"), ["batchctl"]),
    (("cron", "add", "name", "batchct"), ["batchctl"]),
    (("cron", "add", "name", "--at", "@daily", "--overl"), ["--overlap"]),
])
def test_bash_words(words, first):
    assert Shell().bash("batchctl", *words) == first


def test_ids_of_the_daemon(daemon):
    shell = Shell(daemon.socket)
    ids = [daemon.submit("true"), daemon.submit("true")]
    daemon.wait(*ids)
    assert shell.bash("batchctl", "cancel", "") == ["@last", "@failed", str(ids[1]), str(ids[0])]
    assert str(ids[0]) in shell.fish("batchctl show ")
    assert shell.bash("batchctl", "signal", "U") == ["USR1", "USR2"]
    assert shell.bash("batchctl", "checkpoint", "") == ["commit", "path", "request"]
    assert shell.bash("batchctl", "submit", "--timeout-signal", "U") == ["USR1", "USR2"]
    assert str(ids[0]) in shell.bash("batchctl", "signal", "USR1", "")
    assert str(ids[0]) in shell.fish("batchctl signal USR1 ")
    every = ["@last", "@failed", str(ids[1]), str(ids[0])]
    assert shell.bash("batchctl", "submit", "-d", "afterok:") == every
    assert shell.bash("batchctl", "submit", "--depends=afterok:1:2") == ["2"]
    assert shell.bash("batchctl", "submit", "-d", "afterok:1", "--env-p") == ["--env-policy"]
    assert shell.bash("batchctl", "show", "@la") == ["last"], "bash keeps the @"


def test_names_of_the_daemon(daemon):
    shell = Shell(daemon.socket)
    daemon.call("io.batchd.Queues.Add", name="night")
    daemon.call("io.batchd.Schedules.Add", name="nightly", at="@daily", job={"argv": ["true"]})
    assert daemon.ctl("queue", "list", "-q").stdout == "default\nnight\n"
    assert daemon.ctl("cron", "list", "-q").stdout == "nightly\n"
    assert "video" in daemon.ctl("processors", "list", "-q").stdout.split()
    for words in (("submit", "-Q", "n"), ("list", "--queue=n"), ("edit", "1", "-Q", "n"), ("move", "-Q", "n"),
                  ("queue", "set", "n"), ("queue", "remove", "default", "--move-to", "n"), ("retry", "-Q", "n")):
        assert shell.bash("batchctl", *words) == ["night"], words
    for words in (("cron", "run", "n"), ("cron", "--timezone", "UTC", "edit", "n")):
        assert shell.bash("batchctl", *words) == ["nightly"], words
    assert shell.bash("batchctl", "submit", "--type", "vi") == ["video"]
    assert shell.bash("batchctl", "processors", "show", "vi") == ["video"]
    assert shell.fish("batchctl submit -Q n") == ["night"] and "nightly" in shell.fish("batchctl cron run ")


@pytest.mark.parametrize("name,words,setup", [
    ("bash", ["bash", "--norc", "-i"], 'PS1=; eval "$(batchctl completion bash)"'),
    ("zsh", ["zsh", "-f", "-i"], 'PS1=; autoload -U compinit; compinit -D; eval "$(batchctl completion zsh)"'),
])
@pytest.mark.parametrize("text,wanted", [
    ("batchctl submit -Q ni", "night"), ("batchctl submit -d afterok:@la", "@last"), ("batchctl cancel @la", "@last"), ("batchctl queue set ni", "night"),
])
def test_typed_names(daemon, name, words, setup, text, wanted):
    daemon.call("io.batchd.Queues.Add", name="night")
    rest = wanted[2:] if "Q" in text or "set" in text else wanted[3:]
    Shell(daemon.socket).typed(words, setup, text, rest if name == "bash" else wanted)


def test_fish():
    shell = Shell()
    assert set(verbs()) <= set(shell.fish("batchctl "))
    for verb in verbs():
        assert {o for o in options(verb) if o.startswith("--")} <= set(shell.fish(f"batchctl {verb} --")), verb
    assert shell.fish("batchctl submit -p h") == ["high"]
    assert "failed,cancelled" in shell.fish("batchctl list -s failed,ca")


@pytest.mark.parametrize("text,wanted", [
    ("batchctl submit -p back", "background"),
    ("batchctl comp", "completion"),
    ("batchctl list --no-h", "--no-header"),
    ("batchctl submit --io-priority best", "best-effort:"),
    ("batchctl submit --io-priority id", "idle"),
    ("batchctl submit --retry-on timeout,exit:", "timeout,exit:75"),
])
@pytest.mark.parametrize("name,words,setup", [
    ("bash", ["bash", "--norc", "-i"], 'PS1=; eval "$(batchctl completion bash)"'),
    ("zsh", ["zsh", "-f", "-i"],
     'PS1=; autoload -U compinit; compinit -D; eval "$(batchctl completion zsh)"'),
])
def test_typed(name, words, setup, text, wanted):
    assert shutil.which(name), f"{name} is in mk/deps.sh"
    Shell().typed(words, setup, text, wanted[len(text.split()[-1]):] if name == "bash" else wanted)


def test_words_are_what_the_daemon_takes(daemon):
    shell = Shell(daemon.socket)
    for priority in shell.bash("batchctl", "submit", "-p", ""):
        daemon.submit("true", priority=priority)
    for state in shell.bash("batchctl", "list", "-s", ""):
        daemon.jobs(states=[state])
    for state in shell.bash("batchctl", "prune", "-s", ""):
        assert daemon.ctl("prune", "-s", state).returncode == 0
    job = daemon.submit("true")
    for aim in shell.bash("batchctl", "wait", "--for", ""):
        daemon.call("io.batchd.Jobs.Wait", ids=[job], **{"for": aim})
    for form in shell.bash("batchctl", "list", "-o", ""):
        assert daemon.ctl("list", "-o", form).returncode == 0
    for policy in shell.bash("batchctl", "submit", "--env-policy", ""):
        assert daemon.ctl("submit", "--env-policy", policy, "true").returncode == 0
    for option in ("--cpu-bind", "--io-priority"):
        words = shell.bash("batchctl", "submit", option, "")
        assert len(words) > 1
        for word in words:
            assert daemon.ctl("submit", option, word, "true").returncode == 0, word
    for policy in shell.bash("batchctl", "queue", "set", "--policy", ""):
        daemon.call("io.batchd.Queues.Set", name="default", policy=policy)
    for option in ("--sort", "--columns"):
        words = shell.bash("batchctl", "list", option, "")
        assert "deadline" in words and daemon.ctl("list", option, ",".join(words)).returncode == 0
    for when in shell.bash("batchctl", "list", "--color", ""):
        assert daemon.ctl("list", "--color", when).returncode == 0


def test_unknown_shell():
    done = subprocess.run([CTL, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "bash, zsh or fish" in done.stderr
