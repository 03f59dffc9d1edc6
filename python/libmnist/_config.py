"""What Keras serialises as a class and its config."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, ClassVar, TypeVar

import numpy as np


class Config:
    """A class of Keras's and its config, with Keras's keys and defaults. The library checks it where it is used."""
    takes: ClassVar[tuple[str, ...]] = ()  # what may be given by position

    def __init__(self, *by_position: Any, **config: Any) -> None:
        self.config = {**dict(zip(self.takes, by_position)), **config}
        if len(self.config) < len(by_position) + len(config):
            takes = ", ".join(self.takes) or "nothing"
            raise TypeError(f"{type(self).__name__} takes {takes} by position, all else by name, and nothing twice")

    def get_config(self) -> dict[str, Any]:
        return dict(self.config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config.items())})"


Made = TypeVar("Made", bound=Config)


def classes(module: dict[str, Any], base: type[Made], table: dict[str, str]) -> Callable[[str], type[Made]]:
    """Puts Keras's classes into a module, by what they take by position; gives the module's __getattr__, for other names."""
    for takes, names in table.items():
        for name in names.split():
            module[name] = type(name, (base,), {"takes": tuple(takes.split()), "__module__": base.__module__})

    def missing(name: str) -> type[Made]:
        raise AttributeError(f"{module['__name__']} has no {name}")

    return missing


def to_json(value: Any) -> bytes:
    """A name, a dict, or an object with get_config(), Keras's own included, or a list of these, as Keras's JSON."""

    def plain(part: Any) -> Any:
        if hasattr(part, "get_config") and not isinstance(part, type):
            return {"class_name": type(part).__name__, "config": part.get_config()}
        if isinstance(part, (np.generic, np.ndarray)):
            return part.tolist()
        if isinstance(part, os.PathLike):
            return os.fspath(part)
        raise TypeError(f"expected a name, a dict, or an object with get_config(), found {part!r}")

    return json.dumps(value, default=plain).encode()
