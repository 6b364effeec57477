#include <hawser/error.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace hawser {
inline namespace v1 {

namespace {

struct code_text {
    std::string_view name;
    std::string_view meaning; // shown where whoever made the error gave no detail
};

// In the order of errc, which begins at 1.
constexpr std::array<code_text, 14> code_texts{{
    {"would_block", "nothing to receive, or no room to send; try again later"},
    {"timed_out", "the time given is over; nothing was sent or received"},
    {"closed", "every sender has gone and nothing is left, or the end point was closed"},
    {"not_found", "nothing has this name, and nothing was to be created"},
    {"already_exists", "it exists, although it was to be created or with another geometry"},
    {"permission", "the file mode or the owner forbids it"},
    {"too_big", "the message is larger than max_message"},
    {"no_space", "a limit is used up: memory, participants or loans"},
    {"peer_died", "the other side died"},
    {"corrupt", "the shared state breaks an invariant"},
    {"unsupported", "this transport or version can't do it"},
    {"invalid_argument", "the call itself is wrong"},
    {"interrupted", "a signal handler ran; nothing was sent or received"},
    {"system", "a system call failed"},
}};

const code_text* text_of(errc code) noexcept {
    const auto index = static_cast<std::size_t>(code) - 1; // 0 wraps and is out of range as well
    return index < code_texts.size() ? &code_texts[index] : nullptr;
}

} // namespace

std::string_view name_of(errc code) noexcept {
    const code_text* const text = text_of(code);
    return text != nullptr ? text->name : "unknown";
}

std::string error::describe() const {
    std::string text(operation());
    if (!address().empty()) (text += ' ') += address();
    (text += ": ") += name_of(code_);
    const code_text* const known = text_of(code_);
    const std::string_view why = !detail().empty()  ? detail()
                                 : known != nullptr ? known->meaning
                                                    : std::string_view{};
    if (!why.empty()) (text += ": ") += why;
    if (sys_ != 0) {
        (text += " (errno ") += std::to_string(sys_);
        ((text += ": ") += std::generic_category().message(sys_)) += ")";
    }
    return text;
}

void throw_error(const error& why) {
#if defined(__cpp_exceptions)
    throw exception(why);
#else
    std::fprintf(stderr, "hawser: value() of an error: %s\n", why.describe().c_str());
    std::abort();
#endif
}

} // namespace v1
} // namespace hawser
