"""Jobs of the shell that work in the folder of their test; the tests of a file share a daemon. Whoever imports
`daemon` and `folder` has them as fixtures."""
import os

import pytest

from daemon import OUT, Daemon


@pytest.fixture(scope="module", name="daemon")
def shared_daemon():
    with Daemon(config="[workers]\nmax = 2\n") as running:
        yield running


@pytest.fixture(name="folder")
def folder_of_the_test(tmp_path):
    return tmp_path


def shell(daemon, folder, text, *words, **more):
    """Our programs are in its PATH."""
    env = {"PATH": f"{OUT}:{os.environ['PATH']}"}
    return daemon.submit("/bin/sh", "-c", text, "sh", *words, cwd=str(folder), env=env, **more)
