// Runs the bodies of one test – the producer's and the consumer's, or many – as threads of this
// process or as processes.
//
// - The same body in both: it opens its own end points and meets the others at beacons and barriers
//   (meeting.hpp), and reports numbers through shared memory (shared.hpp).
// - Blocks until all bodies have ended. When a process fails, the others are killed: they may wait
//   for it.
// - A failure, an exception or a crash in any body fails the test, with its text.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/child.hpp"

namespace hawser::test {

enum class bodies_as { threads, processes };

struct body {
    std::string name;
    std::function<void()> act;
};

// started is called once all of them run.
void run_bodies(bodies_as how, const std::vector<body>& bodies,
                const std::function<void()>& started = {});

} // namespace hawser::test
