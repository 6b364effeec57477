"""hawser bench: what it measures is the machine's; that it measures, and how it is told, is ours."""

import signal

import support
from support import Exit


class BenchTest(support.CliTest):
    def measure(self, *arguments, **extra):
        given = ["bench", "--quick", "--runs", 2, *arguments, "--json"]
        document = support.json.loads(self.out(*given, **extra))
        self.assertEqual((document["schema"], document["version"]), ("hawser.bench", 2))
        return document

    def by_name(self, document):
        return {f"{case['group']} / {case['variant']} / {case['lane']}": case for case in document["cases"]}

    def assert_nothing_is_left(self):
        left = [path.name for path in self.mailboxes.iterdir()]
        self.assertEqual(left, [], "a measurement left something behind")

    def test_a_case_has_a_figure_for_each_run_beside_its_floor(self):
        document = self.measure("--case", "64B spin", "--case", "/ hawser order=sender")
        cases = self.by_name(document)
        self.assertEqual(
            sorted(cases),
            [f"{what} / 64B spin touched pinned / hawser order=sender" for what in ("one way", "round trip")],
        )
        for case in cases.values():
            self.assertEqual((len(case["runs"]), len(case["floors_ns"])), (2, 2))
            slow, fast = sorted((run["ns"] for run in case["runs"]), reverse=True)
            self.assertGreater(fast, 0)
            self.assertTrue(fast <= case["medians"]["ns"] <= slow)
            self.assertGreater(case["of_floor"], 0)
        tail = cases["round trip / 64B spin touched pinned / hawser order=sender"]["medians"]
        self.assertTrue(tail["p50_ns"] <= tail["p99_ns"] <= tail["p999_ns"] <= tail["max_ns"])
        self.assert_nothing_is_left()

    def test_where_it_was_measured_is_told(self):
        where = self.measure("--case", "64B spin", "--case", "round trip", "--case", "=sender")["environment"]
        for name in ("cpu", "shared", "governor", "kernel", "compiler", "load", "date", "commit"):
            self.assertTrue(where[name], name)

    def test_what_a_mailbox_cannot_do_is_told_and_is_no_failure(self):
        lane = "hawser sharing=pair"
        for case in self.measure("--case", "round trip", "--case", "spin", "--case", lane)["cases"]:
            if "why" in case:
                self.assertTrue(case["unsupported"])
                self.assertIn("unsupported", case["why"])
                self.assertNotIn("medians", case)

    def test_many_to_many_counts_what_everybody_got(self):
        words = ["--all", "--case", "2->2", "--case", "/ hawser", "--case", "adaptive"]
        for case in self.measure(*words)["cases"]:
            self.assertGreater(case["medians"]["per_s"], 0)
            for share in ("slowest_receiver_share", "slowest_sender_share"):
                self.assertTrue(0 <= case["medians"][share] <= 1)
        self.assert_nothing_is_left()

    def test_paced_messages_arrive_after_they_were_meant_to_leave(self):
        words = ["--all", "--case", "paced", "--case", "adaptive", "--case", " pinned"]
        (case,) = self.measure(*words)["cases"]
        self.assertEqual(case["facts"]["per_second"], "1000")
        self.assertTrue(0 < case["medians"]["p50_ns"] <= case["medians"]["p99_ns"])
        self.assertGreater(case["medians"]["receiver_cpu_percent"], 0)

    def test_the_life_of_a_mailbox(self):
        cases = self.by_name(self.measure("--all", "--case", "life"))
        self.assertEqual(len(cases), 3)
        memory = cases["life / memory of 64 x 256B / hawser"]["medians"]
        self.assertGreater(memory["used_bytes"], 64 * 256)
        self.assert_nothing_is_left()

    def test_the_table_has_a_row_for_each_case(self):
        out = self.out("bench", "--quick", "--runs", 1, "--case", "order=sender", "--case", "spin").decode()
        self.assertIn("Floor: two-line cache ping-pong", out)
        rows = [line for line in out.splitlines() if "hawser order=sender" in line]
        self.assertEqual(len(rows), 2, out)

    def test_list_names_the_cases_that_would_be_measured(self):
        brief = self.out("bench", "--list").decode().splitlines()
        everything = self.out("bench", "--all", "--list").decode().splitlines()
        loaned = self.out("bench", "--all", "--list", "--case", "loaned").decode().splitlines()
        self.assertGreater(len(everything), len(brief))
        self.assertEqual(loaned, [name for name in everything if "loaned" in name])
        self.assertEqual(len(set(everything)), len(everything), "two cases have one name")

    def test_a_word_that_no_case_has_is_a_mistake(self):
        err = self.err("bench", "--case", "no such case", status=Exit.USAGE)
        self.assertIn("hawser bench --all --list", err)

    def test_sizes_that_can_not_be_measured_are_refused(self):
        for size in ("7B", "17MiB"):
            self.assertIn("from 8B to 16MiB", self.err("bench", "--size", size, status=Exit.USAGE))

    def test_an_interrupt_leaves_nothing(self):
        process = self.spawn("bench", "--runs", 1000)
        self.wait_until(self.boxes, "a mailbox of the measurement")
        process.send_signal(signal.SIGINT)
        self.finish(process, status=Exit.INTERRUPTED)
        self.assert_nothing_is_left()
