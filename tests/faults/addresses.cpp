#include "addresses.hpp"

#include <algorithm>
#include <fstream>

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include <hawser/pipe.hpp>

#include "support/place.hpp"

namespace hawser::faults {

namespace {

// ---- names ----------------------------------------------------------------------------------

// The number at the end of a unique name.
unsigned number_in(const std::string& unique) {
    return static_cast<unsigned>(std::stoul(unique.substr(unique.find_last_of('-') + 1)));
}

// A port of this process's own: each address of its own is in 127.0.0.0/8, so no port is used
// again that a connection of before still lingers on.
std::string loopback(const std::string& unique) {
    constexpr unsigned byte = 256;
    const unsigned number = number_in(unique);
    const unsigned process = static_cast<unsigned>(::getpid());
    return "127." + std::to_string(1 + process % (byte - 2)) + "." +
           std::to_string(number / byte % byte) + "." + std::to_string(1 + number % (byte - 2)) +
           ":7311";
}

std::string in_directory(const std::string& unique) {
    return test::private_directory() + "/" + unique;
}

std::string queue_name(const std::string& unique) {
    return "/hawser-" + std::to_string(::getpid()) + "-" + unique;
}

constexpr key_t first_key = 0x6800'0000;

key_t queue_key(const std::string& unique) {
    constexpr unsigned shift = 12;
    constexpr unsigned most = 1U << shift;
    const unsigned process = static_cast<unsigned>(::getpid()) % most;
    return first_key + static_cast<key_t>((process << shift) + number_in(unique) % most);
}

// ---- what stays until it is removed ----------------------------------------------------------

std::string rest_of(const std::string& address) {
    const auto colon = address.find(':');
    return address.substr(colon + 1, address.find('?') - colon - 1);
}

void remove_posix_queue(const std::string& address) {
    ::mq_unlink(rest_of(address).c_str());
}

void remove_sysv_queue(const std::string& address) {
    const int queue = ::msgget(static_cast<key_t>(std::stol(rest_of(address))), 0);
    if (queue >= 0) ::msgctl(queue, IPC_RMID, nullptr);
}

// Its own ones; other programs may make some meanwhile.
std::size_t sysv_queues() {
    std::size_t count = 0;
    std::ifstream table("/proc/sysvipc/msg");
    for (std::string line; std::getline(table, line);) {
        const long key = std::strtol(line.c_str(), nullptr, 10);
        count += key >= first_key ? 1U : 0U;
    }
    return count;
}

// ---- byte streams -----------------------------------------------------------------------------

result<both_streams> streams_of_fifo(const std::string& address) {
    // Each stream's open waits for the other side. A receiver's does not, and is a reader.
    const auto host = receiver::open(address);
    if (!host) return host.why();
    auto writes = byte_stream::open(address, stream_role::writer);
    if (!writes) return writes.why();
    auto reads = byte_stream::open(address, stream_role::reader);
    if (!reads) return reads.why();
    return both_streams{std::move(*writes), std::move(*reads)};
}

result<both_streams> streams_of_socket(const std::string& address) {
    auto door = byte_listener::open(address);
    if (!door) return door.why();
    auto writes = byte_stream::open(address);
    if (!writes) return writes.why();
    auto reads = door->accept();
    if (!reads) return reads.why();
    return both_streams{std::move(*writes), std::move(*reads)};
}

result<both_streams> streams_of_terminal(const std::string& address) {
    auto master = byte_stream::open(address);
    if (!master) return master.why();
    auto slave = byte_stream::open(master->where().name());
    if (!slave) return slave.why();
    return both_streams{std::move(*master), std::move(*slave)};
}

// ---- the schemes ----------------------------------------------------------------------------

// wait=block: how often a call spins differs from run to run, and the n-th call is to be the same.
spelling spelt(const char* label, const char* scheme, std::string (*address)(const std::string&)) {
    spelling made;
    made.label = label;
    made.scheme = scheme;
    made.address = address;
    made.large_bytes = 30'000; // several pages, and less than any buffer
    return made;
}

spelling shm(const char* label, std::string (*address)(const std::string&)) {
    spelling made = spelt(label, "shm", address);
    made.fill_bytes = 10;
    made.large_bytes = 70'000; // needs a block of memory, of a class that nobody has used before
    return made;
}

// A connection takes large messages until it is full, and there should not be too many.
spelling connected(const char* scheme, std::string (*address)(const std::string&)) {
    spelling made = spelt(scheme, scheme, address);
    made.fill_bytes = 60'000;
    return made;
}

spelling in_files(const char* scheme, std::string (*address)(const std::string&)) {
    spelling made = connected(scheme, address);
    made.files_may_stay = true;
    return made;
}

spelling with_streams(spelling one) {
    one.make_streams = streams_of_socket;
    return one;
}

spelling fifo() {
    spelling made = in_files("fifo", [](const std::string& unique) {
        return "fifo:" + in_directory(unique) + "?wait=block";
    });
    made.make_streams = streams_of_fifo;
    made.fill_bytes = 4000; // a frame goes in one piece: less than PIPE_BUF
    made.large_bytes = 4000;
    return made;
}

spelling mq() {
    spelling made = spelt("mq", "mq", [](const std::string& unique) {
        return "mq:" + queue_name(unique) + "?capacity=4&max_message=8192&wait=block";
    });
    made.large_bytes = 8'000; // the system's limit for who is not root
    made.remove = remove_posix_queue;
    return made;
}

spelling sysv_mq() {
    spelling made = spelt("sysv-mq", "sysv-mq", [](const std::string& unique) {
        return "sysv-mq:" + std::to_string(queue_key(unique)) + "?wait=block";
    });
    made.large_bytes = 8'000;
    made.remove = remove_sysv_queue;
    made.objects = sysv_queues;
    return made;
}

spelling udp() {
    spelling made = spelt("udp", "udp", [](const std::string& unique) {
        return "udp://" + loopback(unique) + "?wait=block";
    });
    made.fills = false; // what finds no room is lost
    return made;
}

spelling pty() {
    spelling made = spelt("pty", "pty", [](const std::string&) { return std::string("pty:"); });
    made.make_streams = streams_of_terminal;
    made.bytes_only = true;
    return made;
}

template <pipe_mode Mode>
result<both_ends> make_pipe() {
    options wanted;
    wanted.wait = wait_mode::block;
    auto made = hawser::pipe::create(wanted, Mode);
    if (!made) return made.why();
    auto ends = made->ends();
    if (!ends) return ends.why();
    return both_ends{std::move(ends->in), std::move(ends->out)};
}

template <pipe_mode Mode>
spelling pipe(const char* label) {
    spelling made = spelt(label, "pipe", [](const std::string&) { return std::string("pipe:"); });
    made.make_both = make_pipe<Mode>;
    made.fill_bytes = 4000;
    made.large_bytes = Mode == pipe_mode::packets ? 4000 : made.large_bytes;
    return made;
}

} // namespace

const std::vector<spelling>& spellings() {
    static const std::vector<spelling> all{
        shm("shm",
            [](const std::string& unique) { return "shm:" + unique + "?capacity=4&wait=block"; }),
        shm("shm/sender",
            [](const std::string& unique) {
                return "shm:" + unique + "?capacity=4&wait=block&order=sender&mode=0640&group=" +
                       std::to_string(::getegid());
            }),
        pipe<pipe_mode::stream>("pipe"),
        pipe<pipe_mode::packets>("pipe/packets"),
        fifo(),
        with_streams(in_files("unix",
                              [](const std::string& unique) {
                                  return "unix:" + in_directory(unique) + "?wait=block";
                              })),
        in_files("unix-seqpacket",
                 [](const std::string& unique) {
                     return "unix-seqpacket:" + in_directory(unique) + "?wait=block";
                 }),
        in_files("unix-dgram",
                 [](const std::string& unique) {
                     return "unix-dgram:" + in_directory(unique) + "?wait=block";
                 }),
        with_streams(connected(
            "tcp",
            [](const std::string& unique) { return "tcp://" + loopback(unique) + "?wait=block"; })),
        udp(),
        mq(),
        sysv_mq(),
        pty(),
    };
    return all;
}

std::string not_spelled() {
    std::string missing;
    for (const auto& one : transports()) {
        const bool known = std::ranges::any_of(
            spellings(), [&](const spelling& known_one) { return known_one.scheme == one.scheme; });
        if (!known) missing += (missing.empty() ? "" : ", ") + std::string(one.scheme);
    }
    return missing;
}

} // namespace hawser::faults
