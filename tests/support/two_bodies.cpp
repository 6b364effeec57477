#include "support/two_bodies.hpp"

#include <exception>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>

namespace hawser::test {

namespace {

void run_threads(const std::vector<body>& bodies, const std::function<void()>& started) {
    std::vector<std::thread> threads;
    threads.reserve(bodies.size());
    for (const body& one : bodies) {
        threads.emplace_back([&one] {
            try {
                one.act();
            } catch (const std::exception& problem) {
                ADD_FAILURE() << "an exception left '" << one.name << "': " << problem.what();
            }
        });
    }
    if (started) started();
    for (std::thread& thread : threads) thread.join();
}

// Ends the children in the order in which they end themselves, and stops at the first that fails.
void run_processes(const std::vector<body>& bodies, const std::function<void()>& started) {
    std::vector<std::unique_ptr<child>> running;
    for (const body& one : bodies) running.push_back(std::make_unique<child>(one.name, one.act));
    if (started) started();
    while (!running.empty()) {
        std::vector<pollfd> ends;
        for (const auto& one : running) ends.push_back({one->pidfd(), POLLIN, 0});
        ::poll(ends.data(), ends.size(), -1);
        for (std::size_t i = ends.size(); i-- > 0;) {
            if (ends[i].revents == 0) continue;
            if (!running[i]->end_well()) return; // the others are killed with their objects
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

} // namespace

void run_bodies(bodies_as how, const std::vector<body>& bodies,
                const std::function<void()>& started) {
    if (how == bodies_as::threads)
        run_threads(bodies, started);
    else
        run_processes(bodies, started);
}

} // namespace hawser::test
