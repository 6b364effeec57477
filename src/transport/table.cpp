// Every transport of this build, by hand: to add one is to add a line here.

#include <array>

#include "core/transport.hpp"
#include "transport/fifo/fifo.hpp"
#include "transport/mq/mq.hpp"
#include "transport/pipe/pipe.hpp"
#include "transport/pty/pty.hpp"
#include "transport/shm/shm.hpp"
#include "transport/sysv-mq/sysv_mq.hpp"
#include "transport/tcp/tcp.hpp"
#include "transport/udp/udp.hpp"
#include "transport/unix/unix.hpp"

namespace hawser {
inline namespace v1 {

namespace detail {

namespace {

const std::array table{
    &shm::transport,
    &pipes::transport,
    &fifo::transport,
    &local::stream_transport,
    &local::seqpacket_transport,
    &local::dgram_transport,
    &tcp::transport,
    &udp::transport,
    &mq::transport,
    &sysv_mq::transport,
    &pty::transport,
};

} // namespace

const transport* find_transport(std::string_view scheme) noexcept {
    for (const transport* known : table)
        if (known->info.scheme == scheme) return known;
    return nullptr;
}

} // namespace detail

std::span<const transport_info> transports() noexcept {
    static const auto infos = [] {
        std::array<transport_info, detail::table.size()> all{};
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = detail::table[i]->info;
        return all;
    }();
    return infos;
}

} // namespace v1
} // namespace hawser
