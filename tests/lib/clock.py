"""A wall clock for a private batchd that a test sets at will (libfaketime); real time goes on from
there, and the monotonic clock is left alone, or goes with it: then time passes as fast as a test wants."""
import datetime
import pathlib
import time
import zoneinfo

LIBRARY = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def at(zone, *when):
    """Seconds since the epoch of a local time: at("Europe/Berlin", 2027, 3, 28, 1, 59)."""
    return datetime.datetime(*when, tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


class Clock:
    def __init__(self, folder, zone="UTC", monotonic=False):
        self.file = pathlib.Path(folder) / "clock"
        self.offset = 0
        self.file.write_text("+0")
        assert LIBRARY is not None, "libfaketime is not installed (mk/deps.sh)"
        self.env = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file),
                    "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "0" if monotonic else "1", "TZ": zone,
                    # ASan wants to be the first library of a program that was built with it.
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set(self, seconds):
        self.offset = seconds - time.time()
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.offset:+f}")
        new.replace(self.file)

    def now(self):
        return time.time() + self.offset
