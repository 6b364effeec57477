// Cyclone DDS: reliable, everything kept until it is taken, on loopback; taking in a loop, or a
// waitset.
#include <cstdlib>
#include <stdexcept>

#include <dds/dds.h>
#include <fmt/format.h>
#include <unistd.h>

#include "bench/crew.hpp"
#include "blob.h"
#include "peers.hpp"

namespace peers {
namespace {

dds_entity_t check(dds_return_t outcome, const char* what) {
    if (outcome < 0) throw std::runtime_error(fmt::format("{}: {}", what, dds_strretcode(outcome)));
    return outcome;
}

class cyclone_lane_ {
  public:
    explicit cyclone_lane_(const lane_plan& plan)
        : plan_(plan),
          topic_(fmt::format("hawser_bench_{}_{}_{}", ::getpid(), plan.stem, ++lanes_)) {
        // Nothing leaves the machine, and discovery does not wait for a network.
        ::setenv("CYCLONEDDS_URI",
                 "<General><Interfaces><NetworkInterface name='lo'/></Interfaces>"
                 "<AllowMulticast>false</AllowMulticast></General>"
                 "<Discovery><ParticipantIndex>auto</ParticipantIndex>"
                 "<Peers><Peer address='127.0.0.1'/></Peers></Discovery>",
                 0);
    }

    void open_sender() {
        const dds_entity_t topic = open_topic();
        end_ = check(dds_create_writer(participant_, topic, quality_, nullptr), "dds writer");
        until([&] {
            dds_publication_matched_status_t status{};
            check(dds_get_publication_matched_status(end_, &status), "dds match");
            return status.current_count > 0;
        });
    }

    void open_receiver() {
        const dds_entity_t topic = open_topic();
        end_ = check(dds_create_reader(participant_, topic, quality_, nullptr), "dds reader");
        until([&] {
            dds_subscription_matched_status_t status{};
            check(dds_get_subscription_matched_status(end_, &status), "dds match");
            return status.current_count > 0;
        });
        if (plan_.wait == wait_class::spin) return;
        const dds_entity_t there_is_data =
            check(dds_create_readcondition(end_, DDS_ANY_STATE), "dds read condition");
        waiting_ = check(dds_create_waitset(participant_), "dds waitset");
        check(dds_waitset_attach(waiting_, there_is_data, 0), "dds attach");
    }

    void send(std::span<const std::byte> bytes) {
        hawser_bench_blob blob{};
        blob.bytes._maximum = static_cast<std::uint32_t>(bytes.size());
        blob.bytes._length = blob.bytes._maximum;
        // It is only read; the type of the generated structure does not say so.
        blob.bytes._buffer = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(bytes.data()));
        check(dds_write(end_, &blob), "dds_write");
    }

    template <typename See>
    void receive(See&& see) {
        for (;;) {
            void* samples[1] = {nullptr};
            dds_sample_info_t about{};
            const dds_return_t taken = check(dds_take(end_, samples, &about, 1, 1), "dds_take");
            if (taken == 1 && about.valid_data) {
                const auto& blob = *static_cast<const hawser_bench_blob*>(samples[0]);
                see(std::as_bytes(std::span(blob.bytes._buffer, blob.bytes._length)));
            }
            if (taken == 1) check(dds_return_loan(end_, samples, taken), "dds_return_loan");
            if (taken == 1 && about.valid_data) return;
            plan_.stopping(false);
            if (waiting_ != 0) dds_waitset_wait(waiting_, nullptr, 0, DDS_MSECS(100));
        }
    }

    void close() {
        if (participant_ > 0) dds_delete(participant_);
        participant_ = 0;
    }

  private:
    dds_entity_t open_topic() {
        participant_ =
            check(dds_create_participant(DDS_DOMAIN_DEFAULT, nullptr, nullptr), "dds participant");
        quality_ = dds_create_qos();
        dds_qset_reliability(quality_, DDS_RELIABILITY_RELIABLE, DDS_INFINITY);
        dds_qset_history(quality_, DDS_HISTORY_KEEP_ALL, 0);
        dds_qset_resource_limits(quality_, 1000, DDS_LENGTH_UNLIMITED, DDS_LENGTH_UNLIMITED);
        return check(dds_create_topic(participant_, &hawser_bench_blob_desc, topic_.c_str(),
                                      quality_, nullptr),
                     "dds topic");
    }
    template <typename Condition>
    static void until(const Condition& so) {
        for (int waited_ms = 0; !so(); ++waited_ms) {
            if (waited_ms > 10'000) throw std::runtime_error("Cyclone DDS: nobody matched");
            tool::bench::rest(std::chrono::milliseconds(1));
        }
    }

    static inline unsigned lanes_ = 0;

    lane_plan plan_;
    std::string topic_;
    dds_qos_t* quality_ = nullptr;
    dds_entity_t participant_ = 0;
    dds_entity_t end_ = 0;
    dds_entity_t waiting_ = 0;
};

} // namespace

lane_kind cyclone_lane() {
    lane_kind kind;
    kind.name = "Cyclone DDS";
    kind.family = "library";
    kind.waits = {wait_class::block, wait_class::spin};
    kind.farewell = std::chrono::milliseconds(400);
    kind.make = maker<cyclone_lane_>();
    return kind;
}

} // namespace peers
