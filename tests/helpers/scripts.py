"""The repository's scripts: each as a process of its own, or its main() in this one."""
import contextlib
import importlib
import io
import os
import subprocess
import sys

from tests.helpers.paths import REPOSITORY
from utils.common import errors


def run_process(script, *flags, folder=REPOSITORY, environment=None, **options):
    """(exit status, stdout, stderr) of a script as a user runs it.

    Args:
      script: its name in the repository, as "run_voca.py".
      flags: anything that str() makes a flag of.
      folder: where the user stands.
      environment: variables that differ from this process's.
      options: subprocess.Popen's.
    """
    process = subprocess.Popen(
        [sys.executable, os.path.join(REPOSITORY, script)] + [str(flag) for flag in flags],
        cwd=str(folder), env=dict(os.environ, **(environment or {})), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def run_here(script, *flags, folder=REPOSITORY):
    """The same of the script's main() in this process.

    It spares the seconds in which another process imports TensorFlow. What is only seen from
    outside needs run_process: what C++ writes, warnings, defaults that depend on the folder.
    """
    main = importlib.import_module(script[:-len(".py")].replace("/", ".")).main
    out, err, status = io.StringIO(), io.StringIO(), 0
    before, sys.argv = (os.getcwd(), sys.argv), [script] + [str(flag) for flag in flags]
    os.chdir(str(folder))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            errors.run_script(main)
    except SystemExit as end:
        status = end.code or 0
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    return status, out.getvalue(), err.getvalue()
