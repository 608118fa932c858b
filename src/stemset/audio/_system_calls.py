"""What a decoder process may still ask of the kernel: a filter of system calls (Linux, seccomp).

Whoever took FFmpeg's place would find nothing but this: to read and write what is open, to have
memory that holds no program, to wait, to look at the clock, to end. Every other call is answered
as a kernel does that does not know it (ENOSYS), so that a C library of another version takes the
way that it has for older kernels. A call by another machine's numbers ends the process.

The filter stays for good, and holds for all threads. The list is what PyAV and CPython call for
the corpus of the tests (strace on x86-64), and what glibc puts in place of such a call. ARM64 has
the same calls, by its table of numbers.

Source: kernel, Documentation/userspace-api/seccomp_filter.rst; include/uapi/linux/seccomp.h,
filter.h, audit.h; arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple


class _Machine(NamedTuple):
    """The numbers of one kind of processor.

    Attributes:
        audit: What the kernel calls it.
        seccomp: The call that sets a filter.
        mmap: Allowed without PROT_EXEC, as is ``mprotect``.
        tgkill: Allowed to the process itself, which ``abort`` does.
        plain: Allowed as they are, the most frequent first.
    """

    audit: int
    seccomp: int
    mmap: int
    mprotect: int
    tgkill: int
    plain: tuple[int, ...]


_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        seccomp=317,
        mmap=9,
        mprotect=10,
        tgkill=234,
        plain=(
            *(0, 1, 8),  # read, write, lseek
            *(12, 11, 25, 28),  # brk, munmap, mremap, madvise
            *(202, 24, 7, 271),  # futex, sched_yield, poll, ppoll
            *(228, 229, 96, 201, 35, 230),  # clock_gettime, _getres, gettimeofday, time, sleeps
            *(3, 5, 20, 318),  # close, fstat, writev, getrandom
            *(13, 14, 15, 131),  # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
            *(39, 186, 219, 60, 231),  # getpid, gettid, restart_syscall, exit, exit_group
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        seccomp=277,
        mmap=222,
        mprotect=226,
        tgkill=131,
        plain=(
            *(63, 64, 62),  # in the same order
            *(214, 215, 216, 233),
            *(98, 124, 73),
            *(113, 114, 169, 101, 115),
            *(57, 80, 66, 278),
            *(134, 135, 139, 132),
            *(172, 178, 128, 93, 94),
        ),
    ),
}
_HERE = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None

# Offsets in struct seccomp_data; the low half of an argument is the first one on these machines.
_NUMBER, _AUDIT, _ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _ANSWER = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _KILL_PROCESS = 0x7FFF_0000, 0x0005_0000 | errno.ENOSYS, 0x8000_0000
_PROT_EXEC = 4

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1


def allow_little() -> bool:
    """Give up every system call that decoding does not need, for all threads.

    Returns:
        Whether it is so: not on other systems and processors, nor where the kernel or a container
        does not let a process limit itself.
    """
    if _HERE is None or sys.maxsize < 2**32:
        return False
    program = b"".join(_program(_HERE, os.getpid()))
    held = ctypes.create_string_buffer(program, len(program))
    count = len(program) // struct.calcsize("HBBI")
    described = struct.pack("HP", count, ctypes.addressof(held))  # struct sock_fprog
    library = ctypes.CDLL(None)
    no_more_rights = [ctypes.c_ulong(value) for value in (1, 0, 0, 0)]
    if library.prctl(_PR_SET_NO_NEW_PRIVS, *no_more_rights):
        return False
    flags = (ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER), ctypes.c_ulong(_SECCOMP_FILTER_FLAG_TSYNC))
    return not library.syscall(ctypes.c_long(_HERE.seccomp), *flags, described)


def _program(machine: _Machine, process: int) -> Iterator[bytes]:
    """The filter's instructions, in the kernel's own little language.

    Numbers are compared whole, so those of x32, which have a further bit, are refused.
    """
    yield _instruction(_LOAD, _AUDIT)
    yield _instruction(_IF_EQUAL, machine.audit, if_so=1)
    yield _instruction(_ANSWER, _KILL_PROCESS)
    yield _instruction(_LOAD, _NUMBER)
    for number in machine.plain:
        yield _instruction(_IF_EQUAL, number, if_not=1)
        yield _instruction(_ANSWER, _ALLOW)
    for number in (machine.mmap, machine.mprotect):
        yield _instruction(_IF_EQUAL, number, if_not=4)
        yield _instruction(_LOAD, _ARGUMENTS + 2 * _ARGUMENT_BYTES)  # the protection
        yield _instruction(_IF_ANY_BIT, _PROT_EXEC, if_so=1)
        yield _instruction(_ANSWER, _ALLOW)
        yield _instruction(_ANSWER, _REFUSE)
    yield _instruction(_IF_EQUAL, machine.tgkill, if_not=3)
    yield _instruction(_LOAD, _ARGUMENTS)  # the process
    yield _instruction(_IF_EQUAL, process, if_not=1)
    yield _instruction(_ANSWER, _ALLOW)
    yield _instruction(_ANSWER, _REFUSE)


def _instruction(code: int, operand: int, *, if_so: int = 0, if_not: int = 0) -> bytes:
    """One instruction; the jumps say how many are passed over."""
    return struct.pack("HBBI", code, if_so, if_not, operand)
