# SPDX-License-Identifier: MIT
"""plx-watch as its users have it: plx_watch.py PROGRAM [TEST...]. Each test has a folder of its own."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
MANUAL = os.path.join(os.path.dirname(__file__), "../../tools/man1/plx-watch.1")
PATIENCE = 30  # seconds until something that must happen has not


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                if file.read().rsplit(")", 1)[1].split()[1] == str(pid):
                    found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


class PlxWatch(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="plx-watch-test-")
        self.tree = os.path.join(self.folder, "tree")
        self.log = os.path.join(self.folder, "log")
        os.makedirs(os.path.join(self.tree, "sub", "deep"))
        self.write("file")
        self.write("other")
        self.process = None

    def tearDown(self):
        if self.process:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(PATIENCE)
            self.process.stdout.close()
            self.process.stderr.close()
        shutil.rmtree(self.folder)

    def path(self, *names):
        return os.path.join(self.tree, *names)

    def write(self, *names):
        with open(self.path(*names), "a") as file:
            file.write("x")

    def start(self, *arguments, command="echo run >>$LOG"):
        self.process = subprocess.Popen([PROGRAM, *arguments, "--", "sh", "-c", command], cwd=self.folder,
                                        env=dict(os.environ, LOG=self.log), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def lines(self):
        try:
            with open(self.log) as log:
                return log.read().split()
        except FileNotFoundError:
            return []

    def until(self, what):
        end = time.monotonic() + PATIENCE
        while not what():
            self.assertLess(time.monotonic(), end, f"in vain; the log has {self.lines()}")
            self.assertIsNone(self.process.poll(), "it has ended")
            time.sleep(0.01)

    def runs(self, count):
        self.until(lambda: len(self.lines()) >= count)
        self.assertEqual(len(self.lines()), count)

    def none_follows(self, seconds=0.6):
        before = self.lines()
        time.sleep(seconds)
        self.assertEqual(self.lines(), before)

    def usage_error(self, text, *arguments):
        run = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertRegex(run.stderr, rf"\Aplx-watch: [^\n]*{text}[^\n]*\n\Z")

    # ---- the command line

    def test_what_is_wrong_with_the_command_line_is_one_line(self):
        self.usage_error("no path")
        self.usage_error("no path", "--", "true")
        self.usage_error("no command", "tree")
        self.usage_error("no command", "tree", "--")
        self.usage_error("nowhere: No such file", "tree", "nowhere", "--", "true")
        self.usage_error("no such option: --bogus", "--bogus", "tree", "--", "true")
        self.usage_error("--debounce: not a time .*: 5", "--debounce", "5", "tree", "--", "true")
        self.usage_error("--grace: not a time .*: -1s", "--grace=-1s", "tree", "--", "true")
        self.usage_error("wants a value", "--debounce")

    def test_the_manual_page_has_the_options_of_help(self):
        help = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
        with open(MANUAL) as file:
            described = re.findall(r"^\.It Fl (.).* -(\w+)", file.read(), re.M)
        self.assertEqual(described, re.findall(r"^  -(.), --(\w+)", help, re.M))

    def test_help_and_version(self):
        for option, text in ("--help", "usage: plx-watch"), ("--version", "plx-watch "):
            run = subprocess.run([PROGRAM, option], capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn(text, run.stdout)

    # ---- what counts as a change

    def test_a_change_runs_the_command_again(self):
        self.start("tree")
        self.runs(1)
        self.none_follows()
        for count in 2, 3:
            self.write("file")
            self.runs(count)

    def test_a_save_by_rename_is_seen_each_time(self):
        self.start("--debounce", "600ms", "tree/file")
        self.runs(1)
        for count in 2, 3, 4:
            self.write("new")
            os.replace(self.path("new"), self.path("file"))
            self.runs(count)

    def test_of_a_file_only_the_file_counts(self):
        self.start("tree/file")
        self.runs(1)
        self.write("other")
        self.none_follows()
        os.remove(self.path("file"))
        self.runs(2)
        self.write("file")
        self.runs(3)

    def test_below_a_folder_only_when_recursive(self):
        self.start("tree")
        self.runs(1)
        self.write("sub", "deep", "file")
        self.none_follows()

    def test_recursive_sees_new_folders(self):
        self.start("--recursive", "--debounce", "600ms", "tree")
        self.runs(1)
        self.write("sub", "deep", "file")
        self.runs(2)
        os.makedirs(self.path("a", "b", "c"))
        self.runs(3)
        self.write("a", "b", "c", "file")
        self.runs(4)

    def test_a_folder_that_comes_back_is_watched_again(self):
        self.start("-r", "tree")
        self.runs(1)
        shutil.rmtree(self.tree)
        self.until(lambda: len(self.lines()) >= 2)
        os.makedirs(self.tree)
        self.write("file")
        self.until(lambda: len(self.lines()) >= 3)
        count = 0
        while count < len(self.lines()):  # the file may have come late
            count = len(self.lines())
            time.sleep(1)
        self.write("file")
        self.runs(count + 1)

    def test_a_link_is_watched_at_both_ends(self):
        os.symlink("file", self.path("link"))
        self.start("tree/link")
        self.runs(1)
        self.write("file")
        self.runs(2)
        os.symlink("other", self.path("link2"))
        os.replace(self.path("link2"), self.path("link"))
        self.runs(3)

    def test_ignored_names_do_not_count(self):
        self.start("-r", "--ignore", "*.o", "--ignore", "deep", "tree")
        self.runs(1)
        self.write("x.o")
        self.write("sub", "x.o")
        self.write("sub", "deep", "file")
        self.none_follows()
        self.write("sub", "x.c")
        self.runs(2)

    def test_changes_that_come_together_are_one_run(self):
        self.start("--debounce", "3s", "tree")
        self.runs(1)
        for _ in range(20):
            self.write("file")
            time.sleep(0.02)
        self.runs(2)
        self.none_follows(4)

    # ---- the run

    def test_a_run_is_ended_before_the_next(self):
        self.start("tree", command='trap "echo ended >>$LOG; exit" TERM; echo run >>$LOG; while :; do sleep 0.02; done')
        self.runs(1)
        self.write("file")
        self.runs(3)
        self.assertEqual(self.lines(), ["run", "ended", "run"])

    def test_a_run_that_does_not_end_is_killed(self):
        self.start("--grace", "100ms", "tree", command='trap "" TERM; echo run$$ >>$LOG; while :; do sleep 0.02; done')
        self.runs(1)
        self.write("file")
        self.runs(2)
        first = int(self.lines()[0][3:])
        self.assertRaises(ProcessLookupError, os.kill, first, 0)
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE), 128 + signal.SIGKILL)

    def test_what_the_command_started_ends_with_it(self):
        self.start("tree", command="sleep 1000 & echo $! >>$LOG; wait")
        self.runs(1)
        self.write("file")
        self.runs(2)
        child = self.lines()[0]
        self.until(lambda: not alive(child))

    def test_the_screen_is_cleared_before_each_run(self):
        self.start("--clear", "tree", command="echo run >>$LOG; echo text")
        self.runs(1)
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.assertRegex(self.process.stdout.read(), rb"\A\033\[[^a-z]*text")

    def test_a_command_that_is_not_there(self):
        run = subprocess.Popen([PROGRAM, "tree", "--", "./nothing-of-this-name"], cwd=self.folder, stderr=subprocess.PIPE)
        self.assertIn(b"plx-watch: ./nothing-of-this-name: No such file", run.stderr.readline())
        end = time.monotonic() + PATIENCE
        while children(run.pid):  # the run has said so, and may not have ended yet
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        run.terminate()
        self.assertEqual(run.wait(PATIENCE), 127)
        run.stderr.close()

    # ---- signals and the exit status

    def test_signals_are_passed_on_and_the_status_is_the_runs(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT:
            if os.path.exists(self.log):
                os.remove(self.log)
            name = number.name[3:]
            self.start("tree", command=f'trap "exit 7" {name}; echo run >>$LOG; while :; do sleep 0.02; done')
            self.runs(1)
            self.process.send_signal(number)
            self.assertEqual(self.process.wait(PATIENCE), 7, name)
            self.process.stdout.close()
            self.process.stderr.close()

    def test_a_run_ended_by_a_signal_is_128_and_more(self):
        self.start("tree", command="echo run >>$LOG; exec sleep 1000")
        self.runs(1)
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE), 128 + signal.SIGTERM)

    def test_between_runs_the_status_is_the_last_runs(self):
        self.start("tree", command="echo run >>$LOG; exit 3")
        self.runs(1)
        self.until(lambda: not children(self.process.pid))
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE), 3)

    def test_user_signals_only_reach_the_run(self):
        self.start("tree", command='trap "echo usr >>$LOG" USR1; echo run >>$LOG; while :; do sleep 0.02; done')
        self.runs(1)
        self.process.send_signal(signal.SIGUSR1)
        self.runs(2)
        self.assertIsNone(self.process.poll())


del sys.argv[1]
unittest.main(verbosity=2)
