// The directory of the results: checked for room, filled with directories, and taken away again.
//
// - Blocks: on the file system. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "demo_plan.hpp"

namespace tool::demo {

class output_directory {
  public:
    // An empty path: a temporary directory for so many bytes, below $TMPDIR if that is set. Else in
    // memory (/dev/shm) if it takes at most a quarter of what is free there, so that the figures
    // are of the messages and not of the disk; else below /tmp.
    output_directory(const std::string& wanted, std::uint64_t bytes);
    // Takes away all that is in it, and itself if it made it; not after keep().
    ~output_directory();
    output_directory(const output_directory&) = delete;
    output_directory& operator=(const output_directory&) = delete;

    // 0, or the errno of making it: ENOTEMPTY if it holds something that is not the demo's.
    [[nodiscard]] int sys() const noexcept { return sys_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // Where it is, for people: "/dev/shm, in memory".
    [[nodiscard]] std::string place() const;

    // Leaves out of the plan what does not fit.
    void fit(plan& made) const;
    // Makes the directory of every file. 0, or the errno.
    [[nodiscard]] int prepare(const plan& made) const;
    void keep() noexcept { kept_ = true; }
    // Takes it away now. Empty, or what is left and why.
    std::string remove();

  private:
    std::string path_;
    bool own_ = false; // made by us
    bool kept_ = false;
    int sys_ = 0;
};

} // namespace tool::demo
