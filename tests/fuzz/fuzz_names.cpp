// What names things outside the mailboxes: `//HOST:PORT`, the records of FIFOs and socket files
// that hawser made, lines of /proc/net/unix. Anybody may bind a socket to a name with any bytes,
// and make a file that looks like a record.
//
// The first byte picks which of them reads the rest.
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/ipc_listing.hpp"
#include "os/made.hpp"
#include "require.hpp"
#include "wire/host_port.hpp"

namespace {

using hawser::errc;
using hawser::fuzz::require;

void try_host_port(std::string_view text) {
    const auto read = hawser::wire::parse_host_port(text, "tcp");
    if (!read) {
        require(read.is(errc::invalid_argument), "refused as invalid_argument");
        require(!read.why().detail().empty(), "a refusal has a reason");
        return;
    }
    const auto again = hawser::wire::parse_host_port(read->to_text(), "tcp");
    require(again.has_value() && *again == *read, "what to_text() writes reads back");
    const auto checked = hawser::wire::check_destination(*read, "tcp");
    require(checked.has_value() || checked.is(errc::invalid_argument), "a destination, or why not");
}

// A directory with a FIFO, and a record whose name is that FIFO's.
class records {
  public:
    records() {
        char name[] = "/dev/shm/hawser-fuzz.XXXXXX";
        require(::mkdtemp(name) != nullptr, "a directory in /dev/shm");
        directory_ = name;
        fifo_ = directory_ + "/fifo";
        require(::mkfifo(fifo_.c_str(), 0600) == 0, "a FIFO");
        struct stat raw {};
        require(::lstat(fifo_.c_str(), &raw) == 0, "its inode");
        char record[96];
        std::snprintf(record, sizeof record, "%s/%s%llx-%llx", directory_.c_str(),
                      hawser::os::made_prefix, static_cast<unsigned long long>(raw.st_dev),
                      static_cast<unsigned long long>(raw.st_ino));
        record_ = record;
    }
    ~records() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    records(const records&) = delete;
    records& operator=(const records&) = delete;

    // `%F` in the content stands for the FIFO's path, which the fuzzer can't know.
    void read(std::string content) const {
        if (const std::size_t at = content.find("%F"); at != content.npos)
            content.replace(at, 2, fifo_);
        const int fd = ::open(record_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        require(fd >= 0, "a record");
        require(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()),
                "its content");
        ::close(fd);
        const auto listed = hawser::os::list_made(directory_);
        require(listed.has_value(), "a directory with any record can be listed");
        require(listed->objects.size() <= 1, "one record is one object at most");
        for (const auto& one : listed->objects) check(one);
    }

  private:
    void check(const hawser::os::made_object& one) const {
        require(one.path.starts_with('/'), "a path is absolute");
        require(one.path.find('\0') == one.path.npos, "a path has no NUL");
        if (one.stale) return;
        // Only the object that the record's name names is taken for made by hawser.
        struct stat raw {};
        require(::lstat(one.path.c_str(), &raw) == 0, "what is not stale is there");
        require(raw.st_dev == one.key.device && raw.st_ino == one.key.inode, "and it is that one");
        require(S_ISFIFO(raw.st_mode), "and a FIFO");
    }

    std::string directory_;
    std::string fifo_;
    std::string record_;
};

void try_socket_line(std::string_view line) {
    const auto one = hawser::os::parse_unix_socket(line);
    if (!one) return;
    require(!one->name.empty(), "a socket in the list has a name");
    require(line.ends_with(one->name), "a name is taken as it is");
    require(!(one->connected && one->type == hawser::os::socket_type::datagram),
            "a datagram socket is no connection");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const records some;
    hawser::fuzz::source from(data, size);
    const auto which = from.number<std::uint8_t>();
    const std::string text(reinterpret_cast<const char*>(from.rest().data()), from.rest().size());
    switch (which % 3) {
    case 0:
        try_host_port(text);
        break;
    case 1:
        some.read(text);
        break;
    default:
        try_socket_line(text);
    }
    return 0;
}
