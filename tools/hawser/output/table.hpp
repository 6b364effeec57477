// A table whose columns line up: as wide as their widest cell, numbers to the right.
#pragma once

#include <string>
#include <vector>

#include "context.hpp"
#include "terminal/terminal.hpp"

namespace tool {

enum class align : std::uint8_t { left, right };

class table {
  public:
    struct column {
        std::string title;
        align side = align::left;
    };
    explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}

    // One cell for each column. Cells are shown with printable().
    void add(const std::vector<std::string>& cells);

    // The titles dimmed where colour is wanted. False if the stream can't take it.
    [[nodiscard]] bool print(const context& here, stream where = stream::out) const;

  private:
    std::vector<column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// "name: value" lines with the values in one column.
[[nodiscard]] bool print_facts(const std::vector<std::pair<std::string, std::string>>& facts);

} // namespace tool
