#include "demo_digest.hpp"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "demo_settings.hpp"

namespace tool::demo {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;

// A digest that can't be computed is no digest: there is nothing to go on with.
void require(bool done) {
    if (done) return;
    fmt::print(stderr, "hawser: demo: OpenSSL has no SHA-256 here\n");
    std::abort();
}

} // namespace

std::string to_hex(const digest& value) {
    std::string text;
    for (const unsigned char byte : value) text += fmt::format("{:02x}", byte);
    return text;
}

// The algorithm is fetched once; in OpenSSL 3 that costs more than hashing a small file.
struct file_hasher::engine {
    EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_MD_CTX* state = EVP_MD_CTX_new();

    engine() = default;
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    ~engine() {
        EVP_MD_CTX_free(state);
        EVP_MD_free(algorithm);
    }
};

file_hasher::file_hasher() : engine_(std::make_unique<engine>()), buffer_(buffer_bytes) {
    require(engine_->algorithm != nullptr && engine_->state != nullptr);
}

file_hasher::~file_hasher() = default;

file_digest file_hasher::hash(const std::string& path) {
    file_digest made;
    // O_NONBLOCK: whoever swaps the file for a FIFO does not hold up the run.
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        made.sys = errno;
        return made;
    }
    require(EVP_DigestInit_ex2(engine_->state, engine_->algorithm, nullptr) == 1);
    for (;;) {
        if (stop_asked() != 0) made.sys = EINTR;
        if (made.sys != 0) break;
        const ssize_t got = ::read(file, buffer_.data(), buffer_.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) made.sys = errno;
        if (got <= 0) break;
        const auto count = static_cast<std::size_t>(got);
        require(EVP_DigestUpdate(engine_->state, buffer_.data(), count) == 1);
        made.bytes += count;
    }
    ::close(file);
    require(EVP_DigestFinal_ex(engine_->state, made.value.data(), nullptr) == 1);
    return made;
}

} // namespace tool::demo
