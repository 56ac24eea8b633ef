"""Python's scopes, as far as device code uses them: what a statement binds, and a walk that tracks the bindings.

`merger` and `mangler` use it to rename. `global` and `nonlocal` raise BundleError.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from tools.build.mpy import CompileError

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
_LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Loop = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_IN_CLASS = "__module__"  # in the scope of every class, and of nothing else


class BundleError(CompileError):
    """A module cannot be bundled; the text names it and says why."""


class Scoped(ast.NodeTransformer):
    """`scopes`: what the functions, classes and comprehensions around bind, the innermost last, each name with what it
    is called from now on."""

    def __init__(self) -> None:
        self.scopes: list[Mapping[str, str]] = []

    def named(self, name: str) -> str:
        """What a name that is used or bound here is called."""
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None) or self.top(name)

    def top(self, name: str) -> str:
        """The same for one that no scope binds."""
        raise NotImplementedError

    def function_scope(self, arguments: ast.arguments, own: list[ast.AST]) -> Mapping[str, str]:
        """What a function binds; `own`: the `own_nodes` of its body."""
        return {name: name for name in bound_by(own) | {each.arg for each in all_arguments(arguments)}}

    def class_scope(self, node: ast.ClassDef) -> Mapping[str, str]:
        return {name: name for name in bound(node.body)}

    def loop_scope(self, node: Loop) -> Mapping[str, str]:
        """What a comprehension binds."""
        return {name: name for name in targets(node)}

    def body(self, nodes: Iterable[ast.stmt]) -> list[ast.stmt]:
        return [done for each in nodes if (done := self.visit(each))] or [ast.Pass()]

    def inside(self, name: str) -> bool:
        """Whether a scope binds it."""
        return any(name in scope for scope in self.scopes)

    def _defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        new = self.named(node.name)
        node.body = self._function(node.args, node.body)
        node.name = new
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._defined(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._defined(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        body = ast.Expr(node.body)
        self._function(node.args, [body])
        node.body = body.value
        return node

    def _function(self, arguments: ast.arguments, body: list[ast.stmt]) -> list[ast.stmt]:
        """Defaults belong to the scope around, the body to its own; a class is no scope for its methods."""
        arguments.defaults = [self.visit(each) for each in arguments.defaults]
        arguments.kw_defaults = [each and self.visit(each) for each in arguments.kw_defaults]
        before = self.scopes
        self.scopes = [scope for scope in before if _IN_CLASS not in scope]
        scope = self.function_scope(arguments, own_nodes(body))
        for each in all_arguments(arguments):
            each.arg = scope[each.arg]
        self.scopes.append(scope)
        inner = self.body(body)
        self.scopes = before
        return inner

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.bases = [self.visit(each) for each in node.bases]
        new = self.named(node.name)
        self.scopes.append({_IN_CLASS: _IN_CLASS, **self.class_scope(node)})
        node.body = self.body(node.body)
        self.scopes.pop()
        node.name = new
        return node

    def _loop(self, node: Loop) -> ast.AST:
        first = node.generators[0]
        outside, first.iter = self.visit(first.iter), ast.Constant(None)
        self.scopes.append(self.loop_scope(node))
        self.generic_visit(node)
        self.scopes.pop()
        first.iter = outside
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _loop


def own_nodes(body: Iterable[ast.AST]) -> list[ast.AST]:
    """All nodes of a scope, functions, classes and comprehensions in it as closed boxes."""
    found: list[ast.AST] = []
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, *_LOOPS, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    return found


def bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements bind in their own scope."""
    return bound_by(own_nodes(body))


def bound_by(own: list[ast.AST]) -> set[str]:
    found = set()
    for node in own:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, IMPORTS):
            found |= {binds(alias) for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            raise BundleError("global and nonlocal are not supported")
    return found


def binds(alias: ast.alias) -> str:
    return alias.asname or alias.name


def targets(loop: Loop) -> set[str]:
    """What a comprehension binds."""
    return {n.id for part in loop.generators for n in ast.walk(part.target) if isinstance(n, ast.Name)}


def all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    """In their order; defaults are no part of it."""
    starred = [each for each in (arguments.vararg, arguments.kwarg) if each]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]
