"""Bounds how far a pickle expands that uses the same parts repeatedly, in tuples or frozen sets.

Three hundred bytes can encode a tuple that holds one tuple twice, which holds another one twice,
and so on. Hashing it takes a step for each leaf, for example 2**100. So the parts are counted
before any is made. Ordinary pickles seldom use a tuple twice: `Sharing` looks for that alone, which
is fast, and `check_sharing` counts only where it was found.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from functools import cache

_TUPLES = pickle.TUPLE + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3 + pickle.FROZENSET
_MEMOIZE = pickle.MEMOIZE[0]
_SHORT = 24  # lengths of texts, as in `pickles`
_LEAST, _TIMES = 1_000_000, 100

# Opcodes that make an object other than a tuple; a pickle memoises an object right after that.
_MAKERS = (
    pickle.EMPTY_LIST + pickle.EMPTY_DICT + pickle.EMPTY_SET + pickle.LIST + pickle.DICT
    + pickle.REDUCE + pickle.NEWOBJ + pickle.OBJ + pickle.STACK_GLOBAL
)  # fmt: skip
_TEXTS = (
    pickle.BINUNICODE + pickle.SHORT_BINUNICODE + pickle.BINUNICODE8 + pickle.BINBYTES
    + pickle.SHORT_BINBYTES + pickle.BINBYTES8 + pickle.BYTEARRAY8 + pickle.BINSTRING
    + pickle.SHORT_BINSTRING + pickle.GLOBAL + pickle.INST + pickle.UNICODE + pickle.STRING
)  # fmt: skip
_ODD = pickle.POP + pickle.POP_MARK + pickle.DUP


@cache
def _tokens(memoize: bool) -> re.Pattern[bytes]:
    """Finds each opcode that memoises a tuple, reads the memo, or changes the stack unusually.

    With ``memoize`` the memo is numbered by order, so that all opcodes that memoise are found.
    """
    by_size: dict[int, bytes] = {}
    own = _MAKERS + _TUPLES + _ODD + b"\x94qrhj"
    for opcode in pickletools.opcodes:
        size = 0 if opcode.arg is None else opcode.arg.n
        if size >= 0 and opcode.code.encode("latin1") not in own:
            code = re.escape(opcode.code.encode("latin1"))
            by_size[size] = by_size.get(size, b"") + code
    made = [b"[%b]" % re.escape(_MAKERS), rb"C\x08.{8}"]
    for text, zeros in ((b"\x8c", 0), (b"X", 3)):
        sizes = [rb"\x%02x\x00{%d}.{%d}" % (size, zeros, size) for size in range(_SHORT)]
        made.append(b"%b(?:%b)" % (text, b"|".join(sizes)))
    maker = b"(?:%b)" % b"|".join(made)
    # The data of one number come first in the pattern, as they are the most frequent.
    plain = [b"[%b].{%d}" % (codes, size) for size, codes in sorted(by_size.items())]
    remembered = maker + (rb"(?!\x94)" if memoize else rb"(?:q.|r.{4})?+")
    found = [rb"[%b](?:\x94|q.|r.{4})?+" % re.escape(_TUPLES), b"[hq].", b"[jr].{4}", rb"\x94"]
    found += [b"[%b]" % re.escape(_ODD), rb"\Z", b"."]
    if memoize:
        found.insert(0, maker + rb"\x94")
    boring = b"|".join([remembered, *plain])
    return re.compile(b"(?s)(?:%b)*+(%b)" % (boring, b"|".join(found)))


class Sharing:
    """Finds out from a pickle's opcodes, in their order, whether it may use a tuple again."""

    def __init__(self, content: bytes, start: int) -> None:
        """Start at the position where the pickle begins."""
        self.possible = False
        self._content = content
        self._memoize = content[start : start + 2] in (b"\x80\x04", b"\x80\x05")
        self._count = 0  # of memoised objects
        self._tuples: set[int] = set()
        self._made = False  # whether the last opcode made an object that is no tuple

    def run(self, start: int, end: int) -> None:
        """Read opcodes of fixed size and short texts, from ``start`` to ``end``."""
        if self.possible or start == end:
            return
        if self._made:
            start = self._remember(start)
        self._made = False
        for token in _tokens(self._memoize).findall(self._content, start, end):
            size = len(token)
            if not size:
                continue
            code = token[0]
            if code in _TUPLES:
                if size > 1:
                    self._add(token[1:])
            elif code in b"hj" and size in (2, 5):
                self.possible |= int.from_bytes(token[1:], "little") in self._tuples
            elif size > 1 and token[-1] == _MEMOIZE and code not in b"qr":
                self._count += 1
            else:
                self.possible = True

    def _remember(self, start: int) -> int:
        """Read the opcode that memoises the last object, if there is one; the position after it."""
        code = self._content[start]
        if code == _MEMOIZE and self._memoize:
            self._count += 1
            return start + 1
        if code in b"qr" and not self._memoize:
            return start + (2 if code == b"q"[0] else 5)
        return start

    def _add(self, memory: bytes) -> None:
        """Note that a tuple is memoised."""
        if (memory[0] == _MEMOIZE) != self._memoize:
            self.possible = True
        self._tuples.add(self._count if self._memoize else int.from_bytes(memory[1:], "little"))
        self._count += 1

    def step(self, start: int, end: int) -> None:
        """Read one opcode of another kind."""
        code = self._content[start : start + 1]
        if code == pickle.GET:
            self.possible |= int(self._content[start + 1 : end]) in self._tuples
        elif code == pickle.PUT:
            before = self._content[start - 1 : start]
            if self._memoize:
                self.possible = True
            elif before in _TUPLES:
                self._tuples.add(int(self._content[start + 1 : end]))
            elif before not in _MAKERS + b"\n":
                self.possible = True
        elif code == pickle.LONG_BINPUT:
            self.possible = True
        self._made = code in _TEXTS


def check_sharing(content: bytes) -> None:
    """Count the parts of all objects in a pickle, each as often as it is used.

    Raises:
        ValueError: If there are many more parts than opcodes, or the pickle is damaged.
    """
    stack: list[int | None] = []  # numbers of parts; None is a mark
    memory: dict[int, int] = {}
    used = 0
    for opcodes, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        name = opcode.name
        if name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memory[int(argument or 0)])
            used += memory[int(argument or 0)]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            position = len(memory) if name == "MEMOIZE" else int(argument or 0)
            memory[position] = _object(stack[-1])
        elif name == "DUP":
            stack.append(stack[-1])
            used += stack[-1] or 0
        elif name == "POP":
            stack.pop()
        else:
            _apply(opcode, stack)
        if used > _LEAST + _TIMES * opcodes:
            raise ValueError("it uses the same parts in parts again and again")


def _object(parts: int | None) -> int:
    if parts is None:
        raise ValueError("a mark is remembered")
    return parts


def _apply(opcode: pickletools.OpcodeInfo, stack: list[int | None]) -> None:
    """Replace what an opcode takes from the stack by what it leaves there."""
    before, after = opcode.stack_before, opcode.stack_after
    taken: list[int] = []
    fixed = len(before)
    if pickletools.markobject in before:
        while (parts := stack.pop()) is not None:
            taken.append(parts)
        fixed = before.index(pickletools.markobject)
    if fixed:
        under = [_object(parts) for parts in stack[-fixed:]]
        if len(under) < fixed:
            raise ValueError("nothing on the stack")
        del stack[-fixed:]
        taken += under
    if not after:
        return
    if after[0] is pickletools.markobject:
        stack.append(None)
    elif opcode.name.startswith("TUPLE") or opcode.name == "FROZENSET":
        stack.append(1 + sum(taken))
    elif fixed and opcode.name in ("BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"):
        stack.append(taken[-fixed])  # the object that is changed stays
    else:
        stack.append(1)
