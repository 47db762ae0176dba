"""A second implementation of the rules for replaying a trace, written from their text alone: lists,
sorting and no cleverness. What batchctl simulate says is compared with it."""
import gzip
import pathlib


def read_trace(path, capacity, limit=None):
    """(id, submit, run, processors) in the order of the file."""
    data = pathlib.Path(path).read_bytes()
    text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    jobs = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        fields = [float(word) for word in line.split()]
        processors = fields[4] if fields[4] > 0 else fields[7]
        if processors <= 0 or fields[3] < 0:
            continue
        jobs.append((int(fields[0]), fields[1], fields[3], min(int(processors), capacity)))
        if limit is not None and len(jobs) == limit:
            break
    return jobs


def reservation(running, free, needed, now):
    """When `needed` processors will be free, and how many more than that will be free then."""
    ends = sorted((max(end, now), processors) for end, processors in running)
    for instant in sorted({end for end, _ in ends}):
        there = free + sum(processors for end, processors in ends if end <= instant)
        if there >= needed:
            return instant, there - needed
    raise AssertionError("it never fits")


def one_round(waiting, running, free, now, easy, starts):
    """Starts what may start, in the order of `waiting`; what is free afterwards."""
    blocked = None
    for job in list(waiting):
        ident, _, run, processors = job
        if blocked is None and processors > free:
            if not easy:
                return free
            blocked, extra = reservation(running, free, processors, now)
            continue
        if processors > free:
            continue
        if blocked is not None and now + run > blocked:
            if processors > extra:
                continue
            extra -= processors
        waiting.remove(job)
        running.append((now + run, processors))
        free -= processors
        starts[ident] = now
    return free


def simulate(jobs, capacity, policy, easy):
    """id -> start."""
    order = {"fifo": lambda job: (job[1], job[0]), "sjf": lambda job: (job[2], job[1], job[0])}[policy]
    arrivals = sorted(jobs, key=lambda job: (job[1], job[0]))
    waiting, running, starts = [], [], {}
    free = capacity
    while arrivals or running:
        now = min([job[1] for job in arrivals[:1]] + [end for end, _ in running])
        again = True
        while again:
            free += sum(processors for end, processors in running if end <= now)
            running = [(end, processors) for end, processors in running if end > now]
            while arrivals and arrivals[0][1] <= now:
                waiting.append(arrivals.pop(0))
            waiting.sort(key=order)
            free = one_round(waiting, running, free, now, easy, starts)
            again = any(end <= now for end, _ in running)
    assert not waiting
    return starts
