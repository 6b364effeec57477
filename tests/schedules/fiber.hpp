// A process of the model: a stack of its own that is switched to and from, in one thread.
//
// - Started over for each execution; whoever is killed is simply never switched to again, so what
//   runs on a fiber must own nothing.
// - Allocates: its stack, once. Blocks, threads, signals: no.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <memory>

#include <ucontext.h>

namespace hawser::schedules {

class fiber {
  public:
    static constexpr std::size_t stack_bytes = 64 * 1024;

    // The next switch to it begins body(with), which never returns.
    void prepare(void (*body)(void*), void* with);
    // Leaves `from`, whose registers are kept, for this one.
    void enter_from(fiber& from);

  private:
    static void begin();

    std::unique_ptr<std::byte[]> stack_;
    ucontext_t start_{};
    std::jmp_buf registers_{};
    bool started_ = true; // the one that the thread was born with needs no start
    void (*body_)(void*) = nullptr;
    void* with_ = nullptr;
};

} // namespace hawser::schedules
