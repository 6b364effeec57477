#include "environment.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <hawser/version.hpp>

#include "crew.hpp"

namespace tool::bench {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

std::string of_cpu(int cpu, const std::string& what) {
    return fmt::format("/sys/devices/system/cpu/cpu{}/{}", cpu, what);
}

// The nearest cache that both have, or that they are two threads of one core.
std::string common_cache(int one, int other) {
    if (one == other) return "one CPU: all figures show switching between processes";
    const std::string siblings = "topology/thread_siblings_list";
    if (first_line(of_cpu(one, siblings)) == first_line(of_cpu(other, siblings)) &&
        !first_line(of_cpu(one, siblings)).empty())
        return "two threads of one core";
    for (int index = 0; index < 8; ++index) {
        const std::string cache = fmt::format("cache/index{}/", index);
        const std::string shared_by = first_line(of_cpu(one, cache + "shared_cpu_list"));
        if (shared_by.empty()) continue;
        if (shared_by == first_line(of_cpu(other, cache + "shared_cpu_list")))
            return fmt::format("two cores, common cache: level {}, {}",
                               first_line(of_cpu(one, cache + "level")),
                               first_line(of_cpu(one, cache + "size")));
    }
    return "two cores without a common cache";
}

std::string governor(int cpu) {
    const std::string found = first_line(of_cpu(cpu, "cpufreq/scaling_governor"));
    return found.empty() ? "none to be seen (a virtual machine?)" : found;
}

std::string load() {
    std::array<double, 3> averages{};
    if (::getloadavg(averages.data(), 3) != 3) return "unknown";
    return fmt::format("{:.2f} {:.2f} {:.2f} at the end", averages[0], averages[1], averages[2]);
}

} // namespace

std::vector<std::pair<std::string, std::string>> environment() {
    const std::vector<int> cpus = usable_cpus();
    utsname system{};
    ::uname(&system);
    const char* commit = std::getenv("HAWSER_COMMIT"); // of ./dev bench
    return {
        {"cpu", cpu_model()},
        {"cpus", fmt::format("{} usable, {} and {} used", cpus.size(), cpus.front(),
                             cpus[1 % cpus.size()])},
        {"shared", common_cache(cpus.front(), cpus[1 % cpus.size()])},
        {"governor", governor(cpus.front())},
        {"kernel", fmt::format("{} {}", system.sysname, system.release)},
        {"compiler", __VERSION__},
        {"load", load()},
        {"date", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))},
        {"version", HAWSER_VERSION_STRING},
        {"commit", commit != nullptr && *commit != 0 ? commit : "not told"},
    };
}

} // namespace tool::bench
