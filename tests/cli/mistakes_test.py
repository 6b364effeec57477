"""Wrong command lines: exit status 2, what is wrong, and what was probably meant."""

import json

from support import CliTest, Exit

VERBS = ("send", "receive", "run", "ls", "info", "stat", "rm", "gc", "doctor", "demo", "transports",
         "completion")


class MistakesTest(CliTest):
    def usage(self, *arguments):
        out, said = self.hawser(*arguments, status=Exit.USAGE)
        self.assertEqual(out, b"")
        self.assertRegex(said, r"\Ahawser: .*\n  try: hawser .*\n\Z")
        self.assert_nothing_left()
        return said

    def test_no_verb(self):
        out, said = self.hawser(status=Exit.USAGE)
        self.assertEqual(out, b"")
        self.assertIn("Examples:", said)

    def test_did_you_mean_this_verb(self):
        self.assertIn("did you mean receive?", self.usage("recieve", "x"))
        self.assertIn("did you mean doctor?", self.usage("docter"))
        self.assertIn("did you mean send?", self.usage("sned"))
        self.assertNotIn("did you mean", self.usage("frobnicate"))

    def test_did_you_mean_this_flag(self):
        self.assertIn("did you mean --count?", self.usage("receive", "x", "--cuont", "3"))
        self.assertIn("did you mean --max_message?", self.usage("send", "x", "--max-message=3"))
        self.assertIn("did you mean --version?", self.usage("--versoin"))
        self.assertIn("did you mean --dry-run?", self.usage("gc", "--dryrun"))

    def test_did_you_mean_this_value(self):
        self.assertIn("did you mean json?", self.usage("receive", "x", "--format", "jsno"))
        self.assertIn("did you mean", self.usage("send", "x", "--full", "drop_oldst"))

    def test_an_unknown_flag_is_told_before_what_it_may_have_caused(self):
        self.assertIn("--cuont", self.usage("receive", "--cuont"))

    def test_missing_and_superfluous(self):
        for verb in ("send", "receive", "info", "stat", "rm"):
            self.assertIn("address is required", self.usage(verb))
        self.assertIn("too many", self.usage("ls", "box"))
        self.assertIn("too many", self.usage("receive", "a", "b"))
        self.usage("receive", "a", "--idle")
        self.usage("completion", "tcsh")

    def test_values_without_sense(self):
        for flags in (["--idle", "3"], ["--idle", "3 s"], ["--for", "-1s"], ["--timeout", "soon"],
                      ["--count", "x"], ["--count", "-1"], ["--release", "never"],
                      ["--color", "pink"]):
            self.usage("receive", "box", *flags)
        for flags in (["--size", "0"], ["--size", "x"], ["--size", "1XB"]):
            self.usage("send", "box", *flags)

    def test_flags_that_exclude_each_other(self):
        for flags in (["--whole", "--null"], ["--size", "3", "--frames"], ["--null", "--frames"]):
            self.usage("send", "box", *flags)
        self.usage("receive", "box", "--null", "--format", "raw")
        self.hawser("receive", "box", "--null", "--jsonl", status=Exit.USAGE)

    def test_options_out_of_range(self):
        for name, value in (("capacity", "2000000"), ("capacity", "x"), ("capacity", "-1"),
                            ("participants", "0"), ("participants", "5000"), ("loans", "1"),
                            ("loans", "33"), ("max_message", "1XB"), ("mode", "0999"),
                            ("mode", "07777"), ("sharing", "some"), ("order", "random"),
                            ("full", "maybe"), ("delivery", "exactly_once"), ("wait", "never"),
                            ("create", "perhaps"), ("persist", "maybe"), ("history", "-3")):
            self.assertIn("--" + name, self.usage("send", "box", f"--{name}={value}"))
            self.usage("send", f"box?{name}={value}")

    def test_an_option_given_twice_differently(self):
        self.usage("send", "box?capacity=3", "--capacity", "4")

    def test_bad_addresses(self):
        long = "x" * 5000
        for address in ("", "shm:", "a/b", "../box", "shm:/box", "box?", "box?capacity",
                        "box?nonsense=1", "box?capacity=3&capacity=4", "a%00b", "a%zz", long,
                        "x" * 256, "Shm:box:", "box?=3"):
            for verb in (["send"], ["receive", "--for", "0s"], ["info"], ["rm"]):
                with self.subTest(address=address[:20], verb=verb):
                    _, said = self.hawser(*verb, address, "--json", status=Exit.USAGE)
                    self.assertEqual(json.loads(said)["schema"], "hawser.error")

    def test_an_unknown_scheme(self):
        for verb in ("send", "receive", "info", "rm"):
            self.assertIn("unsupported", self.err(verb, "pigeon:box", status=Exit.FAILED))

    def test_errors_as_json(self):
        for arguments, code in ((["ls", "--jsno", "--json"], "usage"),
                                (["info", "a/b", "--json"], "invalid_argument")):
            out, said = self.hawser(*arguments, status=Exit.USAGE)
            self.assertEqual(out, b"")
            error = json.loads(said)
            self.assertEqual((error["schema"], error["version"]), ("hawser.error", 1))
            self.assertEqual((error["code"], error["exit"]), (code, Exit.USAGE))
            self.assertTrue(error["next"].startswith("hawser "))


class HelpTest(CliTest):
    def test_each_verb_leads_with_three_examples(self):
        for verb in VERBS:
            lines = self.out(verb, "--help").decode().splitlines()
            begin = lines.index("Examples:")
            self.assertLessEqual(begin, 2, verb)
            examples = lines[begin + 1 : begin + 4]
            self.assertTrue(all("hawser" in line and "#" in line for line in examples), verb)
            self.assertEqual(lines[begin + 4], "", verb)
            self.assertTrue(any(line.startswith(f"Usage: hawser {verb}") for line in lines))

    def test_help_is_the_same_however_it_is_asked_for(self):
        self.assertEqual(self.out("help", "send"), self.out("send", "--help"))
        self.assertEqual(self.out("help"), self.out("--help"))
        self.assertEqual(self.out("-h"), self.out("--help"))

    def test_help_lists_all_verbs(self):
        text = self.out("--help").decode()
        for verb in VERBS:
            self.assertRegex(text, rf"(?m)^  {verb} ")

    def test_lines_fit(self):
        for verb in VERBS:
            for line in self.out(verb, "--help").decode().splitlines():
                self.assertLessEqual(len(line), 110, line)

    def test_version(self):
        self.assertRegex(self.out("--version").decode(), r"\Ahawser \d+\.\d+\.\d+\n\Z")
