"""One way to end on bad input: one line on stderr, exit status 1, no traceback."""
import sys


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line: what was found, what was expected, what to do.
    """


def print_warning(text):
    """What the readers do with a warning where nobody else takes it: one line on stderr."""
    print("warning: %s" % " ".join(str(text).split()), file=sys.stderr)


def run_script(main):
    """Call main(); a UserError ends the process with its line on stderr and status 1.

    Ctrl-C ends it with status 130, the shell's own, again without a traceback.
    """
    try:
        main()
    except UserError as error:
        print("error: %s" % " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
