"""A library's chatter on stderr, dropped; all else that it says there is passed on."""
import contextlib
import os
import re
import sys
import tempfile


@contextlib.contextmanager
def stderr_lines_dropped(pattern):
    """While the block runs, hold what lands on stderr, from C++ as well; then pass it on.

    pattern: a regular expression of bytes; lines that begin with it are dropped.
    """
    sys.stderr.flush()
    true_stderr = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(true_stderr, 2)
            os.close(true_stderr)
            caught.seek(0)
            for line in caught:
                if not re.match(pattern, line):
                    os.write(2, line)
