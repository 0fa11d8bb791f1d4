"""docs/internals/complaints.md: every complaint has a test, and the tests that it names are there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROWS = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs/internals/complaints.md").read_text(encoding="utf-8"), re.MULTILINE)


class Complaints(unittest.TestCase):
    def test_all_are_there(self):
        self.assertEqual([int(number) for number, _ in ROWS], list(range(1, 29)))

    def test_each_has_tests_that_exist(self):
        for number, cell in ROWS:
            named = re.findall(r"`([^`]+)`", cell)
            self.assertTrue(named, number)
            for name in named:
                path, _, test = name.partition("::")
                with self.subTest(complaint=number, test=name):
                    self.assertTrue((ROOT / path).is_file())
                    self.assertTrue(not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
