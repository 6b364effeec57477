#include "conformance/contract.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>

#include <poll.h>

namespace hawser::test {

namespace {

// What did not apply, by reason; printed when all tests have run.
class not_applicable_list : public testing::Environment {
  public:
    void add(const std::string& reason, const std::string& test) {
        const std::lock_guard guard(mutex_);
        by_reason_[reason].push_back(test);
    }
    void SetUp() override { private_directory(); }
    void TearDown() override {
        for (const auto& [reason, tests] : by_reason_) {
            std::printf("not applicable: %zu tests: %s\n", tests.size(), reason.c_str());
            for (const std::string& test : tests) std::printf("    %s\n", test.c_str());
        }
    }

  private:
    std::mutex mutex_;
    std::map<std::string, std::vector<std::string>> by_reason_;
};

not_applicable_list& what_did_not_apply() {
    static auto* list = new not_applicable_list; // gtest owns it
    return *list;
}
// Registered before main, so that its SetUp runs before any test.
[[maybe_unused]] const auto* const registered =
    testing::AddGlobalTestEnvironment(&what_did_not_apply());

// How each transport spells an address for a fresh name.
std::string spell_address(std::string_view scheme, const std::string& name) {
    return std::string(scheme) + ":" + name;
}

constexpr order_policy both_orders[] = {order_policy::total, order_policy::sender};
constexpr bodies_as both_bodies[] = {bodies_as::threads, bodies_as::processes};
constexpr wait_mode all_waits[] = {wait_mode::adaptive, wait_mode::spin, wait_mode::block};

std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15U;
    return x ^ (x >> 29);
}

} // namespace

std::ostream& operator<<(std::ostream& out, const variant& one) {
    return out << one.transport.scheme << " order=" << name_of(one.order)
               << " wait=" << name_of(one.wait)
               << (one.bodies == bodies_as::threads ? " threads" : " processes");
}

std::string name_of_variant(const testing::TestParamInfo<variant>& info) {
    const variant& one = info.param;
    std::string name{one.transport.scheme};
    name += one.order == order_policy::total ? "_total" : "_sender";
    name += "_" + std::string(name_of(one.wait));
    name += one.bodies == bodies_as::threads ? "_threads" : "_processes";
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
}

std::vector<variant> in_each_order() {
    std::vector<variant> all;
    for (const transport_info& transport : transports())
        for (const auto order : both_orders) all.push_back({transport, order});
    return all;
}

std::vector<variant> in_each_order_and_bodies() {
    std::vector<variant> all;
    for (const variant& one : in_each_order())
        for (const auto bodies : both_bodies)
            all.push_back({one.transport, one.order, one.wait, bodies});
    return all;
}

std::vector<variant> in_each_wait() {
    std::vector<variant> all;
    for (const variant& one : in_each_order())
        for (const auto wait : all_waits) all.push_back({one.transport, one.order, wait});
    return all;
}

std::vector<variant> in_each_wait_and_bodies() {
    std::vector<variant> all;
    for (const variant& one : in_each_order_and_bodies())
        for (const auto wait : all_waits)
            all.push_back({one.transport, one.order, wait, one.bodies});
    return all;
}

std::vector<variant> in_each_order_as_processes() {
    std::vector<variant> all;
    for (const variant& one : in_each_order())
        all.push_back({one.transport, one.order, one.wait, bodies_as::processes});
    return all;
}

void contract::SetUp() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string full = test->name();
    // c2_4 of c2_4_capacity_is_exact/shm_total_…: short, for limits on names.
    const auto second = full.find('_', full.find('_') + 1);
    name_ = unique_name(full.substr(0, second));
    HAWSER_NEEDS(bodies() == bodies_as::threads || can_fork,
                 "processes: no fork under ThreadSanitizer, participants are threads there");
    HAWSER_NEEDS(!total_order() || can().ordering == ordering_kind::total,
                 "order=total: the transport does not offer it");
}

void contract::TearDown() {
    if (GetParam().transport.scheme != "shm") return;
    EXPECT_EQ(left_over(), std::vector<std::string>{}) << "the test left this behind";
    sweep_left_over();
}

std::string contract::address(std::string_view stem) const {
    return spell_address(GetParam().transport.scheme, name_ + std::string(stem));
}

std::string contract::path_of(std::string_view address) {
    return mailbox_directory() + "/hawser." + std::string(address.substr(address.find(':') + 1));
}

options contract::as_variant(options wanted) const {
    wanted.order = GetParam().order;
    wanted.wait = GetParam().wait;
    return wanted;
}

sender contract::open_sender(const options& wanted) const {
    return sender::open(address(), as_variant(wanted)).value();
}

receiver contract::open_receiver(const options& wanted) const {
    return receiver::open(address(), as_variant(wanted)).value();
}

mailbox_info contract::seen() const {
    return inspect_mailbox(address()).value();
}

void contract::not_applicable(const std::string& reason) const {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    RecordProperty("not_applicable", reason);
    what_did_not_apply().add(reason, std::string(test->test_suite_name()) + "." + test->name());
}

testing::AssertionResult fails_with(const error* why, errc code) {
    if (why == nullptr)
        return testing::AssertionFailure() << "succeeded where " << name_of(code) << " is due";
    if (why->code() != code)
        return testing::AssertionFailure()
               << why->describe() << "\n  where " << name_of(code) << " is due";
    return testing::AssertionSuccess();
}

testing::AssertionResult succeeds(const error* why) {
    if (why != nullptr) return testing::AssertionFailure() << why->describe();
    return testing::AssertionSuccess();
}

void fill_pattern(std::span<std::byte> bytes, std::uint64_t seed) {
    const std::uint64_t key = mixed(seed + bytes.size() * 0x1000193U);
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        const std::uint64_t word = mixed(key + at);
        std::memcpy(bytes.data() + at, &word, 8);
    }
    const std::uint64_t word = mixed(key + at);
    if (at < bytes.size()) std::memcpy(bytes.data() + at, &word, bytes.size() - at);
}

std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed) {
    std::vector<std::byte> bytes(size);
    fill_pattern(bytes, seed);
    return bytes;
}

bool has_pattern(std::span<const std::byte> bytes, std::uint64_t seed) {
    const auto wanted = pattern(bytes.size(), seed);
    return std::equal(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
}

std::vector<std::string> drain(receiver& in) {
    std::vector<std::string> texts;
    while (auto got = in.try_receive()) texts.emplace_back(got->text());
    return texts;
}

bool descriptor_ready(int fd, short events, int timeout_ms) {
    pollfd one{fd, events, 0};
    int found;
    do found = ::poll(&one, 1, timeout_ms);
    while (found < 0);
    return found == 1 && (one.revents & events) != 0;
}

} // namespace hawser::test
