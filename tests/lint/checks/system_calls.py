"""src/os is the only part of the library with system calls: elsewhere in src/ and include/ neither
their headers nor their names appear. Tests and tools are free. A name that is also a good name for a
method (open, read, send, …) counts only when it is written with a leading `::`. <poll.h> is free: the
contract speaks in its event bits."""

import re

from source_tree import Problem

NAME = "system_calls"
PURPOSE = "system calls and their headers are only in src/os"

HEADERS = re.compile(
    r"<(?:sys/.*|linux/.*|asm/.*|net/.*|netinet/.*|arpa/.*|unistd\.h|fcntl\.h|pthread\.h|signal\.h"
    r"|csignal|semaphore\.h|mqueue\.h|sched\.h|dirent\.h|spawn\.h|pwd\.h|grp\.h|netdb\.h"
    r"|dlfcn\.h|termios\.h|pty\.h|ucontext\.h)>"
)
ALWAYS = re.compile(
    r"(?<![\w.>:])(?:::)?(syscall|mmap|munmap|mremap|madvise|mprotect|memfd_create|ftruncate|fallocate"
    r"|posix_fallocate|fcntl|ioctl|openat|linkat|unlinkat|fstat|fstatat|statx|fstatfs|fchmod|fchown"
    r"|shm_open|shm_unlink|eventfd|epoll_\w+|timerfd_\w+|signalfd|inotify_\w+|pidfd_\w+|getpid|gettid"
    r"|geteuid|getuid|sigaction|pthread_\w+|sched_\w+|clock_gettime|clock_nanosleep|nanosleep|usleep"
    r"|sem_\w+|mq_\w+|msgget|msgsnd|msgrcv|semop|shmat|socketpair|sendmsg|recvmsg|setsockopt|getsockopt"
    r"|mkfifo|execve|waitpid|prctl|getrandom|sleep_for|sleep_until|std::this_thread::sleep_\w+)\s*\("
)
QUALIFIED = re.compile(
    r"(?<![\w>:])::(open|close|read|write|send|recv|bind|listen|accept|connect|poll|select|pipe|pipe2"
    r"|fork|kill|link|unlink|rename|stat|dup|dup2|socket|wait|raise|alarm|pause|access|umask)\s*\("
)


def check(tree):
    problems = []
    for path, file in tree.cpp("src/", "include/", tests=False).items():
        if path.startswith("src/os/"):
            continue
        for number, name in file.includes():
            if HEADERS.fullmatch(name):
                problems.append(Problem(path, number, f"{name} outside src/os"))
        for number, code in enumerate(file.code_lines, 1):
            for match in [*ALWAYS.finditer(code), *QUALIFIED.finditer(code)]:
                problems.append(Problem(path, number, f"the system call {match[1]} outside src/os"))
    return problems


SAMPLES = [
    ({"src/core/a.cpp": "#include <sys/mman.h>\n"}, "<sys/mman.h> outside"),
    ({"src/core/a.cpp": "auto p = mmap(nullptr, 1);\n"}, "mmap outside"),
    ({"src/segment/a.hpp": "return ::ftruncate(fd, 1);\n"}, "ftruncate outside"),
    ({"src/core/a.cpp": "int fd = ::open(path);\n"}, "open outside"),
    ({"include/hawser/a.hpp": "pthread_mutex_lock(m);\n"}, "pthread_mutex_lock outside"),
    (
        {
            "src/os/a.cpp": "#include <fcntl.h>\nint fd = ::open(path);\n",
            "src/core/a.cpp": "auto s = sender::open(a);\nos::mmap(b);\nx.fcntl(c);\nread(d);\n",
            "src/core/a_test.cpp": "#include <unistd.h>\npid_t child = ::fork();\n",
        },
        None,
    ),
]
