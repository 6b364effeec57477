// hawser: messages between processes on Linux. Include this, or the single headers you need.
#pragma once

#include <hawser/address.hpp>
#include <hawser/attributes.hpp>
#include <hawser/byte_stream.hpp>
#include <hawser/capabilities.hpp>
#include <hawser/error.hpp>
#include <hawser/inspect.hpp>
#include <hawser/message.hpp>
#include <hawser/notification.hpp>
#include <hawser/options.hpp>
#include <hawser/pipe.hpp>
#include <hawser/poller.hpp>
#include <hawser/receiver.hpp>
#include <hawser/result.hpp>
#include <hawser/sender.hpp>
#include <hawser/stats.hpp>
#include <hawser/system_objects.hpp>
#include <hawser/terminal.hpp>
#include <hawser/version.hpp>
#include <hawser/wait.hpp>
