"""The verbs that look and clear away: ls, info, stat, rm, gc, transports, completion."""

import json
import os
import pathlib
import shutil
import subprocess

from support import CliTest, Exit
import support


class LookingTest(CliTest):
    def test_ls_of_nothing(self):
        self.assertEqual(self.hawser("ls", "--mailboxes"), (b"", ""))
        self.assertEqual(self.boxes(), [])

    def test_ls(self):
        self.hawser("send", "orders", stdin=b"a\nbc\n")
        self.hawser("send", "b-longer-name", stdin=b"a\n")
        lines = self.out("ls", "--mailboxes").decode().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertEqual(lines[0].split()[:3], ["ADDRESS", "STATE", "DEPTH"])
        self.assertEqual(lines[1].split()[:4], ["shm:b-longer-name", "idle", "1", "0"])
        self.assertEqual(lines[2].split()[:4], ["shm:orders", "idle", "2", "0"])
        for line in lines[1:]:
            self.assertEqual(line.index("idle"), lines[0].index("STATE"))
        box = self.boxes()[1]
        self.assertEqual((box["address"], box["depth"], box["held"]), ("shm:orders", 2, 0))
        self.assertEqual((box["counters"]["sent"], box["counters"]["sent_bytes"]), (2, 3))
        self.assertEqual(box["path"], str(self.file_of("orders")))

    def test_ls_names(self):
        self.hawser("send", "b", "-m", "x")
        self.hawser("send", "a", "-m", "x")
        self.assertEqual(self.out("ls", "--names"), b"shm:a\nshm:b\n")

    def test_observers_take_no_part(self):
        self.hawser("send", "box", "-m", "x")
        for verb in ("info", "stat", "doctor"):
            self.hawser(verb, "box")
        self.assertEqual(self.info("box")["depth"], 1)
        self.assertEqual(self.info("box")["participants"], [])

    def test_info(self):
        self.hawser("send", "box?capacity=7&mode=0640&loans=3", "-m", "hello")
        text = self.out("info", "box").decode()
        for line in ("address +shm:box", "capacity +7 messages", "mode +0640", "loans +3",
                     "depth +1 queued, 0 held"):
            self.assertRegex(text, line)
        box = self.info("shm:box")
        self.assertEqual(box["geometry"]["capacity"], 7)
        self.assertEqual(box["geometry"]["sharing"], "any")
        self.assertEqual((box["mode"], box["uid"]), ("0640", os.geteuid()))
        self.assertRegex(box["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_info_shows_participants(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        (who,) = self.info("box")["participants"]
        self.assertEqual((who["pid"], who["command"], who["alive"]), (receiver.pid, "hawser", True))
        self.assertRegex(self.out("info", "box").decode(), rf"receiver +\w+ +{receiver.pid} ")

    def test_stat(self):
        self.hawser("send", "box?capacity=2&full=drop_oldest", stdin=b"a\nb\nc\n")
        self.hawser("receive", "box", "-n", "1")
        stat = self.document("stat", "box", schema="stat")
        self.assertEqual((stat["address"], stat["depth"], stat["held"]), ("shm:box", 1, 0))
        counted = {name: stat["counters"][name] for name in ("sent", "received", "dropped")}
        self.assertEqual(counted, {"sent": 3, "received": 1, "dropped": 1})
        self.assertRegex(self.out("stat", "box").decode(), r"sent +3 \(3B\)\nreceived +1 \(1B\)\n")

    def test_the_readme_has_the_table_of_this_build(self):
        readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
        begin = "<!-- made by: hawser transports --markdown -->\n"
        kept = readme[readme.index(begin) + len(begin):readme.index("<!-- end -->")]
        self.assertEqual(kept, self.out("transports", "--markdown").decode())

    def test_transports(self):
        shm = self.document("transports", schema="transports")["transports"][0]
        self.assertEqual((shm["scheme"], shm["syntax"]), ("shm", "shm:NAME"))
        self.assertEqual(shm["can"]["boundaries"], "message")
        self.assertIs(shm["can"]["zero_copy"], True)
        self.assertIn("shm:NAME", self.out("transports").decode())

    def test_color(self):
        self.hawser("send", "box", "-m", "x")
        self.assertNotIn(b"\033", self.out("ls"))
        self.assertIn(b"\033", self.out("ls", "--color", "always"))
        self.assertIn(b"\033", self.out("--color=always", "ls"))
        self.environment["NO_COLOR"] = "1"
        self.assertNotIn(b"\033", self.out("ls"))

    def test_names_can_not_speak_to_the_terminal(self):
        self.file_of("\033[31mred\n").write_bytes(b"no mailbox")
        for verb in (["ls"], ["ls", "--names"], ["gc"]):
            self.assertNotIn(b"\033", self.out(*verb))
        self.assertNotIn(b"\033", self.out("doctor", status=Exit.FAILED))
        self.assertNotIn(b"\033", self.out("ls", "--json"))


class RemovingTest(CliTest):
    def test_rm(self):
        for name in ("a", "b", "c"):
            self.hawser("send", name, "-m", "x")
        self.assertEqual(self.hawser("rm", "a", "shm:b"), (b"", ""))
        removed = self.document("rm", "c", schema="rm")["removed"]
        self.assertEqual(removed, ["c"])
        self.assert_nothing_left()

    def test_rm_goes_on_after_a_failure(self):
        self.hawser("send", "b", "-m", "x")
        said = self.err("rm", "a", "b", status=Exit.NOT_FOUND)
        self.assertIn("shm:a", said)
        self.assert_nothing_left()

    def test_rm_refuses_what_is_in_use(self):
        receiver = self.spawn("receive", "box")
        self.wait_for_participants("box", "receiver", 1)
        said = self.err("rm", "box", status=Exit.FAILED)
        self.assertIn(str(receiver.pid), said)
        self.assertIn("--force", said)
        self.hawser("rm", "box", "--force")
        self.assertEqual(self.finish(receiver), b"")
        self.assert_nothing_left()

    def test_a_sender_is_told_that_it_was_removed(self):
        sender = self.spawn("send", "box?capacity=1")
        sender.stdin.write(b"1\n2\n")
        sender.stdin.flush()
        self.wait_for_participants("box", "sender", 1, waiting=True)
        self.hawser("rm", "box", "--force")
        out, err = sender.communicate(timeout=support.WATCHDOG_S)
        self.assertEqual(sender.returncode, Exit.FAILED)
        self.assertIn(b"closed", err)

    def test_gc_of_nothing(self):
        self.assertEqual(self.hawser("gc", "--mailboxes"), (b"", ""))

    def leave_a_dead_mailbox(self, name="box"):
        receiver = self.spawn("receive", name)
        self.wait_for_participants(name, "receiver", 1)
        receiver.kill()
        receiver.wait(timeout=support.WATCHDOG_S)

    def test_gc_takes_what_the_dead_left(self):
        self.leave_a_dead_mailbox()
        plan = self.document("gc", "--dry-run", schema="gc")
        self.assertEqual([(box["address"], box["removed"]) for box in plan["mailboxes"]],
                         [("shm:box", True)])
        self.assertTrue(plan["dry_run"])
        self.assertTrue(self.file_of("box").exists())
        done = self.document("gc", schema="gc")
        self.assertEqual([box["removed"] for box in done["mailboxes"]], [True])
        self.assertGreater(done["freed_bytes"], 0)
        self.assert_nothing_left()

    def test_gc_leaves_messages_and_the_living_alone(self):
        self.hawser("send", "full", "-m", "x")
        self.spawn("receive", "used")
        self.wait_for_participants("used", "receiver", 1)
        self.leave_a_dead_mailbox("dead")
        self.assertRegex(self.out("gc").decode(), r"shm:dead +removed")
        self.assertEqual(self.out("ls", "--names"), b"shm:full\nshm:used\n")

    def test_what_a_dead_receiver_held_comes_again(self):
        receiver = self.spawn("receive", "box?loans=2")
        self.wait_for_participants("box", "receiver", 1)
        with open(self.place / "large", "wb") as large:
            large.write(b"x" * 1_000_000)
        self.hawser("send", "box", "--whole", self.place / "large", self.place / "large")
        # Its pipe is full and nobody reads: it holds the message that it can't write.
        self.wait_until(lambda: self.info("box")["held"] > 0, "a message that is held")
        receiver.kill()
        receiver.communicate(timeout=support.WATCHDOG_S)
        lines = self.out("receive", "box", "--idle", "0s", "--jsonl").splitlines()
        messages = [json.loads(line) for line in lines]
        self.assertEqual([m["bytes"] for m in messages], [1_000_000] * 2)
        self.assertTrue(messages[0]["redelivered"])
        self.assert_nothing_left()


class CompletionTest(CliTest):
    def test_scripts_name_every_verb_and_flag(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.out("completion", shell).decode()
            for word in ("receive", "doctor", "idle", "capacity", "drop_oldest"):
                self.assertIn(word, script, shell)

    def bash(self, text):
        environment = dict(self.environment, PATH=f"{support.HAWSER.parent}:{os.environ['PATH']}")
        done = subprocess.run(["bash", "--norc", "-eu", "-c", text], env=environment,
                              capture_output=True, timeout=support.WATCHDOG_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode().split()

    def complete(self, line):
        return self.bash(f"""source <(hawser completion bash)
            COMP_LINE='{line}' COMP_POINT={len(line)} COMPREPLY=()
            _hawser
            printf '%s\\n' "${{COMPREPLY[@]}}" """)

    def test_bash_sources_cleanly(self):
        self.assertEqual(self.bash("source <(hawser completion bash); complete -p hawser")[-1],
                         "hawser")

    def test_bash_completes(self):
        self.hawser("send", "orders", "-m", "x")
        self.assertEqual(self.complete("hawser rec"), ["receive"])
        self.assertEqual(self.complete("hawser receive --idl"), ["--idle"])
        self.assertEqual(self.complete("hawser receive --json --idl"), ["--idle"])
        drops = ["drop_oldest", "drop_newest"]
        self.assertEqual(self.complete("hawser send x --full drop_"), drops)
        self.assertEqual(self.complete("hawser completion f"), ["fish"])
        self.assertEqual(self.complete("hawser info shm:or"), ["orders"])
        self.assertEqual(self.complete("hawser info sh"), ["shm:orders"])
        (self.place / "some-file").write_bytes(b"")
        path = str(self.place / "some-")
        self.assertEqual(self.complete(f"hawser send x {path}"), [path + "file"])

    def check_syntax(self, shell):
        program = shutil.which(shell)
        if program is None:
            self.skipTest(f"{shell} is not installed")
        script = self.out("completion", shell)
        done = subprocess.run([program, "-n", "/dev/stdin"], input=script, capture_output=True,
                              timeout=support.WATCHDOG_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_zsh_syntax(self):
        self.check_syntax("zsh")

    def test_fish_syntax(self):
        self.check_syntax("fish")
