# SPDX-License-Identifier: MIT
"""The manual has all of the header, and a header that it would have wrong is an error."""
import re
import sys
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools/manual"))
import header
import mdoc
import reference

SOURCE = (TOP / "include/pollux.h").read_text()


class Names(unittest.TestCase):
    """Found here without what the tool finds them by."""
    code = re.sub(r"/\*.*?\*/|\".*?\"", "", SOURCE, flags=re.DOTALL)
    names = set(re.findall(r"\b(?:plx|PLX)_\w+", code)) - {"PLX_API", "PLX_SHARED", "PLX_BUILDING"}

    def test_each_name_has_a_manual_page(self):
        files = mdoc.write(header.read(SOURCE), "November 22, 2026")
        named = {name for text in files.values() for name in re.findall(r"^\.Nm (\w+)", text, re.MULTILINE)}
        self.assertEqual(self.names, named - {"pollux"})
        for name in self.names:
            lower = {Path(path).stem.lower() for path in files}
            self.assertIn(name.lower(), lower)

    def test_no_two_files_differ_in_case_alone(self):
        files = mdoc.write(header.read(SOURCE), "November 22, 2026")
        self.assertEqual(len({path.lower() for path in files}), len(files))

    def test_a_further_name_leads_to_its_page(self):
        files = mdoc.write(header.read(SOURCE), "November 22, 2026")
        self.assertEqual(files["man3/plx_timer_start_at.3"], ".so man3/plx_timer_start.3\n")
        for text in files.values():
            if text.startswith(".so "):
                self.assertIn(".Nm", files[text[4:].rstrip()])

    def test_see_also_has_the_others_of_the_section(self):
        page = mdoc.write(header.read(SOURCE), "November 22, 2026")["man3/plx_waker_wake.3"]
        self.assertEqual(page.partition(".Sh SEE ALSO\n")[2],
                         ".Xr plx_waker_open 3 ,\n.Xr plx_waker_retain 3 ,\n.Xr pollux 7\n")

    def test_each_name_has_an_anchor_in_the_reference(self):
        model = header.read(SOURCE)
        anchors = {name for text in reference.pages(model).values() for name in re.findall(r"{#(\w+)}", text)}
        self.assertEqual(self.names - anchors, set())
        self.assertEqual(set(reference.places(model)), self.names)


class Errors(unittest.TestCase):
    """One thing is changed in the header, and the tool refuses it."""

    def refused(self, before, after, why):
        self.assertEqual(SOURCE.count(before), 1, before)
        line = SOURCE[:SOURCE.index(before)].count("\n") + 1
        with self.assertRaisesRegex(header.Malformed, why) as refusal:
            header.read(SOURCE.replace(before, after))
        said = int(re.match(r"line (\d+)", str(refusal.exception))[1])
        self.assertLess(abs(said - line), 25, refusal.exception)

    def test_unknown_label(self):
        self.refused(" * Returns  0 and the poller;", " * Return  0 and the poller;", "neither a label")

    def test_label_twice(self):
        self.refused(" * Lifetime  until plx_paths_close; may", " * Returns  until plx_paths_close; may", "twice")

    def test_label_in_the_wrong_place(self):
        self.refused(" * Lifetime  until plx_paths_close; may outlive its poller.\n */",
                     " * Units  none\n * Lifetime  until plx_paths_close.\n */", "wrong place")

    def test_label_without_text(self):
        self.refused(" * Lifetime  until plx_paths_close; may outlive its poller.\n", " * Lifetime\n", "no text")

    def test_text_after_a_label(self):
        self.refused(" * Lifetime  until plx_paths_close; may outlive its poller.\n",
                     " * Lifetime  until plx_paths_close;\n * may outlive its poller.\n", "not indented")

    def test_errors_that_are_not_told(self):
        self.refused(" *\n * Returns  as plx_event_describe.\n", "", "returns errors, and says none")

    def test_name_that_is_not_declared(self):
        self.refused("/* Now, on the system's monotonic clock.", "/* plx_poller_then, on the system's clock.",
                     "nothing is called plx_poller_then")

    def test_declaration_without_a_comment(self):
        self.refused("/* What a wait returns, one for each source that has something to say. */\n", "",
                     "plx_event has no comment")

    def test_comment_without_a_declaration(self):
        self.refused("PLX_API const char *plx_strerror(int rc);\n", "", "declares nothing")

    def test_declaration_that_is_not_understood(self):
        self.refused("PLX_API plx_nanos plx_now(void);", "PLX_API plx_nanos (*plx_now)(void);", "not understood")

    def test_member_that_is_not_understood(self):
        self.refused("    uint32_t uid;    /*", "    uint32_t uid:16; /*", "a member of plx_signal_info")

    def test_crooked_indentation(self):
        self.refused(" * Moves a manual clock on.", " * Moves a\n *    manual clock on.", "indented by 3")


class Shapes(unittest.TestCase):
    """How what is written in a comment comes out."""

    def test_a_name_at_a_bracket(self):
        self.assertIn(".No \\&( Ns Xr plx_poller_descriptor 3 ) .\n", self.page("As there (plx_poller_descriptor)."))

    def test_a_line_that_would_be_a_macro(self):
        self.assertIn("\n\\&.profile is read ", self.page(".profile is read"))

    def test_an_asterisk_is_no_emphasis(self):
        self.assertEqual(reference.inline("EPOLL* and POLL*, plx_now"), r"EPOLL\* and POLL\*, `plx_now`")

    def page(self, text):
        changed = SOURCE.replace("Writes the counters. Costs no system call; several", text + " Several")
        self.assertNotEqual(changed, SOURCE)
        return mdoc.write(header.read(changed), "November 22, 2026")["man3/plx_poller_stats.3"]


class Pitfalls(unittest.TestCase):
    def test_each_test_that_is_named_is_there(self):
        cases = (TOP / "tests/conform/cases.txt").read_text().split("\n")
        page = (TOP / "docs/pitfalls.md").read_text()
        shown = re.findall(r"^Shown by (.*?)(?:\n\n|\Z)", page, re.MULTILINE | re.DOTALL)
        named = [name for text in shown for name in re.findall(r"`([\w./]+)`(?: in `(tests/\w+/)`)?", text)]
        self.assertGreater(len(named), 50)
        for name, folder in named:
            self.assertTrue(name in cases or (TOP / f"{folder}{name}.c").exists() or (TOP / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
