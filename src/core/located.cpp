#include "core/located.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

// address::name() in a place of its own, for errors must not allocate. As long as an error keeps.
class name_buffer {
  public:
    explicit name_buffer(const address& where) noexcept {
        append(where.scheme);
        append(":");
        for (const char letter : where.rest) {
            const auto escape = escape_of(letter);
            append(needs_escape(letter) ? std::string_view(escape.data(), escape.size())
                                        : std::string_view(&letter, 1));
        }
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), length_}; }

  private:
    void append(std::string_view part) noexcept {
        const std::string_view fitting = part.substr(0, text_.size() - length_);
        std::copy(fitting.begin(), fitting.end(), text_.begin() + length_);
        length_ += fitting.size();
    }

    std::array<char, 160> text_;
    std::size_t length_ = 0;
};

} // namespace

error located(const error& why, const address& where) noexcept {
    error there = why;
    if (there.address().empty()) there.at(name_buffer(where).view());
    return there;
}

error used_after_close(const char* operation) noexcept {
    return error{errc::invalid_argument, operation}.because(
        "it was closed or moved from; open it again.");
}

const address& nowhere() noexcept {
    static const address none;
    return none;
}

} // namespace detail
} // namespace v1
} // namespace hawser
