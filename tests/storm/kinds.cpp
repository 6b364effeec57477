#include "kinds.hpp"

#include <array>

namespace hawser::storm {

namespace {

constexpr std::array<std::uint64_t, 4> capacities{1, 2, 16, 1024};

// Few enough slots and loans that both are used up now and then; memory for a handful of the
// largest messages only, so that it follows the backlog up and down.
constexpr const char* tight = "&participants=32&loans=4";
constexpr const char* tight_memory = "&max_message=256KiB&max_memory=1MiB";
constexpr std::size_t large_bytes = 200'000;

kind mailbox(order_policy order, delivery_policy delivery, full_policy full, bool large,
             std::size_t variant) {
    kind made;
    const std::uint64_t capacity = capacities[variant % capacities.size()];
    made.scheme = "shm:";
    made.order = order;
    made.delivery = delivery;
    made.full = full;
    made.persist = variant % 3 == 0;
    if (large) made.largest = large_bytes;
    if (delivery == delivery_policy::at_most_once) made.loses = loss::with_receiver;
    made.name = std::string("shm/") + std::string(name_of(order)) + "/" +
                std::string(name_of(delivery)) + "/" + std::string(name_of(full)) +
                (large ? "/large/" : "/small/") + std::to_string(capacity) +
                (made.persist ? "/persist" : "");
    made.options = "?order=" + std::string(name_of(order)) +
                   "&delivery=" + std::string(name_of(delivery)) +
                   "&full=" + std::string(name_of(full)) + "&capacity=" + std::to_string(capacity) +
                   tight + (large ? tight_memory : "") + (made.persist ? "&persist=yes" : "");
    return made;
}

void add_mailboxes(std::vector<kind>& all) {
    std::size_t variant = 0;
    for (const auto full : {full_policy::block, full_policy::drop_oldest, full_policy::drop_newest,
                            full_policy::fail})
        for (const auto delivery : {delivery_policy::at_least_once, delivery_policy::at_most_once})
            for (const auto order : {order_policy::total, order_policy::sender})
                for (const bool large : {false, true})
                    for (std::size_t i = 0; i < capacities.size(); ++i)
                        all.push_back(mailbox(order, delivery, full, large, variant++));
}

void add_removed_mailboxes(std::vector<kind>& all) {
    for (const auto order : {order_policy::total, order_policy::sender}) {
        for (const bool large : {false, true}) {
            kind made =
                mailbox(order, delivery_policy::at_least_once, full_policy::block, large, 2);
            made.name += "/removed";
            made.removals = true;
            all.push_back(made);
        }
    }
}

kind kernel(facility is, std::string name, std::string scheme, loss loses) {
    kind made;
    made.is = is;
    made.name = std::move(name);
    made.scheme = std::move(scheme);
    made.loses = loses;
    made.largest = 3000; // fits into a packet of a FIFO
    made.has_fd = is != facility::sysv_mq;
    made.ends = is != facility::mq && is != facility::sysv_mq;
    made.by_inheritance = is == facility::pipe;
    return made;
}

void add_sockets(std::vector<kind>& all) {
    for (const char* scheme : {"unix", "unix-seqpacket", "unix-dgram"}) {
        for (const bool abstract : {false, true}) {
            kind made = kernel(facility::unix_socket, std::string(scheme) + (abstract ? "/@" : ""),
                               std::string(scheme) + (abstract ? ":@" : ":"), loss::with_queue);
            made.order = order_policy::sender;
            made.many_receivers = false;
            made.ends = std::string(scheme) != "unix-dgram";
            // Frames that don't fit into the socket at once are torn by kills: that is the point.
            if (std::string(scheme) == "unix") made.largest = large_bytes;
            all.push_back(made);
        }
    }
}

std::vector<kind> make_all() {
    std::vector<kind> all;
    add_mailboxes(all);
    add_removed_mailboxes(all);
    add_sockets(all);
    all.push_back(kernel(facility::fifo, "fifo", "fifo:", loss::with_receiver));
    all.push_back(kernel(facility::pipe, "pipe", "pipe:", loss::with_receiver));
    all.push_back(kernel(facility::mq, "mq", "mq:", loss::with_receiver));
    all.push_back(kernel(facility::sysv_mq, "sysv-mq", "sysv-mq:", loss::with_receiver));
    return all;
}

} // namespace

const std::vector<kind>& all_kinds() {
    static const std::vector<kind> all = make_all();
    return all;
}

} // namespace hawser::storm
