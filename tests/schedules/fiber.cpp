#include "fiber.hpp"

#include <cstdlib>

namespace hawser::schedules {

namespace {

// makecontext() hands over only ints.
fiber* starting = nullptr;

} // namespace

void fiber::prepare(void (*body)(void*), void* with) {
    if (!stack_) {
        stack_ = std::make_unique<std::byte[]>(stack_bytes);
        getcontext(&start_);
    }
    start_.uc_stack.ss_sp = stack_.get();
    start_.uc_stack.ss_size = stack_bytes;
    start_.uc_link = nullptr;
    makecontext(&start_, begin, 0);
    body_ = body;
    with_ = with;
    started_ = false;
}

void fiber::begin() {
    const fiber* const self = starting;
    self->body_(self->with_);
    std::abort(); // a body goes on with somebody else, it does not return
}

// ucontext makes a stack; from then on _setjmp and _longjmp switch without a system call.
void fiber::enter_from(fiber& from) {
    if (_setjmp(from.registers_) != 0) return;
    if (started_) _longjmp(registers_, 1);
    started_ = true;
    starting = this;
    setcontext(&start_);
    std::abort();
}

} // namespace hawser::schedules
