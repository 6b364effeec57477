// hawser_bench: the hawser tool, whose verb `bench` also knows the peers that are installed here.
#include "application.hpp"
#include "baselines/peers.hpp"

namespace {

void add(std::vector<tool::bench::lane_kind> kinds) {
    auto& all = tool::bench::lane_kinds();
    for (auto& kind : kinds) all.push_back(std::move(kind));
}

// What a build without the package of a peer says instead of its figures.
[[maybe_unused]] void is_missing(const char* name, const char* package) {
    tool::bench::missing_peers().push_back(
        {name,
         std::string("built without it: the Debian package ") + package + " is not installed"});
}

void add_libraries() {
#ifdef HAWSER_WITH_BOOST
    add({peers::boost_queue_lane(), peers::boost_ring_lane()});
#else
    is_missing("Boost.Interprocess and Boost.Lockfree", "libboost-dev");
#endif
#ifdef HAWSER_WITH_ZEROMQ
    add({peers::zeromq_lane()});
#else
    is_missing("ZeroMQ", "libzmq3-dev");
#endif
#ifdef HAWSER_WITH_NNG
    add({peers::nng_lane()});
#else
    is_missing("nng", "libnng-dev");
#endif
#ifdef HAWSER_WITH_ICEORYX
    add({peers::iceoryx_lane()});
#else
    is_missing("iceoryx", "libiceoryx-posh-dev");
#endif
#ifdef HAWSER_WITH_CYCLONE
    add({peers::cyclone_lane()});
#else
    is_missing("Cyclone DDS", "cyclonedds-dev");
#endif
}

} // namespace

int main(int argc, char** argv) {
    add(peers::memory_lanes());
    add(peers::descriptor_lanes());
    add(peers::queue_lanes());
    add_libraries();
    return tool::run(argc, argv);
}
