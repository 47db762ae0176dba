import collections
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from clock import Clock  # noqa: E402
from daemon import OUT, Daemon  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "longest: left out if LONG=1 is not set")
    config.addinivalue_line("markers", "long: left out with the sanitizers, which take twice as long, if LONG=1 is not set")


def of_each(items, most):
    """Of each test with many parameters the first, the last, and some between them."""
    sets = collections.defaultdict(list)
    for item in items:
        sets[item.nodeid.partition("[")[0]].append(item)
    return {item for alike in sets.values() for item in
            (alike if len(alike) <= most else [alike[i * (len(alike) - 1) // (most - 1)] for i in range(most)])}


def pytest_collection_modifyitems(config, items):
    """What make check has time for; all with LONG=1."""
    if os.environ.get("LONG"):
        return
    out = {"longest", "long"} if OUT.name == "san" else {"longest"}
    kept = [item for item in items if not out & {mark.name for mark in item.iter_markers()}]
    chosen = of_each(kept, 2 if OUT.name == "san" else 8)
    kept = [item for item in kept if item in chosen]
    left = set(items) - set(kept)
    config.hook.pytest_deselected(items=list(left))
    items[:] = kept


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
