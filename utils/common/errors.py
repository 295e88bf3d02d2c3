"""One way to end on bad input: one line on stderr, exit status 1, no traceback."""
import io
import sys


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line: what was found, what was expected, what to do.
    """


def _without_unprintable(stream):
    """The stream, printing "?" for letters that its encoding lacks, as in a file's name."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    elif isinstance(stream, io.TextIOWrapper):          # Python 3.6 cannot change a stream
        encoding, line_buffering = stream.encoding, stream.line_buffering
        stream = io.TextIOWrapper(stream.detach(), encoding, "replace",
                                  line_buffering=line_buffering)
    return stream


def print_warning(text):
    """What the readers do with a warning where nobody else takes it: one line on stderr."""
    print("warning: %s" % " ".join(str(text).split()), file=sys.stderr)


def run_script(main):
    """Call main(); a UserError ends the process with its line on stderr and status 1.

    Ctrl-C ends it with status 130, the shell's own, again without a traceback.
    """
    sys.stdout, sys.stderr = _without_unprintable(sys.stdout), _without_unprintable(sys.stderr)
    try:
        main()
    except UserError as error:
        print("error: %s" % " ".join(str(error).split()), file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
