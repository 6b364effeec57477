#include "demo_verify.hpp"

#include <utility>

#include "demo_digest.hpp"
#include "demo_settings.hpp"

namespace tool::demo {

namespace {

verdict judge(const planned_file& file, const file_record& record, file_hasher& hasher) {
    const file_digest again = hasher.hash(file.path);
    if (again.sys != 0 || again.value != file.source || record.changed != 0)
        return verdict::changed;
    return verdict::different;
}

} // namespace

void hash_sources(plan& made, const counter_watcher& watch) {
    file_hasher hasher;
    std::vector<planned_file> readable;
    readable.reserve(made.files.size());
    made.bytes = 0;
    for (planned_file& file : made.files) {
        if (stop_asked() != 0) return;
        const file_digest found = hasher.hash(file.path);
        if (found.sys != 0) {
            made.unreadable.push_back({file.path, found.sys});
            continue;
        }
        file.source = found.value;
        file.bytes = found.bytes;
        made.bytes += found.bytes;
        readable.push_back(std::move(file));
        watch(readable.size());
    }
    made.files = std::move(readable);
}

verification verify(plan& made, const ledger& notes, const std::string& output,
                    const counter_watcher& watch) {
    file_hasher hasher;
    verification sum;
    for (std::size_t i = 0; i < made.files.size() && stop_asked() == 0; ++i) {
        planned_file& file = made.files[i];
        const file_digest result = hasher.hash(output + file.path);
        file.result = result.value;
        const bool same =
            result.sys == 0 && result.bytes == file.bytes && result.value == file.source;
        file.found = same ? verdict::identical : judge(file, notes.files()[i], hasher);
        sum.identical += file.found == verdict::identical ? 1 : 0;
        sum.different += file.found == verdict::different ? 1 : 0;
        sum.changed += file.found == verdict::changed ? 1 : 0;
        watch(i + 1);
    }
    return sum;
}

} // namespace tool::demo
