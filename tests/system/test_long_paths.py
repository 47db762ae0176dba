"""A state folder whose path is longer than the address of a socket (108 bytes): all works as ever."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from daemon import OUT, wait_until


class Deep:
    def __init__(self, state):
        self.state = state
        self.process = None

    def ctl(self, *words):
        return subprocess.run([OUT / "batchctl", "--socket", self.state / "batchd.sock", *words], capture_output=True,
                              text=True, timeout=60, check=False)

    def output(self, *words):
        """Of a job, once it has ended well."""
        ident = self.ctl("submit", "--", *words).stdout.strip()
        done = self.ctl("wait", ident)
        assert done.returncode == 0, (done.stderr, self.ctl("logs", ident).stdout)
        return self.ctl("logs", ident).stdout

    def start(self):
        config = self.state.parent / "test.toml"
        config.write_text('[workers]\nidle_exit = "1s"\n')
        self.process = subprocess.Popen([OUT / "batchd", "--state", self.state, "--config", config, "--foreground"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.ctl("ping").returncode == 0)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(30) == 0


@pytest.fixture(params=[95, 108, 200])
def deep(request):
    """The socket's path has so many bytes."""
    above = tempfile.mkdtemp(prefix="batchd-")
    state = pathlib.Path(above) / ("d" * (request.param - len(above) - 1 - len("/batchd.sock")))
    assert len(str(state / "batchd.sock")) == request.param
    made = Deep(state)
    made.start()
    yield made
    made.ctl("cancel", "--grace", "0", "name:*")
    wait_until(lambda: "workers: 0 of" in made.ctl("status").stdout)  # or they would outlive it
    made.stop()
    shutil.rmtree(above)


def test_jobs_run_and_outlive_it(deep, tmp_path):
    assert deep.output("echo", "hello") == "hello\n"
    go = tmp_path / "go"
    ident = deep.ctl("submit", "--", "sh", "-c", f"until test -e {go}; do sleep 0.02; done").stdout.strip()
    wait_until(lambda: '"state":"running"' in deep.ctl("show", ident, "--json").stdout)
    deep.stop()
    deep.start()
    go.touch()
    assert deep.ctl("wait", ident).returncode == 0
    assert '"attempt":1,' in deep.ctl("show", ident, "--json").stdout


def test_a_job_reaches_it(deep):
    assert "answers" in deep.output(OUT / "batchctl", "ping")


def test_who_is_not_there_is_not_reached(tmp_path):
    where = tmp_path / ("d" * 200) / "batchd.sock"
    done = subprocess.run([OUT / "batchctl", "--socket", where, "ping"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 6 and "cannot reach batchd" in done.stderr
