"""Jobs that are to be bound to processors, and workers or a kernel that cannot: they wait, and nothing else does
(tests/lib/other_binding.c)."""
import os
import subprocess

import pytest

from daemon import OUT, ROOT, wait_until
from preload import preloadable

JOBS = "io.batchd.Jobs."

pytestmark = pytest.mark.skipif(OUT.name == "san", reason="its library comes first")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("binding") / "other_binding.so"
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", ROOT, "-o", made,
                    ROOT / "tests/lib/other_binding.c"], check=True)
    preloaded = preloadable(made, f"/tmp/binding-{os.getpid()}.so")
    yield preloaded
    os.remove(preloaded)


def test_workers_that_bind_none(make_daemon, library):
    """An older spawner goes on over an upgrade and makes such as it knows."""
    daemon = make_daemon(config="[workers]\nmax = 2\n", env={"LD_PRELOAD": library, "OLDER_WORKERS": "1"})
    daemon.start()
    bound = [daemon.submit("true", cpu_bind="cores") for _ in range(60)]
    array = daemon.submit("true", cpu_bind="cores", array="0-3")
    free = [daemon.submit("true") for _ in range(3)]
    assert [job["state"] for job in daemon.wait(*free)] == ["completed"] * 3
    for job in (bound[0], array):
        [reason] = daemon.call(JOBS + "Why", id=job)["reasons"]
        assert reason["reason"] == "RetryBackoff" and "of an older version, which binds no job" in reason["detail"]
    assert daemon.text().count("which binds none") == 1
    daemon.kill()
    daemon.signal("--spawner", 9)
    daemon.env.pop("OLDER_WORKERS")
    daemon.start()
    assert {job["state"] for job in daemon.wait(*bound, array, seconds=60)} == {"completed"}
