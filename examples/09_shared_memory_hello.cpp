// POSIX shared memory as the textbooks introduce it, with plain system calls: the producer makes an
// object and writes a greeting, the consumer maps it and reads. Its length goes along – nobody sent
// a NUL – and the name that is unlinked is the object's own.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::size_t object_bytes = 4096;
struct greeting {
    std::uint32_t length;
    char text[object_bytes - sizeof(std::uint32_t)];
};
static_assert(sizeof(greeting) == object_bytes);

greeting* map(int fd, int protection) {
    void* const memory = ::mmap(nullptr, sizeof(greeting), protection, MAP_SHARED, fd, 0);
    ::close(fd); // the mapping stays
    if (memory == MAP_FAILED) std::abort();
    return static_cast<greeting*>(memory);
}

void produce(const char* name) {
    const int fd = ::shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd < 0 || ::ftruncate(fd, sizeof(greeting)) != 0) std::abort();
    greeting* const shared = map(fd, PROT_READ | PROT_WRITE);
    constexpr std::string_view text = "Hello, World!";
    std::memcpy(shared->text, text.data(), text.size());
    shared->length = text.size();
}

} // namespace

int main() {
    const std::string name = "/hello-" + std::to_string(::getpid());
    const pid_t producer = ::fork();
    if (producer == 0) {
        produce(name.c_str());
        std::_Exit(0);
    }
    int status = 0;
    ::waitpid(producer, &status, 0); // its end is what orders its writes before our reads
    const int fd = ::shm_open(name.c_str(), O_RDONLY, 0);
    if (status != 0 || fd < 0) return 1;
    const greeting* const shared = map(fd, PROT_READ);
    const std::uint32_t length = shared->length;
    if (length <= sizeof(shared->text)) // another process wrote it: check before use
        std::printf("%.*s\n", static_cast<int>(length), shared->text);
    ::shm_unlink(name.c_str());
}
