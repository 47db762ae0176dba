#!/usr/bin/env python3
"""Starts a private daemon and runs the Go client against it: run.py CLIENT."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
from daemon import Daemon  # noqa: E402

with Daemon() as daemon:
    sys.exit(subprocess.run([sys.argv[1], daemon.socket], timeout=60, check=False).returncode)
