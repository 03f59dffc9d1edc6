"""Runs a program on a terminal of its own:  terminal.py COLUMNS [TEXT ACTION]... -- PROGRAM [ARGUMENT]...

What the program writes goes to stdout. When TEXT has appeared after the last action, the next one is done, which is marked
by a NUL byte in the output: `columns=N` makes the terminal that wide (what was written for the old width comes before the
mark), `key=X` presses the control key of that letter. The exit status is the program's; 128 and the signal's number where
one has ended it.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios


def set_columns(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def act(terminal, action):
    name, value = action.split("=")
    if name == "columns":
        set_columns(terminal, int(value))
        while select.select([terminal], [], [], 0)[0] and (data := read(terminal)):
            sys.stdout.buffer.write(data)
    else:
        os.write(terminal, bytes([ord(value) & 0x1F]))


def read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # the program is gone, and the terminal's other side with it
        return b""


def main():
    end = sys.argv.index("--")
    columns, events, program = int(sys.argv[1]), sys.argv[2:end], sys.argv[end + 1 :]
    child, terminal = pty.fork()
    if child == 0:
        set_columns(0, columns)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may have it ignored
        os.execv(program[0], program)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(60)  # ends a program that hangs
    seen = b""
    while data := read(terminal):
        seen += data
        sys.stdout.buffer.write(data)
        if events and events[0].encode() in seen:
            act(terminal, events[1])
            seen, events = b"", events[2:]
            sys.stdout.buffer.write(b"\0")
    sys.stdout.flush()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(status if status >= 0 else 128 - status)


main()
