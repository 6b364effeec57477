"""run: programs joined by pipes behave as in the shell, and the report says what flowed."""

import hashlib
import json
import os
import pathlib
import pty
import random
import resource
import shlex
import signal
import subprocess
import sys

import support
from support import WATCHDOG_S, CliTest, Exit

MIB = 1 << 20
READY = ["sh", "-c", "echo ready; exec sleep 600"]  # says so, and stays until it is ended


def words(*stages):
    """`run`'s words for stages, each a list or a line of a shell."""
    line = ["--"]
    for at, stage in enumerate(stages):
        line += [":::"] if at else []
        line += ["sh", "-c", stage] if isinstance(stage, str) else stage
    return line


def descriptors_of(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def children_of(pid):
    return [int(word) for word in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs_with(mark):
    """Is there a process with this mark in its command line?"""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            pass  # it has just ended
    return False


class RunCase(CliTest):
    def setUp(self):
        super().setUp()
        self.report_file = self.place / "report.json"

    def end_all(self):
        """With their programs, which would otherwise outlive a test that failed."""
        for process in self.running:
            if process.poll() is None and os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
        super().end_all()

    def report(self):
        document = json.loads(self.report_file.read_text())
        self.assertEqual((document["schema"], document["version"]), ("hawser.run", 1))
        return document

    def piped(self, *stages, stdin=b"", status=Exit.OK, **extra):
        """What came out at the end, and the report."""
        out = self.out("run", "--report-json", self.report_file, *words(*stages), stdin=stdin,
                       status=status, **extra)
        report = self.report()
        self.assertEqual(report["exit"], status)
        self.assertEqual([one["stage"] for one in report["stages"]],
                         list(range(1, len(stages) + 1)))
        return out, report

    def bash(self, *stages, stdin=b""):
        line = " | ".join(shlex.join(["sh", "-c", one] if isinstance(one, str) else one)
                          for one in stages)
        done = subprocess.run(["bash", "--norc", "-o", "pipefail", "-c", line], input=stdin,
                              env=self.environment, capture_output=True, timeout=WATCHDOG_S)
        return done.stdout, done.returncode

    def spawn_ready(self, *stages, **extra):
        """Started, and its first program has said that it runs."""
        process = self.spawn("run", "--report-json", self.report_file, *words(*stages),
                             start_new_session=True, **extra)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process


class LikeTheShellTest(RunCase):
    def compare(self, *stages, stdin=b""):
        out, status = self.bash(*stages, stdin=stdin)
        got, report = self.piped(*stages, stdin=stdin, status=status)
        self.assertEqual(hashlib.sha256(got).hexdigest(), hashlib.sha256(out).hexdigest())
        return report

    def test_one_program(self):
        self.compare(["echo", "one"])
        self.compare("exit 3")

    def test_text(self):
        self.compare(["ls", "/usr"], ["wc", "-l"])
        self.compare(["seq", "100000"], ["grep", "7"], ["sort", "-rn"], ["tail", "-3"])
        self.compare(["seq", "20000"], ["rev"], ["sort"], ["uniq", "-c"],
                     ["awk", "{s+=$2} END {print s}"])

    def test_any_bytes(self):
        seed = random.randrange(1 << 32)
        data = random.Random(seed).randbytes(10 * MIB + 4097)
        with self.subTest(seed=seed):
            report = self.compare(["cat"], ["gzip", "-1"], ["gzip", "-d"], ["cat"], stdin=data)
            flowed = [one["bytes_out"] for one in report["stages"]]
            self.assertEqual((flowed[0], flowed[2], flowed[3]), (len(data), len(data), None))
            out, _ = self.bash(["cat"], ["gzip", "-1"], stdin=data)
            self.assertEqual(flowed[1], len(out))

    def test_arguments_come_through_unchanged(self):
        given = ["", " ", "a b", "[a,b]", "--", "-x", "--help", "--json", "{}", "'", '"', "\\", "*",
                 "%", "ü", "\n", "-", "::", "::::"]
        report = self.compare(["printf", "%s|", *given], ["cat"])
        self.assertEqual(report["stages"][0]["words"][2:-1], given[:-1])

    def test_exit_codes(self):
        for codes in ((0, 0), (3, 0), (0, 4), (3, 4), (1, 0, 0), (0, 2, 0), (1, 2, 3), (5, 6, 0),
                      (255,), (0, 255, 1)):
            with self.subTest(codes=codes):
                report = self.compare(*[f"cat; exit {code}" for code in codes])
                self.assertEqual([one["exit"] for one in report["stages"]], list(codes))

    def test_exit_codes_of_signals(self):
        for name in ("KILL", "TERM", "SEGV", "HUP", "USR1", "RTMIN"):
            with self.subTest(name=name):
                self.compare(["true"], f"ulimit -c 0; kill -{name} $$", ["cat"])

    def test_a_program_that_writes_before_it_reads(self):
        self.compare(["head", "-c", "3000000", "/dev/zero"],
                     "head -c 3000000 /dev/zero | tr '\\0' x; cat", ["cat"])

    def test_a_program_that_reads_nothing(self):
        # Whether the bytes or the end of their reader comes first is a matter of chance.
        self.compare("trap '' PIPE; echo lost 2> /dev/null; exit 0", ["echo", "kept"])
        self.compare("exec >&-; exit 5", ["cat"])

    def test_a_script_without_its_first_line(self):
        script = self.place / "script"
        script.write_text('echo "script got $1"\n')
        script.chmod(0o755)
        self.compare([str(script), "an argument"], ["cat"])

    def test_twenty_programs(self):
        data = os.urandom(MIB)
        report = self.compare(*[["cat"]] * 20, stdin=data)
        self.assertEqual([one["bytes_out"] for one in report["stages"]], [MIB] * 19 + [None])

    def test_a_program_left_behind_gets_all_bytes(self):
        # Its parent, the last stage, is gone at once; only hawser still brings the bytes.
        count = self.place / "count"
        self.piped(["head", "-c", "3000000", "/dev/zero"],
                   f"exec 3<&0; (wc -c <&3 > {count}.new; mv {count}.new {count}) & exit 0")
        self.wait_until(count.exists, "the count of the program left behind")
        self.assertEqual(int(count.read_text()), 3000000)


class FlowTest(RunCase):
    def test_much_without_deadlock(self):
        size = 300 * MIB
        out, report = self.piped(["head", "-c", str(size), "/dev/zero"], ["cat"], ["wc", "-c"])
        self.assertEqual(int(out), size)
        self.assertEqual([one["bytes_out"] for one in report["stages"]], [size, size, None])

    def test_many_small_writes(self):
        one_by_one = "import os\nfor i in range(30000): os.write(1, b'%d\\n' % i)"
        out, report = self.piped([sys.executable, "-c", one_by_one], ["cat"], ["cat"])
        expected = b"".join(b"%d\n" % i for i in range(30000))
        self.assertEqual(out, expected)
        self.assertEqual(report["stages"][0]["bytes_out"], len(expected))

    def test_each_byte_goes_on_at_once(self):
        process = self.spawn("run", *words(["cat"], ["cat"], ["cat"]))
        for byte in (b"a", b"b", b"c"):
            process.stdin.write(byte)
            process.stdin.flush()
            self.assertEqual(process.stdout.read(1), byte)
        self.assertEqual(self.finish(process), b"")

    def test_a_reader_that_goes_ends_what_is_before_it(self):
        out, report = self.piped(["yes"], ["head", "-1"], status=141)
        self.assertEqual(out, b"y\n")
        self.assertEqual(self.bash(["yes"], ["head", "-1"]), (b"y\n", 141))
        first = report["stages"][0]
        self.assertEqual((first["signal"], first["exit"], first["status"]), ("SIGPIPE", None, 141))
        self.assertGreater(first["bytes_out"], 0)

    def test_a_reader_that_goes_ends_all_before_it(self):
        _, report = self.piped(["yes"], ["cat"], ["cat"], ["head", "-1"], status=141)
        self.assertEqual([one["signal"] for one in report["stages"]], ["SIGPIPE"] * 3 + [None])

    def test_a_reader_of_hawser_that_goes_ends_it(self):
        process = self.spawn("run", "--report-json", self.report_file, *words(["yes"], ["cat"]))
        self.assertEqual(process.stdout.readline(), b"y\n")
        process.stdout.close()
        process.stdout = None
        self.finish(process, status=141)
        self.assertEqual(self.report()["stages"][1]["signal"], "SIGPIPE")

    def test_where_sigpipe_was_ignored(self):
        def ignore():
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)

        _, report = self.piped(["yes"], ["head", "-1"], status=141, preexec_fn=ignore,
                               restore_signals=False)
        self.assertEqual(report["stages"][0]["signal"], "SIGPIPE")

    def test_where_the_end_of_children_was_ignored(self):
        def ignore():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

        out, _ = self.piped(["echo", "x"], "cat; exit 3", status=3, preexec_fn=ignore)
        self.assertEqual(out, b"x\n")


class ChildrenTest(RunCase):
    def test_no_descriptor_too_many(self):
        look = ["ls", "/proc/self/fd"]  # 3 is the directory that it reads
        for stages in ([look], [look, ["cat"]], [["true"], look], [["true"], look, ["cat"]]):
            self.assertEqual(self.out("run", *words(*stages)).split(), [b"0", b"1", b"2", b"3"])

    def test_no_end_of_a_pipe_too_many(self):
        process = self.spawn_ready(READY, ["cat"], ["cat"])
        children = children_of(process.pid)
        self.assertEqual(len(children), 3)
        for child in children:
            self.assertEqual(descriptors_of(child), [0, 1, 2])
        # Its own three, the report, the signals, and two for each place between two programs.
        self.assertEqual(len(descriptors_of(process.pid)), 3 + 1 + 1 + 2 * 2)
        process.terminate()
        self.finish(process, status=143)

    def signals_of(self, **extra):
        out = self.out("run", *words(["true"], ["cat", "/proc/self/status"], ["cat"]), **extra)
        fields = dict(line.split(":\t") for line in out.decode().splitlines() if ":\t" in line)
        ignored = int(fields["SigIgn"], 16)
        ignored &= ~(1 << 31 | 1 << 32)  # glibc's own two, ignored by its posix_spawn
        return int(fields["SigBlk"], 16), ignored

    def test_signals_are_as_usual(self):
        self.assertEqual(self.signals_of(), (0, 0))

    def test_signals_that_were_blocked_or_ignored(self):
        def as_nohup():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})

        blocked, ignored = self.signals_of(preexec_fn=as_nohup, restore_signals=False)
        self.assertEqual((blocked, ignored), (0, 1 << (signal.SIGHUP - 1)))

    def test_environment_and_directory(self):
        self.environment["HAWSER_TEST_WORD"] = "a b"
        out = self.out("run", *words('echo "$HAWSER_TEST_WORD"; pwd', ["cat"]), cwd="/usr")
        self.assertEqual(out, b"a b\n/usr\n")

    def test_errors_of_programs_go_to_stderr(self):
        out, said = self.hawser("run", *words("echo oops >&2", ["cat"]))
        self.assertEqual((out, said), (b"", "oops\n"))


class StartTest(RunCase):
    def refused(self, status, *stages, **extra):
        mark = self.place / "ran"
        out, said = self.hawser("run", *words(["touch", str(mark)], *stages), status=status,
                                **extra)
        self.assertEqual(out, b"")
        self.assertRegex(said, r"\Ahawser: run stage 2: .*\n  try: .*\n\Z")
        self.assertFalse(mark.exists(), "the first program ran")
        return said

    def test_a_program_that_is_not_there(self):
        self.assertIn("'no-such-program' in PATH", self.refused(127, ["no-such-program"], ["cat"]))
        for name in ("/no/such/program", "./none", "/etc/passwd/x", ""):
            self.refused(127, [name], ["cat"])
        self.assertEqual(self.bash(["no-such-program"])[1], 127)

    def test_a_program_that_must_not_be_run(self):
        plain = self.place / "plain"
        plain.write_text("x")
        for name in (plain, self.place):
            self.refused(126, [str(name)])
            self.assertEqual(self.bash([str(name)])[1], 126)

    def test_in_path_but_not_to_be_run(self):
        (self.place / "plain").write_text("x")
        self.environment["PATH"] += f":{self.place}"
        self.refused(126, ["plain"])
        self.assertEqual(self.bash(["plain"])[1], 126)

    def test_without_path(self):
        del self.environment["PATH"]
        self.assertEqual(self.out("run", *words(["echo", "x"], ["cat"])), b"x\n")

    def test_a_failure_after_the_first_start_leaves_nothing_running(self):
        mark = f"600.{os.getpid()}"
        lacking = self.place / "lacking"
        lacking.write_text("#!/no/such/interpreter\n")
        binary = self.place / "binary"
        binary.write_bytes(b"\x7fELF\0\0\0\0")
        for file, status in ((lacking, 127), (binary, 126)):
            file.chmod(0o755)
            said = self.err("run", *words(["sleep", mark], [str(file)]), status=status)
            self.assertIn("stage 2", said)
            self.assertFalse(runs_with(mark))
            self.assertEqual(self.bash([str(file)])[1], status)

    def test_too_few_descriptors(self):
        mark = f"600.{os.getpid()}"
        said = self.err("run", *words(*[["sleep", mark]] * 20), status=Exit.FAILED,
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
        self.assertIn("ulimit -n", said)
        self.assertFalse(runs_with(mark))

    def test_command_lines_without_sense(self):
        for given in ([], ["--"], ["--", ":::"], ["--", "true", ":::"], ["--", ":::", "true"],
                      ["--", "true", ":::", ":::", "true"], ["--report", "perhaps", "--", "true"],
                      ["--report-json", "-", "--", "true"], ["--report-json", "--"]):
            with self.subTest(given=given):
                self.hawser("run", *given, status=Exit.USAGE)
        said = self.err("run", "--reprot", "always", "--", "true", status=Exit.USAGE)
        self.assertIn("did you mean --report?", said)

    def test_the_dashes_may_be_left_out(self):
        self.assertEqual(self.out("run", "ls", "-d", "/usr", ":::", "cat"), b"/usr\n")
        given = ["--color=never", "run", "--report", "never", "--color", "never", "ls", "-d"]
        self.assertEqual(self.out(*given, "/usr"), b"/usr\n")
        self.assertEqual(self.out("run", "echo", "--", "--help"), b"-- --help\n")

    def test_another_separator(self):
        out = self.out("run", "--separator", "THEN", "--", "echo", ":::", "THEN", "cat")
        self.assertEqual(out, b":::\n")


class SignalTest(RunCase):
    def test_a_killed_program(self):
        process = self.spawn_ready(READY, ["cat"])
        os.kill(children_of(process.pid)[0], signal.SIGKILL)
        _, said = process.communicate(timeout=WATCHDOG_S)
        self.assertEqual(process.returncode, 137)
        self.assertEqual(said, b"hawser: stage 1 (sh) was ended by SIGKILL\n")
        first, last = self.report()["stages"]
        self.assertEqual((first["signal"], first["status"]), ("SIGKILL", 137))
        self.assertEqual((last["signal"], last["status"]), (None, 0))

    def test_ctrl_c(self):
        process = self.spawn_ready(READY, ["cat"])
        os.killpg(process.pid, signal.SIGINT)
        self.finish(process, status=Exit.INTERRUPTED)
        report = self.report()
        self.assertEqual((report["exit"], report["stop_signal"]), (130, "SIGINT"))
        self.assertEqual([one["signal"] for one in report["stages"]], ["SIGINT"] * 2)

    def test_ctrl_c_waits_for_a_program_that_tidies_up(self):
        tidy = ("import signal\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\n"
                "print('ready', flush=True)\n"
                "signal.sigwait({signal.SIGINT})\n"
                "print('tidied up', flush=True)\n")
        process = self.spawn_ready([sys.executable, "-c", tidy])
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(self.finish(process, status=Exit.INTERRUPTED), b"tidied up\n")
        self.assertEqual(self.report()["stages"][0]["exit"], 0)

    def test_termination_is_passed_on(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            process = self.spawn_ready(READY, ["cat"], ["cat"])
            os.kill(process.pid, number)
            self.finish(process, status=status)
            report = self.report()
            self.assertEqual(report["stop_signal"], signal.Signals(number).name)
            self.assertEqual(report["stages"][0]["signal"], signal.Signals(number).name)

    def test_termination_wakes_a_stopped_program(self):
        process = self.spawn_ready(READY, ["cat"])
        os.kill(children_of(process.pid)[0], signal.SIGSTOP)
        self.assertIn(b"was stopped by SIGSTOP", process.stderr.readline())
        process.terminate()
        self.finish(process, status=143)

    def test_a_stopped_program_is_told_and_goes_on(self):
        process = self.spawn("run", *words("echo ready; kill -STOP $$; echo on", ["cat"]))
        said = process.stderr.readline().decode()
        self.assertRegex(said, r"\Ahawser: stage 1 \(sh\) was stopped by SIGSTOP; kill -CONT \d+\n")
        os.kill(int(said.split()[-1]), signal.SIGCONT)
        self.assertEqual(self.finish(process), b"ready\non\n")

    def test_an_ignored_ctrl_c_stays_ignored(self):
        def ignore():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        process = self.spawn_ready("echo ready; read line; echo $line", ["cat"], preexec_fn=ignore)
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(self.finish(process, stdin=b"still here\n"), b"still here\n")

    def test_killed_itself_it_leaves_only_ended_pipes(self):
        process = self.spawn("run", *words(["cat"], "cat; echo end"), stderr=subprocess.DEVNULL)
        process.stdin.write(b"x\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"x\n")
        process.kill()
        self.assertEqual(process.stdout.readline(), b"end\n")


class ReportTest(RunCase):
    STAGES = (["head", "-c", "5000", "/dev/zero"], ["cat"], "cat > /dev/null; exit 4")

    def table(self, *flags, **extra):
        return self.err("run", *flags, *words(*self.STAGES), status=4, **extra).splitlines()

    def test_quiet_unless_asked(self):
        self.assertEqual(self.table(), [])
        self.assertEqual(self.table("--report", "never"), [])

    def test_columns_line_up(self):
        title, *rows, end = self.table("--report=always")
        self.assertEqual(title.split("  ")[:2], ["STAGE", "PROGRAM"])
        self.assertEqual(end, "exit 4, of stage 3 (sh)")
        self.assertEqual(len(rows), 3)
        self.assertEqual([row[title.index("ENDED"):] for row in rows],
                         ["exit 0", "exit 0", "exit 4"])
        right = title.index("BYTES OUT") + len("BYTES OUT")
        self.assertEqual([row[:right].split()[-1] for row in rows], ["4.9KiB", "4.9KiB", "-"])
        self.assertEqual([row[right : right + 2] for row in rows], ["  "] * 3)
        left = title.index("PROGRAM")
        self.assertTrue(rows[0][left:].startswith("head -c 5000 /dev/zero  "))

    def test_nothing_strange_reaches_the_terminal(self):
        said = self.err("run", "--report=always", *words(["echo", "\033[31m" + "ü" * 100]))
        self.assertNotIn("\033", said)
        self.assertIn("\\x1b[31mü", said)
        self.assertLess(max(map(len, said.splitlines())), 110)

    def test_times(self):
        burn = "import time\nwhile time.process_time() < 0.2: pass"
        _, report = self.piped([sys.executable, "-c", burn], ["cat"])
        first = report["stages"][0]
        self.assertGreaterEqual(first["user_ns"] + first["system_ns"], 100_000_000)
        self.assertGreaterEqual(first["wall_ns"], 200_000_000)
        self.assertGreaterEqual(report["wall_ns"], first["wall_ns"])

    def test_a_place_that_cannot_be_written(self):
        mark = self.place / "ran"
        self.hawser("run", "--report-json", "/no/such/place", "--", "touch", mark,
                    status=Exit.NOT_FOUND)
        self.assertFalse(mark.exists())
        said = self.err("run", "--report-json", "/dev/full", "--", "true", status=Exit.FAILED)
        self.assertIn("/dev/full", said)
        self.err("run", "--report-json", "/dev/full", "--", "sh", "-c", "exit 9", status=9)

    def on_terminal(self, *stages, stdin=None, until=b""):
        """With stderr on a terminal; what it showed. stdin stays open until that was seen."""
        screen, theirs = pty.openpty()
        self.addCleanup(os.close, screen)
        process = self.spawn("run", *words(*stages), stderr=theirs)
        os.close(theirs)
        shown = b""
        if stdin is not None:
            process.stdin.write(stdin)
            process.stdin.flush()
        while until not in shown:
            shown += os.read(screen, 4096)
        process.stdin.close()
        process.stdin = None
        self.finish(process)
        try:
            while more := os.read(screen, 4096):
                shown += more
        except OSError:  # EIO: the last program has closed it
            pass
        return shown.decode()

    def test_a_terminal_gets_the_table(self):
        self.assertIn("PROGRAM", self.on_terminal(["echo", "x"], ["cat"]))

    def test_a_terminal_sees_how_it_goes(self):
        shown = self.on_terminal(["cat"], ["cat"], ["wc", "-c"], stdin=b"x" * 2048, until=b"/s")
        self.assertRegex(shown, r"\r\x1b\[K1s  1 cat 2KiB, [\d.]+\w*B/s  2 cat 2KiB, ")
        self.assertRegex(shown, r"\r\x1b\[K[^\r\n]*STAGE")  # the line has gone before




class CompletionTest(RunCase):
    def complete(self, line):
        text = f"""source <(hawser completion bash)
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMPREPLY=()
            _hawser
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        environment = dict(self.environment, PATH=f"{support.HAWSER.parent}:{os.environ['PATH']}")
        done = subprocess.run(["bash", "--norc", "-eu", "-c", text], env=environment,
                              capture_output=True, timeout=WATCHDOG_S)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode().split()

    def test_programs_flags_and_files(self):
        for before in ("run", "run --report never --", "run -- ls /usr :::"):
            self.assertIn("sha256sum", self.complete(f"hawser {before} sha256su"))
        self.assertEqual(self.complete("hawser run --report-j"), ["--report-json"])
        self.assertEqual(self.complete("hawser run --report al"), ["always"])
        self.assertEqual(self.complete("hawser run -- ls --report-j"), [])
        (self.place / "some-file").write_bytes(b"")
        path = str(self.place / "some-")
        self.assertEqual(self.complete(f"hawser run -- ls -l {path}"), [path + "file"])
