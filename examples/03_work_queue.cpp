// Work for several processes: each job goes to one worker. A worker that dies with a job in hand
// loses nothing: the job comes again, to another worker, marked as redelivered. Here the first
// worker dies on purpose.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int jobs = 20;
constexpr int workers = 3; // one of them dies

[[noreturn]] void work(const char* address, bool die) {
    auto in = hawser::receiver::open(address).value();
    auto results = hawser::sender::open("shm:work-results").value();
    results.send_value(0).value(); // "I am here": whoever comes after the end never sees it
    for (const auto& job : in) {   // ends when the last sender of jobs has gone
        if (die) ::raise(SIGKILL);
        const int number = job.value_as<int>().value();
        results.send_value(job.redelivered() ? -number : number).value();
    }
    results.close();
    in.close();
    std::_Exit(0); // a forked child has nothing of its parent's to clean up
}

} // namespace

int main() {
    const char* address = "shm:work-jobs?capacity=8";
    auto results = hawser::receiver::open("shm:work-results").value();
    auto out = hawser::sender::open(address).value();
    out.send_value(1).value();
    // A forked child may not use its parent's end points; it opens its own.
    if (::fork() == 0) work(address, true);
    ::wait(nullptr);
    for (int worker = 1; worker < workers; ++worker)
        if (::fork() == 0) work(address, false);
    for (int job = 2; job <= jobs; ++job) out.send_value(job).value();

    int sum = 0;
    int again = 0;
    for (int i = 0; i < workers + jobs; ++i) {
        const int number = results.receive_value<int>().value();
        sum += std::abs(number);
        again += number < 0 ? 1 : 0;
    }
    out.close(); // now the workers' loops end
    while (::wait(nullptr) > 0) {
    }
    std::printf("%d jobs done, sum %d, redelivered %d\n", jobs, sum, again);
}
