#include "demo_worker.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <hawser/hawser.hpp>

namespace tool::demo {

namespace {

// Only this process writes these counters, so a load and a store are as good as a CAS.
void raise_to(std::atomic<std::uint64_t>& record, std::uint64_t value) {
    if (value > record) record = value;
}

class open_file {
  public:
    explicit open_file(int number = -1) noexcept : number_(number) {}
    open_file(open_file&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    open_file& operator=(open_file&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~open_file() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }

  private:
    int number_;
};

// What both kinds do with their record in the ledger.
class worker {
  public:
    worker(ledger& notes, const worker_identity& who)
        : notes_(notes), who_(who), record_(notes.worker(who.role, who.index)) {}

  protected:
    void at(activity what) { record_.doing = static_cast<std::uint32_t>(what); }
    void opened() { record_.open = who_.generation + 1; }
    int fail(std::string_view why) {
        const std::size_t count = std::min(why.size(), record_.failure.size() - 1);
        std::copy_n(why.begin(), count, record_.failure.begin());
        at(activity::failed);
        return worker_failed;
    }
    // One message further; call_ns was spent inside hawser for it.
    void progress(std::uint64_t call_ns) {
        const std::uint64_t now = now_ns();
        if (record_.first_progress_ns == 0) record_.first_progress_ns = now;
        if (last_ns_ == 0) {
            if (who_.generation > 0) record_.resumed_ns = now;
        } else {
            raise_to(record_.longest_gap_ns, now - last_ns_);
            raise_to(record_.longest_call_ns, call_ns);
        }
        record_.last_progress_ns = now;
        last_ns_ = now;
    }
    [[nodiscard]] hawser::options end_point_options() const {
        hawser::options wanted;
        wanted.create = hawser::create_policy::open;
        wanted.wait = notes_.header().wait;
        return wanted;
    }

    ledger& notes_;
    const worker_identity who_;
    worker_record& record_;
    std::uint64_t last_ns_ = 0;
};

class producer : public worker {
  public:
    using worker::worker;

    int run() {
        auto out = hawser::sender::open(notes_.header().address.data(), end_point_options());
        if (!out) return fail(out.why().describe());
        opened();
        for (std::uint64_t chunk = record_.next_chunk; chunk < record_.end_chunk; ++chunk) {
            record_.chunk = chunk;
            if (const auto done = send_chunk(*out, chunk); !done)
                return fail(done.why().describe());
        }
        at(activity::done);
        return worker_done;
    }

  private:
    hawser::result<void> send_chunk(hawser::sender& out, std::uint64_t chunk) {
        const std::uint32_t file = notes_.chunk_files()[chunk];
        const file_record& from = notes_.files()[file];
        message_header head{.run = notes_.header().run,
                            .chunk = chunk,
                            .offset = (chunk - from.first_chunk) * notes_.header().chunk_bytes,
                            .file = file,
                            .producer = who_.index,
                            .generation = who_.generation};
        const std::uint64_t length =
            std::min(notes_.header().chunk_bytes, from.bytes - head.offset);

        at(activity::sending);
        const std::uint64_t asked_ns = now_ns();
        auto lent = out.loan_for(sizeof head + length);
        if (!lent) return lent.why();
        const std::uint64_t lent_ns = now_ns();
        at(activity::filling);
        const std::size_t got = fill(lent->bytes().subspan(sizeof head), file, head.offset);
        head.length = static_cast<std::uint32_t>(got);
        lent->shrink(sizeof head + got);
        if (chunk >= record_.gate_chunk) wait_at_gate(chunk);
        head.sent_ns = now_ns();
        std::memcpy(lent->bytes().data(), &head, sizeof head);

        at(activity::sending);
        const auto sent = send_whole(out, *std::move(lent));
        if (!sent) return sent.why();
        record_.next_chunk = chunk + 1;
        record_.messages += 1;
        record_.bytes += got;
        progress((lent_ns - asked_ns) + (now_ns() - head.sent_ns));
        return {};
    }

    static hawser::result<hawser::sent> send_whole(hawser::sender& out, hawser::loan filled) {
        for (;;) {
            auto sent = out.send_by(filled, hawser::deadline::never());
            if (!sent.is(hawser::errc::interrupted)) return sent;
        }
    }

    // Reads the file into the mailbox's own memory. A file that has become shorter gives what is
    // left of it, and is marked: its result can't be what was planned.
    std::size_t fill(std::span<std::byte> memory, std::uint32_t file, std::uint64_t offset) {
        if (!source_.is_open() || source_file_ != file) {
            const char* path = notes_.path(notes_.files()[file]);
            source_ = open_file(::open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
            source_file_ = file;
        }
        std::size_t filled = 0;
        while (filled < memory.size()) {
            const ssize_t got =
                ::pread(source_.number(), memory.data() + filled, memory.size() - filled,
                        static_cast<off_t>(offset + filled));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            filled += static_cast<std::size_t>(got);
        }
        if (filled < memory.size() || !source_.is_open()) notes_.files()[file].changed = 1;
        return filled;
    }

    void wait_at_gate(std::uint64_t chunk) {
        if (notes_.header().gate_open != 0) return;
        const std::uint64_t since_ns = now_ns();
        const bool last = chunk + 1 == record_.end_chunk;
        at(activity::held_back);
        while (notes_.header().gate_open == 0 && (last || !take_pass()))
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        record_.held_back_ns += now_ns() - since_ns;
        last_ns_ = 0; // the wait was the demo's own, no stall
    }

    bool take_pass() {
        auto& passes = notes_.header().passes;
        std::uint32_t left = passes;
        while (left > 0 && !passes.compare_exchange_weak(left, left - 1)) {
        }
        return left > 0;
    }

    open_file source_;
    std::uint32_t source_file_ = 0;
};

// The results that are open, a few at a time.
class result_files {
  public:
    explicit result_files(const char* directory)
        : directory_(::open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

    // 0, or the errno.
    int write(std::uint32_t file, const char* path, std::uint64_t offset,
              std::span<const std::byte> bytes) {
        slot& used = slots_[file % slots_.size()];
        if (!used.open.is_open() || used.file != file) {
            // Below the directory, at its own absolute path.
            const int opened = ::openat(directory_.number(), path + 1,
                                        O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
            if (opened < 0) return errno;
            used.open = open_file(opened);
            used.file = file;
        }
        while (!bytes.empty()) {
            const ssize_t done = ::pwrite(used.open.number(), bytes.data(), bytes.size(),
                                          static_cast<off_t>(offset));
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return errno;
            bytes = bytes.subspan(static_cast<std::size_t>(done));
            offset += static_cast<std::uint64_t>(done);
        }
        return 0;
    }

  private:
    struct slot {
        std::uint32_t file = 0;
        open_file open;
    };
    open_file directory_;
    std::array<slot, 64> slots_;
};

class consumer : public worker {
  public:
    consumer(ledger& notes, const worker_identity& who)
        : worker(notes, who), results_(notes.header().output.data()) {}

    int run() {
        auto in = hawser::receiver::open(notes_.header().address.data(), end_point_options());
        if (!in) return fail(in.why().describe());
        opened();
        for (;;) {
            at(activity::receiving);
            const std::uint64_t asked_ns = now_ns();
            auto received = in->receive();
            const std::uint64_t received_ns = now_ns();
            if (received.is(hawser::errc::interrupted)) continue;
            if (received.is(hawser::errc::closed)) break;
            if (!received) return fail(received.why().describe());
            if (const int sys = take(*received, received_ns); sys != 0)
                return fail(fmt::format("can't write a result: {}", std::strerror(sys)));
            progress(received_ns - asked_ns);
        }
        at(activity::done);
        return worker_done;
    }

  private:
    int take(hawser::message& received, std::uint64_t received_ns) {
        message_header head;
        if (!read_header(received, head)) {
            record_.foreign += 1;
            return 0;
        }
        // From here to the next at(), whoever looks at the ledger knows that a message is held.
        record_.chunk = head.chunk;
        at(activity::writing);
        record_.messages += 1;
        note_delivery(received, head, received_ns);
        const int sys = write_once(received, head);
        at(activity::receiving);
        received.release();
        return sys;
    }

    // False unless it is a whole message of this run.
    bool read_header(const hawser::message& received, message_header& head) const {
        if (received.size() < sizeof head) return false;
        std::memcpy(&head, received.bytes().data(), sizeof head);
        const ledger_header& run = notes_.header();
        if (head.run != run.run || head.chunk >= run.chunks || head.producer >= run.producers)
            return false;
        if (head.file != notes_.chunk_files()[head.chunk]) return false;
        const file_record& of = notes_.files()[head.file];
        return head.offset == (head.chunk - of.first_chunk) * run.chunk_bytes &&
               head.length == received.size() - sizeof head;
    }

    void note_delivery(const hawser::message& received, const message_header& head,
                       std::uint64_t received_ns) {
        if (received.redelivered()) {
            record_.redelivered += 1;
            record_.redelivered_chunk = head.chunk;
            record_.redelivered_ns = received_ns;
            return; // neither its latency nor its place says anything about the mailbox
        }
        record_.latency.add(received_ns - std::min(received_ns, head.sent_ns));
        const auto sender = std::pair{head.producer, head.generation};
        const auto [last, first] = last_chunks_.try_emplace(sender, head.chunk);
        if (!first && head.chunk <= last->second) record_.disordered += 1;
        last->second = head.chunk;
    }

    // The bytes first, then the note: killed in between, the same bytes are written again.
    int write_once(const hawser::message& received, const message_header& head) {
        auto& delivered = notes_.delivered()[head.chunk];
        if (delivered == 0) {
            const char* path = notes_.path(notes_.files()[head.file]);
            auto bytes = received.bytes().subspan(sizeof head);
            std::vector<std::byte> spoilt;
            if (notes_.header().fault != sabotage::none && head.chunk == notes_.header().chunks / 2)
                bytes = spoil(bytes, spoilt);
            if (const int sys = results_.write(head.file, path, head.offset, bytes); sys != 0)
                return sys;
            if (delivered.exchange(1) == 0) {
                record_.bytes += head.length;
                return 0;
            }
        }
        record_.duplicates += 1;
        return 0;
    }

    std::span<const std::byte> spoil(std::span<const std::byte> bytes,
                                     std::vector<std::byte>& spoilt) const {
        const sabotage fault = notes_.header().fault;
        if (fault == sabotage::hang) std::raise(SIGSTOP);
        if (fault == sabotage::quit) std::exit(worker_failed);
        if (fault == sabotage::lose || bytes.empty()) return {};
        spoilt.assign(bytes.begin(), bytes.end());
        spoilt.back() ^= std::byte{1};
        return spoilt;
    }

    result_files results_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> last_chunks_;
};

} // namespace

std::string to_text(const worker_identity& who, int ledger_descriptor) {
    return fmt::format("{},{},{},{}", name_of(who.role), who.index, who.generation,
                       ledger_descriptor);
}

int run_worker(const std::string& text) {
    // A worker never outlives the demo, however that ends.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::array<char, 16> role{};
    worker_identity who;
    int descriptor = -1;
    if (std::sscanf(text.c_str(), "%15[a-z],%u,%u,%d", role.data(), &who.index, &who.generation,
                    &descriptor) != 4)
        return worker_misused;
    const bool produces = role.data() == name_of(worker_role::producer);
    who.role = produces ? worker_role::producer : worker_role::consumer;

    auto notes = ledger::attach(descriptor);
    if (!notes) return worker_misused;
    const ledger_header& run = notes->header();
    if (static_cast<std::uint64_t>(::getppid()) != run.parent_pid) return worker_misused;
    if (who.index >= (produces ? run.producers : run.consumers)) return worker_misused;
    // Ctrl-C reaches the whole process group; it is the demo that puts things in order then.
    std::signal(SIGINT, SIG_IGN);
    return produces ? producer(*notes, who).run() : consumer(*notes, who).run();
}

} // namespace tool::demo
