// A pipe between related processes: made here, inherited by a child, one end each.
//
//     auto link = hawser::pipe::create().value();
//     if (fork() == 0) {
//         auto in = link.receiver().value();      // the child reads; its writing end is closed
//         while (auto m = in.receive()) use(m->bytes());
//         _exit(0);
//     }
//     auto out = link.sender().value();           // the parent writes; its reading end is closed
//     out.send("hello").value();
//
// Taking one end closes the other one in this process, because an end that is left open keeps the
// other side waiting: a reader reads the end only when the last writing end is closed, and a writer
// learns that nobody reads only when the last reading end is. So a process that needs neither end
// calls close().
//
// For a program that is started with exec, give_reader() or give_writer() hands one end on: its
// address ("pipe:5,-") goes on the command line, and the program opens that.
//
//     auto given = link.give_reader().value();
//     const std::string where{given.address()};
//     const char* const words[] = {"consumer", where.c_str(), nullptr};
//     posix_spawnp(&child, "consumer", nullptr, nullptr, const_cast<char**>(words), environ);
//     given.close();                              // this process's copy, once the child has its
//     own auto out = link.sender().value();
//
// - Blocks: never. Allocates: yes.
// - Threads: one at a time. Its descriptors are close-on-exec; a fork in another thread copies them
//   like everything else. While something is given, every program that any thread starts inherits
//   it: with several threads give the number to posix_spawn_file_actions_adddup2(&actions, n, n)
//   instead, with n = given.descriptor() and keep_private().
// - Fork: that is the point: both ends are there in the child. What was taken – the sender,
//   receiver or byte_stream – belongs to the process that took it.
// - A crash: the kernel closes the ends of whoever dies; the other side reads what was written,
//   then `closed`, or `peer_died` once if that ended in the middle of a message.
// - Errors: invalid_argument (an end that was taken, given or closed before) · permission
//   (max_memory is above the limit, with the sysctl) · system (EMFILE) · unsupported (options).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <hawser/byte_stream.hpp>
#include <hawser/options.hpp>
#include <hawser/receiver.hpp>
#include <hawser/result.hpp>
#include <hawser/sender.hpp>

namespace hawser {
inline namespace v1 {

enum class pipe_mode : std::uint8_t {
    stream,  // one writer, one reader; messages of any size, or raw bytes
    packets, // many processes may write and many read; a message has at most 4,087 bytes
};

class pipe {
  public:
    // max_memory: the capacity in bytes, 64 KiB unless it is given.
    [[nodiscard]] static result<pipe> create(const options& wanted = {},
                                             pipe_mode mode = pipe_mode::stream);

    pipe(pipe&& other) noexcept;
    pipe& operator=(pipe&& other) noexcept;
    pipe(const pipe&) = delete;
    pipe& operator=(const pipe&) = delete;
    ~pipe(); // close()

    // One end for messages; the other one is closed in this process.
    [[nodiscard]] result<hawser::receiver> receiver(const options& wanted = {});
    [[nodiscard]] result<hawser::sender> sender(const options& wanted = {});
    // One end for raw bytes (pipe_mode::stream).
    [[nodiscard]] result<byte_stream> reader();
    [[nodiscard]] result<byte_stream> writer();

    // Both ends, for two threads of this process.
    struct both {
        hawser::sender out;
        hawser::receiver in;
    };
    [[nodiscard]] result<both> ends(const options& wanted = {});

    // An end on its way to a program. Destroying it closes this process's copy of the end.
    class given {
      public:
        given(given&& other) noexcept;
        given& operator=(given&& other) noexcept;
        given(const given&) = delete;
        given& operator=(const given&) = delete;
        ~given(); // close()

        // "pipe:5,-" or "pipe:-,6": what the program opens. The numbers are those it will have.
        [[nodiscard]] std::string_view address() const noexcept { return address_; }
        [[nodiscard]] int descriptor() const noexcept { return fd_; } // -1 after close
        // Close-on-exec again, for those who hand it on by posix_spawn's own means.
        void keep_private() noexcept;
        void close() noexcept;

      private:
        friend class pipe;
        given(int fd, std::string address) noexcept;

        int fd_;
        std::string address_;
    };
    // The end is open in programs that are started from now on; this pipe keeps the other one.
    [[nodiscard]] result<given> give_reader();
    [[nodiscard]] result<given> give_writer();

    // Closes what is left of both ends in this process.
    void close() noexcept;

  private:
    enum end : std::uint8_t { reading, writing };

    pipe(int reading_fd, int writing_fd, const options& wanted) noexcept;
    result<int> take(end which);
    result<options> merged(const options& wanted) const;

    std::array<int, 2> fds_; // -1: taken, given or closed
    options wanted_;
};

} // namespace v1
} // namespace hawser
