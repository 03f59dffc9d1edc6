"""The progress line in a file and in a terminal (notebook.py: in a notebook)."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import libmnist as lm
import pytest


def test_a_file_gets_whole_lines(model, digits, capsys):
    x, y, x_test, y_test = digits
    model.fit(x, y, epochs=2)
    said = capsys.readouterr().out
    assert said.startswith("Epoch 1/2\n20/20 - 0s - loss: ") and said.count("\n") == 4 and "\r" not in said and "[" not in said
    model.fit(x, y, epochs=2, verbose=1)
    said = capsys.readouterr().out
    assert said.startswith("Epoch 1/2\n20/20 [====") and said.count("\n") == 4 and "\r" not in said and "ETA" not in said
    model.evaluate(x_test, y_test)
    assert "7/7 - 0s - loss: " in capsys.readouterr().out
    model.fit(x, y, verbose=0)
    model.predict(x)
    model.evaluate(x_test, y_test, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_stdout_that_cannot_be_written_to(model, digits, monkeypatch):
    x, y, _, _ = digits

    class Full:
        def write(self, text):
            raise OSError("disk full")

        def isatty(self):
            return False

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="disk full"):
        model.fit(x, y, epochs=2)
    monkeypatch.setattr(sys, "stdout", None)
    model.fit(x, y)


def test_a_terminal_is_redrawn_within_its_width():
    program = """
import numpy as np, libmnist as lm, sys
print("first")
model = lm.Sequential([lm.Input((8, 8, 1)), lm.layers.Flatten(), lm.layers.Dense(10, activation="softmax")])
model.compile("adam", metrics=["accuracy"])
model.fit(np.zeros((64, 8, 8)), np.zeros(64, int), epochs=1)
print("last")
"""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    done = subprocess.Popen([sys.executable, "-c", program], stdout=child, env={**os.environ, "TERM": "xterm"})
    os.close(child)
    said = b""
    while True:
        try:
            said += os.read(parent, 1000)
        except OSError:
            break
    assert done.wait() == 0
    lines = said.decode().replace("\r\n", "\n").split("\n")
    assert lines[0] == "first" and lines[-2] == "last" and "\r" in "".join(lines), said
    assert max(len(drawn) for line in lines for drawn in line.split("\r")) < 40, said
