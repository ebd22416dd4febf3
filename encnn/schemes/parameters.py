"""What the parameters of all encrypted schemes have in common: a name that says what they protect, and changed copies."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

from encnn.errors import ParameterError

P = TypeVar("P", bound="NamedParameters")


@dataclass(frozen=True, kw_only=True, repr=False)
class NamedParameters:
    """A parameter set that is checked when it is made.  A set without protection must have INSECURE in its name."""

    name: str  # of the set

    def __repr__(self) -> str:
        """Show every field, and what the set protects."""
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"{type(self).__name__}({shown}) <{self.protection}>"

    def __str__(self) -> str:
        """Show the name and what the set protects."""
        return f"{self.name}: {self.protection}"

    @property
    @abstractmethod
    def protection(self) -> str:
        """The bits of security with the attack and the model that decide."""

    @property
    def insecure(self) -> bool:
        """Whether the set is marked as giving no protection."""
        return "INSECURE" in self.name

    def updated(self, **changes: Any) -> Self:
        """Return a changed, newly validated copy."""
        return replace(self, **changes)


def find_preset(presets: Mapping[str, P], name: str) -> P:
    """Return the named set, or raise `ParameterError` with the names there are."""
    if name not in presets:
        raise ParameterError(f"no parameters are called {name!r}; choose one of {', '.join(presets)}")
    return presets[name]
