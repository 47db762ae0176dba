"""Processes that obey the modes of files, also where the tests are run by root."""
import ctypes
import os
import threading

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def as_others(start):
    """What `start()` returns. Programs that it starts have not root's right to read and write what is closed:
    a thread of ours gives that up."""
    ends = []

    def run():
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) if os.geteuid() == 0 else ():
            assert ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0
        ends.append(start())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return ends[0]
