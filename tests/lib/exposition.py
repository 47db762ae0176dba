"""A strict reader of Prometheus's text format 0.0.4, for tests: what `promtool check metrics` refuses or
warns of, it refuses. samples: {(name, labels): value}, labels as a sorted tuple of pairs."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Inf|NaN)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}


def labels_of(text):
    pairs, at = [], 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, f"bad labels {{{text}}}"
        pairs.append((found[1], re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])))
        at = found.end()
    assert len({name for name, _ in pairs}) == len(pairs), f"a label twice in {{{text}}}"
    return tuple(sorted(pairs))


def check_histogram(name, samples):
    """Buckets rise, the last is +Inf and is the count, and there is a sum."""
    series = {}
    for (sample, labels), value in samples.items():
        if sample == f"{name}_bucket":
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    for rest, buckets in series.items():
        bounds, counts = zip(*sorted(buckets), strict=True)
        assert bounds[-1] == float("inf") and len(set(bounds)) == len(bounds)
        assert list(counts) == sorted(counts), f"{name} {rest} falls"
        assert counts[-1] == samples[f"{name}_count", rest]
        assert (f"{name}_sum", rest) in samples


def parse(text):
    assert text.endswith("\n") and "\r" not in text
    samples, kinds, helped, family = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in ("HELP", "TYPE") and NAME.fullmatch(name), line
            if what == "HELP":
                assert name not in helped and rest.strip(), f"help of {name} twice or empty"
                helped.add(name)
                continue
            assert rest in TYPES and name not in kinds and name in helped, line
            assert (rest == "counter") == name.endswith("_total"), f"{name} is a {rest}"
            kinds[name], family = rest, name
            continue
        found = re.fullmatch(r"([^\s{]+)(?:\{(.*)\})? (\S+)", line)
        assert found and NAME.fullmatch(found[1]) and NUMBER.fullmatch(found[3]), f"bad line {line!r}"
        allowed = [family + suffix for suffix in SUFFIXES.get(kinds[family], ("",))]
        assert found[1] in allowed, f"{found[1]} stands in {family}"
        key = found[1], labels_of(found[2] or "")
        assert key not in samples, f"{key} twice"
        samples[key] = float(found[3])
        assert kinds[family] != "counter" or samples[key] >= 0
    for name, kind in kinds.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return samples
