// What the tests of this folder share: each runs with every scheme, in a process of its own, whose
// limits nobody else feels.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <hawser/hawser.hpp>

#include "faults/addresses.hpp"

namespace hawser::test {

using faults::both_ends;
using faults::spelling;

// Both ends on an address of the scheme; the error of whichever failed.
result<both_ends> open_both(const spelling& how, const std::string& address);
// A message that takes as much as the scheme has room for in one piece; and a small one.
std::string large_text(const spelling& how, unsigned number);
std::string small_text(unsigned number);

// Sends until nothing fits, first large messages, then small ones. What was sent, in order. The
// only refusals are would_block and no_space.
std::vector<std::string> send_all_that_fits(const spelling& how, sender& out);
// Exactly these come, whole and in order.
void expect_all(receiver& in, const std::vector<std::string>& texts);
// A message gets through.
void expect_works(both_ends& ends);

// A refusal that says what is short, and why.
void expect_clear(const error& why, errc code, const char* when);

// What stays by design; and a FIFO where there was no room for the record of it: nobody removes
// that unasked.
void remove_what_stays(const spelling& how, const std::string& address);

// How many descriptors are open, told without opening one.
std::size_t descriptors();
std::size_t mappings_of_mailboxes();

// One limit of this process, as long as it lives.
class limited {
  public:
    limited(__rlimit_resource what, rlim_t most);
    ~limited();
    limited(const limited&) = delete;
    limited& operator=(const limited&) = delete;

  private:
    __rlimit_resource what_;
    rlimit before_{};
};

class every_scheme : public testing::TestWithParam<std::size_t> {
  protected:
    [[nodiscard]] static const spelling& how() { return faults::spellings()[GetParam()]; }
    void SetUp() override;
    void TearDown() override;
    // In a process of its own, which must end well: no signal, no failure.
    void in_a_process(const std::function<void()>& body) const;
};
std::string label_of(const testing::TestParamInfo<std::size_t>& info);
std::vector<std::size_t> schemes_with_messages();

} // namespace hawser::test
