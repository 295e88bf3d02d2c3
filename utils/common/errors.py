"""One way to end: on bad input, on a full disk, on a signal, whatever reads what is printed."""
import errno
import io
import os
import signal
import sys
import threading

# What the computer is out of, not what a script does wrong.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE,
           errno.ENFILE, errno.ENOMEM)
# Ctrl-C is Python's own; a closed terminal is SIGHUP, which Windows lacks.
END_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
AGAIN_S = 0.01                      # until a signal is sent that Python has ignored
GONE = "the folder that you are in is gone; cd to one that is there"


# Of a longer line the middle is left out: the path stands before it, the advice behind.
LONGEST_LINE, KEPT_BEFORE, KEPT_BEHIND = 900, 600, 250


def as_line(message):
    """One line of bounded length, without letters that would control a terminal."""
    line = " ".join(str(message).split())
    if len(line) > LONGEST_LINE:
        line = "%s ... %s" % (line[:KEPT_BEFORE], line[-KEPT_BEHIND:])
    return "".join(letter if letter.isprintable() else "?" for letter in line)


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line: what was found, what was expected, what to do. What it quotes may be
    a stranger's: see as_line.
    """

    def __init__(self, message):
        super(UserError, self).__init__(as_line(message))


class _Descriptor(io.RawIOBase):
    """Where a script prints. The work goes on where nobody reads that any more (`| head -1`).

    failure: the OSError of what could not be written for another reason, as on a full disk.
    """

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self.failure = None

    def fileno(self):
        return self._descriptor

    def isatty(self):
        return os.isatty(self._descriptor)

    def writable(self):
        return True

    def write(self, content):
        try:
            return os.write(self._descriptor, content)
        except BlockingIOError:
            raise
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.failure = error
            # What this process and those that it starts print from now on.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)
            return len(content)


def _without_unprintable(stream):
    """The stream, printing "?" for letters that its encoding lacks, as in a file's name."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    elif isinstance(stream, io.TextIOWrapper):          # Python 3.6 cannot change a stream
        encoding, line_buffering = stream.encoding, stream.line_buffering
        stream = io.TextIOWrapper(stream.detach(), encoding, "replace",
                                  line_buffering=line_buffering)
    return stream


def _that_never_fails(stream, descriptor):
    """(what to print to in place of a standard stream, its _Descriptor or None)."""
    if os.name == "nt" or stream not in (sys.__stdout__, sys.__stderr__) or stream is None:
        return _without_unprintable(stream), None       # a console of its own, or a test's
    held = _Descriptor(descriptor)
    stream.flush()
    lines = (stream.line_buffering or getattr(stream, "write_through", False)
             or stream is sys.__stderr__)
    return io.TextIOWrapper(io.BufferedWriter(held), stream.encoding, "replace",
                            line_buffering=lines), held


def print_warning(text):
    """What the readers do with a warning where nobody else takes it: one line on stderr."""
    print("warning: %s" % as_line(text), file=sys.stderr)


def run_script(main):
    """Call main(); a UserError ends the process with its line on stderr and status 1.

    So does a full disk, whoever meets it, and a working folder that is gone. Ctrl-C, SIGTERM and
    SIGHUP end it with the shell's own status (130, 143, 129): what was begun is removed, and there
    is no traceback. What is printed ends nothing: where nobody reads it, the work goes on.
    """
    _open_standard_streams()
    sys.stdout, printed = _that_never_fails(sys.stdout, 1)
    sys.stderr, _ = _that_never_fails(sys.stderr, 2)
    _end_by_signals()
    status = _status_of(main)
    if printed:
        sys.stdout.flush()
        if printed.failure:
            _tell("error: what this prints cannot be written: %s; the rest is done"
                  % printed.failure.strerror)
            status = status or 1
    if status:
        sys.exit(status)


def _status_of(main):
    """Call main(); the exit status of the process, once what is wrong is told."""
    try:
        _check_working_folder()
        main()
    except SystemExit as end:
        end.is_met = True
        return end.code
    except UserError as error:
        _tell("error: %s" % error)
        return 1
    except KeyboardInterrupt:
        _tell("interrupted")
        return 130
    except OSError as error:
        if not _is_working_folder_there():
            _tell("error: %s" % GONE)
        elif error.errno in NO_ROOM:
            _tell("error: %s%s; free the space or choose another place"
                  % ("%s: " % error.filename if error.filename else "", error.strerror))
        else:
            raise
        return 1
    return 0


def _tell(line):
    print(line, file=sys.stderr)


def _open_standard_streams():
    """Open those that are closed (`>&-`): else a file would get such a number, and what is printed.
    """
    descriptor = 0
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)     # the lowest number that is free
        if descriptor <= 2:
            os.set_inheritable(descriptor, True)
    os.close(descriptor)


class _EndBySignal(SystemExit):
    """What ends this process. Python ignores it where it comes within __del__ or another's callback:
    then it is gone before _status_of has met it, and the signal is sent again.
    """
    is_met = False

    def __init__(self, number):
        super(_EndBySignal, self).__init__(128 + number)
        self._number, self._process = number, os.getpid()

    def __del__(self):
        if not self.is_met and self._process == os.getpid():
            again = threading.Timer(AGAIN_S, os.kill, (self._process, self._number))
            again.daemon = True
            again.start()


def _end_by_signals():
    """Let SIGTERM and SIGHUP end this process as errors do: cleaned up. Where one is ignored
    (nohup), it stays so."""
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number, _):
        raise _EndBySignal(number)
    for number in END_SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)
    tell = getattr(sys, "unraisablehook", None)         # Python 3.7 tells of all that it ignores
    if tell is not None:
        sys.unraisablehook = lambda ignored: (
            isinstance(ignored.exc_value, _EndBySignal) or tell(ignored))


def _check_working_folder():
    if not _is_working_folder_there():
        raise UserError(GONE)


def _is_working_folder_there():
    try:
        return bool(os.getcwd())
    except OSError:
        return False
