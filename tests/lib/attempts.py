"""Jobs that fail and are tried again: what a test asks of them."""
import os
import signal

from daemon import wait_until

HOUR = 3600


def fails_once(daemon, **more):
    """A job that fails the first time it runs."""
    return daemon.submit("sh", "-c", 'echo "$BATCHD_ATTEMPT"; [ -e "$0/once$BATCHD_ARRAY_INDEX" ] || '
                         '{ touch "$0/once$BATCHD_ARRAY_INDEX"; exit 75; }', str(daemon.state), **more)


def show(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Show", id=job, attempts=True, **more)["job"]


def wait_backoff(daemon, job, **more):
    wait_until(lambda: "RetryBackoff" in show(daemon, job, **more)["reasons"])
    return show(daemon, job, **more)


def kill_worker(daemon, job):
    """The worker that runs the job; what it does is not waited for."""
    daemon.wait_running(job)
    attempt = show(daemon, job)["attempt"]
    for pid in daemon.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    return attempt
