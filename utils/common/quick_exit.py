"""The end of a process without the taking apart of what it imported."""
import os
import sys


def quick_exit(status=0):
    """End this process now; for scripts, after all is done and every file is closed.

    Python takes modules and objects apart one by one before it ends, for half a second or more
    with TensorFlow. Nothing of ours waits for that. atexit's functions do not run.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):       # a closed pipe: Python's own end tells of that
        sys.exit(status)
    os._exit(status)
