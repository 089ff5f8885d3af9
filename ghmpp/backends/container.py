"""Named parts of a network: modules and parameters under the names of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from torch import nn

Part = TypeVar("Part", bound=nn.Module | nn.Parameter)


class Named(nn.Module, Generic[Part]):
    """A read-only dictionary of modules or parameters, addressed by any string.

    Parameters
    ----------
    parts
        Modules or parameters by name. In ``state_dict`` and ``print`` a name appears with dots
        replaced by underscores, and with one more underscore where torch reserves it.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        for name, part in parts.items():
            attribute = self._free_attribute(name)
            self._names[name] = attribute
            if isinstance(part, nn.Parameter):
                self.register_parameter(attribute, part)
            else:
                self.add_module(attribute, part)

    def __getitem__(self, name: str) -> Part:
        attribute = self._names[name]
        if attribute in self._parameters:
            return self._parameters[attribute]  # type: ignore[return-value]  # one kind per dict
        return self._modules[attribute]  # type: ignore[return-value]  # one kind per dict

    def parts(self) -> Iterator[Part]:
        """The parts, in order."""
        return (self[name] for name in self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def extra_repr(self) -> str:
        """Parameters by name; modules are printed by torch."""
        parameters = ((n, self._parameters.get(a)) for n, a in self._names.items())
        return "\n".join(f"({n}): {tuple(p.shape)}" for n, p in parameters if p is not None)

    def _free_attribute(self, name: str) -> str:
        attribute = name.replace(".", "_")
        while hasattr(self, attribute):
            attribute += "_"
        return attribute
