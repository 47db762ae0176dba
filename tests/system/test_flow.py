"""Short jobs flow through three queues while everything about them is changed; wide ones come in
between. Afterwards the times at which the jobs ran say whether every promise was kept."""
import random
import time

import pytest
from daemon import Refused, wait_until
from test_ahead import ended, started_while_it_waited, submit
from test_queues import change, queues, settings
from test_scheduling import cpus, most_at_once

CPUS = 4
QUEUES = ["default", "other", "third"]
LIMITS = ["slots", "per_user"]  # all jobs are of one user


def config(prefetch):
    return settings(CPUS, 'gpus = 1\nlicence = 2\n[queues.other]\nweight = 3\n[queues.third]\nbackfill = "none"\n'
                    ).replace("prefetch = 2", f"prefetch = {prefetch}")


class Flow:
    """With `moves` arrays that run are moved, and queues are removed with all that they have; whose limits
    counted when is not known then."""

    def __init__(self, daemon, seed, moves):
        self.daemon = daemon
        self.dice = random.Random(seed)
        self.moved = moves
        self.jobs, self.wide, self.arrays = [], [], []
        self.limits = {queue: [(0, 0)] for queue in QUEUES}  # (since, how many; 0: any)
        self.pauses = {queue: [] for queue in QUEUES}       # [from, to]

    def now(self):
        return time.time() * 1e6

    def feed(self):
        queue = self.dice.choice(QUEUES)
        program = self.dice.choice([["true"], ["sleep", "0.005"], ["sleep", "0.03"], ["false"]])
        more = self.dice.choice([{}, {}, {}, {"gpus": 1}, {"resources": {"licence": 1}}, {"max_attempts": 2}])
        self.jobs += submit(self.daemon, 15, *program, queue=queue,
                            priority=self.dice.choice(["low", "normal", "high"]), **more)

    def feed_array(self):
        self.arrays.append(self.daemon.submit("true", array="0-9", queue=self.dice.choice(QUEUES)))

    def feed_wide(self):
        job = self.daemon.submit("sleep", "0.01", cpus=self.dice.choice([2, 3, CPUS]), queue=self.dice.choice(QUEUES))
        self.wide.append(job)

    def set_limit(self):
        queue, most, name = self.dice.choice(QUEUES), self.dice.choice([0, 1, 2, 3]), self.dice.choice(LIMITS)
        self.limits[queue].append((self.now(), 0))  # the old or the new one, until it answers
        change(self.daemon, queue, **{**dict.fromkeys(LIMITS, 0), name: most})
        self.limits[queue].append((self.now(), most))

    def pause(self):
        queue = self.dice.choice(QUEUES)
        if self.pauses[queue] and self.pauses[queue][-1][1] is None:
            return
        self.daemon.call("io.batchd.Queues.Pause", name=queue)
        self.pauses[queue].append([self.now(), None])

    def resume(self, queue=None):
        queue = queue or self.dice.choice(QUEUES)
        if self.pauses[queue] and self.pauses[queue][-1][1] is None:
            self.pauses[queue][-1][1] = self.now()
            self.daemon.call("io.batchd.Queues.Resume", name=queue)

    def change_one(self):
        """Of the jobs that wait; it may have started meanwhile."""
        for _ in range(5):
            job = self.dice.choice(self.jobs[-60:] + self.wide[-3:])
            what = self.dice.choice([("Edit", {"priority": self.dice.choice(["low", "urgent"])}), ("Cancel", {}),
                                     ("Edit", {"queue": self.dice.choice(QUEUES)}), ("Hold", {}), ("Release", {})])
            try:
                self.daemon.call(f"io.batchd.Jobs.{what[0]}", id=job, **what[1])
            except Refused as refused:
                assert refused.name == "io.batchd.InvalidState", refused

    def move_array(self):
        try:
            self.daemon.call("io.batchd.Jobs.Edit", id=self.dice.choice(self.arrays), queue=self.dice.choice(QUEUES))
        except (Refused, IndexError):
            pass  # it has ended

    def remove_queue(self):
        """A short life: the queue's jobs, those that run too, go to another."""
        self.daemon.call("io.batchd.Queues.Add", name="brief", slots=self.dice.choice([0, 1]))
        self.jobs += submit(self.daemon, 15, "true", queue="brief")
        self.arrays.append(self.daemon.submit("true", array="0-9", queue="brief"))
        wait_until(lambda: queues(self.daemon)["brief"]["running"] > 0 or self.dice.random() < 0.1)
        self.daemon.call("io.batchd.Queues.Remove", name="brief", move_to=self.dice.choice(QUEUES))

    def restart(self):
        self.daemon.restart()

    def run(self, steps):
        weights = {self.feed: 10, self.feed_array: 2, self.feed_wide: 3, self.set_limit: 3, self.pause: 2,
                   self.resume: 3, self.change_one: 4, self.restart: 1}
        if self.moved:
            weights.update({self.move_array: 4, self.remove_queue: 3})
        for _ in range(5):
            self.feed()
        for _ in range(steps):
            self.dice.choices(list(weights), list(weights.values()))[0]()
        for queue in QUEUES:
            self.resume(queue)
        for job in self.jobs + self.wide:
            try:
                self.daemon.call("io.batchd.Jobs.Release", id=job)
            except Refused:
                pass

    # ---- afterwards

    def check_limits(self, ran):
        """A worker may begin one job more that it had already when the limit became lower."""
        for queue in QUEUES:
            mine = [job for job in ran if job["queue"] == queue]
            excused = set()
            for job in sorted(mine, key=lambda job: job["started_at"]):
                since, most = [one for one in self.limits[queue] if one[0] <= job["started_at"]][-1]
                running = sum(1 for one in mine if one["started_at"] <= job["started_at"] < one["ended_at"])
                if 0 < most < running:
                    assert (since, job["worker"]) not in excused, (queue, most, running, job["id"])
                    excused.add((since, job["worker"]))

    def check_pauses(self, ran):
        for queue in QUEUES:
            for begin, end in self.pauses[queue]:
                started = [job["worker"] for job in ran
                           if job["queue"] == queue and begin < job["started_at"] < end]
                assert len(started) == len(set(started)), (queue, started)

    def check(self):
        self.daemon.wait(*self.jobs, *self.wide, *self.arrays, seconds=120)
        found = self.daemon.jobs(tasks=True)
        assert all(job["state"] in ("completed", "cancelled") or job["argv"] == ["false"] for job in found)
        assert len(found) == len(self.jobs) + len(self.wide) + 10 * len(self.arrays)
        ran = [job for job in found if job["started_at"]]
        for amount, most in ((cpus, CPUS), (lambda job: job["resources"]["gpus"], 1),
                             (lambda job: job["resources"].get("licence", 0), 2)):
            assert most_at_once(ran, amount) <= most
        if not self.moved:
            self.check_limits(ran)
            self.check_pauses(ran)
        wait_until(lambda: self.daemon.call("io.batchd.Server.Status")["resources"]["cpus_free"] == CPUS)
        assert {queue["running"] for queue in queues(self.daemon).values()} == {0}


@pytest.mark.parametrize("seed,moves", [(0, False), (1, False), (2, True)])
def test_whatever_is_changed(make_daemon, seed, moves):
    daemon = make_daemon(config=config(2))
    daemon.start()
    flow = Flow(daemon, seed, moves)
    flow.run(60)
    flow.check()


@pytest.mark.parametrize("prefetch", [2, 6])
def test_wide_jobs_start_while_short_ones_flow(make_daemon, prefetch):
    """In each queue one that wants the whole machine: none waits for the end of the short ones."""
    daemon = make_daemon(config=config(prefetch))
    daemon.start()
    short = [job for queue in QUEUES for job in submit(daemon, 700, "sleep", "0.005", queue=queue)]
    wait_until(lambda: ended(daemon) >= 40)
    wide = [daemon.submit("true", queue=queue, cpus=CPUS, priority="urgent") for queue in QUEUES]
    last = max(daemon.wait(*wide, seconds=120), key=lambda job: job["started_at"])
    assert len(started_while_it_waited(daemon, short, last)) < 100  # some between any two of them
