// How each scheme spells the addresses of a test, and how what is left of them is cleared away.
//
// - Addresses are fixed when a `spelling` is made, before the bodies of a test start: all of them
//   mean the same one. Ports, queue names and keys differ for each test and each test process.
// - To add a scheme is to add two lines in spelling.cpp.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::test {

// The further addresses of a test, beside its first one (""). All that any test uses.
inline constexpr std::array<std::string_view, 12> stems{"",    "-other", "-back",   "-late",
                                                        "-in", "-out",   "-a",      "-b",
                                                        "-c",  "-held",  "-queued", "-lasting"};

class spelling {
  public:
    spelling() = default;
    // kind: "" or another way to name the same facility ("abstract", "ipv6").
    spelling(std::string_view scheme, std::string_view kind, const std::string& name);

    // The address for one of the stems; any other stem is possible where names are free (shm, …).
    [[nodiscard]] std::string address(std::string_view stem) const;
    // Where that is in the file system, or nothing.
    [[nodiscard]] static std::string path_of(std::string_view address);

    // Removes what the facility keeps when nobody uses it any more (queues, FIFOs, the socket files
    // of the killed); what remains even then.
    [[nodiscard]] std::vector<std::string> clear_away() const;

  private:
    std::string scheme_;
    std::string kind_;
    std::string name_;
    std::array<unsigned, stems.size()> ports_{};
};

// The ways to name the same facility, beside the first, that this machine can have.
std::vector<std::string_view> further_kinds(std::string_view scheme);

} // namespace hawser::test
