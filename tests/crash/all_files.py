#!/usr/bin/env python3
"""Every file of the shared media, and those that nobody wants to meet, through every processor; each transcode is
compared with its source. all_files.py [--only WORD]"""
import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import odd_files  # noqa: E402
from every_file import OPERATIONS, SHARED_FILES, outcome_fault  # noqa: E402
from processor import SHARED, run  # noqa: E402

PSNR_LEAST = 17  # dB of a transcode at CRF 40, 18 at 3x5; of other pictures than its source's it is some 10


def likeness_fault(place, source, known):
    """What is wrong with the transcode that lies there, beside its source."""
    done = run("quality", place, reference=str(source), distorted="out.mp4", align="scale")
    if done.code != 0:
        return done.error
    metrics = done.result["metrics"]
    psnr = metrics["psnr"]["mean"]
    if metrics["frames_compared"] != known.frames or (psnr is not None and psnr < PSNR_LEAST):
        return f"{metrics['frames_compared']} frames are like the source's with a PSNR of {psnr}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="a part of the files' names")
    args = parser.parse_args()
    pairs = faults = 0
    with tempfile.TemporaryDirectory() as place:
        odd = pathlib.Path(place) / "odd"
        odd.mkdir()
        files = {odd / name: known for name, known in odd_files.make(odd).items()}
        if SHARED.exists():
            files.update({SHARED / name: known for name, known in SHARED_FILES.items()})
        for path, known in files.items():
            for operation in OPERATIONS if args.only in str(path) else ():
                work = pathlib.Path(place) / "work"
                wrong = outcome_fault(work, operation, path, known)
                if wrong is None and operation == "transcode" and known.reads(operation):
                    wrong = likeness_fault(work, path, known)
                pairs, faults = pairs + 1, faults + (wrong is not None)
                if wrong:
                    print(f"FAULT {path.name!r}, {operation}: {wrong}", flush=True)
    print(f"every file: {pairs} pairs of file and operation, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
