// hawser::pipe: a new pipe, and who gets which end of it.
#include <hawser/pipe.hpp>

#include <utility>

#include "core/located.hpp"
#include "core/open.hpp"
#include "os/pipe.hpp"
#include "transport/pipe/ends.hpp"
#include "transport/pipe/pipe.hpp"
#include "wire/pipe_ends.hpp"

namespace hawser {
inline namespace v1 {

namespace {

std::string text_of(bool writing, int fd) {
    return writing ? "-," + std::to_string(fd) : std::to_string(fd) + ",-";
}

address address_of(bool writing, int fd) {
    return {"pipe", text_of(writing, fd), {}};
}

// What every opening does: ranges, capabilities, and what a pipe has.
result<options> checked(const options& wanted) {
    const auto ready = detail::prepare_open(address_of(false, 0), wanted);
    if (!ready) return ready.why();
    if (const auto fit = pipes::check_options(wanted); !fit) return fit.why();
    return wanted;
}

// The façade's end, and the address that it shows.
template <typename Facade, typename End>
result<Facade> facade(result<std::unique_ptr<End>> end, const address& where) {
    if (!end) return detail::located(end.why(), where);
    (*end)->where = where;
    return Facade{std::move(*end)};
}

} // namespace

result<pipe> pipe::create(const options& wanted, pipe_mode mode) {
    const auto good = checked(wanted);
    if (!good) return good.why();
    const auto ends = os::make_pipe();
    if (!ends) return ends.why();
    options rest = wanted;
    rest.max_memory.reset(); // it is set here, once
    pipe made{ends->reading, ends->writing, rest};
    if (const auto set = wire::set_capacity(ends->writing, wanted); !set) return set.why();
    if (mode == pipe_mode::packets) {
        if (const auto set = os::set_packets(ends->writing); !set) return set.why();
    }
    return made;
}

pipe::pipe(int reading_fd, int writing_fd, const options& wanted) noexcept
    : fds_{reading_fd, writing_fd}, wanted_(wanted) {}

pipe::pipe(pipe&& other) noexcept
    : fds_(std::exchange(other.fds_, {-1, -1})), wanted_(std::move(other.wanted_)) {}

pipe& pipe::operator=(pipe&& other) noexcept {
    if (this != &other) {
        close();
        fds_ = std::exchange(other.fds_, {-1, -1});
        wanted_ = std::move(other.wanted_);
    }
    return *this;
}

pipe::~pipe() {
    close();
}

void pipe::close() noexcept {
    for (int& fd : fds_) os::unique_fd{std::exchange(fd, -1)}.reset();
}

result<options> pipe::merged(const options& wanted) const {
    const auto all = wanted_.merged_with(wanted);
    if (!all) return all.why();
    return checked(*all);
}

result<int> pipe::take(end which) {
    if (fds_.at(which) >= 0) return std::exchange(fds_.at(which), -1);
    return error{errc::invalid_argument, "open"}.at("pipe:").because(
        std::string("the ") + (which == reading ? "reading" : "writing") +
        " end was taken, given or closed in this process before. Two threads of one process use "
        "ends().");
}

result<hawser::receiver> pipe::receiver(const options& wanted) {
    const auto all = merged(wanted);
    if (!all) return all.why();
    const auto fd = take(reading);
    if (!fd) return fd.why();
    close();
    return facade<hawser::receiver>(pipes::receiving_over(os::unique_fd{*fd}, *all),
                                    address_of(false, *fd));
}

result<hawser::sender> pipe::sender(const options& wanted) {
    const auto all = merged(wanted);
    if (!all) return all.why();
    const auto fd = take(writing);
    if (!fd) return fd.why();
    close();
    return facade<hawser::sender>(pipes::sending_over(os::unique_fd{*fd}, *all),
                                  address_of(true, *fd));
}

result<byte_stream> pipe::reader() {
    const auto fd = take(reading);
    if (!fd) return fd.why();
    close();
    return facade<byte_stream>(pipes::bytes_over(os::unique_fd{*fd}, stream_role::reader, wanted_),
                               address_of(false, *fd));
}

result<byte_stream> pipe::writer() {
    const auto fd = take(writing);
    if (!fd) return fd.why();
    close();
    return facade<byte_stream>(pipes::bytes_over(os::unique_fd{*fd}, stream_role::writer, wanted_),
                               address_of(true, *fd));
}

result<pipe::both> pipe::ends(const options& wanted) {
    const auto all = merged(wanted);
    if (!all) return all.why();
    const auto in_fd = take(reading);
    if (!in_fd) return in_fd.why();
    os::unique_fd in_end{*in_fd};
    const auto out_fd = take(writing);
    if (!out_fd) return out_fd.why();
    os::unique_fd out_end{*out_fd};
    auto in = facade<hawser::receiver>(pipes::receiving_over(std::move(in_end), *all),
                                       address_of(false, *in_fd));
    if (!in) return in.why();
    auto out = facade<hawser::sender>(pipes::sending_over(std::move(out_end), *all),
                                      address_of(true, *out_fd));
    if (!out) return out.why();
    return both{std::move(*out), std::move(*in)};
}

// ---- handing on ---------------------------------------------------------------------------------

pipe::given::given(int fd, std::string address) noexcept : fd_(fd), address_(std::move(address)) {
    os::set_inheritable(fd_, true);
}

pipe::given::given(given&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)) {}

pipe::given& pipe::given::operator=(given&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = std::exchange(other.fd_, -1);
        address_ = std::move(other.address_);
    }
    return *this;
}

pipe::given::~given() {
    close();
}

void pipe::given::keep_private() noexcept {
    if (fd_ >= 0) os::set_inheritable(fd_, false);
}

void pipe::given::close() noexcept {
    os::unique_fd{std::exchange(fd_, -1)}.reset();
}

result<pipe::given> pipe::give_reader() {
    const auto fd = take(reading);
    if (!fd) return fd.why();
    return given{*fd, address_of(false, *fd).to_text()};
}

result<pipe::given> pipe::give_writer() {
    const auto fd = take(writing);
    if (!fd) return fd.why();
    return given{*fd, address_of(true, *fd).to_text()};
}

} // namespace v1
} // namespace hawser
