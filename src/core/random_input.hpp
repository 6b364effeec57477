// Random input for the property tests of this folder. A run prints its seed; HAWSER_TEST_SEED gives
// it back.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>

#include <hawser/address.hpp>

namespace hawser::test {

inline std::mt19937 seeded_generator() {
    const char* const given = std::getenv("HAWSER_TEST_SEED");
    const auto seed = given != nullptr
                          ? static_cast<std::mt19937::result_type>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
    std::printf("HAWSER_TEST_SEED=%lu\n", static_cast<unsigned long>(seed));
    return std::mt19937{seed};
}

template <typename T>
T random_number(std::mt19937& random, T first, T last) {
    return std::uniform_int_distribution<T>{first, last}(random);
}

// Nothing in half of all cases, else one of first … last.
template <typename T, typename Number>
void maybe_set(std::mt19937& random, std::optional<T>& place, Number first, Number last) {
    if ((random() & 1U) != 0) place = static_cast<T>(random_number(random, first, last));
}

// Any bytes but NUL, with much of the punctuation that addresses are made of.
inline std::string random_text(std::mt19937& random, std::size_t most) {
    constexpr std::string_view punctuation = "%?&=:/ +-.,'\"\\\n\x7F\xC3\xA4";
    std::string text(random_number<std::size_t>(random, 1, most), 'x');
    for (char& letter : text) {
        if ((random() & 1U) != 0)
            letter = punctuation[random_number<std::size_t>(random, 0, punctuation.size() - 1)];
        else
            letter = static_cast<char>(random_number(random, 1, 255));
    }
    return text;
}

// Options that are all within their ranges.
inline options random_options(std::mt19937& random) {
    options made;
    maybe_set<std::uint64_t, std::uint64_t>(random, made.capacity, 0, 1'048'575);
    if (random() % 8 == 0) made.capacity = unbounded;
    maybe_set<std::uint64_t, std::uint64_t>(random, made.max_message, 1, 1ULL << 40U);
    maybe_set<std::uint64_t, std::uint64_t>(random, made.max_memory, 1, 1ULL << 44U);
    // Round sizes take the other branch of the writing.
    if (random() % 4 == 0) made.max_message = 1ULL << random_number(random, 0U, 40U);
    maybe_set(random, made.participants, 1, 2047);
    maybe_set(random, made.loans, 2, 32);
    maybe_set(random, made.sharing, 0, 3);
    maybe_set(random, made.order, 0, 1);
    maybe_set(random, made.full, 0, 3);
    maybe_set(random, made.delivery, 0, 1);
    maybe_set(random, made.wait, 0, 2);
    maybe_set(random, made.create, 0, 2);
    maybe_set(random, made.mode, 0, 0777);
    if ((random() & 1U) != 0) made.group = random_text(random, 255);
    maybe_set<std::uint32_t, std::uint64_t>(random, made.history, 0, 0xFFFF'FFFF);
    maybe_set(random, made.persist, 0, 1);
    maybe_set(random, made.trust, 0, 1);
    if ((random() & 1U) != 0) made.host = random_text(random, 255);
    return made;
}

} // namespace hawser::test
