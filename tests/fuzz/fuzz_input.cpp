// What `hawser send` reads: lines, NUL-separated text, pieces of one size, all at once, and frames
// with a length before them. However the input comes in pieces, the messages are those that a plain
// reading of all of it gives, and no length makes it take more memory than has come.
//
// The first byte picks the format, the second the limit, the third the size of pieces; then come
// the input's bytes. `hawser run`'s words are cut from the same bytes.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "require.hpp"
#include "run_words.hpp"
#include "send_input.hpp"

namespace {

using hawser::fuzz::require;
using tool::cut_at;
using tool::message_input;

constexpr std::size_t most_bytes = 60'000; // so that a pipe holds it all
constexpr std::size_t block_bytes = 16;    // so that messages go beyond it

struct reading {
    std::vector<std::string> messages;
    message_input::outcome end = message_input::outcome::end;
};

reading read_by_the_tool(std::string_view bytes, cut_at where, std::uint64_t size,
                         std::uint64_t limit) {
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC) == 0, "a pipe");
    require(::write(ends[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "a pipe holds it");
    ::close(ends[1]);
    message_input in(ends[0], where, size, limit, block_bytes);
    reading got;
    while ((got.end = in.next()) == message_input::outcome::message) {
        got.messages.emplace_back(in.bytes());
        require(got.messages.size() <= bytes.size() + 1, "no more messages than bytes");
    }
    ::close(ends[0]);
    return got;
}

// The same by the plainest means.
struct plain {
    std::string_view rest;
    std::uint64_t size;
    std::uint64_t limit;
    reading got;

    bool put(std::string_view message) {
        if (message.size() > limit) {
            got.end = message_input::outcome::too_long;
            return false;
        }
        got.messages.emplace_back(message);
        return true;
    }
    void by_delimiter(char delimiter) {
        while (!rest.empty()) {
            const std::size_t at = std::min(rest.find(delimiter), rest.size());
            if (!put(rest.substr(0, at))) return;
            rest.remove_prefix(std::min(at + 1, rest.size()));
        }
    }
    void by_size() {
        if (size > limit) got.end = message_input::outcome::too_long;
        for (; size <= limit && !rest.empty(); rest.remove_prefix(std::min(size, rest.size())))
            if (!put(rest.substr(0, size))) return;
    }
    void by_frames() {
        while (rest.size() >= 8) {
            std::uint64_t length = 0;
            for (unsigned i = 8; i-- > 0;)
                length = length << 8 | static_cast<std::uint8_t>(rest[i]);
            if (length > limit) {
                got.end = message_input::outcome::too_long;
                return;
            }
            if (rest.size() - 8 < length) break;
            put(rest.substr(8, length));
            rest.remove_prefix(8 + length);
        }
        if (!rest.empty()) got.end = message_input::outcome::torn;
    }
};

reading read_plainly(std::string_view bytes, cut_at where, std::uint64_t size,
                     std::uint64_t limit) {
    plain one{bytes, size, limit, {}};
    switch (where) {
    case cut_at::newline:
        one.by_delimiter('\n');
        break;
    case cut_at::nul:
        one.by_delimiter('\0');
        break;
    case cut_at::size:
        one.by_size();
        break;
    case cut_at::end:
        one.put(bytes);
        break;
    case cut_at::frame:
        one.by_frames();
        break;
    }
    return std::move(one.got);
}

// Each word of the programs is in one stage, in order, and no stage has a separator.
void try_stages(std::string_view bytes) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t end = std::min(bytes.find(' ', at), bytes.size());
        words.emplace_back(bytes.substr(at, end - at));
        at = end + 1;
    }
    const auto stages = tool::pipeline::split_stages(words, ":::");
    std::vector<std::string> joined;
    for (std::size_t i = 0; i < stages.size(); ++i) {
        if (i > 0) joined.emplace_back(":::");
        for (const auto& word : stages[i]) {
            require(word != ":::", "a separator is in no stage");
            joined.push_back(word);
        }
    }
    require(joined == words, "no word is lost or moved");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    hawser::fuzz::source from(data, size);
    constexpr cut_at all[] = {cut_at::newline, cut_at::nul, cut_at::size, cut_at::end,
                              cut_at::frame};
    const cut_at where = all[from.number<std::uint8_t>() % std::size(all)];
    const std::uint64_t limit = std::uint64_t{1} << (from.number<std::uint8_t>() % 24);
    const std::uint64_t piece = 1 + std::uint64_t{from.number<std::uint8_t>()};
    const auto rest = from.take(most_bytes);
    const std::string_view bytes(reinterpret_cast<const char*>(rest.data()), rest.size());
    const reading got = read_by_the_tool(bytes, where, piece, limit);
    const reading due = read_plainly(bytes, where, piece, limit);
    require(got.messages == due.messages, "the messages are those of a plain reading");
    require(got.end == due.end, "and so is how it ends");
    try_stages(bytes);
    return 0;
}
