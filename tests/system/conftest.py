import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from clock import Clock  # noqa: E402
from daemon import OUT, Daemon  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "longest: left out if LONG=1 is not set")
    config.addinivalue_line("markers", "long: left out with the sanitizers, which take three times as long, if LONG=1 is not set")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("LONG"):
        return
    out = {"longest", "long"} if OUT.name == "san" else {"longest"}
    left = [item for item in items if out & {mark.name for mark in item.iter_markers()}]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not out & {mark.name for mark in item.iter_markers()}]


@pytest.fixture
def daemon():
    with Daemon() as one:
        yield one


@pytest.fixture
def make_daemon():
    made = []

    def make(*args, **more):
        made.append(Daemon(*args, **more))
        return made[-1]

    yield make
    for one in made:
        one.destroy()


@pytest.fixture
def timed(make_daemon, tmp_path):
    """A daemon with a clock of its own."""
    clock = Clock(tmp_path)
    daemon = make_daemon(env=clock.env)
    daemon.clock = clock
    daemon.start()
    return daemon
