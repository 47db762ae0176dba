"""A submit whose connection breaks is one job, wherever it breaks."""
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))
from daemon import OUT  # noqa: E402
from exactly_once import Scene, killed_before_reply, retries, uploads, verdict  # noqa: E402


def test_a_break_anywhere_in_request_or_reply(daemon):
    scene = Scene(daemon, 0)
    assert scene.every_byte(step=4) > 55
    assert verdict(daemon, [scene]) == ([], [])


def test_a_batchd_that_dies_between_the_commit_and_the_reply(daemon):
    scene = Scene(daemon, 0)
    for _ in range(5):
        killed_before_reply(scene)
    assert verdict(daemon, [scene]) == ([], [])
    assert len(scene.submitted) == len(daemon.jobs()) == 5


def test_values_in_parts_and_retries(daemon):
    scene = Scene(daemon, 0)
    assert uploads(scene, random.Random(3), 3) == 3
    assert verdict(daemon, [scene]) == ([], [])
    assert retries(scene, random.Random(4), 10) == 10


def test_a_daemon_that_stays_away_is_given_up_on_when_the_time_is_over(daemon):
    scene = Scene(daemon, 0)
    scene.proxy.before_reply = daemon.kill
    began = time.monotonic()
    done = subprocess.run([OUT / "batchctl", "--socket", scene.proxy.path, "--timeout", "4s", "submit", "--hold",
                           "--", "true"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 6 and time.monotonic() - began >= 4, done.stderr
    daemon.start()
    assert len(daemon.jobs()) == 1
