#include "addresses.hpp"

#include <algorithm>

#include <unistd.h>

namespace hawser::faults {

namespace {

spelling shm(const std::string& label, std::string (*address)(const std::string&)) {
    spelling made;
    made.label = label;
    made.scheme = "shm";
    made.address = address;
    made.sender_first = true;
    made.several = true;
    made.fills = true;
    made.fill_bytes = 10;
    made.large_bytes = 70'000; // needs a block of memory, of a class that nobody has used before
    return made;
}

} // namespace

// wait=block: how often a call spins differs from run to run, and the n-th call is to be the same.
const std::vector<spelling>& spellings() {
    static const std::vector<spelling> all{
        shm("shm",
            [](const std::string& unique) { return "shm:" + unique + "?capacity=4&wait=block"; }),
        shm("shm/sender",
            [](const std::string& unique) {
                return "shm:" + unique + "?capacity=4&wait=block&order=sender&mode=0640&group=" +
                       std::to_string(::getegid());
            }),
    };
    return all;
}

std::string not_spelled() {
    std::string missing;
    for (const auto& one : transports()) {
        const bool known = std::ranges::any_of(
            spellings(), [&](const spelling& spelt) { return spelt.scheme == one.scheme; });
        if (!known) missing += (missing.empty() ? "" : ", ") + std::string(one.scheme);
    }
    return missing;
}

} // namespace hawser::faults
