#include "wire/host_port.hpp"

#include <gtest/gtest.h>

namespace hawser::wire {
namespace {

struct good_case {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* written;
};

TEST(host_port, reads_and_writes_every_form) {
    constexpr good_case cases[] = {
        {"//localhost:7000", "localhost", 7000, "//localhost:7000"},
        {"//127.0.0.1:0", "127.0.0.1", 0, "//127.0.0.1:0"},
        {"//[::1]:65535", "::1", 65535, "//[::1]:65535"},
        {"//[fe80::1%eth0]:1", "fe80::1%eth0", 1, "//[fe80::1%eth0]:1"},
        {"//*:80", "", 80, "//*:80"},
        {"//:80", "", 80, "//*:80"},
        {"//[127.0.0.1]:80", "127.0.0.1", 80, "//127.0.0.1:80"},
    };
    for (const auto& one : cases) {
        const auto read = parse_host_port(one.text, "tcp");
        ASSERT_TRUE(read) << one.text << ": " << read.why().describe();
        EXPECT_EQ(read->host, one.host) << one.text;
        EXPECT_EQ(read->port, one.port) << one.text;
        EXPECT_EQ(read->to_text(), one.written);
        EXPECT_EQ(parse_host_port(read->to_text(), "tcp").value(), *read);
    }
}

TEST(host_port, refuses_what_is_none_and_says_what_one_is) {
    for (const char* text : {"",
                             "/",
                             "//",
                             "localhost:7000",
                             "/localhost:7000",
                             "//localhost",
                             "//localhost:",
                             "//localhost:http",
                             "//localhost:-1",
                             "//localhost:+1",
                             "//localhost: 1",
                             "//localhost:65536",
                             "//localhost:99999999999999999999",
                             "//::1:7000",
                             "//[::1]",
                             "//[::1]7000",
                             "//[::1:7000",
                             "//[]:7000",
                             "//localhost:7000/",
                             "//a/b:7000",
                             "//[[a]:7000",
                             "//a]b:7000"}) {
        const auto read = parse_host_port(text, "udp");
        ASSERT_TRUE(read.is(errc::invalid_argument)) << text;
        EXPECT_NE(read.why().detail().find("udp://127.0.0.1:7000"), std::string_view::npos)
            << read.why().describe();
    }
    EXPECT_TRUE(
        parse_host_port("//" + std::string(254, 'a') + ":1", "udp").is(errc::invalid_argument));
}

TEST(host_port, a_sender_needs_a_host_and_a_port) {
    EXPECT_TRUE(check_destination({"localhost", 1}, "tcp"));
    EXPECT_TRUE(check_destination({"", 1}, "tcp").is(errc::invalid_argument));
    EXPECT_TRUE(check_destination({"localhost", 0}, "tcp").is(errc::invalid_argument));
}

} // namespace
} // namespace hawser::wire
