"""Calls during which the library calls Python functions. An exception must not propagate through the library: it is stored, the
call is stopped, and the exception is raised after the call has returned. Ctrl-C (KeyboardInterrupt) is handled in the same way.
At interpreter exit, calls on other threads are stopped first: afterwards the library could not call Python any more."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any, Callable

from ._library import MnistError, call, ffi

Pending = list[BaseException]


class _Process:
    """Counts the calls that are running, for the exit of the interpreter."""

    def __init__(self) -> None:
        self.changed, self.exiting, self.running = threading.Condition(), False, 0

    def exit(self) -> None:
        with self.changed:
            self.exiting = True
            self.changed.wait_for(lambda: self.running <= 0, timeout=10)

    def stops(self) -> bool:
        """Whether the interpreter is exiting and this thread is not the main thread."""
        return self.exiting and threading.current_thread() is not threading.main_thread()

    def add(self, by: int) -> None:
        with self.changed:
            if by > 0 and self.stops():
                raise SystemExit
            self.running += by
            self.changed.notify_all()


_process = _Process()
atexit.register(_process.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: vars(_process).update(vars(_Process())))  # other threads are gone


def callback(kind: str, function: Callable[..., Any], pending: Pending) -> Any:
    """A C function pointer of a typedef of mnist.h. A status is 0 to continue and 1, also after an exception, to stop the call."""
    error = None if kind == "mnist_write_fn" else 1

    def run(*arguments: Any) -> Any:
        stop = bool(_process.stops() or pending or function(*arguments))
        return None if error is None else int(stop)

    # A KeyboardInterrupt may be raised at the entry of `run`, before any `try` in it: only `onerror` sees it.
    return ffi.callback(kind, run, error=error, onerror=lambda _, value, trace: pending.append(value.with_traceback(trace)))


def run_call(pending: list[Pending], name: str, *arguments: Any) -> tuple[int, str]:
    """Calls a function of the library, then raises the first exception of its callbacks, if there is one."""
    failure, result = None, (0, "")
    _process.add(1)
    try:
        result = call(name, *arguments)
    except MnistError as error:
        failure = error
    finally:
        _process.add(-1)
        raised = [error for each in pending for error in each]
        for each in pending:
            each.clear()
    if _process.stops():
        raise SystemExit  # ends the thread
    if raised or failure:
        raise raised[0] if raised else failure  # type: ignore[misc]
    return result
