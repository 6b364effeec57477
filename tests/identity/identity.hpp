// What the tests of this folder share: processes that hold a message, processes with a pid of one's
// choice or in a PID namespace of their own, and what hawser says of who is alive.
//
// - Death is certified by the lock of a participant's slot, never by a pid: each test makes a
//   process of which its pid, its state or its children tell something else.
// - The test process itself opens end points only after it has made all processes of the test:
//   clone3() runs no fork handlers, and what was made by it would hold the parent's descriptors.
// - Blocks: as the tests must; the watchdog watches.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/types.h>

#include <hawser/hawser.hpp>

#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/shared.hpp"

namespace hawser::test {

// As fork(), but the child gets this pid: clone3(2) with set_tid. -1 and errno: EPERM (needs
// CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), EEXIST (somebody has it).
pid_t fork_as(pid_t wanted);
// May this process do that?
bool may_choose_pids();
// As _Fork(): no fork handler runs.
pid_t fork_without_handlers();

// In a child of the test: runs the body in a process of that pid and waits for its end.
void run_as(pid_t wanted, const std::function<void()>& body);
// In a child of the test: runs the body as process 1 of a new PID namespace and waits for its end.
void run_in_new_namespace(const std::function<void()>& body);
bool may_make_namespaces();

// The pid of this process as the test sees it, whatever namespace it is in: /proc is the test's.
pid_t outer_pid();

// SIGKILL to any process; returns when its pidfd says that all of it has ended.
void kill_and_wait(pid_t pid);
bool has_ended(int pidfd);

// Of that file only: what else a machine has lying about is not the test's.
std::optional<collected_object> what_gc_says_of(const std::string& path, bool dry_run = false);

class identity : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] const std::string& address() const { return address_; }

    // From a process that has ended when this returns.
    void send(const std::vector<std::string>& texts) const;

    // Opens a receiver, takes a message, which must be this one, and says so; and then waits until
    // it is killed, or until let_go() when it releases it and ends.
    struct holder_notes {
        beacon holding;
        beacon go;
    };
    void hold(const std::string& text, const holder_notes& notes) const;
    std::unique_ptr<child> make_holder(const std::string& text, const holder_notes& notes) const;

    // The participants that the records name with this pid, by what the locks say.
    [[nodiscard]] std::vector<participant_info> participants(std::uint32_t pid) const;
    [[nodiscard]] bool is_alive(std::uint32_t pid) const;
    [[nodiscard]] mailbox_info seen() const;

    // The next message is this one, flagged as delivered before.
    static void expect_again(receiver& in, const std::string& text);
    // Nobody has been taken for dead: nothing comes again, although this receiver looks around for
    // longer than it takes to find a dead one.
    static void expect_nothing_comes(receiver& in);

  private:
    std::string address_;
};

} // namespace hawser::test
