#include "output/json.hpp"

#include <cstdio>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "output/human.hpp"
#include "output/known.hpp"

namespace tool {
namespace {

template <typename T>
void put(json& into, const char* name, const std::optional<T>& value) {
    if (!value) return;
    if constexpr (std::is_enum_v<T>)
        into[name] = hawser::name_of(*value);
    else
        into[name] = *value;
}

// RFC 3339 in UTC.
std::string timestamp(std::chrono::system_clock::time_point when) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(when)));
}

} // namespace

json envelope(std::string_view schema, int version) {
    return json{{"schema", fmt::format("hawser.{}", schema)}, {"version", version}};
}

json text(std::string_view bytes) {
    return is_utf8(bytes) ? json(bytes) : json(printable(bytes));
}

std::string base64(std::string_view bytes) {
    static constexpr char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string coded;
    coded.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8 | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            coded += j <= group.size() ? digits[bits >> (18 - 6 * j) & 63] : '=';
    }
    return coded;
}

bool print_document(const json& document) {
    const std::string shown = document.dump(2) + '\n';
    return std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() &&
           std::fflush(stdout) == 0;
}

json to_json(const hawser::stats& counters) {
    return json{{"sent", counters.sent},
                {"sent_bytes", counters.sent_bytes},
                {"received", counters.received},
                {"received_bytes", counters.received_bytes},
                {"redelivered", counters.redelivered},
                {"dropped", counters.dropped},
                {"lost", counters.lost},
                {"sleeps", counters.sleeps},
                {"wakes", counters.wakes},
                {"reaped", counters.reaped}};
}

json to_json(const hawser::options& wanted) {
    json all = json::object();
    put(all, "capacity", wanted.capacity);
    if (wanted.capacity == hawser::unbounded) all["capacity"] = "unbounded";
    put(all, "max_message", wanted.max_message);
    put(all, "max_memory", wanted.max_memory);
    put(all, "participants", wanted.participants);
    put(all, "loans", wanted.loans);
    put(all, "sharing", wanted.sharing);
    put(all, "order", wanted.order);
    put(all, "full", wanted.full);
    put(all, "delivery", wanted.delivery);
    put(all, "wait", wanted.wait);
    put(all, "create", wanted.create);
    if (wanted.mode) all["mode"] = fmt::format("{:04o}", *wanted.mode);
    if (wanted.group) all["group"] = text(*wanted.group);
    put(all, "history", wanted.history);
    put(all, "persist", wanted.persist);
    put(all, "trust", wanted.trust);
    if (wanted.host) all["host"] = text(*wanted.host);
    return all;
}

json to_json(const hawser::participant_info& who) {
    return json{{"slot", who.slot},
                {"role", hawser::name_of(who.role)},
                {"alive", who.alive},
                {"waiting", who.waiting},
                {"pid", who.pid},
                {"pid_namespace", who.pid_namespace},
                {"uid", who.uid},
                {"command", text(who.command)},
                {"messages_held", who.messages_held},
                {"counters", to_json(who.counters)}};
}

json to_json(const hawser::mailbox_info& mailbox) {
    json participants = json::array();
    for (const auto& who : mailbox.participants) participants.push_back(to_json(who));
    const auto if_seen = [seen = was_seen_inside(mailbox)](json value) {
        return seen ? std::move(value) : json(nullptr);
    };
    const auto memory = [gone = host_has_gone(mailbox)](std::uint64_t bytes) {
        return gone ? json(nullptr) : json(bytes);
    };
    return json{{"address", text(mailbox.address)},
                {"path", text(mailbox.path)},
                {"state", hawser::name_of(mailbox.state)},
                {"problem", text(mailbox.problem)},
                {"layout_version", mailbox.layout_version},
                {"mode", fmt::format("{:04o}", mailbox.mode & 07777)},
                {"uid", mailbox.uid},
                {"gid", mailbox.gid},
                {"created", if_seen(timestamp(mailbox.created))},
                {"file_bytes", memory(mailbox.file_bytes)},
                {"memory_bytes", memory(mailbox.memory_bytes)},
                {"geometry", to_json(mailbox.geometry)},
                {"depth", if_seen(mailbox.depth)},
                {"held", if_seen(mailbox.held)},
                {"counters", if_seen(to_json(mailbox.counters))},
                {"participants", std::move(participants)}};
}

} // namespace tool
