// One operation so many times, for `run` to count its instructions: hawser_instructions CASE COUNT.
//
// Everything but the operation is the same whatever COUNT is, so the difference between two counts
// is that of the operations alone. One process, one thread. What looks at the clock is left out,
// such as an attempt in vain, as what it does next depends on the time.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <unistd.h>

#include <hawser/hawser.hpp>

namespace {

constexpr int most = 4000; // fits in the queue
constexpr std::size_t small = 64;

// Both ends of a mailbox that ends with them.
struct mailbox {
    explicit mailbox(const std::string& options)
        : address("shm:instructions-" + std::to_string(::getpid()) + "?capacity=4096" + options),
          in(hawser::receiver::open(address).value()), out(hawser::sender::open(address).value()) {}

    void fill(int count) {
        const std::array<std::byte, small> bytes{};
        for (int i = 0; i < count; ++i) out.send(bytes).value();
    }
    std::string address;
    hawser::receiver in;
    hawser::sender out;
};

void send(int count, const std::string& options) {
    mailbox box(options);
    box.fill(count);
}

void receive(int count, const std::string& options) {
    mailbox box(options);
    box.fill(most);
    for (int i = 0; i < count; ++i) box.in.receive().value();
}

void send_loan(int count, std::size_t size) {
    mailbox box("&max_memory=64MiB&max_message=64KiB");
    for (int i = 0; i < count; ++i) {
        box.out.send(box.out.loan_for(size).value()).value();
        box.in.receive().value();
    }
}

struct known {
    std::string_view name;
    void (*run)(int count);
};

constexpr known cases[] = {
    {"send", [](int count) { send(count, ""); }},
    {"receive", [](int count) { receive(count, ""); }},
    {"send, order=sender", [](int count) { send(count, "&order=sender&participants=8"); }},
    {"receive, order=sender", [](int count) { receive(count, "&order=sender&participants=8"); }},
    {"loan, send, receive", [](int count) { send_loan(count, small); }},
    {"loan, send, receive 64 KiB", [](int count) { send_loan(count, 65'536); }},
};

} // namespace

int main(int argc, char** argv) {
    for (const known& one : cases) {
        if (argc == 1) std::printf("%.*s\n", static_cast<int>(one.name.size()), one.name.data());
        if (argc != 3 || argv[1] != one.name) continue;
        const long count = std::strtol(argv[2], nullptr, 10);
        if (count < 0 || count > most) return 2;
        one.run(static_cast<int>(count));
        return 0;
    }
    return argc == 1 ? 0 : 2;
}
