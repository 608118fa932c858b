"""The filter of system calls: what a confined process asks for, and what it is answered."""

import errno
import json
import platform
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="there is no such filter here",
)

CONFINED = """
import ctypes, json, mmap, os, resource, signal, socket, sys, threading, time
from stemset.audio.decoder_process import DecodeLimits, _confine

library = ctypes.CDLL(None, use_errno=True)
held = ctypes.addressof(ctypes.create_string_buffer(8192)) & ~4095

def call(name, *arguments):
    function = getattr(library, name)
    function.restype = ctypes.c_long
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def answer(attempt):
    parent = os.getpid()
    try:
        eval(attempt)
    except OSError as error:
        return error.errno
    if os.getpid() != parent:
        os._exit(0)

"""
ATTEMPTS = {
    "open a file": "open('/etc/passwd')",
    "look at a file": "os.stat('/etc/passwd')",
    "list a folder": "os.listdir('/')",
    "remove a file": "os.unlink('/tmp/there-is-none')",
    "open a descriptor twice": "os.dup(0)",
    "make a pipe": "os.pipe()",
    "make a socket": "socket.socket()",
    "fork": "os.fork()",
    "run a program": "os.execv('/bin/true', ['true'])",
    "send a signal to the parent": "os.kill(os.getppid(), 0)",
    "send a signal to its group": "os.killpg(0, 0)",
    "trace the parent": "call('ptrace', 16, os.getppid(), 0, 0)",
    "read the parent's memory": "call('process_vm_readv', os.getppid(), 0, 0, 0, 0, 0)",
    "have memory that can run": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
    "make memory run": "call('mprotect', ctypes.c_void_p(held), 4096, 7)",
    "raise its limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))",
    "be another user": "os.setuid(65534)",
    "ask by the numbers of x32": "call('syscall', 0x40000000 | 39)",
}
ENOUGH = {
    "have memory": "len(mmap.mmap(-1, 1 << 20)) and len(bytes(1 << 24))",
    "look at the clock": "time.process_time()",
    "wait": "time.sleep(0.01)",
    "draw numbers": "os.urandom(8)",
    "read and write": "os.write(2, b'')",
    "close": "os.close(2)",
}


def run(program: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a program that confines itself."""
    command = [sys.executable, "-c", CONFINED + textwrap.dedent(program)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=60)


def answers(attempts: Mapping[str, str]) -> dict[str, int | None]:
    """What a confined process is answered: the number of an error, or None if there is none."""
    program = f"""
        _confine(DecodeLimits())
        print(json.dumps({{name: answer(attempt) for name, attempt in {attempts!r}.items()}}))
    """
    done = run(program)
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_confined_process_is_refused_what_decoding_does_not_need():
    assert answers(ATTEMPTS) == dict.fromkeys(ATTEMPTS, errno.ENOSYS)


def test_confined_process_may_do_what_decoding_needs():
    assert answers(ENOUGH) == dict.fromkeys(ENOUGH)


def test_filter_holds_for_a_thread_that_was_there_before():
    program = """
        confined = threading.Event()

        def late():
            confined.wait()
            os._exit(answer("open('/etc/passwd')"))

        threading.Thread(target=late).start()
        _confine(DecodeLimits())
        confined.set()
    """

    assert run(program).returncode == errno.ENOSYS


def test_confined_process_may_end_itself_with_a_signal():
    assert run("_confine(DecodeLimits())\nos.abort()").returncode == -signal.SIGABRT


def test_filter_that_the_kernel_refuses_is_told_and_nothing_else_happens():
    # Under a filter of this kind nobody sets a further one; some containers have such.
    program = """
        from stemset.audio._system_calls import allow_little
        os._exit(10 * allow_little() + allow_little())
    """

    assert run(program).returncode == 10


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are instructions of x86")
def test_confined_process_that_calls_as_a_32_bit_one_is_ended():
    program = """
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        getpid = ctypes.CFUNCTYPE(ctypes.c_int)(address)
        _confine(DecodeLimits())
        getpid()
    """

    # Where the kernel has no 32-bit calls at all, the instruction itself is a fault.
    assert run(program).returncode in {-signal.SIGSYS, -signal.SIGSEGV}
