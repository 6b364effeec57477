// Convention: NAME.cpp defines `void add_NAME(CLI::App& app, context& here)`, which calls
// add_verb(), adds its flags, and sets verb->callback([=, &here] { here.status = …; }), an
// exit_code; `return fail(here, error)` reports an error.
//
// All verbs of the command line, in the order of the help. Flags live in a std::shared_ptr that the
// callback holds; stdout is data, stderr is talk; `--json` is added with add_json_flag()
// (context.hpp).
#pragma once

#include "context.hpp"

namespace tool {

void add_send(CLI::App& app, context& here);
void add_receive(CLI::App& app, context& here);
void add_run(CLI::App& app, context& here);
void add_ls(CLI::App& app, context& here);
void add_info(CLI::App& app, context& here);
void add_stat(CLI::App& app, context& here);
void add_rm(CLI::App& app, context& here);
void add_gc(CLI::App& app, context& here);
void add_doctor(CLI::App& app, context& here);
void add_transports(CLI::App& app, context& here);
void add_demo(CLI::App& app, context& here);
void add_bench(CLI::App& app, context& here);
void add_completion(CLI::App& app, context& here);

} // namespace tool
