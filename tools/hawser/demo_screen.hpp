// What is to be seen on stderr while the demo works: on a terminal a small block that is drawn anew
// ten times a second, elsewhere one line for each phase.
//
// - Blocks: as writing to stderr does. One thread. Destroying it takes the block away.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "context.hpp"
#include "demo_crew.hpp"
#include "demo_ledger.hpp"

namespace tool::demo {

class screen {
  public:
    // quiet: nothing but the block on a terminal.
    screen(const context& here, bool quiet);
    ~screen();
    screen(const screen&) = delete;
    screen& operator=(const screen&) = delete;

    // A new part of the work begins: "reading 5,412 files".
    void phase(const std::string& what);
    // How far the phase is.
    void counted(std::uint64_t done, std::uint64_t total);
    // How far the messages are. The last picture stays.
    void streaming(const ledger& notes, const crew& workers, const std::vector<killing>& kills,
                   bool last);
    // The block has served.
    void close() { clear(); }
    // A line that stays.
    void say(const std::string& line);

  private:
    [[nodiscard]] bool due();
    void draw(const std::vector<std::string>& lines);
    void clear();
    [[nodiscard]] std::string bar(std::uint64_t done, std::uint64_t total) const;
    [[nodiscard]] std::string worker_cell(const ledger& notes, const crew_member& member) const;

    const context& here_;
    bool terminal_;
    bool quiet_;
    bool utf8_;
    std::string phase_;
    std::size_t drawn_ = 0; // lines of the block
    std::uint64_t next_ns_ = 0;
    std::uint64_t began_ns_ = 0;
};

} // namespace tool::demo
