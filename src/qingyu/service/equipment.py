"""What calls may name besides the model: memories of phrases, word lists, taught heads, indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qingyu import taught
from qingyu.search.index import Index
from qingyu.tasks import check, classification, search
from qingyu.taught import Taught

from .calls import Call
from .phrases import PhraseStore
from .registry import Registry
from .shelf import HEADS, INDEXES, Shelf
from .words import WordLists

KEEP_LISTS = "keep_lists"  # a parameter of `check` that only a service has


@dataclass(frozen=True)
class Equipment:
    """All that a service keeps for its clients, by name."""

    phrases: PhraseStore
    words: WordLists
    heads: Shelf[Taught]
    indexes: Shelf[Index]

    @classmethod
    def of(
        cls,
        phrases: PhraseStore,
        words: Path | None,
        heads: Path | None,
        indexes: Path | None,
        registry: Registry,
    ) -> Equipment:
        return cls(
            phrases,
            WordLists(words),
            Shelf(HEADS, heads, _head, registry),
            Shelf(INDEXES, indexes, Index, registry),
        )

    def wanted(self, calls: Sequence[Call]) -> bool:
        """Whether any of the calls may name something; told without looking at files."""
        return any(
            call.named or call.task == search.NAME or self._head(call) or lists_of(call)
            for call in calls
        )

    def opened(self, calls: Sequence[Call]) -> list[Call]:
        """The calls with what they name, opened. Raises what opening raises; a head that is not on
        the shelf may be the model's own.
        """
        named = dict.fromkeys(name for call in calls for name in call.named)
        memories = {name: self.phrases.open(name) for name in named}
        # One tuple for all calls that name the same, so that it is hashed once.
        shared = {
            names: tuple(memories[one] for one in names) for names in {c.named for c in calls}
        }
        own: dict[tuple[str, str], tuple[Taught | Index, ...]] = {}
        found = []
        for call in map(self._kept, calls):
            name = str(call.inputs[1]) if call.task == search.NAME else self._head(call)
            if (call.task, name) not in own:
                own[call.task, name] = self._own(call.task, name)
            found.append(replace(call, phrases=shared[call.named], own=own[call.task, name]))
        return found

    def _kept(self, call: Call) -> Call:
        """A proofreading with the words of the lists that it names among those it keeps."""
        names = lists_of(call)
        if not names:
            return call
        parameters = dict(call.parameters)
        del parameters[KEEP_LISTS]
        own: tuple[str, ...] = parameters.get("keep", ())  # type: ignore[assignment]
        lists = (self.words.open(name) for name in names)
        parameters["keep"] = tuple(dict.fromkeys([*own, *(w for one in lists for w in one)]))
        return replace(call, parameters=tuple(parameters.items()))

    def _own(self, task: str, name: str) -> tuple[Taught | Index, ...]:
        if task == search.NAME:
            return (self.indexes.open(name),)
        return (self.heads.open(name),) if name and self.heads.has(name) else ()

    def _head(self, call: Call) -> str:
        """The head that a classification names; "" without one, or where none are kept."""
        if self.heads.folder is None or call.task != classification.NAME:
            return ""
        return str(dict(call.parameters).get("head") or "")


def lists_of(call: Call) -> tuple[str, ...]:
    """Names of the word lists of a proofreading."""
    if call.task != check.NAME:
        return ()
    return dict(call.parameters).get(KEEP_LISTS, ())  # type: ignore[return-value]


def _head(folder: Path) -> Taught:
    """A taught head under the name of its folder."""
    return replace(taught.read(folder), name=folder.name)
