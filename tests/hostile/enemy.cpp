// Enemies: whatever a process that may write the mailbox can do to it and to those who use it.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "battle.hpp"
#include "os/clock.hpp"
#include "os/lock.hpp"
#include "segment/handout.hpp"
#include "segment/segment.hpp"

namespace hawser::hostile {

namespace {

using word = std::atomic<std::uint64_t>;

class enemy {
  public:
    enemy(const round& of, std::uint64_t seed) : of_(of), random_(seed) {}
    ~enemy() { leave(); }
    enemy(const enemy&) = delete;
    enemy& operator=(const enemy&) = delete;

    void attack_all() {
        while (!of_.results->stop.load()) {
            // The mailbox may be gone or another one by now.
            if (memory_ == nullptr || random_() % 4096 == 0) {
                leave();
                if (!enter()) {
                    ::sched_yield();
                    continue;
                }
            }
            attack();
            of_.results->attacks.fetch_add(1);
        }
    }

  private:
    bool enter() {
        if (of_.sealed) {
            const std::int64_t until_ns = os::monotonic_ns() + 100'000'000;
            auto got = segment::fetch(of_.path, {}, os::access_kind::read_write, until_ns);
            if (!got) return false;
            fd_ = ::fcntl(got->get(), F_DUPFD_CLOEXEC, 3);
        } else {
            fd_ = ::open(of_.path.c_str(), O_RDWR | O_CLOEXEC);
        }
        if (fd_ < 0) return false;
        struct stat file {};
        if (::fstat(fd_, &file) != 0 || file.st_size == 0) return false;
        bytes_ = static_cast<std::size_t>(file.st_size);
        const auto at = os::file_status{.bytes = bytes_};
        const auto shape = segment::read_geometry(fd_, at);
        if (!shape) return false;
        shape_ = *shape;
        plan_ = segment::layout::of(shape_).value();
        void* got = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
        void* seen = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd_, 0);
        if (got == MAP_FAILED || seen == MAP_FAILED) return false;
        memory_ = static_cast<std::byte*>(got);
        read_only_ = static_cast<std::byte*>(seen);
        return true;
    }
    void leave() {
        if (memory_ != nullptr) {
            ::munmap(memory_, bytes_);
            ::munmap(read_only_, bytes_);
        }
        memory_ = nullptr;
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

    void attack() {
        const std::uint64_t how = random_() % 1000;
        if (how < 600) return scribble();
        if (how < 780) return replay();
        if (how < 900) return play_with_futexes();
        if (how < 950) return play_with_locks();
        if (how < 970) return punch();
        if (how < 990) return ring();
        if (how < 995) return of_.sealed ? cut_short() : change_file();
        if (how < 998) ::sched_yield();
    }

    // Where a word is that somebody relies on.
    std::uint64_t somewhere() {
        const auto in = [&](std::uint64_t from, std::uint64_t bytes) {
            return from + random_() % std::max<std::uint64_t>(bytes, 8) / 8 * 8;
        };
        const auto lane = static_cast<std::uint32_t>(random_() % plan_.lanes);
        switch (random_() % 8) {
        case 0: // life, event words, numbers of slots and classes
            return in(256, 448);
        case 1: // state, intent, hand
            return in(plan_.records_at + random_() % shape_.participants * 512, 512);
        case 2: // hints, space
            return in(plan_.lane_at(lane), 192);
        case 3: // evidence
            return in(plan_.lane_at(lane) + plan_.committed_in_lane,
                      plan_.slots_in_lane - plan_.committed_in_lane);
        case 4: // a slot's word
            return plan_.lane_at(lane) + plan_.slots_in_lane + random_() % shape_.capacity * 64;
        case 5: // a chunk's header
            return in(plan_.chunk_at(static_cast<std::uint32_t>(random_() % plan_.chunks)), 24);
        case 6:
            if (plan_.class_count != 0) {
                const auto& of = plan_.classes[random_() % plan_.class_count];
                return in(of.words_at, of.count * 4ULL) / 8 * 8;
            }
            [[fallthrough]];
        default:
            return in(256, bytes_ - 256);
        }
    }
    word& at(std::uint64_t offset) {
        return *reinterpret_cast<word*>(memory_ + std::min<std::uint64_t>(offset, bytes_ - 8));
    }
    void scribble() {
        word& target = at(somewhere());
        const std::uint64_t old = target.load();
        switch (random_() % 8) {
        case 0:
            return target.store(random_());
        case 1:
            return target.store(0);
        case 2:
            return target.store(~std::uint64_t{0});
        case 3:
            return target.store(old + random_() % 5 - 2);
        case 4:
            return target.store(old ^ std::uint64_t{1} << random_() % 64);
        case 5:
            return target.store(random_() % 16);
        case 6:
            return target.store((old & 0xffff'ffff'0000'0000U) | (random_() & 0xffff'ffffU));
        default: {
            // Another chunk, or another owner, of the same turn.
            auto slot = sync::slot_word::unpack(old);
            slot.chunk = static_cast<std::uint32_t>(random_() % plan_.chunks);
            slot.owner = static_cast<std::uint32_t>(random_() % (shape_.participants + 1));
            slot.full = random_() % 2 != 0;
            return target.store(slot.pack());
        }
        }
    }
    // Words as they were a while ago.
    void replay() {
        const std::uint64_t where = somewhere();
        if (kept_.size() < 256 || random_() % 2 == 0) {
            kept_.push_back({where, at(where).load()});
            if (kept_.size() > 512) kept_.erase(kept_.begin(), kept_.begin() + 256);
            return;
        }
        const auto& old = kept_[random_() % kept_.size()];
        at(old.where).store(old.value);
    }

    void play_with_futexes() {
        constexpr std::array<std::uint64_t, 3> events{offsetof(segment::header, messages),
                                                      offsetof(segment::header, memory), 0};
        std::uint64_t where = events[random_() % events.size()];
        if (where == 0) where = plan_.lane_at(0) + offsetof(segment::lane_head, space);
        // A mapping for reading is enough for all of this.
        auto* const event = read_only_ + where;
        auto* const value = reinterpret_cast<std::atomic<std::uint32_t>*>(event);
        static std::uint32_t elsewhere = 0;
        const timespec moment{0, 200'000};
        switch (random_() % 4) {
        case 0:
            ::syscall(SYS_futex, event, FUTEX_REQUEUE, 0, 1000, &elsewhere, 0);
            return;
        case 1:
            ::syscall(SYS_futex, event, FUTEX_CMP_REQUEUE, 0, 1000, read_only_ + 4096,
                      value->load());
            return;
        case 2:
            ::syscall(SYS_futex, event, FUTEX_WAKE, 1, nullptr, nullptr, 0);
            return;
        default: // takes a wake-up that was meant for somebody else
            ::syscall(SYS_futex, event, FUTEX_WAIT, value->load(), &moment, nullptr, 0);
        }
    }
    void play_with_locks() {
        const std::uint64_t byte = random_() % 8 == 0
                                       ? segment::door_byte
                                       : segment::lock_base + random_() % shape_.participants;
        const auto kind = random_() % 2 == 0 ? os::lock_kind::shared : os::lock_kind::exclusive;
        if (const auto got = os::try_lock(fd_, byte, kind); !got || !*got) return;
        for (std::uint64_t i = random_() % 200; i > 0; --i) scribble();
        if (random_() % 64 == 0) return; // kept until we leave
        os::unlock(fd_, byte);
    }
    void punch() {
        const std::uint64_t pages = bytes_ / 4096;
        const std::uint64_t first = random_() % pages;
        const std::uint64_t count = std::min<std::uint64_t>(1 + random_() % 4, pages - first);
        ::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(first * 4096), static_cast<off_t>(count * 4096));
    }
    void ring() {
        switch (random_() % 3) {
        case 0:
            ::futimens(fd_, nullptr);
            return;
        case 1: {
            const char byte = 0;
            [[maybe_unused]] const auto put = ::pwrite(fd_, &byte, 1, 512);
            return;
        }
        default:
            ::close(::open(of_.path.c_str(), O_RDWR | O_CLOEXEC));
        }
    }
    // What the owner of a named file may do, but for cutting it short, which is not promised.
    void change_file() {
        const std::string aside = of_.path + "-aside";
        switch (random_() % 3) {
        case 0:
            ::fchmod(fd_, random_() % 2 == 0 ? 0 : 0600);
            return;
        case 1:
            ::rename(of_.path.c_str(), aside.c_str());
            return;
        default:
            ::fchmod(fd_, 0600);
            ::rename(aside.c_str(), of_.path.c_str());
        }
    }
    // Sealed memory: none of this may do anything.
    void cut_short() {
        [[maybe_unused]] const int cut = ::ftruncate(fd_, static_cast<off_t>(random_() % bytes_));
        [[maybe_unused]] const int grown = ::ftruncate(fd_, static_cast<off_t>(2 * bytes_));
        ::fcntl(fd_, F_ADD_SEALS, F_SEAL_WRITE);
        ::fchmod(fd_, random_() % 2 == 0 ? 0 : 0600);
    }

    struct old_word {
        std::uint64_t where = 0;
        std::uint64_t value = 0;
    };
    const round& of_;
    std::mt19937_64 random_;
    int fd_ = -1;
    std::size_t bytes_ = 0;
    std::byte* memory_ = nullptr;
    std::byte* read_only_ = nullptr;
    segment::geometry shape_;
    segment::layout plan_;
    std::vector<old_word> kept_;
};

} // namespace

void be_enemy(const round& of, std::uint64_t seed) {
    enemy(of, seed).attack_all();
}

} // namespace hawser::hostile
