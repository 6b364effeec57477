// The text of --help: what it is, three examples, then the flags, in lines of at most 100 columns.
#pragma once

#include <CLI/CLI.hpp>

namespace tool {

class help_text : public CLI::Formatter {
  public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
    std::string make_usage(const CLI::App* app, std::string name) const override;
    std::string make_subcommand(const CLI::App* verb) const override;
    std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

} // namespace tool
