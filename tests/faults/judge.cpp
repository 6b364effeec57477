#include "judge.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "rules.hpp"

namespace hawser::faults {

namespace {

// The codes that are true of an errno, besides `system`, which is true of all.
std::vector<errc> true_codes(int error) {
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return {errc::permission};
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
    case EMLINK:
        return {errc::no_space};
    case EINTR:
        return {errc::interrupted};
    case EAGAIN:
        return {errc::would_block, errc::timed_out, errc::no_space};
    case ETIMEDOUT:
        return {errc::timed_out, errc::peer_died, errc::not_found};
    case ENOENT:
        return {errc::not_found, errc::timed_out}; // the latter: it was gone again and again
    case EEXIST:
        return {errc::already_exists, errc::timed_out}; // the latter: it was there again and again
    case EADDRINUSE:
    case EBUSY:
        return {errc::already_exists};
    // Something of another kind has the name, or is on the way to it.
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case ENODEV:
    case EXDEV:
        return {errc::corrupt, errc::not_found, errc::unsupported, errc::already_exists,
                errc::invalid_argument};
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case ENOPROTOOPT:
        return {errc::unsupported};
    case EADDRNOTAVAIL:
        return {errc::not_found, errc::invalid_argument};
    case ECONNREFUSED: // nobody is there; a sender waits until somebody is
    case ENETUNREACH:
    case EHOSTUNREACH:
        return {errc::not_found, errc::peer_died, errc::closed, errc::would_block, errc::timed_out};
    case ENXIO: // of a FIFO: nobody reads there
        return {errc::would_block, errc::corrupt, errc::not_found, errc::unsupported};
    case ECONNABORTED: // whoever connected has gone again: as if nobody had come
    case EPROTO:
        return {errc::peer_died, errc::closed, errc::would_block, errc::timed_out};
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
        return {errc::peer_died, errc::closed};
    case EIO: // of a terminal: its other side has hung up
        return {errc::closed};
    case EIDRM:
        return {errc::closed, errc::not_found};
    case ENOMSG:
        return {errc::would_block, errc::timed_out};
    case EMSGSIZE:
    case E2BIG:
        return {errc::too_big};
    default:
        return {};
    }
}

bool names_errno(errc code) {
    return code == errc::system || code == errc::permission || code == errc::no_space;
}

} // namespace

std::string judge(const report& said, int injected) {
    if (!said.failed) return {}; // the library has coped; what is left of it was looked at
    const std::string text = said.described.data();
    if (text.empty()) return "the error describes nothing";
    if (said.code == said.expected) return {};
    const auto codes = true_codes(injected);
    const bool is_true =
        said.code == errc::system || std::ranges::find(codes, said.code) != codes.end();
    const std::string name = name_of_errno(injected);
    if (!is_true) return name + " became " + std::string(name_of(said.code)) + ": " + text;
    if (names_errno(said.code) && said.sys != injected)
        return name + " is not in sys(), there is " + name_of_errno(said.sys) + ": " + text;
    const bool hung_up = injected == EIO && said.sys == EPIPE; // as every other stream says it
    if (said.sys != 0 && said.sys != injected && !hung_up)
        return name + " became " + name_of_errno(said.sys) + " in sys(): " + text;
    return {};
}

} // namespace hawser::faults
