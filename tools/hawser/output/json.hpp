// JSON with a schema name and a version around it, from the first day.
//
// - A document (--json) is one object: {"schema": "hawser.ls", "version": 1, …}. A stream
//   (--jsonl) is one such object a line.
// - Names and messages may hold any bytes: text() gives a string where they are UTF-8.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include <hawser/inspect.hpp>

namespace tool {

using json = nlohmann::ordered_json; // keys stay in the order in which they are explained

json envelope(std::string_view schema, int version = 1);

// UTF-8 as it is, anything else with \xNN for what is not.
json text(std::string_view bytes);

std::string base64(std::string_view bytes);

// The document on stdout, indented. False if stdout can't take it.
bool print_document(const json& document);

json to_json(const hawser::stats& counters);
json to_json(const hawser::options& wanted);
json to_json(const hawser::participant_info& who);
json to_json(const hawser::mailbox_info& mailbox);

} // namespace tool
