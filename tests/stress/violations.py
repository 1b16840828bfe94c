"""What RFC 6455 forbids, byte by byte, and with which code the connection must end for it."""

from __future__ import annotations

import struct

import msgspec

from tests.stress.rawsocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

SYNC = b'{"type":"sync","data":{}}'
ANY = frozenset({1002, 1007, 1009, None})
PROTOCOL_ERROR = frozenset({1002})
BAD_TEXT = frozenset({1007})
TOO_BIG = frozenset({1009})
BAD_CODES = (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)


class Violation(msgspec.Struct, frozen=True):
    """Bytes that a client must not send, and the codes that may answer them (None: no closing frame at all)."""

    name: str
    data: bytes
    codes: frozenset[int | None]


def _closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


VIOLATIONS = [
    *(Violation(f"reserved bit {bit}", frame(TEXT, SYNC, reserved=bit), PROTOCOL_ERROR) for bit in (1, 2, 4, 7)),
    *(Violation(f"opcode {code:#x}", frame(code, b"x"), PROTOCOL_ERROR) for code in (*range(3, 8), *range(0xB, 0x10))),
    *(Violation(f"fragmented {code:#x}", frame(code, b"x", fin=False), PROTOCOL_ERROR) for code in (CLOSE, PING, PONG)),
    *(Violation(f"long {code:#x}", frame(code, b"x" * 126), PROTOCOL_ERROR) for code in (CLOSE, PING, PONG)),
    Violation("no mask", frame(TEXT, SYNC, masked=False), PROTOCOL_ERROR),
    Violation("continuation of nothing", frame(CONTINUATION, b"x"), PROTOCOL_ERROR),
    Violation("a message within a message", frame(TEXT, b'{"ty', fin=False) + frame(TEXT, b'pe":1}'), PROTOCOL_ERROR),
    Violation("a message within a binary one", frame(BINARY, b"x", fin=False) + frame(TEXT, SYNC), PROTOCOL_ERROR),
    Violation("text that is no UTF-8", frame(TEXT, b'{"type":"\xff"}'), BAD_TEXT),
    Violation("text that ends within a character", frame(TEXT, "€".encode()[:2]), BAD_TEXT),
    Violation("half a surrogate pair", frame(TEXT, b"\xed\xa0\x80"), BAD_TEXT),
    Violation(
        "fragments that are no UTF-8", frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\x28"), BAD_TEXT
    ),
    Violation("closing frame of one byte", frame(CLOSE, b"\x03"), PROTOCOL_ERROR),
    *(
        Violation(f"closing code {code}", _closing(code), PROTOCOL_ERROR)
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)
    ),
    Violation("closing reason that is no UTF-8", _closing(1000, b"\xff"), BAD_TEXT | PROTOCOL_ERROR),
    Violation("too big", frame(TEXT, b"x" * 513), TOO_BIG),
    Violation("too big in the head alone", frame(TEXT, b"x", length=2**62), TOO_BIG),
    Violation("a length beyond 63 bits", frame(TEXT, b"x", length=2**64 - 1), TOO_BIG | PROTOCOL_ERROR),
    Violation("too big in fragments", frame(TEXT, b"x" * 300, fin=False) + frame(CONTINUATION, b"x" * 300), TOO_BIG),
    Violation("HTTP on a WebSocket", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ANY),
]

LEGAL = [
    Violation("a message in fragments", frame(TEXT, SYNC[:5], fin=False) + frame(CONTINUATION, SYNC[5:]), frozenset()),
    Violation(
        "a ping within a message",
        frame(TEXT, SYNC[:5], fin=False) + frame(PING, b"x") + frame(CONTINUATION, SYNC[5:]),
        frozenset(),
    ),
    Violation(
        "a ping within the largest message",
        frame(TEXT, SYNC, fin=False) + frame(PING, b"x" * 125) + frame(CONTINUATION, b" " * (512 - len(SYNC))),
        frozenset(),
    ),
    Violation("empty fragments", frame(TEXT, b"", fin=False) + frame(CONTINUATION, SYNC), frozenset()),
    Violation("a pong that nobody asked for", frame(PONG, b"hello"), frozenset()),
    Violation("an empty text", frame(TEXT, b""), frozenset()),
    Violation("an empty binary frame", frame(BINARY, b""), frozenset()),
    Violation("the largest ping", frame(PING, b"x" * 125), frozenset()),
]
"""What looks odd and is allowed: the connection must live on."""
