"""Merges Python modules into one text, for `bundler`.

A name is renamed where it means the module's own, and stays where an argument, a local variable or an attribute has it.
BundleError is raised for what cannot be decided: `global`, `nonlocal`, a module used as a value, one imported name
with two meanings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.build.scopes import IMPORTS, BundleError, Loop, Scoped, binds, bound, own_nodes


class CaptureError(Exception):
    """In some function a local variable stands before the name that something got: another one has to be found."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


class Module:
    """A source file, its imports taken apart.

    `targets`: what each imported name of ours means, as (module, name or "" for the module itself); `ours`: the same by
    local name, for what is imported at the top.
    """

    def __init__(self, root: Path, name: str, path: Path):
        self.name = name
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.targets: dict[ast.alias, tuple[str, str]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    target = _target(root, node.module or "", alias.name)
                    if target:
                        self.targets[alias] = target
        imported = [alias for node in self.tree.body if isinstance(node, IMPORTS) for alias in node.names]
        self.ours = {binds(alias): self.targets[alias] for alias in imported if alias in self.targets}
        self.foreign = {binds(alias) for alias in imported} - set(self.ours)
        self.defined = bound(self.tree.body) - self.foreign - set(self.ours)
        self.numbers = dict(_numbers(self.tree))


class Unit:
    """The merging of one unit of `program`, a `bundler.Program`. `text` uses its modules up: ask it once.

    `taken`: names that nothing may get that is not called so anyway.
    """

    def __init__(self, program: Any, name: str):
        self.program = program
        self.name = name
        self.modules = [program.module(m) for m in program.units[name]]
        self.names: dict[tuple[str, str], str] = {}
        self.imports: dict[str, ast.stmt] = {}  # by what they bind
        own = program.module(name).defined  # looked for by whoever imports the unit, so they keep their names
        foreign = set().union(*(module.foreign for module in self.modules))
        if both := own & (foreign | program.captured.get(name, set())):
            raise BundleError(
                f"{name}: another name for {', '.join(both)}, please: it means something else elsewhere"
            )
        self.taken = own | foreign | program.captured.get(name, set())
        for module in self.modules:
            for each in sorted(module.defined):
                self.names[module.name, each] = each if module.name == name else self._free(each, module.name)

    def text(self) -> str:
        body = [node for module in self.modules for node in _Merger(self, module).statements()]
        used = {node.id for each in body for node in ast.walk(each) if isinstance(node, ast.Name)}
        tree = ast.Module([*(node for binds, node in self.imports.items() if binds in used), *body], [])
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"

    def expression(self, module: str, name: str) -> ast.expr:
        """What stands in this unit for a name of a module of ours."""
        module, name = self.program.origin(module, name)
        numbers = self.program.module(module).numbers
        if name in numbers:
            return ast.Constant(numbers[name])
        unit = self.program.unit_of(module, self.name)
        if unit != self.name and (module, name) not in self.names:
            there = self.elsewhere(unit, module, name)
            here = self.names[module, name] = self._free(there, unit)
            self.take(here, ast.ImportFrom(unit, [ast.alias(there, here if here != there else None)], 0))
        return ast.Name(self.called(module, name), ast.Load())

    def called(self, module: str, name: str) -> str:
        """What a name of a module is called in this unit."""
        if (module, name) not in self.names:
            raise BundleError(f"{module} has no {name}")
        return self.names[module, name]

    def elsewhere(self, unit: str, module: str, name: str) -> str:
        """What another unit calls it."""
        return Unit(self.program, unit).called(module, name)

    def take(self, binds: str, node: ast.stmt) -> None:
        """Import something at the top, once."""
        if ast.dump(self.imports.setdefault(binds, node)) != ast.dump(node):
            raise BundleError(f"{self.name}: {binds} would have two meanings")

    def _free(self, name: str, module: str) -> str:
        """`name`, or something like it that is not taken."""
        while name in self.taken:
            name += "_" + module.rpartition(".")[2]
        self.taken.add(name)
        return name


class _Merger(Scoped):
    """The statements of one module, as they stand in its unit."""

    def __init__(self, unit: Unit, module: Module):
        super().__init__()
        self.unit = unit
        self.module = module
        self.ours = dict(module.ours)

    def statements(self) -> list[ast.stmt]:
        kept = []
        for node in self.module.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            number = isinstance(target, ast.Name) and target.id in self.module.numbers
            if number or _is_text(node):
                continue
            done = self.visit(node)
            kept += [done] if done else []
        return kept

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        for alias in node.names:
            if source_file(self.unit.program.root, alias.name):
                raise BundleError(f"{self.module.name}: import {alias.name} with `from`")
        return self._import(node, [ast.Import([alias]) for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        if node.names[0] not in self.module.targets:
            return self._import(node, [ast.ImportFrom(node.module, [alias], 0) for alias in node.names])
        return self._import_late(node) if self.scopes else None

    def _import(self, node: ast.stmt, parts: Iterable[ast.Import | ast.ImportFrom]) -> ast.stmt | None:
        """What is not ours: in a function it stays where it is."""
        if self.scopes:
            return node
        for part in parts:
            self.unit.take(binds(part.names[0]), part)
        return None

    def _import_late(self, node: ast.ImportFrom) -> ast.stmt | None:
        """What a function imports: nothing is left of it within a unit, from another one it stays."""
        names, unit = [], ""
        for alias in node.names:
            module, name = self.module.targets[alias]
            unit = self.unit.program.unit_of(module, self.unit.name)
            if unit != self.unit.name:
                there = self.unit.elsewhere(unit, module, name)
                names.append(ast.alias(there, None if there == binds(alias) else binds(alias)))
            elif self.ours.setdefault(binds(alias), (module, name)) != (module, name):
                raise BundleError(f"{self.module.name}: {binds(alias)} has two meanings")
        return ast.ImportFrom(unit, names, 0) if names else None

    def visit_Name(self, node: ast.Name) -> ast.expr:
        name = node.id
        if self.inside(name):
            return node
        if name in self.ours:
            if not self.ours[name][1]:
                raise BundleError(f"{self.module.name}: module {name} is used as a value")
            return self._expression(*self.ours[name])
        if name in self.module.numbers:
            return ast.Constant(self.module.numbers[name])
        return self._seen(ast.Name(self.unit.names.get((self.module.name, name), name), node.ctx))

    def _expression(self, module: str, name: str) -> ast.expr:
        return self._seen(self.unit.expression(module, name))

    def _seen(self, node: ast.expr) -> ast.expr:
        """Make sure that a name means here what it means at the top."""
        if isinstance(node, ast.Name) and self.inside(node.id):
            raise CaptureError(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        value = node.value
        if isinstance(value, ast.Name) and not self.inside(value.id):
            module, name = self.ours.get(value.id, ("", "no"))
            if not name:
                return self._expression(module, node.attr)
        node.value = self.visit(value)
        return node

    def top(self, name: str) -> str:
        return self.unit.names.get((self.module.name, name), name)

    def function_scope(self, arguments: ast.arguments, own: list[ast.AST]) -> Mapping[str, str]:
        kin = self._kin(own)
        return {name: name for name in super().function_scope(arguments, own) if name not in kin}

    def body(self, nodes: Iterable[ast.stmt]) -> list[ast.stmt]:
        return super().body(each for each in nodes if not _is_text(each))

    def _kin(self, own: list[ast.AST]) -> set[str]:
        """What a function imports from its own unit."""
        program, unit = self.unit.program, self.unit.name
        late = [node for node in own if isinstance(node, ast.alias) and node in self.module.targets]
        return {binds(n) for n in late if program.unit_of(self.module.targets[n][0], unit) == unit}

    def _loop(self, node: Loop) -> ast.AST:
        if any(isinstance(n, ast.NamedExpr) for n in ast.walk(node)):
            raise BundleError(f"{self.module.name}: no := in a comprehension")
        return super()._loop(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _loop


def source_file(root: Path, name: str) -> Path | None:
    """The file of a module of ours that is not merely a package."""
    path = Path(root, "" if name.startswith("firmware") else "lib", *name.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def _target(root: Path, module: str, name: str) -> tuple[str, str] | None:
    """What `from module import name` means, None when it is not ours."""
    if source_file(root, f"{module}.{name}"):
        return f"{module}.{name}", ""
    return (module, name) if source_file(root, module) else None


def _numbers(tree: ast.Module) -> list[tuple[str, int]]:
    """Whole numbers that get a name once and for all."""
    stores = [n.id for n in own_nodes(tree.body) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "const":
                value = value.args[0]
            try:
                number = ast.literal_eval(value)
            except ValueError:
                continue
            if type(number) is int and stores.count(name) == 1:
                found.append((name, number))
    return found


def _is_text(node: ast.stmt) -> bool:
    """A docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
