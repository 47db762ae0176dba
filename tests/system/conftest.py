import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import Daemon  # noqa: E402


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
