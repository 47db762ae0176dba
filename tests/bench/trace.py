#!/usr/bin/env python3
"""A trace to replay, the same each time: trace.py KIND > FILE (bench.py simulates each).

  overload  188,000 jobs of 400 users, far more work than 96 or 256 processors can do: the queue grows
            to its end. Widths and run times are spread, so that most bounds say little
  ordinary  as many jobs, as much work as 256 processors do when they are busy 3/4 of the time
  together  100,000 jobs of one processor that all run at once on 100,000, and then a few that wait"""
import random
import sys

JOBS = 188000
LINE = "{id} {submit} -1 {run} {cpus} -1 -1 -1 -1 -1 1 {user} 1 1 1 -1 -1 -1\n"


def spread(seed, pause, widths):
    dice = random.Random(seed)
    now = 0.0
    for ident in range(1, JOBS + 1):
        now += dice.expovariate(1 / pause)
        run = min(int(dice.lognormvariate(6.5, 2)), 10**7)
        yield ident, int(now), run, widths(dice), dice.randrange(400)


def overload():
    return spread(1, 300, lambda dice: dice.randint(1, 128))


def ordinary():
    """Powers of two up to 64, as people ask: 10 processors for 4,700 s on average, each 250 s."""
    return spread(2, 250, lambda dice: 2 ** dice.randint(0, 6) if dice.random() < 0.5 else 1)


def together():
    dice = random.Random(3)
    for ident in range(1, 100001):
        yield ident, ident // 100, 100000 + dice.randrange(50000), 1, dice.randrange(400)
    for ident in range(100001, 102001):
        yield ident, ident // 100, 1 + dice.randrange(50000), dice.randint(1, 1000), dice.randrange(400)


def main():
    kinds = {"overload": overload, "ordinary": ordinary, "together": together}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    for ident, submit, run, cpus, user in kinds[sys.argv[1]]():
        sys.stdout.write(LINE.format(id=ident, submit=submit, run=run, cpus=cpus, user=user))


main()
