"""Calls during which the library calls Python. No exception may pass through the library: what Python code raises meanwhile, Ctrl-C
included, is kept, ends the call, and is raised when that has returned. When the interpreter exits, the calls of other threads are
ended and waited for (ten seconds at most): the library cannot call Python once the interpreter has gone."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any, Callable

from ._library import MnistError, call, ffi

Kept = list[BaseException]


class _Process:
    """The calls that are running in this process."""

    def __init__(self) -> None:
        self.changed, self.exiting, self.running = threading.Condition(), False, 0

    def exit(self) -> None:
        with self.changed:
            self.exiting = True
            self.changed.wait_for(lambda: self.running <= 0, timeout=10)

    def leaves(self) -> bool:
        """Whether this thread will not live on."""
        return self.exiting and threading.current_thread() is not threading.main_thread()

    def change(self, by: int) -> None:
        with self.changed:
            if by > 0 and self.leaves():
                raise SystemExit
            self.running += by
            self.changed.notify_all()


_process = _Process()
atexit.register(_process.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: vars(_process).update(vars(_Process())))  # it has not these threads


def callback(kind: str, function: Callable[..., Any], kept: Kept) -> Any:
    """The function as the library calls it. One that gives a status gives 0 to go on, and 1 to end the call."""
    error = None if kind == "mnist_write_fn" else 1

    def run(*arguments: Any) -> Any:
        end = bool(_process.leaves() or kept or function(*arguments))
        return None if error is None else int(end)

    # Ctrl-C is raised as soon as the interpreter is entered, before any `try` that `run` could have.
    return ffi.callback(kind, run, error=error, onerror=lambda _, value, trace: kept.append(value.with_traceback(trace)))


def make(kept: list[Kept], name: str, *arguments: Any) -> tuple[int, str]:
    """Makes a call; raises what was kept meanwhile."""
    failure, result = None, (0, "")
    _process.change(1)
    try:
        result = call(name, *arguments)
    except MnistError as error:
        failure = error
    finally:
        _process.change(-1)
        raised = [error for each in kept for error in each]
        for each in kept:
            each.clear()
    if _process.leaves():
        raise SystemExit
    if raised or failure:
        raise raised[0] if raised else failure  # type: ignore[misc]
    return result
