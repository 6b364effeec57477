#include "os/process.hpp"

#include <cstring>
#include <mutex>
#include <new>

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hawser::os {

namespace detail {
// Written only in a fork child, which has one thread then.
constinit unsigned forks = 0;
} // namespace detail

// All living guards. The mutex is held across fork, so that the child finds the list whole.
struct fork_list {
    std::recursive_mutex mutex; // `of` registers while it holds it
    fork_guard* first = nullptr;

    fork_list() noexcept {
        ::pthread_atfork([] { instance().mutex.lock(); }, [] { instance().mutex.unlock(); },
                         [] { instance().after_fork_in_child(); });
    }

    // Never destroyed: end points may be closed by destructors of static objects.
    static fork_list& instance() noexcept {
        static fork_list& list = *new fork_list;
        return list;
    }

    void after_fork_in_child() noexcept {
        ++detail::forks;
        for (fork_guard* guard = first; guard != nullptr; guard = guard->next_) guard->fd_.reset();
        // Made anew: the thread that locked it has another id here, so it can't unlock it.
        ::new (&mutex) std::recursive_mutex;
    }

    void add(fork_guard& guard) noexcept {
        const std::lock_guard hold(mutex);
        guard.next_ = first;
        if (first != nullptr) first->previous_ = &guard;
        first = &guard;
    }

    void remove(fork_guard& guard) noexcept {
        const std::lock_guard hold(mutex);
        if (guard.previous_ != nullptr)
            guard.previous_->next_ = guard.next_;
        else
            first = guard.next_;
        if (guard.next_ != nullptr) guard.next_->previous_ = guard.previous_;
        guard.fd_.reset();
    }
};

namespace {

// At load time, so that every fork is counted.
[[maybe_unused]] const fork_list& registered = fork_list::instance();

} // namespace

fork_guard::fork_guard() noexcept {
    fork_list::instance().add(*this);
}

fork_guard::fork_guard(unique_fd fd) noexcept : fd_(std::move(fd)) {
    fork_list::instance().add(*this);
}

fork_guard::fork_guard(unique_fd fd, already_held) noexcept : fd_(std::move(fd)) {
    fork_list::instance().add(*this);
}

fork_guard::fork_guard(fork_guard&& other) noexcept {
    const std::lock_guard hold(fork_list::instance().mutex);
    fd_ = std::move(other.fd_);
    fork_list::instance().add(*this);
}

fork_guard& fork_guard::operator=(fork_guard&& other) noexcept {
    const std::lock_guard hold(fork_list::instance().mutex);
    fd_ = std::move(other.fd_);
    return *this;
}

fork_guard::~fork_guard() {
    fork_list::instance().remove(*this);
}

void fork_guard::close() noexcept {
    const std::lock_guard hold(fork_list::instance().mutex);
    fd_.reset();
}

std::recursive_mutex& fork_safe_mutex() noexcept {
    return fork_list::instance().mutex;
}

identity own_identity() noexcept {
    identity self;
    self.pid = static_cast<std::uint32_t>(::getpid());
    self.uid = ::geteuid();
    struct stat status {};
    if (::stat("/proc/self/ns/pid", &status) == 0) self.pid_namespace = status.st_ino;
    ::prctl(PR_GET_NAME, self.command.data());
    self.command.back() = '\0';
    return self;
}

bool single_cpu() noexcept {
    // Of the machine, not of our affinity: whom we wait for may be pinned to another CPU than we
    // are.
    static const bool single = ::sysconf(_SC_NPROCESSORS_ONLN) <= 1;
    return single;
}

void yield_cpu() noexcept {
    ::sched_yield();
}

} // namespace hawser::os
