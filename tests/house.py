"""The imports of a package, and the order they must keep.

    house = Package(Path("facenet_demo"), floors=[["system"], ["faces", "pictures"], ["data"]])
    house.upward()     # ["facenet_demo/faces/photos.py:12: import ...: data lies above faces"]
    house.circle()     # likewise

Every import counts alike. One inside a function only hides a circle until it is called; one under
`if TYPE_CHECKING` binds whoever reads the module, and a type that two modules need lies below both.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

FRONT_DOOR = "__init__"  # of the package itself: above all rooms


@dataclass(frozen=True)
class Import:
    """A module that another one imports.

    Attributes:
        importer, imported: dotted names; that of a package means its `__init__`.
        statement: where it stands and how it reads, `facenet_demo/data/crops.py:31: import ...`.
    """

    importer: str
    imported: str
    statement: str


@dataclass(frozen=True)
class Package:
    """The modules in a folder.

    Attributes:
        folder: it is called as the package.
        floors: the rooms, folders in it, the lowest floor first; the front door stands above them.
    """

    folder: Path
    floors: Sequence[Sequence[str]]

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name -> file."""
        return {self._name(path): path for path in sorted(self.folder.rglob("*.py"))}

    @cached_property
    def imports(self) -> list[Import]:
        """All of one module by another, also of the packages that run on the way to it.

        Raises:
            ValueError: for one that is relative or leads nowhere, naming its line.
        """
        return [
            Import(importer, imported, statement)
            for importer, path in self.modules.items()
            for statement, target in self._targets(path)
            for imported in _on_the_way(importer, target)
        ]

    def arrows(self) -> set[tuple[str, str]]:
        """Pairs of rooms of which the first imports from the second."""
        pairs = {(room(each.importer), room(each.imported)) for each in self.imports}
        return {(a, b) for a, b in pairs if a != b and FRONT_DOOR not in (a, b)}

    def upward(self) -> list[str]:
        """What a room imports from another that does not lie below it, a line for each."""
        floor = {name: number for number, names in enumerate(self.floors) for name in names}
        floor[FRONT_DOOR] = len(self.floors)
        found = []
        for each in self.imports:
            own, other = room(each.importer), room(each.imported)
            if own != other and floor[other] >= floor[own]:
                where = "beside" if floor[other] == floor[own] else "above"
                found.append(f"{each.statement}: {other} lies {where} {own}")
        return found

    def circle(self) -> list[str]:
        """The imports that lead from a module back to itself, a line for each; empty if none do.

        Of several circles the first that is found.
        """
        graph: dict[str, set[str]] = {name: set() for name in self.modules}
        for each in self.imports:
            graph[each.importer].add(each.imported)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            modules = error.args[1]  # each is imported by the next, the last is the first
            steps = set(zip(modules[1:], modules[:-1], strict=True))
            return [
                each.statement for each in self.imports if (each.importer, each.imported) in steps
            ]
        return []

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.folder.parent).with_suffix("").parts
        return ".".join(parts).removesuffix(f".{FRONT_DOOR}")

    def _targets(self, path: Path) -> Iterator[tuple[str, str]]:
        """Statements of a file, and the modules of this package that they name."""
        file = path.relative_to(self.folder.parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for name in self._named(node):
                if name.partition(".")[0] in (self.folder.name, ""):
                    statement = f"{file}:{node.lineno}: {ast.unparse(node)}"
                    if name not in self.modules:
                        raise ValueError(f"{statement}: there is no module {name}")
                    yield statement, name

    def _named(self, node: ast.AST) -> list[str]:
        """Modules that a statement imports; a relative name begins with a dot."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            members = [f"{module}.{alias.name}" for alias in node.names]
            return [name if name in self.modules else module for name in members]
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            return [arg.value for arg in node.args
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]  # fmt: skip
        return []


def room(module: str) -> str:
    """What a module belongs to: facenet_demo.data.crops -> data."""
    return [*module.split("."), FRONT_DOOR][1]


def _on_the_way(importer: str, target: str) -> Iterator[str]:
    """A module and the packages it lies in, which run before it; not those of the importer."""
    yield target
    while "." in target:
        target = target.rpartition(".")[0]
        if not f"{importer}.".startswith(f"{target}."):
            yield target
