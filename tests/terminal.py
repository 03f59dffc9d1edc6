"""Runs a program on a new terminal:  terminal.py COLUMNS [TEXT ACTION]... -- PROGRAM [ARGUMENT]...

The program's output goes to stdout. When TEXT has appeared after the previous action, the next action is executed and a NUL byte is
written to the output. `columns=N` changes the terminal's width (text written for the old width comes before the NUL byte); `key=X`
presses Ctrl with that letter. The exit status is the program's, or 128 plus the number of the signal that has ended it.
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
    except OSError:  # the program has ended, and with it the other side of the terminal
        return b""


def main():
    end = sys.argv.index("--")
    columns, events, program = int(sys.argv[1]), sys.argv[2:end], sys.argv[end + 1 :]
    child, terminal = pty.fork()
    if child == 0:
        set_columns(0, columns)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it may be ignored in the process that runs the tests
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
