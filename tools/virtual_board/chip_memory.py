"""Answers the requests of the shims about the memory of the chip, from the model in `memory.py`.

One request line in, one reply out, as in `chip.py`; sizes to and from a 64-bit board are twice the chip's. Nothing
reports that a socket was closed, so the open ones are looked up before every answer: `open_file(fd)` names what is
behind a descriptor of the program (None: nothing), and what is gone takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.virtual_board.memory import (
    CHIPS_OWN_HEAP,
    DEFAULT_STACK,
    ETHERNET,
    FIRST_AREA,
    LEAST_STACK,
    SOCKET,
    THREAD,
    Memory,
    NoRoomError,
)

STACK_BACK_MS = 20
"""From the end of a thread until its stack is back: the idle task frees it (order of magnitude; measured was that it
is late)."""


class ChipMemory:
    """`ms()`: monotonic milliseconds. `on_third(why)`: the heap would have needed a third area; once in a run."""

    def __init__(
        self, memory: Memory, ms: Callable[[], float], scale: int = 1,
        on_third: Callable[[str], None] = lambda why: None,
    ) -> None:  # fmt: skip
        self.memory = memory
        self.scale = scale
        self.board_heap = 0
        self.lowest, self.peak, self.doubled = memory.pool.lowest, 0, False
        self.open_file: Callable[[int], str | None] = lambda fd: f"file {fd}"
        self._ms, self._on_third = ms, on_third
        self._reset()

    def reset(self, soft: bool) -> None:
        """A run begins. Of the pool a soft reset leaves what the radio has."""
        on = [name for name in ("wifi", "ap", "ethernet") if soft and name in self.memory.pool]
        self.keep()
        old = self.memory
        self.memory = Memory(old.image, old.chain, old.limited, old.names)
        for name in on:
            if name == "ethernet":
                self.ethernet()
            else:
                self.memory.wifi(True, name)
        self._reset()

    def _reset(self) -> None:
        self._files: dict[int, tuple[str, str]] = {}
        self._stack = DEFAULT_STACK
        self._threads = 0
        self._ending: dict[str, float] = {}
        self._third_reported = False

    def keep(self) -> None:
        """Take the figures of this run into those of all runs: `lowest` of the pool, `peak` of the heap, `doubled`."""
        memory = self.memory
        self.lowest = min(self.lowest, memory.pool.lowest)
        self.peak, self.doubled = max(self.peak, memory.peak), self.doubled or memory.doubled

    def answer(self, op: str, *words: str) -> object:
        """The value of a reply, "full" where the pool has no room. AttributeError: there is no such request."""
        asked = getattr(self, f"_do_{op}")
        self._sweep()
        try:
            return asked(*words)
        except NoRoomError:
            return "full"
        finally:
            if self.memory.third and not self._third_reported:
                self._third_reported = True
                self._on_third(self.memory.third)
            self.keep()

    def sockets(self) -> list[int]:
        """The descriptors of the program's sockets, those with TLS too."""
        self._sweep()
        return [fd for fd, (name, _) in self._files.items() if name.split()[0] in ("socket", "tls")]

    def radio(self, on: bool, name: str) -> bool:
        """Switch Wi-Fi ("wifi") or the access point ("ap"); False: the chip crashes of it. NoRoomError."""
        self._sweep()
        if on and self._ending:
            return False
        self.memory.wifi(on, name)
        self.keep()
        return True

    def ethernet(self) -> None:
        """Ethernet is there until the chip is reset. NoRoomError."""
        self._sweep()
        self.memory.pool.take("ethernet", ETHERNET, divided=True)
        self.keep()

    # The Python heap

    def _do_heap(self, used: str, total: str) -> str:
        """Launched: what interpreter and shims have taken; how much of that is the board's own, the ballast, and what
        lies before that: the free part of the first area."""
        taken = CHIPS_OWN_HEAP + self.memory.names
        own = int(used) - taken * self.scale
        self.board_heap = own
        ballast = int(total) - own - 2 * FIRST_AREA * self.scale if self.memory.limited else 0
        first = (FIRST_AREA - taken) * self.scale if ballast > 0 else 0
        return f"{own} {ballast} {first}"

    def _do_heap_lives(self, used: str, empty: str = "0") -> int:
        """So much is in use after a collection, and whether all of it is in the first area; what to hold of the second
        area, which the chip has not."""
        self.memory.lives(int(used) // self.scale, empty == "1")
        return self._lacking()

    def _do_heap_failed(self, text: str = ".") -> None:
        """`text`: as the interpreter puts it, such as "memory allocation failed, allocating 100 bytes"."""
        self.memory.exhausted(bytes.fromhex(text[1:]).decode(errors="replace") or "memory allocation failed")

    def _do_heap_free(self, used: str, free: str) -> int:
        """`gc.mem_free()`, for a program that uses so much; `free`: what the interpreter has."""
        if self.memory.limited:
            return self.memory.mem_free(int(used) // self.scale) * self.scale
        return int(free) + self.memory.pool.largest * self.scale

    def _lacking(self) -> int:
        # Between two looks of the board a stack comes back, and the heap may grow by all of it: not held meanwhile.
        soon = self._ending and not self.memory.grown
        return self.memory.lacking() * self.scale if self.memory.limited and not soon else 0

    # The pool

    def _do_idf(self) -> str:
        return " ".join(str(number) for region in self.memory.pool.regions() for number in region)

    def _do_stack(self, size: str = "") -> int:
        """The size of the next thread's stack; sets it first where one is given."""
        before = self._stack
        if size:
            self._stack = max(int(size), LEAST_STACK) if int(size) else DEFAULT_STACK
        return before

    def _do_thread(self) -> int:
        self.memory.pool.take(f"thread {self._threads}", self._stack + THREAD)
        self._threads += 1
        return self._threads - 1

    def _do_unthread(self, number: str) -> None:
        self._ending[f"thread {int(number)}"] = self._ms() + STACK_BACK_MS

    def _do_socket(self, fd: str) -> None:
        self._hold(int(fd), f"socket {fd}", SOCKET)

    def _do_context(self, fd: str) -> None:
        """A context trusts a root from now on; it lives as long as that descriptor is open."""
        self._hold(int(fd), f"context {fd}", self.memory.cost.context)

    def _do_tls(self, fd: str) -> str:
        """The connection with that descriptor gets TLS; what of that fails."""
        number, name = int(fd), f"tls {fd}"
        # Its socket is in the figures of the connection.
        self._release(number)
        outcome = self.memory.handshake(name)
        if outcome:
            self._do_socket(fd)
        else:
            self._files[number] = name, self.open_file(number) or ""
        return outcome

    def _hold(self, fd: int, name: str, size: int) -> None:
        self._release(fd)
        self.memory.pool.take(name, size)
        self._files[fd] = name, self.open_file(fd) or ""

    def _release(self, fd: int) -> None:
        if fd in self._files:
            self.memory.pool.give(self._files.pop(fd)[0])

    def _sweep(self) -> None:
        """Take back what is over: closed files, and stacks whose time has come."""
        for fd, (_, file) in list(self._files.items()):
            if self.open_file(fd) != file:
                self._release(fd)
        for name, back_ms in list(self._ending.items()):
            if self._ms() >= back_ms:
                del self._ending[name]
                self.memory.pool.give(name)
