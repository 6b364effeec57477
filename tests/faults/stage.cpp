#include "stage.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include <dirent.h>

#include "support/place.hpp"

namespace hawser::faults {

namespace {

using std::chrono_literals::operator""s;

// Far more than anything takes; only what never comes is waited for so long.
constexpr auto patience = 5s;

template <std::size_t Size>
void keep(std::array<char, Size>& into, std::string_view text) noexcept {
    const std::size_t length = std::min(text.size(), Size - 1);
    std::copy_n(text.data(), length, into.data());
    into[length] = '\0';
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* folder = ::opendir("/proc/self/fd");
    if (folder == nullptr) wrong("/proc/self/fd can't be read");
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1U : 0U;
    ::closedir(folder);
    return count - 1; // the folder's own
}

std::string difference(const char* what, std::size_t now, std::size_t before) {
    if (now <= before) return {};
    return std::to_string(now - before) + " " + what + " more than before; ";
}

} // namespace

void wrong(const std::string& what) {
    throw finding{what};
}

holdings holdings::of_now(const spelling& how) {
    holdings now;
    now.descriptors = open_descriptors();
    const std::string& directory = test::private_directory();
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        now.mappings += line.find(directory) != std::string::npos ? 1U : 0U;
    for (const auto& entry : std::filesystem::directory_iterator(directory))
        now.files.insert(entry.path().filename().string());
    if (how.objects != nullptr) now.objects = how.objects();
    return now;
}

std::string holdings::more_than(const holdings& before) const {
    std::string more = difference("descriptors", descriptors, before.descriptors) +
                       difference("mappings", mappings, before.mappings) +
                       difference("objects", objects, before.objects);
    for (const auto& name : files)
        if (files.count(name) > before.files.count(name)) more += "file " + name + "; ";
    return more;
}

void stage::note(const error& why) noexcept {
    said_.failed = true;
    said_.code = why.code();
    said_.sys = why.sys();
    keep(said_.described, why.describe());
}

sender stage::open_sender() const {
    auto opened = sender::open(address_);
    if (!opened) wrong("no sender can be opened: " + opened.why().describe());
    return std::move(*opened);
}

receiver stage::open_receiver() const {
    auto opened = receiver::open(address_);
    if (!opened) wrong("no receiver can be opened: " + opened.why().describe());
    return std::move(*opened);
}

both_ends stage::open_both() const {
    if (how_.make_both == nullptr) {
        auto in = open_receiver(); // first: right for every scheme
        return {std::move(in), open_sender()};
    }
    auto made = how_.make_both();
    if (!made) wrong("the two ends can't be made: " + made.why().describe());
    return std::move(*made);
}

both_streams stage::open_streams() const {
    auto made = how_.make_streams(address_);
    if (!made) wrong("the two streams can't be opened: " + made.why().describe());
    return std::move(*made);
}

void stage::send(sender& out, std::string_view text) const {
    const auto done = out.send_for(text, patience);
    if (!done) wrong("a message can't be sent: " + done.why().describe());
}

std::string stage::receive(receiver& in) const {
    const auto got = in.receive_for(patience);
    if (!got) wrong("a message is not received: " + got.why().describe());
    return std::string(got->text());
}

void stage::exchange(sender& out, receiver& in, std::string_view text) const {
    send(out, text);
    const std::string got = receive(in);
    if (got != text)
        wrong("instead of '" + std::string(text) + "' came '" + got.substr(0, 40) + "'");
}

void stage::check_nothing_leaked(const char* when, const holdings& before) const {
    holdings now = holdings::of_now(how_);
    now.files = before.files; // what has a name may stay until its next user has gone
    now.objects = before.objects;
    const std::string more = now.more_than(before);
    if (!more.empty()) wrong(std::string(when) + ": " + more);
}

void stage::use_once_more() const {
    if (how_.bytes_only) {
        static_cast<void>(open_streams());
        return;
    }
    auto ends = open_both();
    exchange(ends.out, ends.in, "once more");
}

void stage::check_end() const {
    check_nothing_leaked("when all was closed", before_);
    use_once_more();
    if (how_.remove != nullptr) how_.remove(address_);
    // What stays then must go by the tools for that.
    if (said_.faulty && how_.files_may_stay && holdings::of_now(how_).files != before_.files) {
        static_cast<void>(remove_mailbox(address_, removal::by_force));
        static_cast<void>(collect_system_objects());
    }
    const std::string more = holdings::of_now(how_).more_than(before_);
    if (!more.empty()) wrong("after it was used and closed once more: " + more);
}

} // namespace hawser::faults
