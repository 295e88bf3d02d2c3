"""utils/common/errors.py: what a UserError quotes, and signals at the worst moment."""
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.paths import REPOSITORY
from utils.common.errors import LONGEST_LINE, UserError, print_warning


def test_a_message_is_a_line_of_bounded_length_that_controls_no_terminal(capsys):
    hostile = "a.csv: \x1b]0;title\x07 is\nno   number" + "9" * 5000 + "; export it again"
    text = str(UserError(hostile))
    assert text.startswith("a.csv: ?]0;title? is no number9") and text.endswith("; export it again")
    assert len(text) <= LONGEST_LINE and "\n" not in text
    print_warning(hostile)
    assert capsys.readouterr().err == "warning: %s\n" % text
    assert str(UserError(u"\u58f0.wav is empty")) == u"\u58f0.wav is empty"


# Python ignores what is raised while an object is deleted.
DELETES_SLOWLY = """
import sys, time
from utils.common.errors import run_script

class Slow(object):
    def __del__(self):
        print("deleting", flush=True)
        time.sleep(5)

def main():
    try:
        Slow()
        time.sleep(60)
        print("went on")
    finally:
        print("cleaned up")

run_script(main)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_signal_that_python_ignores_comes_again():
    process = subprocess.Popen(
        [sys.executable, "-c", DELETES_SLOWLY], cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert process.stdout.readline() == "deleting\n"
    time.sleep(0.3)                                             # until the line is written
    process.send_signal(signal.SIGTERM)
    printed, complained = process.communicate(timeout=30)
    assert (process.returncode, printed) == (143, "cleaned up\n"), complained
    assert sys.version_info < (3, 8) or complained == ""        # 3.7 tells of what it ignores
