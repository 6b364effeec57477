#include "stepper.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser::crash {

namespace {

void stop_for_parent() {
    ::raise(SIGSTOP);
}

[[noreturn]] void be_child(const std::function<void()>& body) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    try {
        body();
    } catch (const std::exception& why) {
        std::fprintf(stderr, "crash: the victim failed: %s\n", why.what());
    }
    ::_exit(1); // a body that returns has not called end()
}

// A string instruction (rep movs, stos, cmps, scas) traps after each of its bytes; how long it is,
// or 0.
std::uint64_t string_instruction(std::uint64_t code) {
    const std::uint64_t prefix = code & 0xffU;
    if (prefix != 0xf3 && prefix != 0xf2) return 0;
    const bool wide = (code >> 8 & 0xffU) == 0x48;
    const std::uint64_t opcode = code >> (wide ? 16 : 8) & 0xffU;
    const bool is_string = (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);
    if (!is_string) return 0;
    return wide ? 3 : 2;
}

constexpr std::size_t rip = offsetof(user_regs_struct, rip);
constexpr std::uint64_t breakpoint = 0xcc;
// A visit of a breakpoint takes about as long as so many steps.
constexpr std::uint64_t steps_of_visit = 3;

} // namespace

void begin() {
    stop_for_parent();
}
void end() {
    stop_for_parent();
}

// ---- routes -----------------------------------------------------------------------------------

void route::add(std::uint64_t address) {
    const auto found = std::lower_bound(visits_.begin(), visits_.end(), std::pair(address, 0U));
    const bool known = found != visits_.end() && found->first == address;
    const std::uint32_t visit = known ? ++found->second : 0;
    if (!known) visits_.insert(found, {address, 0});
    const std::uint64_t here = passed_.size();
    way nearest{here, visit};
    if (here > 0) {
        const way before = passed_.back().nearest;
        const std::uint64_t cost = steps_of_visit * before.visit + (here - before.at);
        if (cost <= steps_of_visit * visit) nearest = before;
    }
    passed_.push_back({address, nearest});
}

// ---- victims ----------------------------------------------------------------------------------

victim::victim(const std::function<void()>& body) {
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("crash: no more processes");
    if (pid_ == 0) be_child(body);
    wait_for_stop();
    if (!gone_ && signal_ != SIGSTOP) kill();
    if (!gone_) ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL);
}

victim::~victim() {
    kill();
}

void victim::wait_for_stop() {
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0) {
        if (errno == EINTR) continue;
        gone_ = true;
        return;
    }
    gone_ = !WIFSTOPPED(status);
    signal_ = gone_ ? 0 : WSTOPSIG(status);
}

void victim::go(int request) {
    // SIGTRAP and SIGSTOP are the tracing's own; other signals are passed on.
    const long deliver = signal_ == SIGTRAP || signal_ == SIGSTOP ? 0 : signal_;
    ::ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, deliver);
    wait_for_stop();
    if (!gone_ && signal_ == SIGSTOP) at_end_ = true;
}

bool victim::step() {
    if (gone_ || at_end_) return false;
    const std::uint64_t from = address();
    const std::uint64_t length = string_instruction(code_at(from));
    if (length != 0)
        run_to_visit(from + length, 0);
    else
        go(PTRACE_SINGLESTEP);
    if (gone_ || at_end_) return false;
    ++instructions_;
    return true;
}

bool victim::step_plainly() {
    if (gone_ || at_end_) return false;
    go(PTRACE_SINGLESTEP);
    if (gone_ || at_end_) return false;
    ++instructions_;
    return true;
}

std::uint64_t victim::code_at(std::uint64_t address) const {
    return static_cast<std::uint64_t>(
        ::ptrace(PTRACE_PEEKTEXT, pid_, reinterpret_cast<void*>(address), nullptr));
}

std::uint64_t victim::address() const {
    return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, pid_, rip, nullptr));
}

bool victim::before_system_call() const {
    constexpr std::uint64_t syscall_code = 0x050f;
    return (code_at(address()) & 0xffffU) == syscall_code;
}

void victim::step_to(std::uint64_t k) {
    while (instructions_ < k && step()) {
    }
}

// Goes on until it has come to the address so often. It stands before that instruction then.
bool victim::run_to_visit(std::uint64_t address, std::uint32_t visit) {
    auto* const where = reinterpret_cast<void*>(address);
    const std::uint64_t code = code_at(address);
    const std::uint64_t trap = (code & ~std::uint64_t{0xff}) | breakpoint;
    for (std::uint32_t seen = 0;; ++seen) {
        ::ptrace(PTRACE_POKETEXT, pid_, where, trap);
        go(PTRACE_CONT);
        while (!gone_ && !at_end_ && signal_ != SIGTRAP) go(PTRACE_CONT);
        if (gone_) return false;
        ::ptrace(PTRACE_POKETEXT, pid_, where, code);
        if (at_end_ || this->address() != address + 1) return false;
        ::ptrace(PTRACE_POKEUSER, pid_, rip, address);
        if (seen == visit) return true;
        const std::uint64_t length = string_instruction(code);
        if (length != 0)
            run_to_visit(address + length, 0);
        else
            go(PTRACE_SINGLESTEP);
        if (gone_ || at_end_) return false;
    }
}

bool victim::run_to(std::uint64_t k, const route& known) {
    if (gone_ || k >= known.length()) {
        step_to(k);
        return true;
    }
    const route::way way = known.to(k);
    if (way.at > 0) {
        const bool at_start = known.address(way.at) == address();
        if (at_start && way.visit > 0) { // it stands there already, which counts as the first time
            if (!step()) return false;
            if (!run_to_visit(known.address(way.at), way.visit - 1)) return false;
        } else if (!run_to_visit(known.address(way.at), way.visit)) {
            return false;
        }
        instructions_ = way.at;
    }
    step_to(k);
    return !gone_ && !at_end_ && address() == known.address(k);
}

bool victim::finish() {
    while (!gone_ && !at_end_) go(PTRACE_CONT);
    return at_end_;
}

void victim::kill() {
    if (gone_) return;
    killed_ = true;
    ::kill(pid_, SIGKILL);
    while (!gone_) wait_for_stop();
}

void victim::stop_for_real() {
    ::ptrace(PTRACE_DETACH, pid_, nullptr, SIGSTOP);
    wait_for_stop();
}

bool victim::go_on_to_end() {
    ::kill(pid_, SIGCONT);
    wait_for_stop(); // end() stops it again
    at_end_ = !gone_;
    return at_end_;
}

} // namespace hawser::crash
