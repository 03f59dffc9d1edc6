"""Classes that consist of a name and a config, serialized as in Keras."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, ClassVar, TypeVar

import numpy as np


class Config:
    """An object with Keras's class name, keys and defaults. The library checks the config when the object is used."""
    positional: ClassVar[tuple[str, ...]] = ()  # names of positional arguments

    def __init__(self, *by_position: Any, **config: Any) -> None:
        self.config = {**dict(zip(self.positional, by_position)), **config}
        if len(self.config) < len(by_position) + len(config):
            positional = ", ".join(self.positional) or "none"
            raise TypeError(f"{type(self).__name__}: expected each argument once; positional arguments: {positional}")

    def get_config(self) -> dict[str, Any]:
        return dict(self.config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.config.items())})"


Made = TypeVar("Made", bound=Config)


def classes(module: dict[str, Any], base: type[Made], table: dict[str, str]) -> Callable[[str], type[Made]]:
    """Adds Keras's classes to a module, from a table of positional arguments and class names; returns the module's __getattr__."""
    for positional, names in table.items():
        for name in names.split():
            module[name] = type(name, (base,), {"positional": tuple(positional.split()), "__module__": base.__module__})

    def missing(name: str) -> type[Made]:
        raise AttributeError(f"{module['__name__']} has no {name}")

    return missing


def to_json(value: Any) -> bytes:
    """Keras's JSON of a name, a dict, an object with get_config() (also Keras's own), or a list of these."""

    def plain(part: Any) -> Any:
        if hasattr(part, "get_config") and not isinstance(part, type):
            return {"class_name": type(part).__name__, "config": part.get_config()}
        if isinstance(part, (np.generic, np.ndarray)):
            return part.tolist()
        if isinstance(part, os.PathLike):
            return os.fspath(part)
        raise TypeError(f"expected a name, a dict, or an object with get_config(), found {part!r}")

    return json.dumps(value, default=plain).encode()
